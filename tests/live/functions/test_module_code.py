"""Places of a module's functions by its file and its sections, beside the kernel's own symbols."""

from __future__ import annotations

import subprocess

import pytest

from pystap.kernel.module_code import ModuleCode
from pystap.kernel.symbols import read_kallsyms
from tests.live import probing


@pytest.mark.parametrize("module", ["bridge", "nf_conntrack", "veth"])
def test_as_the_kernel_says(module: str) -> None:
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    code = ModuleCode(module)
    subprocess.run(["modprobe", module], check=True)
    table, kernel = code.symbols(), read_kallsyms()
    assert table is not None
    mine = {(address, name) for address, name, _ in table.functions("*", module)}
    theirs = {(address, name) for address, name, _ in kernel.functions("*", module)}
    assert len(mine) >= 20
    # the kernel lists more: what isn't a function by its type, and the module's start
    assert mine <= theirs, sorted(mine - theirs)[:10]
    assert {name for _, name in mine} >= set(code_names(module))


def code_names(module: str) -> list[str]:
    """Some functions of each, which every kernel has."""
    return {"bridge": ["br_handle_frame", "br_dev_xmit"], "veth": ["veth_xmit"]}.get(
        module, ["nf_conntrack_in"]
    )


def test_one_that_is_not_loaded() -> None:
    assert ModuleCode("no_such_module").symbols() is None
