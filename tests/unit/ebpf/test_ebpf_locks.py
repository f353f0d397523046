"""The try-lock's code: taken, given back, not got from the own CPU's run, not got in time, got after a wait."""

from __future__ import annotations

import struct

import pytest

from pystap.backend.ebpf import locks
from pystap.ir.nodes import Label, Scope
from pystap.program import CPU_SKIPPED_OTHER, CTL_LOCK
from tests.kit.ebpf_rig import Const, Global, If, Op, Rig, handler, i64

N = Global("n", (), "i64")


def rig(*inside, **more):
    body = [Op(None, "lock", ()), Scope(Label("locked"), [*inside]), Op(None, "unlock", ())]
    return Rig([handler(*body)], globs=[(N, "shared", [], False)], **more)


def bump():
    old, new = i64("old"), i64("new")
    return [Op(old, "get", (), N), Op(new, "add", (old, Const(1))), Op(None, "set", (new,), N)]


def value(made):
    return made.peek(made.homes[N].spec.offset, "<q")


def skipped(made):
    return sum(struct.unpack_from("<Q", raw, CPU_SKIPPED_OTHER)[0] for raw in made.maps["cpu"].get_all(0))


def test_taken_and_given_back():
    made = rig(*bump())
    for _ in range(3):
        made.run(0)
    assert (value(made), made.peek(CTL_LOCK), skipped(made)) == (3, 0, 0)


@pytest.mark.parametrize(
    "holder", [1, 2]
)  # the run's own CPU, which it interrupted; another one that doesn't give it back
def test_not_got(monkeypatch, holder):
    monkeypatch.setattr(locks, "SPINS", 50)
    made = rig(*bump())
    made.poke(CTL_LOCK, "<Q", holder)
    made.run(0)
    assert (value(made), made.peek(CTL_LOCK), skipped(made)) == (0, holder, 1)
    other = made.vm.executed
    made.poke(CTL_LOCK, "<Q", 3 - holder)
    made.run(0)
    assert (other < made.vm.executed) is (holder == 1)  # it waits for another CPU only


def test_got_after_a_wait(monkeypatch):
    """The holder gives it back while the run tries."""
    monkeypatch.setattr(locks, "SPINS", 50)
    made = rig(*bump())
    made.poke(CTL_LOCK, "<Q", 2)
    again, turns = made.vm.callback, []

    def callback(function, *args):
        turns.append(1)
        if len(turns) == 5:
            made.poke(CTL_LOCK, "<Q", 0)
        return again(function, *args)

    monkeypatch.setattr(made.vm, "callback", callback)
    made.run(0)
    assert (value(made), made.peek(CTL_LOCK), skipped(made), len(turns)) == (1, 0, 0, 5)


def test_an_error_gives_it_back():
    a, q = i64("a"), i64("q")
    made = rig(
        *bump(),
        Op(a, "ctx_arg", (), (0, False)),
        Op(q, "sdiv_or_error", (Const(1), a)),
        Op(None, "set", (q,), N),
    )
    made.run(0)
    assert made.error == ("division by 0", 0)
    assert (value(made), made.peek(CTL_LOCK)) == (1, 0)


def test_what_did_not_get_it_leaves_a_nested_holder_alone():
    """An error behind a lock that was not taken on this way frees nobody else's."""
    a, q = i64("a"), i64("q")
    body = [
        Op(a, "ctx_arg", (), (0, False)),
        Op(q, "sdiv_or_error", (Const(1), a)),
        If(q, [Op(None, "lock", ()), *bump(), Op(None, "unlock", ())], []),
    ]
    made = Rig([handler(*body)], globs=[(N, "shared", [], False)])
    made.poke(CTL_LOCK, "<Q", 1)
    made.run(0)
    assert made.error == ("division by 0", 0)
    assert made.peek(CTL_LOCK) == 1
