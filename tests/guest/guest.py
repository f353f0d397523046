"""Boots a kernel under QEMU's software emulation with the working tree inside, and runs a command there as root.

`boot(kernel, command, timeout)` gives the command's status, what it printed (both streams) and the kernel's console.
A guest that panics, hangs or never tells a status raises GuestFailed with the end of its console; it is not tried
again. `unavailable()` says why guests can't run here, or nothing. Emulation is some 13 times slower than the machine:
nothing is to be timed in a guest.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import debuginfo as debug
from . import parts, tree
from .archive import Unavailable
from .kernels import KERNELS

__all__ = ["GuestFailed", "Result", "Unavailable", "boot", "unavailable"]

Stream = Callable[[bytes], object] | None

QEMU = "qemu-system-x86_64"
TOOLS = (QEMU, "mmdebstrap", "mke2fs", "depmod", "setpriv", "chroot")
# QEMU 7.2 now and then gives wrong flags after cmpxchg16b, of which kernels from 6.12 on die while they boot.
CPU = "Nehalem,-cx16"
MARK = "pystap-guest: status "
TAIL = 80  # lines of the console in a failure: a panic takes some 50


class Result(NamedTuple):
    status: int
    output: str
    console: str


class GuestFailed(Exception):
    """A guest ended without telling a status."""


def unavailable() -> str:
    """Return why guests can't run on this machine, "" where nothing speaks against it."""
    if os.geteuid():
        return "guests need root (their userland is unpacked with its owners)"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in TOOLS if not shutil.which(name, path=path)]
    return f"not installed: {', '.join(missing)} (scripts/guest-packages)" if missing else ""


def _quiet(text: str) -> None:
    """Tell nobody."""


def boot(
    kernel: str,
    command: str,
    timeout: float = 300.0,
    *,
    stream: Stream = None,
    tell: Callable[[str], None] = _quiet,
    cancel: threading.Event | None = None,
    folders: dict[str, Path] | None = None,
    debuginfo: bool = False,
) -> Result:
    """Run a shell command in a guest. `stream` gets its output as it comes, `tell` news of parts being made.

    folders: copied into the guest, by their paths there. debuginfo: the guest has the kernel's, in debuginfo.FOLDER.

    When `cancel` is set, the guest is ended, which counts as a failure.
    """
    if kernel not in KERNELS:
        raise Unavailable(f"no kernel {kernel!r}: there are {', '.join(KERNELS)}")
    if why := unavailable():
        raise Unavailable(why)
    userland = parts.userland(tell)
    made = parts.kernel(KERNELS[kernel], tell)
    more = [debug.disk(KERNELS[kernel], made, tell)] if debuginfo else []
    with tempfile.TemporaryDirectory(prefix="pystap-guest-") as folder:
        run = Path(folder)
        tree.pack(userland, command, run / "tree.tar", folders)
        return _Run(userland, made, run, kernel, more).go(timeout, stream, cancel or threading.Event())


class _Run:
    """One boot: QEMU's process, the pipe of the command's output, the files of console and status."""

    def __init__(self, userland: Path, kernel: Path, folder: Path, name: str, more: list[Path]) -> None:
        self.more = more  # disks behind the usual ones
        self.userland = userland
        self.kernel = kernel
        self.folder = folder
        self.name = name

    def _command(self, pipe: int) -> list[str]:
        disks = (
            self.userland / "root.img",
            self.kernel / "modules.img",
            self.folder / "tree.tar",
            *self.more,
        )
        # what is tested beside guests goes first
        words = ["nice", "-n", "5", "setpriv", "--pdeathsig", "KILL", QEMU]
        words += ["-accel", "tcg,thread=single", "-cpu", CPU, "-smp", "2", "-m", "2048"]
        words += ["-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"]
        words += ["-kernel", str(self.kernel / "vmlinuz"), "-initrd", str(self.kernel / "initramfs")]
        # no_timer_check: on a busy machine the emulated timer is late, and the kernel would give up for that
        line = "console=ttyS0 panic=-1 oops=panic mitigations=off nowatchdog no_timer_check loglevel=6"
        words += ["-append", line]
        words += ["-serial", f"file:{self.folder / 'console'}"]
        for number, path in enumerate(disks):
            words += ["-drive", f"file={path},if=none,id=disk{number},format=raw,readonly=on"]
            words += ["-device", f"virtio-blk-pci,drive=disk{number}"]
        words += ["-device", "virtio-serial-pci"]
        for port, to in (("output", f"/dev/fd/{pipe}"), ("status", str(self.folder / "status"))):
            words += ["-chardev", f"file,id={port},path={to}"]
            words += ["-device", f"virtserialport,chardev={port},name={port}"]
        return words

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def go(self, timeout: float, stream: Stream, cancel: threading.Event) -> Result:
        """Run QEMU to its end, or to the end of the time given."""
        reading, writing = os.pipe()
        env = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        with open(self.folder / "qemu", "wb") as said:
            process = subprocess.Popen(
                self._command(writing),
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(writing,),
            )
        os.close(writing)
        output: list[bytes] = []
        try:
            ended = self._collect(reading, time.monotonic() + timeout, output, stream, cancel)
            if ended:
                process.wait(timeout=30)
        finally:
            os.close(reading)
            if process.poll() is None:
                process.kill()
                process.wait()
        text = b"".join(output).decode("utf-8", "replace")
        marks = [line for line in self._read("status").splitlines() if line.startswith(MARK)]
        if ended and marks:
            return Result(int(marks[0].removeprefix(MARK)), text, self._read("console"))
        raise GuestFailed(self._story("told no status" if ended else f"did not end in {timeout:g} s", text))

    def _collect(
        self, pipe: int, end: float, output: list[bytes], stream: Stream, cancel: threading.Event
    ) -> bool:
        """Read the command's output until QEMU closes the pipe (True) or time is up (False)."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(pipe, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0 and not cancel.is_set():
                if not waiting.select(min(left, 0.5)):
                    continue
                chunk = os.read(pipe, 1 << 16)
                if not chunk:
                    return True
                output.append(chunk)
                if stream is not None:
                    stream(chunk)
        return False

    def _story(self, what: str, output: str) -> str:
        console = "\n".join(self._read("console").splitlines()[-TAIL:])
        printed = "\n".join(output.splitlines()[-TAIL:])
        return (
            f"the guest with {self.name} {what}\n--- its output ends:\n{printed}\n"
            f"--- its console ends:\n{console}\n--- the emulator said:\n{self._read('qemu')}"
        )
