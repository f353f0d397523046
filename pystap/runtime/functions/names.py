"""Names of numbers: errors, signals, enumerators, users, cgroups, system calls."""

from __future__ import annotations

import errno
import os

from ..display import enumerators
from ..symbols import latin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ...program import Prog
    from ..context import Context

# numbers that have two names: the one that is said
_PREFERRED = {11: "EAGAIN", 35: "EDEADLK", 95: "EOPNOTSUPP"}
# the kernel's own, which no header for programs has
_KERNEL = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    521: "EBADHANDLE",
    522: "ENOTSYNC",
    523: "EBADCOOKIE",
    524: "ENOTSUPP",
    525: "ETOOSMALL",
    526: "ESERVERFAULT",
    527: "EBADTYPE",
    528: "EJUKEBOX",
    529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT",
}
# fmt: off
_SIGNALS = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "PWR", "SYS",
)
# fmt: on
_SIGRTMIN, _SIGRTMAX = 32, 64


def errno_name(number: int) -> str:
    """`ENOENT`; `E#3333` for what is no error."""
    name = _PREFERRED.get(number) or errno.errorcode.get(number) or _KERNEL.get(number)
    return name or f"E#{number}"


def errno_str(number: int) -> str:
    """The words of an error: `No such file or directory`."""
    return latin(os.strerror(abs(number) & 0x7FFFFFFF))


def syscall_tracepoint(kind: str, number: int) -> str:
    """bpftrace's name of a system call's probe: `tracepoint:syscalls:sys_enter_read`."""
    return f"tracepoint:syscalls:{kind}_{syscall_name(number)}"


def signal_name(number: int) -> str:
    """`SIGKILL`, `SIGRTMIN+1`."""
    if 1 <= number <= len(_SIGNALS):
        return "SIG" + _SIGNALS[number - 1]
    if number == _SIGRTMIN:
        return "SIGRTMIN"
    if _SIGRTMIN < number <= _SIGRTMAX:
        return f"SIGRTMIN+{number - _SIGRTMIN}"
    return f"SIG#{number}"


def user_name(uid: int) -> str:
    """The user's name, or the number."""
    try:
        from pwd import getpwuid

        return latin(getpwuid(uid & 0xFFFFFFFF).pw_name)
    except (KeyError, ImportError, OverflowError):
        return str(uid & 0xFFFFFFFF)


def syscall_num(name: str) -> int:
    """The number of this ABI's system call of that name, -1 if there is none."""
    from .syscall_names_gen import NAMES

    return next((n for n, known in NAMES.get(_machine(), {}).items() if known == name), -1)


def syscall_name(number: int) -> str:
    """The name of a system call of this machine's ABI."""
    from .syscall_names_gen import NAMES

    table = NAMES.get(_machine(), {})
    return table.get(number) or f"unknown_{number}"


_known: list[str] = []


def _machine() -> str:
    if not _known:
        machine = os.uname().machine
        _known.append(machine if machine == "x86_64" else "generic")
    return _known[0]


def rwbs_text(flags: int, spec: str) -> str:
    """A block request's operation and flags in letters; the operation is the low 8 bits."""
    before, operations, behind = [enumerators(part) for part in spec.split("|")]
    letters = [text for bit, text in before.items() if flags >> bit & 1]
    letters.append(operations.get(flags & 255, "N"))
    return "".join(letters + [text for bit, text in behind.items() if flags >> bit & 1])


PURE: dict[str, Callable[..., Any]] = {
    "rwbs_text": rwbs_text,
    "errno_name": errno_name,
    "errno_str": errno_str,
    "strerror": errno_str,
    "syscall_tracepoint": syscall_tracepoint,
    "signal_name": signal_name,
    "user_name": user_name,
    "syscall_name": syscall_name,
    "syscall_num": syscall_num,
}


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """Those that need the kernel's types or files."""
    tables = Tables(context)
    return {
        "function_name": tables.function_name,
        "function_place": tables.function_place,
        "enum_name": tables.enum_name,
        "enum_text": tables.enum_text,
        "cgroup_path": tables.cgroup_path,
        "gfp_flags": tables.gfp_flags,
    }


class Tables:
    """Tables of names, each made when it is first asked for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._enums: dict[str, dict[int, str]] = {}
        self._groups: dict[int, str] = {}
        self._gfp_bits: dict[str, int] | None = None
        self._functions: dict[int, str] = {}
        self._places: dict[int, str] = {}

    def enum_name(self, value: int, what: str) -> str:
        """The enumerator of a value, by the kernel's types, or the number."""
        known = self._enums.get(what)
        if known is None:
            known = self._enums[what] = _enumerators(self._context, what)
        return known.get(value) or str(value)

    def enum_text(self, value: int, text: str) -> str:
        """The same where the script says what the enumerators are."""
        known = self._enums.get(text)
        if known is None:
            known = self._enums[text] = enumerators(text)
        return known.get(value) or str(value)

    def cgroup_path(self, number: int) -> str:
        """The path of a cgroup, "" if there is none of that number."""
        if number not in self._groups:
            self._groups.update(_cgroups())
        return self._groups.setdefault(number, "")

    def gfp_flags(self, flags: int) -> str:
        """The names of an allocation's flags."""
        from .gfp import bits_of, names

        if self._gfp_bits is None:
            self._gfp_bits = bits_of(self._context.door.btf)
        return names(flags, self._gfp_bits)

    def function_name(self, number: int) -> str:
        """The function that a program was attached to with a number."""
        if not self._functions:
            self._functions.update(names_of_functions(self._context.program.progs))
        return self._functions.get(number, "")

    def function_place(self, number: int) -> str:
        """What pp() gives there."""
        if not self._places:
            self._places.update(places_of_functions(self._context.program.progs))
        return self._places.get(number, "")


def names_of_functions(progs: Iterable[Prog]) -> dict[int, str]:
    """What the numbers of functions and of modules stand for that programs are attached with."""
    found: dict[int, str] = {}
    for prog in progs:
        args = prog.args if isinstance(prog.args, dict) else {}
        for cookie, module, name, _ in args.get("functions", ()):
            found[cookie & 0xFFFFFFFF] = latin(name)
            found[cookie >> 32] = latin(module or args.get("kernel", "kernel"))
    return found


def places_of_functions(progs: Iterable[Prog]) -> dict[int, str]:
    """What pp() gives at the functions that programs are attached with."""
    found: dict[int, str] = {}
    for prog in progs:
        args = prog.args if isinstance(prog.args, dict) else {}
        found.update({cookie: latin(text) for cookie, text in args.get("places", ())})
    return found


def _enumerators(context: Context, what: str) -> dict[int, str]:
    btf = context.door.btf
    found = btf.find_enum(what.removeprefix("enum ").strip()) if btf is not None else None
    names: dict[int, str] = {}
    if found is not None:
        for name, value in found.values:
            names.setdefault(value, latin(name))
    return names


def _cgroups() -> dict[int, str]:
    """The paths of all cgroups by id: the number of their folder."""
    found: dict[int, str] = {}
    root = "/sys/fs/cgroup"
    for base in (root, root + "/unified"):
        if os.path.exists(base + "/cgroup.procs"):
            for path, _, _ in os.walk(base):
                try:
                    found[os.stat(path).st_ino] = latin(path[len(base) :] or "/")
                except OSError:
                    continue
            break
    return found
