"""A `Prog` to a loaded program: relocations, its BTF, and what its kind means to the kernel."""

from __future__ import annotations

import os
from errno import E2BIG, EBUSY, EILSEQ, EINVAL, ENOENT
from struct import Struct

from ..bpf import consts_gen as abi
from ..bpf.btfinfo import ProgramBtf
from ..bpf.insn import PSEUDO_MAP_FD, PSEUDO_MAP_VALUE
from ..kernel.prog import load_btf, load_program
from ..kernel.sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..btf import Btf
    from ..kernel.attach.base import Attachment
    from ..kernel.maps import Map
    from ..kernel.symbols import Kallsyms
    from ..program import Prog

_IMM = Struct("<i")
_INSN = 8


def linked(prog: Prog, maps: Mapping[str, Map], btf: Btf | None) -> bytes:
    """The instructions with the numbers of maps and kernel functions put in."""
    code = bytearray(prog.insns)
    for reloc in prog.relocs:
        at = reloc.index * _INSN
        _IMM.pack_into(code, at + 4, maps[reloc.map].fd)
        kind = PSEUDO_MAP_VALUE if reloc.kind == "value" else PSEUDO_MAP_FD
        code[at + 1] = code[at + 1] & 0x0F | kind << 4
        _IMM.pack_into(code, at + _INSN + 4, reloc.offset if reloc.kind == "value" else 0)
    for index, name in prog.kfuncs:
        function = btf.find_func(name) if btf is not None else None
        if function is None:
            raise KernelError(2, f"finding the kernel function {name}")
        _IMM.pack_into(code, index * _INSN + 4, function.id)
    return bytes(code)


def program_btf(prog: Prog) -> tuple[bytes, bytes, bytes]:
    """(BTF, func info, line info) of a program."""
    made = ProgramBtf()
    functions = []
    for index, name, count in prog.funcs or ((0, "main", 1),):
        linkage = abi.BTF_FUNC_GLOBAL if name in prog.apart else abi.BTF_FUNC_STATIC
        type_id = made.add_main(name) if index == 0 else made.add_func(name, count, linkage=linkage)
        functions.append((index, type_id))
    lines = [(line.index, line.file, line.text, line.line, line.column) for line in prog.lines]
    if lines:
        have = {line[0] for line in lines}
        lines += [(index, *_line_before(lines, index)) for index, _ in functions if index not in have]
        lines.sort(key=lambda line: line[0])
    info = made.line_info(lines)
    return made.to_bytes(), made.func_info(functions), info


def _line_before(lines: list[tuple[int, str, str, int, int]], index: int) -> tuple[str, str, int, int]:
    before = [line for line in lines if line[0] <= index]
    line = before[-1] if before else lines[0]
    return line[1:]


class Loaded:
    """A loaded program, and what attaches it."""

    __slots__ = ("attach", "attach_in", "btf_fd", "fd", "prog")

    def __init__(self, prog: Prog, fd: int, btf_fd: int, attach: Callable[..., Attachment]) -> None:
        self.prog = prog
        # attaches to the functions of one module, where that can come and go
        self.attach_in: Callable[[str, Kallsyms], Attachment] | None = None
        self.fd = fd
        self.btf_fd = btf_fd
        self.attach = attach


def load(prog: Prog, maps: Mapping[str, Map], btf: Btf | None) -> Loaded:
    """Load a program; `VerifierError` or `KernelError` when the kernel refuses."""
    how = KINDS.get(prog.kind)
    if how is None:
        raise KernelError(95, f"attaching to an event of kind '{prog.kind}'")
    options, attach = how(prog, btf)
    blob, func_info, line_info = program_btf(prog)
    btf_fd = load_btf(blob)
    try:
        fd = load_program(
            options.pop("prog_type"),
            linked(prog, maps, btf),
            name=prog.name,
            btf_fd=btf_fd,
            func_info=func_info,
            line_info=line_info,
            **options,
        )
    finally:
        if "attach_btf_obj_fd" in options:
            os.close(options["attach_btf_obj_fd"])
    made = Loaded(prog, fd, btf_fd, lambda: _attached(prog, fd, attach))
    if isinstance(prog.args, dict) and "functions" in prog.args:
        made.attach_in = lambda module, table: attach(fd, module, table)
    return made


def _attached(prog: Prog, fd: int, attach: Callable[[int], Attachment]) -> Attachment:
    """Attach; a refusal knows its place in the script."""
    try:
        return attach(fd)
    except KernelError as error:
        if prog.lines:
            error.place = (prog.lines[0].file, prog.lines[0].line)
        raise


def _tracing(attach_type: int, type_id: int) -> dict[str, Any]:
    return {
        "prog_type": abi.BPF_PROG_TYPE_TRACING,
        "expected_attach_type": attach_type,
        "attach_btf_id": type_id,
    }


def _tracepoint(prog: Prog, btf: Btf | None, name: str) -> Any:
    from ..kernel.attach.raw_tracepoint import attach_raw_tracepoint
    from ..kernel.attach.tracepoint_btf import attach_tracepoint_btf

    found = btf.find_typedef("btf_trace_" + name) if btf is not None else None
    if found is None:
        return {"prog_type": abi.BPF_PROG_TYPE_RAW_TRACEPOINT}, lambda fd: attach_raw_tracepoint(fd, name)
    options = _tracing(abi.BPF_TRACE_RAW_TP, found.id)
    return options, lambda fd: attach_tracepoint_btf(fd, name)


def _tp_btf(prog: Prog, btf: Btf | None) -> Any:
    return _tracepoint(prog, btf, prog.target)


def _system_call(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.tracepoint_perf import attach_tracepoint_perf

    if not prog.args.get("record"):
        return _tracepoint(prog, btf, prog.kind)
    options = {"prog_type": abi.BPF_PROG_TYPE_TRACEPOINT}
    return options, lambda fd: attach_tracepoint_perf(fd, "raw_syscalls", prog.kind)


def _raw_tp(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.raw_tracepoint import attach_raw_tracepoint

    return {"prog_type": abi.BPF_PROG_TYPE_RAW_TRACEPOINT}, lambda fd: attach_raw_tracepoint(fd, prog.target)


def _perf(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.perf import attach_perf

    args = prog.args or {}

    def attach(fd: int) -> Attachment:
        return attach_perf(
            *(fd, args["type"], args["config"]),
            period=args.get("period", 0),
            frequency=args.get("freq", 0),
            pid=args.get("pid", -1),
            name=prog.target,
        )

    return {"prog_type": abi.BPF_PROG_TYPE_PERF_EVENT}, attach


def _iter(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.iter import attach_iter

    found = btf.find_func("bpf_iter_" + prog.target) if btf is not None else None
    if found is None:
        raise KernelError(2, f"finding the iterator {prog.target}")
    return _tracing(abi.BPF_TRACE_ITER, found.id), lambda fd: attach_iter(fd, prog.target)


# Why no probe can be at a place in a function.
_NO_PLACE = {
    EINVAL: "the kernel keeps probes out of this code, or changes the instruction itself, as at static branches;"
    " another line may do",
    EILSEQ: "no instruction begins there",
    ENOENT: "there is no code of the kernel",
}


def _kprobe(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.kprobe import attach_kprobe

    args = prog.args or {}
    ret = prog.kind == "kretprobe" or bool(args.get("ret"))
    options = {"prog_type": abi.BPF_PROG_TYPE_KPROBE}
    if "functions" not in args:
        place, addr = args.get("offset", 0), args.get("addr", 0)

        def attach_one(fd: int) -> Attachment:
            try:
                return attach_kprobe(fd, prog.target, offset=place, addr=addr, ret=ret)
            except KernelError as error:
                if "among" in args:
                    error.strerror = _NO_PLACE.get(error.errno or 0, error.strerror)
                raise

        return options, attach_one
    multi = bool(args.get("multi"))
    if multi:
        options["expected_attach_type"] = abi.BPF_TRACE_KPROBE_MULTI

    def attach(fd: int, module: str | None = None, table: Kallsyms | None = None) -> Attachment:
        from ..kernel.attach.functions import attach_functions
        from ..kernel.symbols import kallsyms

        functions = [one for one in args["functions"] if module is None or one[1] == module]
        offset = args.get("offset", 0)
        return attach_functions(fd, functions, table or kallsyms(), ret=ret, multi=multi, offset=offset)

    return options, attach


# Why a function has no trampoline. Its programs are counted: BPF_MAX_TRAMP_LINKS.
_NO_TRAMPOLINE = {
    E2BIG: "as many programs are attached to it already as the kernel allows; --attach=kprobe knows no such limit",
    EBUSY: "the kernel keeps tracing out of this function (notrace), or something else changes its beginning",
}


def _function(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.tracing import attach_tracing

    args = prog.args or {}
    ret = prog.kind == "fexit" or bool(args.get("ret"))
    kind = abi.BPF_TRACE_FEXIT if ret else abi.BPF_TRACE_FENTRY
    types, owner = _types_of(args.get("module", ""), btf)
    found = types.find_func(prog.target) if types is not None else None
    if found is None:
        raise KernelError(2, f"finding the kernel function {prog.target}")
    options = _tracing(kind, found.id)
    if owner:
        options["attach_btf_obj_fd"] = owner

    def attach(fd: int) -> Attachment:
        try:
            return attach_tracing(fd, prog.target, attach_type=kind)
        except KernelError as error:
            error.strerror = _NO_TRAMPOLINE.get(error.errno or 0, error.strerror)
            raise

    return options, attach


def _types_of(module: str, btf: Btf | None) -> tuple[Btf | None, int]:
    """The types that a function is found in, and a descriptor of a module's, which loading takes."""
    if not module or btf is None:
        return btf, 0
    from ..btf import Btf as Types
    from ..kernel.objects import module_btf_fd
    from ..kernel.target import module_btf

    return Types(module_btf(module), None, btf), module_btf_fd(module)


def _netfilter(prog: Prog, btf: Btf | None) -> Any:
    from ..kernel.attach.netfilter import FIRST, LAST, attach_everywhere

    args = prog.args
    priority = args.get("priority", LAST if args.get("last") else FIRST)
    options = {"prog_type": abi.BPF_PROG_TYPE_NETFILTER, "expected_attach_type": abi.BPF_NETFILTER}
    return options, lambda fd: attach_everywhere(fd, args["hooks"], priority)


KINDS: dict[str, Callable[[Prog, Any], Any]] = {
    "tp_btf": _tp_btf,
    "sys_enter": _system_call,
    "sys_exit": _system_call,
    "raw_tp": _raw_tp,
    "perf": _perf,
    "iter": _iter,
    "kprobe": _kprobe,
    "kretprobe": _kprobe,
    "function": _function,
    "fentry": _function,
    "fexit": _function,
    "netfilter": _netfilter,
}
