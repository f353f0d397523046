"""Kernel functions by bpftrace's probes: every kind of them counts what the workload did, and says which it was.

The workload's calls are known by number; where several kinds of probe see the same call they must agree.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.probing import lacks
from tests.live.tracer import Tracer, run

HERE = Path(__file__).parent
WORK = f"{sys.executable} {HERE / 'workloads' / 'functions.py'}"

pytestmark = pytest.mark.skipif(
    bool(lacks("kprobe", "kretprobe", "fentry", "fexit")), reason="no function probes"
)


def told(script: str, *words: str) -> Tracer:
    """Run a script over the workload."""
    return run("--lang", "bt", "-q", "-c", WORK, *words, "-e", script)


def lines(script: str, *words: str) -> list[str]:
    """Return the lines of a script that runs without a word, sorted."""
    done = told(script, "-w", *words)
    assert (done.status, done.err) == (0, ""), done.err
    return sorted(filter(None, done.out.split("\n")))


def test_one_function_by_every_kind() -> None:
    script = """
    kprobe:vfs_unlink /pid == cpid/ { @entered[func, probe] = count(); @since[tid] = nsecs; }
    kretprobe:vfs_unlink /@since[tid]/ { @left[func, probe, retval] = count(); delete(@since, tid); }
    fentry:vfs_unlink /pid == cpid/ { printf("%s %s %d\\n", probe, str(args.dentry->d_name.name), args.dentry->d_name.len); }
    fexit:vmlinux:vfs_unlink /pid == cpid/ { @typed[probe, retval, str(args.dentry->d_name.name, 4)] = count(); }
    kprobe:vmlinux:vfs_unlink, kprobe:*:vfs_unlin* /pid == cpid/ { @named[probe] = count(); }
    """
    assert lines(script) == sorted(
        [
            *[f"fentry:vmlinux:vfs_unlink marked{n} 7" for n in range(3)],
            "@entered[vfs_unlink, kprobe:vfs_unlink]: 3",
            "@left[vfs_unlink, kretprobe:vfs_unlink, 0]: 3",
            "@typed[fexit:vmlinux:vfs_unlink, 0, mar]: 3",
            "@named[kprobe:vmlinux:vfs_unlink]: 6",
        ]
    )


def test_patterns_of_typed_probes() -> None:
    """One program for all of them where no argument is read; @each would count a function twice that had two."""
    script = """
    fentry:vfs_r* /pid == cpid && (func == "vfs_rename" || func == "vfs_rmdir")/ { @each[func, probe] = count(); }
    fexit:vfs_r* /pid == cpid && (func == "vfs_rename" || func == "vfs_rmdir")/ { @left[func] = count(); }
    fentry:vfs_r* /pid == cpid && arg0 != 0 && func == "vfs_rmdir"/ { @by[func] = count(); }
    kprobe:ksys_write /pid == cpid && arg0 == 99/ { @sizes[arg2, reg("dx"), ((struct pt_regs *)ctx)->dx] = count(); }
    fexit:ksys_read, fexit:ksys_write /pid == cpid && args.fd == 99/ { @moved[func] = sum(retval); }
    fentry:pipe_* /pid == cpid && func == "pipe_release"/ { @of[probe] = count(); }  // a module has one, too
    """
    found = lines(script)
    of = [line for line in found if line.startswith("@of")]
    assert [line.rpartition(":")[0] for line in of] == ["@of[fentry:vmlinux:pipe_release]"]
    assert [line for line in found if line not in of] == sorted(
        [
            "@each[vfs_rename, fentry:vmlinux:vfs_rename]: 1",
            "@each[vfs_rmdir, fentry:vmlinux:vfs_rmdir]: 1",
            "@left[vfs_rename]: 1",
            "@left[vfs_rmdir]: 1",
            "@by[vfs_rmdir]: 1",
            *[f"@sizes[{n}, {n}, {n}]: 1" for n in (1, 2, 3, 4)],
            "@moved[ksys_write]: 10",
            "@moved[ksys_read]: 7",
        ]
    )


def test_values_shown_whole() -> None:
    script = """
    fentry:vfs_unlink /pid == cpid/ { @name = args.dentry->d_name; @inode = args.dentry->d_inode->i_uid; @all = args; }
    END {
      $q = @name;
      printf("%d %d %s\\n", @name.len, $q.hash == @name.hash, str($q.name) == "" ? "gone" : "there");
      print((uint16[2])(uint32)0x20001); print(@inode); clear(@name); clear(@inode);
    }
    """
    found = lines(script)
    shown = [line for line in found if line.startswith("@all: { .")]
    assert len(shown) == 1 and ".dir = 0x" in shown[0] and ".dentry = 0x" in shown[0]
    assert [line.partition(" ")[0] for line in found if line.startswith("7 ")] == ["7"]
    assert "[1,2]" in found and "@inode: { .val = 0 }" in found
    assert any(line.startswith("7 1 ") for line in found)


def test_addresses_and_what_is_not_there() -> None:
    with open("/proc/kallsyms", encoding="ascii") as file:
        address = next(line.split()[0] for line in file if line.split()[2] == "vfs_unlink")
    script = (
        f"kprobe:0x{address}, kprobe:nosuch_thing_*, kprobe:vfs_unlink /pid == cpid/ {{ @[func] = count(); }}"
    )
    done = told(script, "--unsafe")
    assert done.status == 0 and "@[vfs_unlink]: 6" in done.out
    assert "warning[W303]: left out: no function" in done.err and ":1:28" in done.err
    refused = told(script)
    assert refused.status == 1 and "E273" in refused.err


def test_no_instruction_begins_there() -> None:
    done = told("kprobe:vfs_unlink+1 { @ = count(); }")
    assert done.status == 1 and "no instruction begins at that offset" in done.err and ":1:1" in done.err
