"""Functions that have code of their own, and copies that are inlined into others: a plain point is both."""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.debuginfo import DebugInfo, DebugInfoError, LibraryMissing
from pystap.ir.printer import body_text
from pystap.probes import base, functions
from pystap.probes.functions import copies

from .test_points import KPROBES, analysed
from .test_reading import FILES, line_of, toy

OWN, HEADER = "do_unlinkat", "tcp_set_state"


def info() -> DebugInfo:
    return toy("copies5.elf")


def places(name: str, most: int = 9) -> tuple[int, list[tuple[str, int, list[str]]]]:
    units, found = info().copies(name, (name,), most)
    return units, [(file, line, [spot.within for spot in spots]) for file, line, spots in found]


def compiled(text: str, **more):
    made, bag = analysed(text, **{"info": info(), **more})
    assert made is not None, bag.items
    return made.handlers, [(d.code, d.message) for d in bag.items]


def test_where_they_are() -> None:
    """Those of a source's function in its own unit; of a header's in all, up to as many as are wanted."""
    line = line_of("kernel/copies.c", "int do_unlinkat(")
    assert places(OWN) == (1, [("kernel/copies.c", line, ["constant", "given"])])
    line = line_of("include/copies.h", "tcp_set_state(")
    assert places(HEADER) == (
        2,
        [("include/copies.h", line, ["constant"]), ("include/copies.h", line, ["_start"])],
    )
    assert places(HEADER, 1) == (2, [])
    assert places("given") == (1, []) and places("nothing") == (0, [])


def test_those_that_inline_finds() -> None:
    """The quick way gives what the thorough one does."""
    for name in (OWN, HEADER):
        quick = {s.address for _, _, spots in info().copies(name, (name,), 9)[1] for s in spots}
        whole = info()
        assert quick == {s.address for f in whole.find(name) for s in whole.inlined(f)} and len(quick) == 2


def test_what_the_cache_has_needs_no_file(tmp_path: Path) -> None:
    """Nor is another build's file asked in its place."""
    build_id = info().elf.build_id()
    first = DebugInfo(str(FILES / "copies5.elf"), str(tmp_path), build_id)
    assert not first.known
    found = first.copies(OWN, (OWN,), 9)
    first.save()
    again = DebugInfo(str(tmp_path / "gone"), str(tmp_path), build_id)
    assert again.known and again.copies(OWN, (OWN,), 9)[1][0][0] == found[1][0][0]
    other = DebugInfo(str(FILES / "toy5.elf"), str(tmp_path), build_id)
    assert other.known
    with pytest.raises(DebugInfoError, match="another build"):
        other.find("given")


def test_own_code_and_copies() -> None:
    found, said = compiled(f'probe kernel.function("{OWN}") {{ printf("%d %s", $dfd, ppfunc()) }}')
    assert said == []
    assert [(h.event.kind, h.event.name) for h in found] == [
        ("fentry", OWN),
        ("kprobe", "constant"),
        ("kprobe", "given"),
    ]
    assert [h.event.args for h in found[1:]] == [
        {"offset": offset, "among": f'kernel.function("{OWN}")', "beside": True} for offset in (0x18, 0x13)
    ]
    line = line_of("kernel/copies.c", "int do_unlinkat(")
    assert found[0].probe == f'kernel.function("{OWN}")'
    assert {h.probe for h in found[1:]} == {f'kernel.function("{OWN}@kernel/copies.c:{line}").inline'}
    assert "ctx_arg" in body_text(found[0].body)
    assert 'register "rdi"' in body_text(found[1].body) and 'register "rax"' in body_text(found[2].body)
    assert all(f'"{OWN}"' in body_text(h.body) or OWN in body_text(h.body) for h in found)


@pytest.mark.parametrize(
    "point",
    [
        f'kernel.function("{OWN}").call',
        f'kernel.function("{OWN}").return',
        f'kprobe.function("{OWN}")',
    ],
)
def test_points_of_own_code_alone(point: str) -> None:
    found, _ = compiled(f"probe {point} {{ println(1) }}")
    assert len(found) == 1 and found[0].event.kind in ("fentry", "fexit")


def test_a_line_and_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the function means all of it; the address of its code that alone."""
    line = line_of("kernel/copies.c", "return dfd +")
    found, said = compiled(f'probe kernel.function("{OWN}@kernel/copies.c:{line}") {{ println($name) }}')
    assert [h.event.name for h in found] == [OWN, "given"] and [code for code, _ in said] == ["W305"]
    for suffix in (".call", ".return"):
        found, _ = compiled(f'probe kernel.function("{OWN}@kernel/copies.c:{line}"){suffix} {{ println(1) }}')
        assert len(found) == 1
    monkeypatch.setattr(
        "pystap.probes.functions._at_address", lambda word, env: (functions._Named(word.span, OWN), "")
    )
    found, said = compiled("probe kernel.function(0xffffffff81000020) { println(1) }")
    assert [h.event.name for h in found] == [OWN] and said == []


def test_one_place_is_one_event() -> None:
    """Handlers of a place run in the order of the script, whatever their points call it."""
    text = f'probe kernel.function("{OWN}") {{ println(1) }} probe kernel.function("{OWN}").inline {{ println(2) }}'
    found, _ = compiled(text)
    assert [h.event.name for h in found] == [OWN, "constant", "given", "constant", "given"]
    assert found[1].event is found[3].event and found[2].event is found[4].event
    # the point that has nothing but these places decides whether one has to be there
    assert found[1].event.args == {"offset": 0x18, "among": f'kernel.function("{OWN}").inline'}


def test_a_return_that_wants_the_entry() -> None:
    found, _ = compiled(f'probe kernel.function("{OWN}").return {{ println(@entry($dfd)) }}')
    assert {h.event.kind for h in found} <= {"fexit", "fentry"}


def test_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystap.probes.functions.files.check", lambda *words: ())
    text = 'probe kernel.function("{}@{}") {{ println(1) }}'
    assert len(compiled(text.format(OWN, "kernel/copies.c"))[0]) == 3
    assert len(compiled(text.format(OWN, "copies.*"))[0]) == 3
    assert len(compiled(text.format(OWN, "callers.c"))[0]) == 1


def test_a_copy_that_lacks_a_variable() -> None:
    """It alone is left out, with a warning that names it; @defined asks at each place."""
    text = 'probe kernel.function("{}") {{ printf("%d", {}) }}'
    found, said = compiled(text.format(OWN, "$name"))
    assert [h.event.name for h in found] == [OWN, "given"]
    ((code, words),) = said
    assert code == "W305" and words.startswith(
        f"left out: '{OWN}' where it is inlined in constant: '$name' can't"
    )
    found, said = compiled(text.format(OWN, "@defined($name) ? $name : -1"))
    assert [h.event.name for h in found] == [OWN, "constant", "given"] and said == []
    assert "-1" in body_text(found[1].body) and "-1" not in body_text(found[2].body)


def test_types_are_those_of_own_code() -> None:
    """Debug information has `void *` here, the kernel's types `struct sock *`: one type, also beyond the handler."""
    text = (
        f'global seen probe kernel.function("{HEADER}") {{ seen = $sk }}\n'
        'probe kernel.function("do_unlinkat").call { println(seen->__sk_common->skc_family) }'
    )
    found, said = compiled(text)
    assert [h.event.name for h in found] == [HEADER, "constant", OWN]
    ((code, words),) = said
    assert code == "W305" and "in _start: '$sk' can't be read" in words and "hides its addresses" in words


def test_what_only_a_copy_can_not_do() -> None:
    """A parameter in a register has no address; a local of the copy's own code isn't the function's."""
    found, said = compiled(f'probe kernel.function("{OWN}") {{ println(@defined(&$dfd) ? 1 : 2) }}')
    assert [h.event.name for h in found] == [OWN, "constant", "given"] and said == []
    made, bag = analysed(f'probe kernel.function("{OWN}") {{ println($five) }}', info=info())
    assert made is None and [d.code for d in bag.items] == ["E230"]


def test_a_variable_in_a_condition_or_a_function() -> None:
    text = (
        "function of:long () { return $name }\n"
        f'probe kernel.function("{OWN}") if ($name) {{ println(1) }}\n'
        f'probe kernel.function("{OWN}") {{ println(of()) }}\n'
    )
    found, said = compiled(text)
    assert [h.event.name for h in found] == [OWN, "given"] * 2
    assert {code for code, _ in said} == {"W305"}


def test_a_mistake_is_told_once() -> None:
    """What own code lacks, too, is an error, and nothing is left out."""
    made, bag = analysed(f'probe kernel.function("{OWN}") {{ println($nosuch) }}', info=info())
    assert made is None
    ((code, _),) = [(d.code, d.message) for d in bag.items]
    assert code == "E230"
    made, bag = analysed(f'probe kernel.function("{OWN}") {{ println(nosuch($name)) }}', info=info())
    assert made is None and {d.code for d in bag.items} >= {"E209"}


def test_arguments_by_number() -> None:
    """A copy isn't called: registers have other things."""
    found, said = compiled(f'probe kernel.function("{OWN}") {{ println(int_arg(1)) }}')
    assert [h.event.name for h in found] == [OWN]
    ((code, words),) = said
    assert (
        code == "W305"
        and "constant, given: int_arg(): an inlined function has no arguments by number" in words
    )
    made, bag = analysed(f'probe kernel.function("{OWN}").inline {{ println(int_arg(1)) }}', info=info())
    assert made is None and {d.code for d in bag.errors} == {"E240"}


def test_a_function_that_is_only_inlined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its copies, too, those that lack a variable are left out, unless all do."""
    from pystap.btf import Btf

    monkeypatch.setattr(Btf, "find_func", lambda self, name: None)
    monkeypatch.setattr("pystap.probes.functions.names.files_of", lambda *words: ("kernel/copies.c",))
    text = 'probe kernel.function("{}") {{ printf("%d", {}) }}'
    found, said = compiled(text.format(OWN, "$name"))
    assert [h.event.name for h in found] == ["given"]
    assert [code for code, _ in said] == ["W305", "W305"]
    made, bag = analysed(text.format(OWN, "$nosuch"), info=info())
    assert made is None and [d.code for d in bag.errors] == ["E230"]
    made, bag = analysed(text.format(OWN, "$name").replace('")', '").inline'), info=info())
    assert made is None and [d.code for d in bag.errors] == ["E230"]  # asked for by name, each has to work


def test_without_it_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'probe kernel.function("{OWN}") {{ println($dfd) }}'

    def missing(self, *question):
        raise LibraryMissing("no library")

    monkeypatch.setattr(DebugInfo, "copies", missing)
    assert [len(part) for part in compiled(text)] == [1, 0]
    monkeypatch.undo()
    assert [len(part) for part in compiled(text, installed=False)] == [1, 0]
    assert [len(part) for part in compiled(text, features=KPROBES - {"kprobe"})] == [1, 0]


def test_what_can_not_be_read_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self, *question):
        raise DebugInfoError("it is cut off")

    monkeypatch.setattr(DebugInfo, "copies", broken)
    found, ((code, words),) = compiled(f'probe kernel.function("{OWN}") {{ println($dfd) }}')
    assert len(found) == 1 and code == "W305" and "isn't known: it is cut off" in words


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'probe kernel.function("{}") {{ println(1) }}'
    monkeypatch.setattr(copies, "MOST_UNITS", 1)
    found, ((code, words),) = compiled(text.format(HEADER))
    assert len(found) == 1 and code == "W305" and "which 2 source files have" in words
    assert len(compiled(text.format(OWN))[0]) == 3
    monkeypatch.undo()
    assert len(compiled(text.format(HEADER))[0]) == 3
    monkeypatch.setattr(base, "MOST_PLACES", 1)
    line = line_of("kernel/copies.c", "return dfd +")
    for name in (OWN, f"{OWN}@kernel/copies.c:{line}"):
        found, ((code, words),) = compiled(text.format(name))
        assert len(found) == 1 and code == "W305" and "at 2 places, more than 1" in words


def test_patterns_are_own_code() -> None:
    found, said = compiled('probe kernel.function("do_unlink*") { println(1) }')
    assert [h.event.name for h in found] == [OWN] and said == []


def test_a_pattern_beside_a_name() -> None:
    """The name's own code is still the pattern's, too, in one program."""
    text = f'probe kernel.function("do_unlink*") {{ println(1) }} probe kernel.function("{OWN}") {{ println(2) }}'
    found, _ = compiled(text)
    assert [h.event.name for h in found] == [OWN, OWN, "constant", "given"]
