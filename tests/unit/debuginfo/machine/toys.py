"""The toys that gdb was asked about, and where its answers are."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).resolve().parents[3] / "fixtures" / "debuginfo"
ANSWERS = FILES / "gdb.json"
_TOY, _FORMS = ["kernel/toy.c", "kernel/other.c", "include/toy.h"], ["kernel/forms.c"]
TOYS = {"toy4.elf": _TOY, "toy5.elf": _TOY, "forms4.elf": _FORMS, "forms5.elf": _FORMS}
