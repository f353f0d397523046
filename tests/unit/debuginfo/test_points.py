"""Probe points on places: what they become, and what is said where they can't be."""

from __future__ import annotations

import sys

import pytest

from pystap.debuginfo import DebugInfo
from pystap.diag import Bag
from pystap.ir.printer import body_text
from pystap.ir.verify import verify
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source
from tests.unit.sema_stp.tools import BTF

from .test_reading import FILES, line_of, toy

KPROBES = frozenset(("kprobe", "kretprobe", "fentry", "fexit"))
INSTALL = "install the package linux-image-dbg"


def analysed(text: str, features=KPROBES, installed: bool = True, info=None):
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(args=(), macros=MACROS, guru=False), bag)
    info = info or toy()
    target = Target(
        BTF,
        release="6.18.0",
        features=lambda name: name in features,
        debuginfo=(lambda module: info) if installed else (lambda module: None),
        no_debuginfo=lambda module: (INSTALL,),
    )
    return analyse(tree, target, Options(), bag), bag


def handlers(text: str):
    made, bag = analysed(text)
    assert made is not None, bag.items
    assert verify(made) == []
    return made.handlers


def refused(text: str, **more) -> str:
    made, bag = analysed(text, **more)
    assert made is None
    (error,) = bag.errors
    assert error.span is not None
    return "\n".join((f"{error.code} {error.message}", *error.hints))


def places(point: str) -> list[tuple[str, int, str]]:
    return [
        (h.event.name, h.event.args["offset"], h.probe)
        for h in handlers(f"probe {point} {{ println(pp()) }}")
    ]


LINE = line_of("kernel/toy.c", "part > limit")


def test_a_line() -> None:
    text = f'kernel.statement("sum@kernel/toy.c:{LINE}")'
    assert places(text) == [("sum", 0x48, text)]
    first = line_of("kernel/toy.c", "int sum(")
    assert places(f'kernel.statement("sum@kernel/toy.c+{LINE - first}")') == [("sum", 0x48, text)]
    assert places(f'kernel.statement("*@kernel/toy.c:{LINE}")') == [("sum", 0x48, text)]
    assert places(f'kernel.statement("sum@toy.c:{LINE}")') == [("sum", 0x48, text)]


def test_functions_by_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has code of its own is probed as if it had been named."""
    asked = []

    def direct(wanted, env):
        asked.append((wanted.name, wanted.file, wanted.text, wanted.suffix(), wanted.returns))
        return []

    monkeypatch.setattr("pystap.probes.functions.direct.resolve", direct)
    first = line_of("kernel/toy.c", "int sum(")
    for place in (f"sum@kernel/toy.c:{LINE}", f"*@kernel/toy.c:{LINE}", f"sum@toy.c:{first}"):
        for suffix in ("", ".call", ".return"):
            asked.clear()
            analysed(f'probe kernel.function("{place}"){suffix} {{ println(pp()) }}')
            text = f'kernel.function("sum@kernel/toy.c:{first}"){suffix}'
            assert asked == [("sum", "", text, suffix, suffix == ".return")]
    inside = line_of("include/toy.h", "x + x")
    found = places(f'kernel.function("twice@toy.h:{inside}")')
    assert [name for name, _, _ in found] == ["sum", "_start"]
    assert all(where.endswith(".inline") for _, _, where in found)
    assert "sum is kernel/toy.c:12-28" in refused(
        'probe kernel.function("sum@kernel/toy.c:2") { println(1) }'
    )


def test_many_lines() -> None:
    every = places('kernel.statement("sum@kernel/toy.c:*")')
    assert len(every) > 4 and len({offset for _, offset, _ in every}) == len(every)
    some = places(f'kernel.statement("sum@kernel/toy.c:{LINE}-{LINE + 3}")')
    assert some and set(some) < set(every)


def test_the_nearest_line() -> None:
    blank = line_of("kernel/toy.c", "int part") + 1
    text = f'kernel.statement("sum@kernel/toy.c:{blank}")'
    assert "the nearest lines with code: " in refused(f"probe {text} {{ println(1) }}")
    ((name, _, where),) = places(text + ".nearest")
    assert name == "sum" and where == f'kernel.statement("sum@kernel/toy.c:{blank - 1}")'


def test_addresses() -> None:
    ((name, offset, _),) = places("kernel.statement(0xffffffff81000068)")
    assert (name, offset) == ("sum", 0x48)
    (handler,) = handlers("probe kernel.statement(0xffffffff81000068).absolute { println(pp()) }")
    assert (handler.event.name, handler.event.args) == ("", {"addr": 0xFFFFFFFF81000068, "among": ""})
    assert handler.probe == "kernel.statement(0xffffffff81000068).absolute"
    assert "E304" in refused("probe kernel.statement(0xffffffff80000000) { println(1) }")


def test_inlined_functions_callees_and_labels() -> None:
    found = places('kernel.function("twice@include/toy.h").inline')
    assert [name for name, _, _ in found] == ["sum", "_start"]
    assert all(where.endswith('.function("twice@include/toy.h:11").inline') for _, _, where in found), found
    ((name, _, where),) = places('kernel.function("sum").callee("twice")')
    assert name == "sum" and where.endswith('.callee("twice")')
    ((name, offset, _),) = places('kernel.function("sum@kernel/toy.c").label("too_*")')
    assert (name, offset) == ("sum", 0x6D - 0x20)
    assert "its labels with code: too_much" in refused(
        'probe kernel.function("sum").label("x") { println(1) }'
    )
    assert "inlined nowhere" in refused('probe kernel.function("sum").inline { println(1) }')
    assert "inlined in 'sum'" in refused('probe kernel.function("sum").callee("helper") { println(1) }')


def test_variables_are_read_from_their_places() -> None:
    point = f'probe kernel.statement("sum@kernel/toy.c:{LINE}")'
    (handler,) = handlers(point + '{ printf("%d %d", $part, $total) }')
    text = body_text(handler.body)
    assert 'register "rbx"' in text and 'register "r12"' in text and text.count("sext 32") == 2
    (handler,) = handlers(point + "{ println($$locals) }")
    assert "part=" in body_text(handler.body) and "first=" not in body_text(handler.body)
    (handler,) = handlers(point + "{ println($$parms) }")
    assert "first=" in body_text(handler.body) and "part=" not in body_text(handler.body)
    stack = line_of("kernel/toy.c", "sink(here.name")
    (handler,) = handlers(
        f'probe kernel.statement("eight@kernel/toy.c:{stack}") {{ printf("%d %d %d", $h, &$here, &$h) }}'
    )
    text = body_text(handler.body)
    assert text.count('register "rsp"') == 3 and "load <u2" in text and text.count("load") == 1
    point = f'probe kernel.statement("eight@kernel/toy.c:{stack}")'
    assert "has no address here: it is in a register" in refused(point + "{ println(&$b) }")


def test_static_variables_move_with_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    line = line_of("kernel/other.c", "last = ")
    point = f'probe kernel.statement("sink@kernel/other.c:{line}") {{ println($last) }}'
    assert "this kernel hides its addresses" in refused(point)
    monkeypatch.setattr("pystap.probes.functions.lines._moved", lambda info, env: 0x2000000)
    (handler,) = handlers(point)
    address = 0xFFFFFFFF81001218 + 0x2000000 - (1 << 64)
    assert f"load <i8 +0> {address}" in body_text(handler.body)


def test_variables_that_are_not_there() -> None:
    point = f'probe kernel.statement("sum@kernel/toy.c:{LINE}")'
    first = line_of("kernel/toy.c", "while (first)")
    early = f'probe kernel.statement("sum@kernel/toy.c:{first}")'
    said = refused(early + "{ println($part) }")
    assert said.startswith(f"E230 there is no '$part' in sum at line {first}"), said
    assert f"'$part' can be read at the lines {LINE}, {LINE + 2}\n" in said, said
    out = f'probe kernel.statement("eight@kernel/toy.c:{line_of("kernel/toy.c", "struct node here")}")'
    said = refused(out + "{ println($out) }")
    assert said.startswith("E230 '$out' can't be read in eight at line") and "optimized it away" in said
    assert "'$out' can be read at the lines " in said and "it has $a, " in said, said
    assert "did you mean" in refused(point + "{ println($totall) }")
    text = '{ printf("%d %d", @defined($out) ? 1 : 2, @defined($b) ? 3 : 4) }'
    (handler,) = handlers(out + text)
    assert "2" in body_text(handler.body) and "3" in body_text(handler.body)
    (handler,) = handlers(out + "{ println($$vars) }")
    assert "out=?" in body_text(handler.body)


def test_variables_that_are_where_the_entry_had_them() -> None:
    """`a` came in a register, which the function has used otherwise since: a probe of the entry keeps it."""
    line = line_of("kernel/toy.c", "sink(here.name")
    point = f'probe kernel.statement("eight@kernel/toy.c:{line}")'
    for text in ("{ println($a) }", "{ println($a); println($a + 1) }"):
        place, entry = handlers(point + text)
        assert (entry.event.kind, entry.event.name, entry.event.args["offset"]) == ("kprobe", "eight", 0)
        saved, read = body_text(entry.body), body_text(place.body)
        assert saved.count('register "rdi"') == 1 and "frame_address" in saved and saved.count("set ") == 1
        # 96 bytes lie between the stack pointer and the first argument on the stack
        assert "has " in read and 'register "rsp"' in read and "add" in read and "delete" not in read, read
    place, entry = handlers(point + "{ println($$parms) }")
    assert body_text(entry.body).count("register") == 2, body_text(entry.body)
    (place,) = handlers(point + "{ println($b) }")
    said = refused("function f:long () { return $a } " + point + "{ println(f()) }")
    assert "its functions don't" in said or "$a" in said


@pytest.mark.parametrize(
    "point, words",
    [
        ('statement("sum@kernel/toy.c:2")', "sum is kernel/toy.c:12-28 in this kernel"),
        (
            'statement("sum@kernel/other.c:20")',
            "'sum' isn't in 'kernel/other.c' in this kernel: it is in kernel/toy.c:12",
        ),
        ('statement("nothing@kernel/toy.c:20")', "no function 'nothing'"),
        ('statement("*@kernel/none.c:20")', "no source file 'kernel/none.c'"),
        ('statement("*")', "needs a file"),
        ('statement("sum@kernel/toy.c:x")', "'x' is no line"),
        ('statement("sum@kernel/toy.c:9-3")', "backwards"),
        ('statement("@kernel/toy.c:9")', "a function is missing"),
        ('statement("sum").absolute', "needs an address"),
        ('statement("sum").call', "can't follow"),
        ("statement", "needs a place"),
        ('function("sum").label', "needs a name"),
    ],
)
def test_mistakes(point: str, words: str) -> None:
    assert words in refused(f"probe kernel.{point} {{ println(1) }}")


def test_without_debug_information() -> None:
    point = 'probe kernel.statement("ip_rcv@net/ipv4/ip_input.c:386") { println(1) }'
    said = refused(point, installed=False)
    assert said.startswith("E313 ") and INSTALL in said and "kprobes" not in said
    assert "('ip_rcv' is in net/ipv4/ip_input.c)" in said
    assert "it has no kprobes" in refused(point, installed=False, features=())
    assert "no function 'ip_rcvv'" in refused(point.replace("ip_rcv@", "ip_rcvv@"), installed=False)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "elftools", None)  # as if it weren't installed
    for point in ('statement("sum@toy.c:17")', "statement(0xffffffff81000068)", 'function("sum").inline'):
        said = refused(f"probe kernel.{point} {{ println(1) }}", info=toy())
        assert said.startswith("E313 lines need pyelftools, which isn't installed")
        assert "python3-pyelftools" in said and "pip install pyelftools" in said


def test_a_kernel_without_kprobes() -> None:
    assert "it has no kprobes" in refused('probe kernel.statement("sum@toy.c:*") { println(1) }', features=())


def test_files_that_can_not_be_read(tmp_path) -> None:
    whole = (FILES / "toy5.elf").read_bytes()
    path = tmp_path / "cut.elf"
    path.write_bytes(whole[: len(whole) // 2])
    for point in ('statement("sum@toy.c:17")', "statement(0xffffffff81000068)", 'function("sum").inline'):
        said = refused(f"probe kernel.{point} {{ println(1) }}", info=DebugInfo(str(path)))
        assert said.startswith("E312 the debug information can't be read: ") and "cut.elf" in said
    said = refused(
        'probe kernel.function("sum@toy.c:17") { println(1) }', info=DebugInfo(str(tmp_path / "none"))
    )
    assert said.startswith("E312 ")
