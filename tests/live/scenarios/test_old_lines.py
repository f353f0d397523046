"""Scripts that name lines of an old kernel, without debug information: what is told, on every kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pystap.kernel.debugfiles import candidates, wanted_id
from pystap.kernel.target import release
from tests.live import probing
from tests.live.tracer import run

MODELS = {
    "statement": ("004-8.2-statement.stp", "net/ipv4/ip_input.c"),
    "arp-macs": ("004-5.10-mac.stp", "net/ipv4/arp.c"),
    "arp-macs-too": ("004-15.2-arp.stp", "net/ipv4/arp.c"),
    "parsed-mss": ("004-15.4-skb-mss.stp", "net/ipv4/tcp_input.c"),
    "windows": ("004-Y-window.stp", "net/netfilter/nf_conntrack_proto_tcp.c"),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_to_install(script, name: str) -> None:
    if candidates("", wanted_id("")):
        pytest.skip("the debug information of this kernel is installed: tests/live/debuginfo tests that")
    model, file = MODELS[name]
    path = script(f"lines/{name.removesuffix('-too')}.stp", model)
    number, line = next(
        (number, line)
        for number, line in enumerate(Path(path).read_text().splitlines(), 1)
        if line.startswith("probe")
    )
    function = re.search(r'statement\("(\w+)@', line)
    assert function is not None
    done = run("-p2", path)
    assert done.status == 1 and not done.out
    words = "lines need the debug information of (the kernel|module 'nf_conntrack'), which isn't installed"
    assert re.match(
        rf"error\[E313\]: {words} \('{function[1]}' is in (\S+ and )?{re.escape(file)}\)\n", done.err
    ), done.err
    assert f"  --> {path}:{number}:" in done.err
    # the package's name, where the distribution is known
    assert re.search(
        rf"= help: (install .*{re.escape(release())}|module 'nf_conntrack' isn't loaded)", done.err
    )
    assert ("but this kernel can't probe places" in done.err) == bool(probing.lacks("kprobe")), done.err
