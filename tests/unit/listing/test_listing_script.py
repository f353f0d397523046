"""bpftrace's -l with a script: the probes that it has, patterns written out; -lv of iterators: what ctx has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.btf import Btf
from pystap.cli.arguments import parse
from pystap.cli.bpftrace import translate
from pystap.cli.listings.bpftrace import of_script
from pystap.diag import CompileError

BTF = Btf((Path(__file__).parents[2] / "fixtures" / "kernel.btf").read_bytes())
SCRIPT = "BEGIN { } rawtracepoint:sched_sw*, kprobe:vfs_read { } software:faults:1 { } interval:s:1 { }"
PROBES = [
    "begin",
    "rawtracepoint:vmlinux:sched_switch",
    "kprobe:vfs_read",
    "software:faults:1",
    "interval:s:1",
]


def probes(*words: str) -> list[str] | None:
    return of_script(parse(translate(list(words))), BTF, {})


def test_of_text_and_of_a_file(tmp_path: Path) -> None:
    assert probes("-l", "-e", SCRIPT) == PROBES
    (tmp_path / "x.bt").write_text(SCRIPT)
    assert probes("-l", str(tmp_path / "x.bt")) == PROBES


def test_with_arguments() -> None:
    found = probes("-lv", "-e", "rawtracepoint:sched_switch { }")
    assert found is not None
    assert found[0] == "rawtracepoint:vmlinux:sched_switch"
    assert any(line.endswith(" prev") for line in found[1:])


def test_a_pattern_is_no_script() -> None:
    assert probes("-l", "kprobe:vfs_*") is None
    assert probes("-l") is None


def test_a_script_that_is_wrong() -> None:
    with pytest.raises(CompileError):
        probes("-l", "-e", "kprobe:")
