"""Which plain loads are legal: our walk through BTF says what the verifier says."""

from __future__ import annotations

import random

import pytest
from ebpf_live import Live, kernel_btf, live_target

from pystap.backend.ebpf.target import Target
from pystap.ir.ops import Load
from pystap.kernel.prog import VerifierError
from tests.kit.ebpf_rig import Event, Field, Op, RecordPlan, handler, i64

CASES = [
    ("net_dev_queue", 0, "sk_buff"),
    ("sched_switch", 1, "task_struct"),
    ("inet_sock_set_state", 0, "sock"),
]


def accepts(event, argument, struct, offset, size):
    """Whether the verifier takes a plain load there."""
    real = live_target()
    bold = Target(
        real.offset, lambda *_: "", lambda tracepoint, n: struct, real.struct_id, ("direct",), real.arch
    )
    pointer, value = i64("p"), i64("v")
    body = handler(
        Op(pointer, "ctx_arg", (), (argument, False)),
        Op(value, "load", (pointer,), Load(off=offset, size=size, signed=False, struct=struct)),
        Op(None, "reserve", (), RecordPlan(1, 24)),
        Op(None, "put", (value,), Field(16, "i64", 8)),
    )
    try:
        with Live([(Event("tp_btf", event), [body], {})], target=bold, attach=False):
            return True
    except VerifierError:
        return False


@pytest.mark.parametrize(("event", "argument", "struct"), CASES, ids=[c[2] for c in CASES])
def test_same_verdict_as_the_verifier(event, argument, struct):
    target = live_target()
    assert target.argument(event, argument) == struct
    whole = kernel_btf().find_struct(struct)
    rng = random.Random(struct)
    verdicts = {True: 0, False: 0}
    for _ in range(60):
        size = rng.choice((1, 2, 4, 8))
        offset = rng.randrange(0, whole.size - size + 1, rng.choice((1, size)))
        ours = target.access(struct, offset, size) is not None
        assert ours == accepts(event, argument, struct, offset, size), (offset, size)
        verdicts[ours] += 1
    assert all(verdicts.values())  # both verdicts were seen


def test_pointers_lead_where_the_verifier_thinks():
    target = live_target()
    assert target.access("sk_buff", target.offset("sk_buff", "dev")[0], 8) == "net_device"
    assert target.access("sk_buff", target.offset("sk_buff", "sk")[0], 8) == "sock"
    assert target.access("task_struct", target.offset("task_struct", "real_parent")[0], 8) == "task_struct"
    assert target.access("task_struct", target.offset("task_struct", "comm")[0] + 8, 8) == ""
    assert target.access("task_struct", target.offset("task_struct", "comm")[0] + 12, 8) is None
    assert target.access("no_such_struct", 0, 8) is None
    assert target.offset("task_struct", "no_such_field") is None
    assert target.offset("task_struct", "real_parent.tgid") is None  # behind a pointer
    assert target.argument("no_such_event", 0) == ""
