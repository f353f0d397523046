"""Places of a module's functions by its file and what the kernel tells of its sections."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from pystap.kernel.module_code import ModuleCode


class File:
    """What the reader of a module's file gives."""

    def __init__(self, notes: bytes, code: list[tuple[str, str, int]]) -> None:
        self._notes = notes
        self._code = code

    def section(self, name: str) -> bytes | None:
        return self._notes if name == ".note.gnu.build-id" else None

    def code(self) -> list[tuple[str, str, int]]:
        return self._code


def notes(build: bytes) -> bytes:
    return pack("<III", 4, len(build), 3) + b"GNU\0" + build


CODE = [("f", ".text", 16), ("g.isra.0", ".text", 64), ("f", ".text.unlikely", 0)]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's folder of a loaded module m."""
    monkeypatch.setattr(
        "pystap.kernel.modules.ModuleFiles.read", lambda self, name: File(notes(b"1234"), CODE)
    )
    place = tmp_path / "m"
    (place / "notes").mkdir(parents=True)
    (place / "sections").mkdir()
    (place / "notes" / ".note.gnu.build-id").write_bytes(notes(b"1234"))
    (place / "sections" / ".text").write_text("0xffffffffc0001000\n")
    (place / "sections" / ".text.unlikely").write_text("0xffffffffc0002000\n")
    return place


def test_places(loaded: Path) -> None:
    table = ModuleCode("m", root=str(loaded.parent)).symbols()
    assert table is not None
    places = table.places({("m", "f"), ("m", "g.isra.0")})
    assert places["m", "f"] == [0xFFFFFFFFC0001010, 0xFFFFFFFFC0002000]
    assert places["m", "g.isra.0"] == [0xFFFFFFFFC0001040]


def test_another_build(loaded: Path) -> None:
    (loaded / "notes" / ".note.gnu.build-id").write_bytes(notes(b"5678"))
    assert ModuleCode("m", root=str(loaded.parent)).symbols() is None


def test_places_that_are_not_told(loaded: Path) -> None:
    (loaded / "sections" / ".text").write_text("0x0\n")
    assert ModuleCode("m", root=str(loaded.parent)).symbols() is None
    (loaded / "sections" / ".text").unlink()
    assert ModuleCode("m", root=str(loaded.parent)).symbols() is None


def test_not_loaded(tmp_path: Path) -> None:
    assert ModuleCode("no_such_module", root=str(tmp_path)).symbols() is None
