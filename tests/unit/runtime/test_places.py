"""Places of one probe point: what is left out, and when that is an error."""

from __future__ import annotations

import pytest

from pystap.kernel.sys import KernelError
from pystap.program import Prog
from pystap.runtime.places import Places


def prog(among: str) -> Prog:
    return Prog("p", "kprobe", "f", {"offset": 1, "among": among}, b"", (), (), ())


def test_one_of_many_is_a_warning() -> None:
    places = Places()
    assert places.refused(prog("a"), KernelError(22, "opening kprobe f+0x1")).startswith(
        "left out: opening kprobe f+0x1"
    )
    places.attached(prog("a"))
    places.check()


def test_none_of_many_is_an_error() -> None:
    places = Places()
    places.refused(prog("a"), KernelError(22, "first"))
    places.refused(prog("a"), KernelError(22, "second"))
    places.attached(prog("b"))
    with pytest.raises(KernelError, match="first"):
        places.check()


def test_one_beside_others_is_never_an_error() -> None:
    """The point has an event that isn't among them: it is never left out itself."""
    places = Places()
    copy = Prog("p", "kprobe", "f", {"offset": 1, "among": "a", "beside": True}, b"", (), (), ())
    assert places.refused(copy, KernelError(22, "opening kprobe f+0x1")).startswith("left out: ")
    places.check()


def test_a_single_one_is_an_error_at_once() -> None:
    for alone in (prog(""), Prog("p", "kprobe", "f", None, b"", (), (), ())):
        with pytest.raises(KernelError, match="only"):
            Places().refused(alone, KernelError(22, "only"))
