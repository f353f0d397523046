"""`__builtin_...`: what the tapset calls to reach the machine.

A name of `builtins.table.TABLE` after the prefix is that builtin. The others, below, are operations and constants
that need more than a table row. Only the tapset and probe kinds' prologues may use them.

    __builtin_load(addr, size, signed)         a kernel integer; size and signed are literals
    __builtin_load_user(addr, size, signed)    one of the process
    __builtin_load_str(addr)                   a string; a char[N] of known size is read no further
    __builtin_load_str_n(addr, n)              at most n bytes
    __builtin_load_str_user(addr) __builtin_load_str_n_user(addr, n)
    __builtin_load_buf(addr, n)                n bytes; n is a literal
    __builtin_load_buf_n(addr, n, most)        n bytes, at most the literal `most`; zeros behind them
    __builtin_load_buf_n_user(addr, n, most)
    __builtin_sext(x, bits) __builtin_zext(x, bits)
    __builtin_sys_nr() __builtin_sys_arg(n) __builtin_sys_ret()
    __builtin_register(name) __builtin_arg(n) __builtin_returned()            see registers.py
    __builtin_pp() _pn() _ppfunc() _probemod() _probe_type() _is_return()     words of the probe
    __builtin_traced()                         at a kretprobe, the function, which isn't on the stack any more
    __builtin_target() __builtin_hz() __builtin_page_size()                   constants
    __builtin_guru(name)                       a mistake unless the script is run with -g
    __builtin_abort()                          leaves the handler, and ends the run
    __builtin_exit() __builtin_error(s) __builtin_log(s) __builtin_warn(s)
"""

from __future__ import annotations

from ...builtins.table import TABLE
from .types import BUF, LONG, STRING

PREFIX = "__builtin_"
_LETTER = {"i": LONG, "s": STRING, "b": BUF, "a": ""}

# name -> (types of the operands, type of the result); "#" is a literal number.
OTHERS: dict[str, tuple[str, str]] = {
    "load": ("i##", LONG),
    "load_user": ("i##", LONG),
    "load_str": ("i", STRING),
    "load_str_n": ("ii", STRING),
    "load_str_user": ("i", STRING),
    "load_str_n_user": ("ii", STRING),
    "load_buf": ("i#", BUF),
    "load_buf_n": ("ii#", BUF),
    "load_buf_n_user": ("ii#", BUF),
    "sext": ("i#", LONG),
    "zext": ("i#", LONG),
    "register": ("s", LONG),
    "u_register": ("s", LONG),
    "registers_valid": ("", LONG),
    "arg": ("i", LONG),
    "returned": ("", LONG),
    "sys_nr": ("", LONG),
    "sys_arg": ("#", LONG),
    "sys_ret": ("", LONG),
    "pp": ("", STRING),
    "pn": ("", STRING),
    "ppfunc": ("", STRING),
    "probemod": ("", STRING),
    "probe_type": ("", STRING),
    "is_return": ("", LONG),
    "traced": ("", STRING),
    "target": ("", LONG),
    "hz": ("", LONG),
    "page_size": ("", LONG),
    "exit": ("", ""),
    "abort": ("", ""),
    "error": ("s", ""),
    "line": ("s", ""),
    "guru": ("s", ""),
    "warn": ("s", ""),
}

# A function that calls one of these is another one at each probe.
OF_PROBE = frozenset(
    PREFIX + n
    for n in (
        *("pp", "pn", "ppfunc", "probemod", "probe_type", "is_return", "traced"),
        *("register", "u_register", "registers_valid", "arg", "returned", "guru"),
    )
)


def signature(name: str) -> tuple[list[str], bool, str] | None:
    """Return (operand types, whether more may follow, result type) of an intrinsic, or None.

    A type is "long", "string", "buf", "" (any) or "#" (a literal number).
    """
    word = name[len(PREFIX) :]
    other = OTHERS.get(word)
    if other is not None:
        return [_LETTER.get(a, a) for a in other[0]], False, other[1]
    entry = TABLE.get(word)
    if entry is None:
        return None
    args = entry.args
    more = args.endswith("*")
    return [_LETTER[a] for a in args.rstrip("*")], more, _LETTER.get(entry.result, "")
