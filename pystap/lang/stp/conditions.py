"""The conditions of `%( ... %?`: what the environment says, and how values compare."""

from __future__ import annotations

from ...diag import did_you_mean
from ...node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .preprocess import Macro


class PreprocEnv(Node):
    """What the preprocessor may know, given by the caller.

    args: the script's arguments. kernel_v: the kernel's version or whole release ("6.18.5-amd64");
    kernel_vr: the whole release (default: kernel_v). config: called with a name ("CONFIG_NET") where a
    script asks for one, returns "y", "m", a value, or None or "" when unset. macros: those of the whole
    library (`parse_macros`).
    """

    args: tuple[str, ...] = ()
    kernel_v: str = "0"
    arch: str = "x86_64"
    config: Callable[[str], str | None] | None = None
    guru: bool = False
    runtime: str = "bpf"
    systemtap_v: str = "5.6"
    kernel_vr: str = ""
    privilege: str = "stapdev"
    macros: Mapping[str, Macro] | None = None


class ConditionError(Exception):
    """A condition that cannot be decided: message and hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


COMPARISONS = frozenset(("<", "<=", "==", "!=", ">", ">="))
NAMES = (
    "kernel_v",
    "kernel_vr",
    "arch",
    "guru_mode",
    "runtime",
    "systemtap_v",
    "systemtap_privilege",
)


def glob_match(pattern: str, text: str) -> bool:
    """Say whether the text fits a pattern of `*`, `?` and `[...]`, as fnmatch(3) does."""
    p = t = 0
    star = mark = -1
    while t < len(text):
        step = _one(pattern, p, text[t])
        if step:
            p += step
            t += 1
        elif pattern[p : p + 1] == "*":
            star, mark = p, t
            p += 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return not pattern[p:].strip("*")


def _one(pattern: str, p: int, char: str) -> int:
    """Match one character; return how much of the pattern it took, 0 for no match."""
    c = pattern[p : p + 1]
    if c == "[":
        end = pattern.find("]", p + 2)
        if end > 0:
            inside = pattern[p + 1 : end]
            negated = inside[:1] in ("!", "^")
            return end + 1 - p if _in_set(inside[negated:], char) != negated else 0
    if c == "\\" and pattern[p + 1 : p + 2]:
        return 2 if pattern[p + 1] == char else 0
    return 1 if c and (c == "?" or (c == char and c != "*")) else 0


def _in_set(inside: str, char: str) -> bool:
    i = 0
    while i < len(inside):
        if inside[i + 1 : i + 2] == "-" and i + 2 < len(inside):
            if inside[i] <= char <= inside[i + 2]:
                return True
            i += 3
        else:
            if inside[i] == char:
                return True
            i += 1
    return False


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Return a key that orders versions: runs of digits as numbers, what is between them as text."""
    out: list[tuple[int, int, str]] = []
    i = 0
    while i < len(version):
        j = i
        digit = version[i] in "0123456789"
        while j < len(version) and (version[j] in "0123456789") == digit:
            j += 1
        out.append((1, int(version[i:j][:18]), "") if digit else (0, 0, version[i:j]))
        i = j
    return out


def _ordered(op: str, left: object, right: object) -> bool:
    if op == "==":
        return left == right
    if op == "!=":
        return left != right
    if op == "<":
        return left < right  # type: ignore[operator,no-any-return]
    if op == "<=":
        return left <= right  # type: ignore[operator,no-any-return]
    if op == ">":
        return left > right  # type: ignore[operator,no-any-return]
    return left >= right  # type: ignore[operator,no-any-return]


def _need_text(name: str, right: int | str) -> str:
    if isinstance(right, str):
        return right
    raise ConditionError(f"{name} is compared with a string, not with a number", f'write "{right}"')


def _versions(name: str, have: str, op: str, right: int | str) -> bool:
    want = _need_text(name, right)
    if op in ("==", "!="):
        return glob_match(want, have) == (op == "==")
    return _ordered(op, version_key(have), version_key(want))


def _globbed(name: str, have: str, op: str, right: int | str) -> bool:
    want = _need_text(name, right)
    if op not in ("==", "!="):
        raise ConditionError(f"{name} can be compared with == and != only")
    return glob_match(want, have) == (op == "==")


def compare_name(env: PreprocEnv, name: str, op: str, right: int | str) -> bool:
    """Decide `name op right`, where the name is what the environment tells."""
    if name == "kernel_v":
        return _versions(name, env.kernel_v.split("-")[0], op, right)
    if name == "kernel_vr":
        return _versions(name, env.kernel_vr or env.kernel_v, op, right)
    if name == "systemtap_v":
        return _versions(name, env.systemtap_v, op, right)
    if name == "arch":
        return _globbed(name, env.arch, op, right)
    if name == "runtime":
        return _globbed(name, env.runtime, op, right)
    if name == "systemtap_privilege":
        return _globbed(name, env.privilege, op, right)
    if name == "guru_mode":
        if isinstance(right, str) or op not in ("==", "!="):
            raise ConditionError("guru_mode is compared by == or != with 1 or 0")
        return (int(env.guru) == right) == (op == "==")
    if name.startswith("CONFIG_"):
        return _globbed(name, (env.config(name) if env.config else None) or "", op, right)
    near = did_you_mean(name, NAMES)
    hint = f"did you mean '{near}'?" if near else f"known: {', '.join(NAMES)}, CONFIG_..., numbers, strings"
    raise ConditionError(f"'{name}' is unknown in a condition of the preprocessor", hint)


def compare_literals(left: int | str, op: str, right: int | str) -> bool:
    """Decide a comparison of two numbers or two strings."""
    if isinstance(left, str) != isinstance(right, str):
        raise ConditionError(
            "a number and a string cannot be compared", "$1 gives the argument's text, @1 a string"
        )
    return _ordered(op, left, right)
