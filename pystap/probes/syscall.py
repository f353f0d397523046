"""syscall.*, nd_syscall.*, syscall_any: all by the pair of tracepoints of every system call.

A pattern is one event with one handler, whatever number of calls it names: `name` comes from the number.
"""

from __future__ import annotations

from ..diag import did_you_mean, fail
from ..ir.nodes import Event
from .base import Context, Env, Resolved, Variable, bare, glob_filter, has_glob, point_text, unknown
from .syscall_args import ARGS, RENAMED
from .syscall_numbers import X86_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part

LISTING = ("syscall.NAME[.return]", "nd_syscall.NAME[.return]", "syscall_any[.return]")
_NAME = "__builtin_syscall_name(__builtin_sys_nr())"
_HEX = ", ".join(["%#x"] * 6)
_SIX = ", ".join(f"__builtin_sys_arg({n})" for n in range(6))
# Of calls that only their number tells apart: the user stage knows them all, the kernel only where a string is.
_FOUR = ", ".join(f"__builtin_sys_arg({n})" for n in range(4))
_STRINGS = ", ".join(f"__syscall_text(__syscall_string{n}(__builtin_sys_nr(), {_FOUR}))" for n in (0, 1))
_SOCKET = (
    f"__syscall_socket(__builtin_sys_nr(), {', '.join(f'__builtin_sys_arg({n})' for n in (1, 2, 4, 5))})"
)
_ANY = f"__syscall_argstr(__builtin_sys_nr(), {_SIX}, {_STRINGS}, {_SOCKET})"
# Form of an argument -> (expression of `$`, directive).
FORMS = {
    "d": ("__builtin_sext(%s, 32)", "%d"),
    "u": ("__builtin_zext(%s, 32)", "%u"),
    "x": ("__builtin_zext(%s, 32)", "%#x"),
    "o": ("__builtin_zext(%s, 16)", "%#o"),
    "l": ("%s", "%d"),
    "z": ("%s", "%u"),
    "p": ("%s", "%#x"),
    "s": ("user_string_quoted(%s)", "%s"),
    "j": ("%s", "%#x"),
}
# Forms with words: (form, function of the library); the variable NAME_str and argstr have the words.
WORDS = {
    "F": ("d", "_dfd_str"),
    "O": ("u", "_sys_open_flag_str"),
    "A": ("u", "_access_mode_str"),
    "W": ("d", "_seek_whence_str"),
    "S": ("d", "_signal_name"),
    "P": ("u", "_mprotect_prot_str"),
    "M": ("u", "_mmap_flags"),
    "V": ("d", "_madvice_advice_str"),
    "D": ("d", "_sock_family_str"),
    "T": ("d", "_sock_type_str"),
    "H": ("d", "_shutdown_how_str"),
    "I": ("u", "_wait_options_str"),
    "L": ("u", "_at_flags_str"),
    "E": ("u", "_pipe_flags_str"),
    "G": ("u", "_msg_flags_str"),
    "B": ("d", "_rt_sigprocmask_how"),
    "C": ("d", "_epoll_op_str"),
    "R": ("d", "_rlimit_resource_str"),
    "K": ("d", "_clock_id_str"),
    "N": ("d", "_fcntl_cmd_str"),
    "Y": ("p", "__get_argv"),
}
# Widths of arguments of 32 bits and less, in the forms above and in C: what lies beside them in the register is anything.
_WIDTHS = {"d": (32, True), "u": (32, False), "x": (32, False), "o": (16, False)}
_TYPES = {
    **dict.fromkeys(
        ("int", "pid_t", "clockid_t", "timer_t", "key_serial_t", "mqd_t", "rwf_t", "__s32"), (32, True)
    ),
    **dict.fromkeys(("unsigned int", "unsigned", "u32", "__u32", "uid_t", "gid_t", "qid_t"), (32, False)),
    "umode_t": (16, False),
}
_ADDRESS = (("uaddr_af", "af"), ("uaddr_ip", "ip_addr"), ("uaddr_ip_port", "tcp_port"))
CREATE = 0o100 | 0o20000000  # open's flags with which it takes a mode
_HEX_RETURNS = ("mmap", "brk", "mremap", "shmat")
_HEX_OF_ANY = " || ".join(f"__builtin_sys_nr() == {X86_64[n]}" for n in _HEX_RETURNS) + " ? 2 : 1"


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`(syscall | nd_syscall | ...) . NAME [ .return ] | syscall_any [ .return ]`."""
    bare(parts[0])
    if parts[0].name == "syscall_any":
        return [_any(parts, env)]
    if len(parts) < 2:
        raise unknown(parts, ())
    bare(parts[1])
    returns = _returns(parts, env, 2)
    pattern = parts[1].name
    if pattern in ("*", "**"):
        return [_event(None, "", returns, point_text(parts), parts[0].name)]
    if env.target.arch != "x86_64":
        raise fail("E401", f"not supported yet: system calls by name on {env.target.arch}", parts[1].span)
    if has_glob(pattern):
        names = glob_filter(pattern, X86_64)
    else:
        names = list(RENAMED.get(pattern, (pattern,) if pattern in X86_64 else ()))
    if not names:
        near = did_you_mean(pattern, (*X86_64, *RENAMED))
        hints = (f"did you mean '{near}'?",) if near else ()
        raise fail("E305", f"there is no system call '{pattern}'", parts[1].span, *hints)
    alike = names[0] if len(names) == 1 or not has_glob(pattern) else ""
    family = parts[0].name if has_glob(pattern) else ""
    return [_event([X86_64[n] for n in names], alike, returns, point_text(parts), family)]


def _returns(parts: Sequence[Part], env: Env, at: int) -> bool:
    if len(parts) == at:
        return False
    if parts[at].name != "return" or len(parts) > at + 1:
        raise unknown(parts, ("return",), at if parts[at].name != "return" else at + 1)
    bare(parts[at])
    return True


def _any(parts: Sequence[Part], env: Env) -> Resolved:
    returns = _returns(parts, env, 1)
    return _event(None, "", returns, point_text(parts))


def _event(numbers: list[int] | None, name: str, returns: bool, text: str, family: str = "") -> Resolved:
    kind = "sys_exit" if returns else "sys_enter"
    variables = [Variable("id", "sys_nr")]
    if returns:
        variables += [Variable("return", "sys_ret"), Variable("ret", "sys_ret")]
    else:
        variables += [Variable(f"arg{n + 1}", "sys_arg", n) for n in range(6)]
        variables += _parameters(name)
    context = Context(
        f"system call {name or 'probe'}",
        variables,
        name=name,
        function=name and f"sys_{name}",
        returns=returns,
        of_call=_by_number(family, returns) if family else None,
    )
    make = _prologue(name, returns)
    provides = tuple(make)
    return Resolved(
        Event(kind, name, {"numbers": numbers}),
        text,
        context,
        "syscall",
        lambda used: _text(make, used),
        provides,
    )


def _by_number(family: str, returns: bool) -> dict[str, tuple[str, str]]:
    """Return what stands around a call's name in the words of a pattern's handler."""
    point = (family + ".", ".return" if returns else "")
    return {"pp": point, "pn": point, "ppfunc": ("sys_", "")}


def _parameters(name: str) -> list[Variable]:
    """Return the variables `$x` of one call: by the words of the library, and by the kernel's own."""
    if not name:
        return []
    from .syscall_tracepoints import of_call

    made: list[Variable] = []
    for n, (word, form) in enumerate(_words(name)):
        bits, signed = _WIDTHS.get(WORDS.get(form, (form, ""))[0], (64, True))
        made.append(Variable(word.removesuffix("_uaddr"), "sys_arg", n, None, bits, signed))
    for n, (word, kind) in enumerate(of_call(name)):
        bits, signed = _TYPES.get(kind.removeprefix("const "), (64, True))
        made.append(Variable(word, "sys_arg", n, None, bits, signed))
    return made


def _words(name: str) -> list[tuple[str, str]]:
    return [(word, form) for word, _, form in (w.partition(":") for w in ARGS.get(name, "").split())]


def _prologue(name: str, returns: bool) -> dict[str, str]:
    """Return what each variable is assigned, in order."""
    make = {"name": f'"{name}"' if name else _NAME, "syscall_nr": "__builtin_sys_nr()"}
    if returns:
        make["retval"] = "__builtin_sys_ret()"
        form = "2" if name in _HEX_RETURNS else "1" if name else _HEX_OF_ANY
        make["retstr"] = f"return_str({form}, __builtin_sys_ret())"
        return make
    words = _words(name)
    shown: list[str] = []  # directives
    values: list[str] = []
    for n, (word, form) in enumerate(words):
        plain, function = WORDS.get(form, (form, ""))
        make[word] = FORMS[plain][0] % f"__builtin_sys_arg({n})"
        shown.append("%s" if function else FORMS[plain][1])
        values.append(f"{function}({word})" if function else word)
        if form == "j":
            shown[-1] = "%s"
            values[-1] = f"_struct_sockaddr_u({word}, {words[n + 1][0]})"
            for variable, part in _ADDRESS:
                make[variable] = (
                    f"_struct_sockaddr_u_{part}(__builtin_sys_arg({n}), __builtin_sys_arg({n + 1}))"
                )
        if function:
            text = "sig_name" if form == "S" else word.removesuffix("_uaddr") + "_str"
            make[text] = values[-1]
            values[-1] = text
    if name in ("open", "openat"):
        full, short = _sprintf(shown, values), _sprintf(shown[:-1], values[:-1])
        make["argstr"] = f"flags & {CREATE} ? {full} : {short}"
    elif name in ARGS:
        make["argstr"] = _sprintf(shown, values)
    elif name:
        make["argstr"] = f'sprintf("{_HEX}", {_SIX})'
    else:
        make["argstr"] = _ANY
    return make


def _sprintf(shown: list[str], values: list[str]) -> str:
    return f'sprintf("{", ".join(shown)}", {", ".join(values)})' if values else '""'


def _text(make: dict[str, str], used: set[str]) -> str:
    """Return the assignments of the variables that are used, and of those that argstr shows."""
    every = "argstr" in used and "__builtin" not in make.get("argstr", "")
    return "".join(f"{word} = {value}\n" for word, value in make.items() if every or word in used)
