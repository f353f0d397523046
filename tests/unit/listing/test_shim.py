"""`pystap shim` and what runs under the name of bpftrace."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pystap.cli.bpftrace import settings, translate
from pystap.cli.main import main
from pystap.cli.shim import shim, text
from pystap.diag import CompileError


def test_writes_executables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "bin"
    assert shim(str(folder)) == 0
    said = capsys.readouterr().out
    for name in ("stap", "bpftrace"):
        path = folder / name
        assert f"wrote {path}" in said
        assert os.access(path, os.X_OK)
        assert path.read_text() == text(name)
    assert str(folder) in said.splitlines()[-1]


def test_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stap").write_text("mine")
    assert shim(str(tmp_path)) == 1
    assert (tmp_path / "stap").read_text() == "mine"
    assert (tmp_path / "bpftrace").exists()
    assert "left as it is" in capsys.readouterr().err
    (tmp_path / "stap").unlink()
    (tmp_path / "stap").symlink_to(tmp_path / "elsewhere")
    assert shim(str(tmp_path)) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_again_is_no_mistake(tmp_path: Path) -> None:
    assert shim(str(tmp_path)) == 0
    assert shim(str(tmp_path)) == 0


def test_unwritable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(CompileError) as caught:
        shim(str(file))
    assert caught.value.diagnostic.code == "E924"


def test_they_run(tmp_path: Path) -> None:
    shim(str(tmp_path))
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    script = tmp_path / "script"
    script.write_text('#!/usr/bin/env stap\nprobe begin { println("a") }\n')
    script.chmod(0o755)
    (tmp_path / "types.py").write_text("raise SystemError\n")  # no module of ours, nor of Python's
    done = subprocess.run(["stap", "-p1", script], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "println" in done.stdout
    done = subprocess.run(["bpftrace", "--version"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("pystap ")
    done = subprocess.run(["bpftrace", "-h"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("USAGE:") and "-p PID" in done.stdout
    done = subprocess.run(["bpftrace", "-d", "all", "x"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "error[E401]" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-e X", "-e X"),
        ("-p 12 x.bt", "-x 12 x.bt"),
        ("-p12 x.bt", "-x 12 x.bt"),
        ("-c ls -e X", "-c ls -e X"),
        ("-f json x.bt", "--format json x.bt"),
        ("-lv kprobe:*", "-l -v kprobe:*"),
        ("-l", "-l"),
        ("-qv --unsafe x.bt 1 2", "-q -v --unsafe x.bt 1 2"),
        ("-B none -k x.bt", "x.bt"),
        ("-I /a --include b.h x.bt", "x.bt"),
        ("--include=b.h x.bt", "x.bt"),
        ("x.bt -- -v", "x.bt -- -v"),
        ("--dry-run x.bt", "-p 4 x.bt"),
        ("-", "-"),
        ("-d ast x.bt", "-p 1 --dump-after parse x.bt"),
        ("-ddis -e X", "-p 3 --dump-after ebpf -e X"),
        ("--mode=format x.bt", "-p 1 x.bt"),
        ("--mode codegen x.bt", "-p 3 x.bt"),
        ("--fmt x.bt", "-p 1 x.bt"),
        ("--no-warnings --verbose x.bt", "-w -v x.bt"),
        ("-p 1 -o out -c ls -Bline x.bt", "-x 1 -o out -c ls x.bt"),
    ],
)
def test_bpftrace_options(words: str, expected: str) -> None:
    assert translate(words.split()) == ["--lang", "bt", *expected.split()]


def test_bpftraces_command_line_without_a_shim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bpftrace", "--fmt", "-e", "BEGIN{exit();}"]) == 0
    assert "exit();" in capsys.readouterr().out
    assert main(["bpftrace", "-d", "nothing", "-e", "BEGIN { }"]) == 1


def test_information_is_doctors() -> None:
    assert translate(["--info"]) == ["doctor"]


def test_settings_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in os.environ if n.startswith("BPFTRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BPFTRACE_MAX_STRLEN", "64")
    monkeypatch.setenv("BPFTRACE_MAP_KEYS_MAX", "10")  # a name of old
    monkeypatch.setenv("BPFTRACE_BTF", "/x")
    monkeypatch.setenv("BPFTRACE_MAX_STRLN", "64")
    assert sorted(settings()) == [("max_map_keys", "10"), ("max_strlen", "64")]
    said = capsys.readouterr().err
    assert "BPFTRACE_BTF is not used: types come from" in said
    assert "did you mean BPFTRACE_MAX_STRLEN?" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-d all x", "E401"),
        ("-dall", "E401"),
        ("--emit-elf x", "E401"),
        ("--emit-llvm x", "E401"),
        ("--mode test", "E401"),
        ("--mode tset", "E903"),
        ("-B lines x", "E903"),
        ("-d asts x", "E903"),
        ("-d verifier x", "E401"),
        ("--bench", "E401"),
        ("-x", "E901"),
        ("--nosuch", "E901"),
        ("-p", "E902"),
        ("-p 0 x", "E903"),
        ("-p 99999999 x", "E903"),
        ("-pabc x", "E903"),
    ],
)
def test_bpftrace_refusals(words: str, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        translate(words.split())
    assert caught.value.diagnostic.code == code
