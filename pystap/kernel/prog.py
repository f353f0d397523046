"""Loading programs and their BTF, running them for a test, and reading what they have cost.

Loading first asks for no log, which is the fast way; a refused program is loaded again with one,
and the verifier's own words come with `VerifierError`.
"""

from __future__ import annotations

import errno as _errno
from struct import Struct

from ..bpf import consts_gen as abi
from .sys import KernelError, address, bpf, object_name

INSN_SIZE = 8
FUNC_INFO_SIZE = 8
LINE_INFO_SIZE = 16

# UAPI macros, which BTF doesn't carry.
F_SLEEPABLE = 1 << 4
F_TEST_RUN_ON_CPU = 1

_LOAD = Struct("<IIQQIIQII16sIIIIQIIQIIIIQ")
_LOG_AT = 24  # log_level, log_size, log_buf
_LOG = Struct("<IIQ")
_BTF_LOAD = Struct("<QQIII")
_TEST_RUN = Struct("<IIIIQQIIIIQQIIII")
_LOG_FIRST = 1 << 18
_LOG_MOST = 1 << 26


class VerifierError(KernelError):
    """A refused program: `log` has the verifier's words, with a last line that says what is wrong."""

    def __init__(self, log: str, errno: int, what: str) -> None:
        super().__init__(errno, what)
        self.log = log

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.log}"


def load_program(
    prog_type: int,
    insns: bytes,
    *,
    name: str = "",
    expected_attach_type: int = 0,
    attach_btf_id: int = 0,
    attach_btf_obj_fd: int = 0,
    btf_fd: int = 0,
    func_info: bytes = b"",
    line_info: bytes = b"",
    flags: int = 0,
    log: bool = True,
    log_level: int = 1,
    log_to: list[str] | None = None,
) -> int:
    """Load a program and return its descriptor (close-on-exec); `VerifierError` if it is refused.

    attach_btf_obj_fd: the BTF of the module that `attach_btf_id` belongs to, 0 for vmlinux.
    log=False: a refusal is a plain `KernelError`, without loading again.
    log_to: gets the log of a program that loads, at `log_level`.
    """
    code, licence = bytes(insns), b"GPL\0"  # as the helpers demand
    func, line = bytes(func_info), bytes(line_info)
    attr = bytearray(
        _LOAD.pack(
            *(prog_type, len(code) // INSN_SIZE, address(code), address(licence)),
            *(0, 0, 0, 0, flags, object_name(name), 0, expected_attach_type, btf_fd),
            *(FUNC_INFO_SIZE if func else 0, address(func) if func else 0, len(func) // FUNC_INFO_SIZE),
            *(LINE_INFO_SIZE if line else 0, address(line) if line else 0, len(line) // LINE_INFO_SIZE),
            *(attach_btf_id, attach_btf_obj_fd, 0, 0),
        )
    )
    what = f"loading program {name or '(unnamed)'}"
    if log_to is not None:
        return _load_logged(attr, what, log_level, log_to)
    try:
        return bpf(abi.BPF_PROG_LOAD, attr, what)
    except KernelError as error:
        if not log:
            raise
        first = error
    try:
        return _load_logged(attr, what, log_level, [])
    except VerifierError:
        raise
    except KernelError:
        raise first from None


def _load_logged(attr: bytearray, what: str, level: int, log_to: list[str]) -> int:
    """Load with a log; its buffer grows until the log fits. Without a word logged: `KernelError`."""
    size = _LOG_FIRST
    while True:
        buffer = bytearray(size)
        _LOG.pack_into(attr, _LOG_AT, level, size, address(buffer))
        try:
            fd = bpf(abi.BPF_PROG_LOAD, attr, what)
        except KernelError as error:
            if error.errno == _errno.ENOSPC and size < _LOG_MOST:
                size *= 4
                continue
            text = _text(buffer)
            if text:
                raise VerifierError(text, error.errno or 0, what) from None
            raise
        log_to.append(_text(buffer))
        return fd


def _text(buffer: bytearray) -> str:
    end = buffer.find(0)
    return buffer[: end if end >= 0 else len(buffer)].decode("utf-8", "replace")


def load_btf(blob: bytes) -> int:
    """Give a program's BTF to the kernel: a descriptor for `btf_fd`; `VerifierError` if it is refused."""
    data = bytes(blob)
    try:
        return bpf(
            abi.BPF_BTF_LOAD, bytearray(_BTF_LOAD.pack(address(data), 0, len(data), 0, 0)), "loading BTF"
        )
    except KernelError as error:
        log = bytearray(_LOG_FIRST)
        attr = bytearray(_BTF_LOAD.pack(address(data), address(log), len(data), len(log), 1))
        try:
            return bpf(abi.BPF_BTF_LOAD, attr, "loading BTF")
        except KernelError:
            raise VerifierError(_text(log), error.errno or 0, "loading BTF") from None


def test_run(prog_fd: int, ctx: bytes = b"", *, cpu: int = -1) -> tuple[int, bytes]:
    """Run a program here and now: (its return value, the context) after the run.

    A raw tracepoint's `ctx` is its arguments, 8 bytes each, and `cpu` may choose where it runs; a
    `BPF_PROG_TYPE_SYSCALL` program reads and writes its `ctx`, and sleeps where it must.
    """
    ctx_buffer = bytearray(ctx)
    attr = bytearray(
        _TEST_RUN.pack(
            *(prog_fd, 0, 0, 0, 0, 0, 0, 0),
            *(len(ctx_buffer), 0, address(ctx_buffer), 0, F_TEST_RUN_ON_CPU if cpu >= 0 else 0),
            *(max(cpu, 0), 0, 0),
        )
    )
    bpf(abi.BPF_PROG_TEST_RUN, attr, "running a program")
    return int(_TEST_RUN.unpack(attr)[1]), bytes(ctx_buffer)
