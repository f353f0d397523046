"""What isn't there, or can't be traced, says what there is instead."""

from __future__ import annotations

import pytest

from tests.live.tracer import Tracer

CASES = [
    (
        'kernel.function("tcp_sendmsgg")',
        "this kernel has no function 'tcp_sendmsgg'",
        "did you mean 'tcp_sendmsg'?",
    ),
    ('kernel.function("sock_init")', "the function 'sock_init' can't be traced", "__init"),
    ('kernel.function("no_such_*")', "no function of this kernel matches 'no_such_*'", ""),
    ('module("nowhere").function("f")', "this kernel has no module 'nowhere'", ""),
]


@pytest.mark.parametrize(("point", "words", "hint"), CASES)
def test_says_why(probes: None, point: str, words: str, hint: str) -> None:
    with Tracer("-e", f"probe {point} {{}}", until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 1
    assert words in tracer.err and hint in tracer.err
    assert "Traceback" not in tracer.err


def test_optional_is_left_out(probes: None) -> None:
    text = 'probe module("nowhere").function("f")?, begin { println("here") exit() }'
    with Tracer("-e", text, until_ready=False) as tracer:
        tracer.wait()
    assert tracer.clean() == "here\n"


def test_exported_only(probes: None) -> None:
    text = 'probe kernel.function("tcp_send*").exported { printf("%s\\n", ppfunc()) }'
    with Tracer("-p2", "-e", text, until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 0
