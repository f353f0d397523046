"""Kernel calls against the live kernel: memory, strings, tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pystap.btf import Btf
from pystap.btf.layout import field_path
from pystap.kernel.target import vmlinux_btf
from pystap.runtime.calls import KernelCalls
from pystap.runtime.door import Door
from pystap.runtime.errors import ScriptError


@pytest.fixture(scope="module")
def btf() -> Btf:
    """The kernel's types."""
    return Btf(vmlinux_btf())


@pytest.fixture
def calls(btf: Btf) -> Iterator[KernelCalls]:
    """Kernel calls of a run of their own."""
    made = KernelCalls(Door(btf))
    yield made
    made.close()


def at(btf: Btf, *path: str) -> int:
    """The offset of a field of task_struct."""
    task = btf.find_struct("task_struct")
    assert task is not None
    return field_path(btf, task, list(path)).offsets[-1]


def test_the_current_task_is_this_process(calls: KernelCalls, btf: Btf) -> None:
    task = calls.current_task()
    assert calls.load(task + at(btf, "tgid"), 4, True, False, False, "") == os.getpid()
    with open("/proc/self/comm", encoding="latin-1") as file:
        assert calls.load_str(task + at(btf, "comm"), 16, False, False, "") == file.read().strip()
    assert len(calls.load_buf(task, 5000, False, False, "")) == 5000


def test_tasks_by_pid(calls: KernelCalls, btf: Btf) -> None:
    assert calls.pid2task(os.getpid()) == calls.current_task()
    first = calls.pid2task(1)
    assert calls.load(first + at(btf, "pid"), 4, True, False, False, "") == 1
    with open("/proc/1/comm", encoding="latin-1") as file:
        assert calls.load_str(first + at(btf, "comm"), 16, False, False, "") == file.read().strip()
    assert calls.pid2task(-1) == 0


def test_what_cannot_be_read_is_the_scripts_error_or_zero(calls: KernelCalls) -> None:
    with pytest.raises(ScriptError) as info:
        calls.load(16, 8, True, False, False, "near identifier 'x' at a.stp:1:1")
    assert info.value.message == "read fault [man error::fault] at 0x0000000000000010"
    assert info.value.place == "near identifier 'x' at a.stp:1:1"
    with pytest.raises(ScriptError):
        calls.load_str(16, 8, False, False, "")
    assert calls.load(16, 8, True, True, False, "") == 0
    assert calls.load_str(16, 8, True, False, "") == ""
    assert calls.load_buf(16, 8, True, False, "") == bytes(8)


def test_numbers_of_every_width_and_sign(calls: KernelCalls, btf: Btf) -> None:
    from ctypes import addressof, create_string_buffer

    memory = create_string_buffer(b"\xfe\xff\xff\xff\xff\xff\xff\xff", 16)
    here = addressof(memory)
    assert [calls.load(here, size, True, False, True, "") for size in (1, 2, 4, 8)] == [-2] * 4
    assert [calls.load(here, size, False, False, True, "") for size in (1, 2, 4)] == [
        0xFE,
        0xFFFE,
        0xFFFFFFFE,
    ]
    assert calls.load(here, 8, False, False, True, "") == -2


def test_strings_of_this_process(calls: KernelCalls) -> None:
    from ctypes import addressof, create_string_buffer

    memory = create_string_buffer(b"h\xffllo \x1b[2J")
    assert calls.load_str(addressof(memory), 100, False, True, "") == "h\xffllo \x1b[2J"
    assert calls.load_str(addressof(memory), 4, False, True, "") == "h\xffl"
    calls.terminal = True
    assert calls.load_str(addressof(memory), 100, False, True, "") == "h\xffllo \\x1b[2J"


def test_ticks_processors_groups(calls: KernelCalls) -> None:
    first = calls.jiffies()
    assert calls.jiffies() >= first > 0
    assert 0 <= calls.cpu() < (os.cpu_count() or 1)
    assert calls.cgroup_id() > 0
