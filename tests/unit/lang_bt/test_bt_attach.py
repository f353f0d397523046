"""Attach points: text -> fields and canonical name."""

from __future__ import annotations

import pytest
from bt_chunks import good, parsed

from pystap.lang.bt import ast
from pystap.lang.bt.attach import ALIASES, PROVIDERS, provider_name


def point(text: str, *params: str) -> ast.AttachPoint:
    """Return the only attach point of a probe."""
    (probe,) = good(text + " { }", *params).probes
    (found,) = probe.attach
    return found


@pytest.mark.parametrize(
    ("text", "name", "fields"),
    [
        ("BEGIN", "begin", {}),
        ("k:f", "kprobe:f", {"func": "f"}),
        ("KR:mod:f", "kretprobe:mod:f", {"target": "mod", "func": "f"}),
        ("kprobe:f+0x10", "kprobe:f+16", {"func": "f", "offset": 16}),
        ('kprobe:"f+16"', "kprobe:f+16", {"func": "f", "offset": 16}),
        ("kprobe:0xff", "kprobe:0xff", {"address": 255, "func": ""}),
        ("f:f", "fentry:f", {"func": "f"}),
        ("fexit:bpf:12:p", "fexit:bpf:12:p", {"target": "bpf", "ns": "12", "func": "p"}),
        ("kfunc:bpf:p", "fentry:bpf:p", {"target": "bpf", "ns": "", "func": "p"}),
        ("t:a:b_*", "tracepoint:a:b_*", {"target": "a", "func": "b_*", "wildcard": True}),
        ("rt:e", "rawtracepoint:e", {"target": "", "func": "e", "wildcard": False}),
        ("i:s:5", "interval:s:5", {"unit": "s", "count": 5, "nanoseconds": 5 * 10**9}),
        ("i:5ms", "interval:ms:5", {"unit": "ms", "count": 5, "nanoseconds": 5 * 10**6}),
        ("interval:1e6", "interval:ns:1000000", {"unit": "ns", "nanoseconds": 10**6}),
        ("profile:hz:99", "profile:hz:99", {"unit": "hz", "count": 99, "nanoseconds": 10101010}),
        ("p:us:0x10", "profile:us:16", {"nanoseconds": 16_000}),
        ("s:faults:100", "software:faults:100", {"func": "faults", "count": 100}),
        ("h:cycles:", "hardware:cycles", {"func": "cycles", "count": 0}),
        ("u:/bin/a:f", "uprobe:/bin/a:f", {"target": "/bin/a", "func": "f"}),
        ("u:/bin/a:f+5", "uprobe:/bin/a:f+5", {"func": "f", "offset": 5}),
        ("u:/bin/a:0x5", "uprobe:/bin/a:0x5", {"address": 5}),
        ('u:a:cpp:"g(int, x)"', "uprobe:a:cpp:g(int, x)", {"ns": "cpp", "func": "g(int, x)"}),
        ("u:/a@b/c.c:7", "uprobe:/a@b/c.c:7", {"target": "/a", "file": "b/c.c", "line": 7, "column": 0}),
        ("u:/a@c.c:7:3", "uprobe:/a@c.c:7:3", {"line": 7, "column": 3}),
        ("U:/a:p", "usdt:/a:p", {"target": "/a", "ns": "", "func": "p"}),
        ("usdt:*:n:p", "usdt:*:n:p", {"target": "*", "ns": "n", "wildcard": True}),
        ("w:0x10:8:wr", "watchpoint:0x10:8:rw", {"address": 16, "count": 8, "mode": "rw"}),
        ("w:sym:4:x", "watchpoint:sym:4:x", {"address": None, "func": "sym", "mode": "x"}),
        ("it:task", "iter:task", {"func": "task", "pin": ""}),
        ("iter:task:/a/b", "iter:task:/a/b", {"pin": "/a/b"}),
        ("self:signal:SIGUSR1", "self:signal:SIGUSR1", {"target": "signal", "func": "SIGUSR1"}),
        ("test:x", "test:x", {"func": "x"}),
        ("kprobe : f", "kprobe:f", {"func": "f"}),
        ("interval: s: 1", "interval:s:1", {"count": 1}),
    ],
)
def test_fields(text: str, name: str, fields: dict[str, object]) -> None:
    found = point(text)
    assert found.name == name
    assert found.provider == name.split(":")[0]
    for field, value in fields.items():
        assert getattr(found, field) == value, field
    assert point(name if "(" not in name else text).name == name


def test_every_alias_leads_to_a_provider() -> None:
    assert set(ALIASES.values()) <= PROVIDERS
    assert provider_name("U") == "usdt" and provider_name("u") == "uprobe"
    assert provider_name("Tracepoint") == "tracepoint"
    assert provider_name("x") is None


@pytest.mark.parametrize(
    ("text", "params", "name"),
    [
        ("BEG$1", ["IN"], "begin"),
        ("$1", ["kprobe:vfs_read"], "kprobe:vfs_read"),
        ("$2:$1", ["f", "k"], "kprobe:f"),
        ("interval:s:$1", ["5"], "interval:s:5"),
        ("uprobe:$1:f", ["/bin/sh"], "uprobe:/bin/sh:f"),
        ("kprobe:$1_$2", ["a", "b"], "kprobe:a_b"),
        ("i:$1", ["1s"], "interval:s:1"),
        ("$1:/bin/sh:f", ["uprobe"], "uprobe:/bin/sh:f"),
    ],
)
def test_parameters(text: str, params: list[str], name: str) -> None:
    assert point(text, *params).name == name


@pytest.mark.parametrize(
    ("text", "params", "wanted"),
    [
        ("interval:s:$1", [], "none is given"),
        ("interval:s:$2", ["1"], "only one given"),
        ("interval:s:$4", ["1", "2", "3"], "only 3 given"),
        ("interval:s:$1", ["x"], "malformed"),
        ("kprobe:$99999999", [], "$99999999"),
    ],
)
def test_parameters_that_are_wrong(text: str, params: list[str], wanted: str) -> None:
    _, bag = parsed(text + " { }", *params)
    assert [d.severity for d in bag.items] == ["error"]
    assert wanted in bag.items[0].message


@pytest.mark.parametrize(
    ("word", "near"), [("kprob", "kprobe"), ("tracepont", "tracepoint"), ("KPROBEE", "kprobe")]
)
def test_did_you_mean(word: str, near: str) -> None:
    _, bag = parsed(f"{word}:x:y {{ }}")
    assert f"did you mean '{near}'?" in bag.items[0].hints


def test_a_bad_attach_point_leaves_the_good_ones() -> None:
    program, bag = parsed("kprobe:a, nothing:b, kprobe:c { }")
    assert [a.name for a in program.probes[0].attach] == ["kprobe:a", "kprobe:c"]
    assert len(bag.items) == 1


def test_paths_and_predicates() -> None:
    (probe,) = good("uprobe:/bin/sh:f/pid/{ }").probes
    assert probe.attach[0].target == "/bin/sh" and probe.predicate is not None
    (probe,) = good("iter:task/pid/{ }").probes
    assert probe.attach[0].func == "task" and probe.predicate is not None
    (probe,) = good("begin/1/{}").probes
    assert probe.predicate is not None
