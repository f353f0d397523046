"""What is kept until the next boot: the kernel's own symbols, and the features that were seen to work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pystap.kernel import boot, feature_probes, symbols
from pystap.kernel.features import Features
from pystap.kernel.sys import KernelError

CORE = b"ffffffff81000000 T _stext\nffffffff81000100 T tcp_ack\nffffffff81000200 T _end\n"
BRIDGE = b"ffffffffc0000000 t br_forward\t[bridge]\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(boot, "_cache", [str(tmp_path)])
    monkeypatch.setattr(boot, "_mark", [])
    return tmp_path


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's list, a file here."""
    path = tmp_path / "kallsyms"
    path.write_bytes(CORE + BRIDGE)
    monkeypatch.setattr(symbols, "_PATH", str(path))
    monkeypatch.setattr(symbols, "_RESTRICT", str(tmp_path / "restrict"))
    return path


def known(monkeypatch: pytest.MonkeyPatch) -> symbols.Kallsyms:
    monkeypatch.setattr(symbols, "_loaded", [])
    return symbols.kallsyms()


def test_the_kernels_own_are_read_once_a_boot(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    listed.unlink()
    table = known(monkeypatch)
    assert table.addresses("tcp_ack") == [0xFFFFFFFF81000100]
    found = table.lookup(0xFFFFFFFF81000110)
    assert found is not None and (found.name, found.offset, found.size) == ("tcp_ack", 0x10, 0x100)
    assert [symbol for _, symbol, _ in table.functions("*")] == ["_stext", "tcp_ack", "_end"]


def test_modules_are_read_when_one_is_asked_for(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    listed.write_bytes(CORE + BRIDGE.replace(b"br_forward", b"br_flood"))
    table = known(monkeypatch)
    assert table.functions("br_*", "bridge") == [(0xFFFFFFFFC0000000, "br_flood", "bridge")]
    assert table.addresses("br_flood") == [0xFFFFFFFFC0000000]
    found = table.lookup(0xFFFFFFFFC0000008)
    assert found is not None and (found.name, found.module) == ("br_flood", "bridge")


def test_what_is_no_longer_listed_is_not_there(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    listed.write_bytes(b"0000000000000000 T _stext\n")  # hidden by now
    table = known(monkeypatch)
    assert table.addresses("br_forward") == []
    assert table.lookup(0xFFFFFFFFC0000008) is None
    assert table.addresses("tcp_ack") == [0xFFFFFFFF81000100]


def test_hidden_from_everybody(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    listed.write_bytes(b"0000000000000000 T _stext\n")
    Path(symbols._RESTRICT).write_text("2\n")
    with pytest.raises(KernelError):
        known(monkeypatch)


@pytest.mark.parametrize("part", ["boot", "capabilities", "types"])
def test_another_boot_or_view(part: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot.keep("x", b"value")
    found = boot.kept("x")
    assert found is not None and found[0][: found[1]] == b"value"
    monkeypatch.setattr(boot, "_mark", [])
    if part == "boot":
        (cache / "id").write_text("another")
        monkeypatch.setattr(boot, "_BOOT_ID", str(cache / "id"))
    elif part == "capabilities":
        monkeypatch.setattr(boot, "effective_capabilities", lambda: 12345)
    else:
        (cache / "types").write_text("other types")
        monkeypatch.setattr(boot, "_BTF", str(cache / "types"))
    assert boot.kept("x") is None


def test_nothing_is_kept_without_a_boots_id(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(boot, "_BOOT_ID", "/nowhere")
    boot.keep("x", b"value")
    assert boot.kept("x") is None and os.listdir(cache) == []


def test_what_worked_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def works(btf: object) -> None:
        tried.append("works")

    def fails(btf: object) -> None:
        tried.append("fails")
        raise feature_probes.Lacks("not here")

    monkeypatch.setattr(feature_probes, "PROBES", {"one": works, "two": works, "three": fails})
    first = Features(remember=True)
    assert [first.has(name)[0] for name in ("one", "two", "three")] == [True, True, False]
    again = Features(remember=True)
    assert [again.has(name)[0] for name in ("one", "two", "three")] == [True, True, False]
    assert tried == ["works", "works", "fails", "fails"]
    assert Features().has("one") == (True, "")
    assert tried[-1] == "works"
