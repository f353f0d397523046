"""Attach points: events, arguments, and the tables behind them."""

from __future__ import annotations

import pytest

from pystap.btf.layout import members
from pystap.ir.nodes import Event
from pystap.probes.bt_perf import HARDWARE_EVENTS, SOFTWARE_EVENTS
from pystap.probes.syscall_numbers import X86_64
from pystap.probes.syscall_tracepoints import NUMBERS, arguments, names
from pystap.probes.tracepoints import ROWS, fields_of
from pystap.sema.bt.types import SCALARS

from .tools import attempt, btf, errors, event, handler, module

FENTRY = ("fentry",)


def events(point: str, **more: object) -> list[Event]:
    """The events of one attach point."""
    return [h.event for h in module(f"{point} {{ @ = count(); }}", **more).handlers]


@pytest.mark.parametrize(
    "point, kind, name, args",
    [
        ("BEGIN", "begin", "", {"order": 0}),
        ("end", "end", "", {"order": 0}),
        ("interval:ms:20", "timer", "", {"ns": 20_000_000, "randomize": 0}),
        ("interval:hz:50", "timer", "", {"ns": 20_000_000, "randomize": 0}),
        ("profile:hz:99", "perf", "cpu-clock", {"type": 1, "config": 0, "freq": 99}),
        ("profile:ms:5", "perf", "cpu-clock", {"type": 1, "config": 0, "period": 5_000_000}),
        ("software:page-faults", "perf", "page-faults", {"type": 1, "config": 2, "period": 100}),
        ("software:faults:7", "perf", "faults", {"type": 1, "config": 2, "period": 7}),
        ("hardware:branches", "perf", "branches", {"type": 0, "config": 4, "period": 100_000}),
        ("rawtracepoint:sched_switch", "tp_btf", "sched_switch", None),
        ("rawtracepoint:vmlinux:sched_switch", "tp_btf", "sched_switch", None),
        ("tracepoint:sched:sched_switch", "tp_btf", "sched_switch", None),
        ("tracepoint:raw_syscalls:sys_exit", "sys_exit", "", {"numbers": None}),
        ("tracepoint:syscalls:sys_enter_openat", "sys_enter", "openat", {"numbers": [257]}),
        ("tracepoint:syscalls:sys_exit_newstat", "sys_exit", "newstat", {"numbers": [4]}),
        ("tracepoint:syscalls:sys_enter_*", "sys_enter", "", {"numbers": None}),
        ("self:signal:SIGUSR1", "signal", "SIGUSR1", None),
    ],
)
def test_event(point: str, kind: str, name: str, args: object) -> None:
    (found,) = events(point)
    assert (found.kind, found.name, found.args) == (kind, name, args)


def test_a_pattern_of_system_calls_is_one_event() -> None:
    (found,) = events("tracepoint:syscalls:sys_enter_*stat")
    assert set(found.args["numbers"]) == {X86_64[n] for n in ("cachestat", "fstat", "lstat", "stat", "ustat")}
    both = events("tracepoint:syscalls:sys_*_openat")
    assert [(e.kind, e.args["numbers"]) for e in both] == [("sys_enter", [257]), ("sys_exit", [257])]


def test_the_name_of_a_pattern_s_call_is_known_when_it_runs() -> None:
    assert event("@[probe] = count();", "tracepoint:syscalls:sys_enter_*") == [
        "t1 = sys_nr",
        't2 = call syscall_tracepoint "sys_enter" t1',
        "push @ t2 1",
    ]
    assert event("print(probe);", "t:syscalls:sys_enter_openat") == [
        'print_value str "tracepoint:syscalls:sys_enter_openat"'
    ]


def test_arguments_of_a_system_call_have_their_types() -> None:
    rows = event("@[args.dfd, args.flags, args.mode] = count();", "tracepoint:syscalls:sys_enter_openat")
    assert rows[1] == "t2 = sext 32 t1"
    assert rows[-2].split()[2:4] in (["zext", "16"], ["zext", "32"])
    rows = event("print(str(args.filename));", "tracepoint:syscalls:sys_enter_openat")
    assert rows[1].startswith("t2 = load_str <") and "user" in rows[1]
    rows = event("print(args.upeer_sockaddr->sa_family);", "tracepoint:syscalls:sys_enter_accept")
    assert "user" in rows[1]


# ---- functions ----------------------------------------------------------------------------


def test_functions_are_events_where_the_kernel_can_probe_them() -> None:
    (found,) = events("kprobe:tcp_set_state", features=FENTRY)
    assert (found.kind, found.name, found.args) == (
        "function",
        "tcp_set_state",
        {"module": "", "ret": False, "offset": 0},
    )
    (found,) = events("kretprobe:vfs_read", features=("kprobe",))
    assert found.args["ret"]
    names_ = [e.name for e in events("kprobe:vfs_*", features=FENTRY)]
    assert names_ == sorted(names_) and {"vfs_read", "vfs_write"} <= set(names_)


def test_arguments_of_functions() -> None:
    assert event("print(arg1);", "kprobe:tcp_set_state", features=FENTRY)[0] == "t1 = ctx_arg (1, False)"
    rows = event("print(args.sk->sk_protocol);", "fentry:tcp_set_state", features=FENTRY)
    assert rows[0] == "t1 = ctx_arg (0, True)"
    assert event("print(retval);", "fexit:vfs_read", features=FENTRY)[0] == "t1 = ctx_arg (4, False)"
    assert event("print(func);", "kprobe:vfs_read", features=FENTRY) == ['print_value str "vfs_read"']
    assert event("print(probe);", "kprobe:vfs_rea*", features=FENTRY) == ['print_value str "kprobe:vfs_read"']


def test_a_stand_in_tells_its_event_apart_and_warns() -> None:
    made, bag = attempt("kprobe:tcp_set_state { print(arg1); } fentry:tcp_set_state { print(args.state); }")
    assert [d.code for d in bag.items] == ["W301"]
    assert "inet_sock_set_state" in bag.items[0].message and bag.items[0].hints
    assert made is not None
    assert made.handlers[0].event.kind == "tp_btf"
    for number in (0, 1):
        rows = handler(made, number)
        guard = next(n for n, row in enumerate(rows) if "sock zero" in row)
        assert rows[guard + 1].split()[2:] == ["eq", rows[guard].split()[0], "6"]
        assert rows[guard + 2].strip().startswith("if ")
        assert rows[guard + 3].strip().endswith("= ctx_arg (2, False)")


def test_stand_ins_can_be_switched_off() -> None:
    from pystap.options import Options

    if "standins" not in Options._fields:
        pytest.skip("no such option yet")
    ((code, message),) = errors("kprobe:tcp_set_state { print(1); }", standins=False)
    assert code == "E304" and "switched off" in message


# ---- tables -------------------------------------------------------------------------------


def test_every_system_call_has_its_number_and_at_most_six_arguments() -> None:
    assert len(NUMBERS) > 300 and names() == sorted(NUMBERS)
    assert set(NUMBERS.values()) <= set(X86_64.values())
    for name in names():
        found = arguments(name)
        assert len(found) <= 6
        assert len({word for word, _ in found}) == len(found)
        for word, ctype in found:
            assert word.isidentifier() and ctype, (name, word)


def test_arguments_are_found_by_the_whole_name() -> None:
    assert arguments("openat")[0] == ("dfd", "int")
    assert arguments("open")[0] == ("filename", "const char*")
    assert arguments("epoll_pwait2")[-1] == ("sigsetsize", "size_t")
    assert arguments("getpid") == [] and arguments("enat") == []


def test_perf_tables_have_samples_of_something() -> None:
    for table in (SOFTWARE_EVENTS, HARDWARE_EVENTS):
        assert all(config >= 0 and period > 0 for config, period in table.values())


def _tracepoints() -> list[str]:
    return [word for words, _, _ in ROWS for word in words.split()]


def test_no_tracepoint_has_two_rows() -> None:
    words = _tracepoints()
    assert len(words) == len(set(words))


@pytest.mark.parametrize("point", _tracepoints())
def test_every_expression_of_the_table_can_be_written(point: str) -> None:
    subsystem, _, name = point.partition(":")
    if btf().find_tracepoint(name) is None:
        pytest.skip("not in the fixture")
    record, texts = fields_of(subsystem, name)
    struct = btf().find_struct("trace_event_raw_" + record)
    assert texts or record != name
    if struct is not None:
        declared = {m.name.removeprefix("__data_loc_") for m in members(struct)}
        # comm and the like are shared by rows of which some have more
        assert len(declared & texts.keys()) >= len(texts) - 3, texts.keys() - declared
    for field in texts:
        made, bag = attempt(f"tracepoint:{point} {{ $x = args.{field}; @[$x] = count(); }}")
        messages = [(d.message, d.hints) for d in bag.items]
        if messages and ("members" in str(messages) or "definition isn't" in str(messages)):
            continue  # the fixture doesn't have every struct
        if messages and f"no argument '{field}'" in messages[0][0]:
            assert struct is not None and field not in declared
            continue
        assert messages == [], (field, messages)
        assert made is not None


def test_scalar_names_cover_what_system_calls_use() -> None:
    assert SCALARS["unsigned int"].size == 4 and not SCALARS["size_t"].signed
