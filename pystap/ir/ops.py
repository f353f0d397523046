"""Every operation of the IR: operand types, result, place and effects, as data.

Operand letters: i = i64, s = str, b = buf, a = any; `*` = any number of any. For operations on a
global, `attr` is the Global (or a tuple that starts with it) and the operands are its keys
(as many as it has), followed by what the letters say.

place: where it can run.
  "ku"  in both stages          "k"  only with kernel context (event handlers; the user stage has a
  "u"   only in the user stage        stand-in or a kernel call where that makes sense)
effects: "" none (may be dropped, repeated, moved); "fault" may raise a run-time error;
  "read" reads a global; "write" changes one; "ctx" reads the event's context (same value all through
  one run); "clock" reads a clock or a random number; "output" prints; "control" ends or changes the run.
"""

from __future__ import annotations

from ..node import Node


class OpInfo(Node):
    """One row of OPS."""

    args: str
    result: str
    place: str
    effects: str = ""
    on_global: bool = False


def _binary(
    names: str, result: str = "i", args: str = "ii", place: str = "ku", effects: str = ""
) -> dict[str, OpInfo]:
    return {name: OpInfo(args, result, place, effects) for name in names.split()}


OPS: dict[str, OpInfo] = {
    "mov": OpInfo("a", "a", "ku"),
    # 64-bit arithmetic, wrapping. Shift counts are taken modulo 64. shr is logical, sar arithmetic.
    **_binary("add sub mul and or xor shl shr sar"),
    **_binary("eq ne lt le gt ge ult ule ugt uge"),  # lt..ge signed; 1 or 0
    **_binary("neg not lnot", args="i"),  # not: ~x; lnot: x == 0
    **_binary("sext zext", args="i"),  # attr: bits (8, 16, 32, ...) kept and extended to 64
    # SystemTap: "division by 0" is a run-time error; x/-1 = -x and x%-1 = 0 for every x
    **_binary("sdiv_or_error smod_or_error", effects="fault"),
    # bpftrace: a division by 0 gives 0, a modulus by 0 the dividend
    **_binary("sdiv_or_zero smod_or_zero udiv_or_zero umod_or_zero"),
    # strings
    **_binary("str_eq str_ne", args="ss"),
    "str_cmp": OpInfo("ss", "i", "u"),  # <0, 0, >0, by bytes
    "concat": OpInfo("ss", "s", "u"),  # truncated to MAXSTRINGLEN - 1
    "sprintf": OpInfo("*", "s", "u"),  # attr: format.Format
    "call": OpInfo("*", "a", "ku"),  # attr: name in builtins.TABLE, which says the rest
    "tuple": OpInfo("*", "a", "u"),
    "item": OpInfo("a", "a", "u"),  # attr: position
    # the event's context. ctx_arg attr: (n, nullable): argument n as 64 bits
    "ctx_arg": OpInfo("", "i", "k", "ctx"),
    # syscall number (low 32 bits, sign extended), ABI flag, argument n (attr), return value
    "sys_nr": OpInfo("", "i", "k", "ctx"),
    "sys_arg": OpInfo("", "i", "k", "ctx"),
    "sys_ret": OpInfo("", "i", "k", "ctx"),
    # kernel (or user) memory. attr: Load
    "load": OpInfo("i", "i", "k", "fault"),
    "load_str": OpInfo("i", "s", "k", "fault"),
    "load_buf": OpInfo(
        "i*", "b", "k", "fault"
    ),  # a second operand: how many bytes, at most size; zeros behind
    # globals
    "get": OpInfo("", "a", "ku", "read", on_global=True),  # a missing element is 0 or ""
    "has": OpInfo("", "i", "ku", "read", on_global=True),
    "set": OpInfo("a", "", "ku", "write", on_global=True),
    "add_to": OpInfo("i", "", "ku", "write", on_global=True),  # += without reading it
    "add_fetch": OpInfo("i", "i", "ku", "read write", on_global=True),  # attr (g, "old" | "new")
    # store unless there is something: attr (g, "absent" | "zero": an element of 0 is as good as none); 1 if stored
    "insert": OpInfo("i", "i", "ku", "read write", on_global=True),  # made by staging only
    "push": OpInfo("i", "", "ku", "write", on_global=True),  # the aggregate's <<<
    "delete": OpInfo("", "", "ku", "write", on_global=True),
    "delete_slice": OpInfo(
        "", "", "u", "write", on_global=True
    ),  # attr (g, mask): operands only for mask True
    "clear": OpInfo("", "", "ku", "write", on_global=True),  # no keys taken: all elements
    "zero": OpInfo("", "", "u", "write", on_global=True),  # no keys taken: all values to 0
    "size": OpInfo("", "i", "u", "read", on_global=True),  # no keys taken: number of elements
    "stat": OpInfo("", "i", "u", "read fault", on_global=True),  # attr (g, op, params): @count(..)...
    "hist_bucket": OpInfo("i", "i", "u", "read fault", on_global=True),  # attr (g, kind, params)
    # output, all of it in the user stage
    "printf": OpInfo("*", "", "u", "output"),  # attr: format.Format
    "print_hist": OpInfo(
        "", "", "u", "output read fault", on_global=True
    ),  # attr (g, "log"|"linear", params)
    "print_map": OpInfo(
        "*", "", "u", "output read", on_global=True
    ),  # bpftrace; attr (g,): operands top, div or none
    "print_value": OpInfo("a", "", "u", "output"),  # bpftrace print(expr); attr: display hint
    "line": OpInfo("s", "", "u", "output"),  # SystemTap's log(): a newline is added where there is none
    "log": OpInfo("s", "", "u", "output"),  # to stderr with a newline
    "warn": OpInfo("s", "", "u", "output"),  # "WARNING: ..." to stderr
    # control
    "exit": OpInfo("i", "", "ku", "control"),  # ask for the end; the run goes on (bpftrace adds Leave)
    # a run-time error with this message; attr: the word that it is said to be near, None for "error"
    "raise": OpInfo("s", "", "ku", "fault control"),
    # made by staging only; staging/plan.py says what they mean
    "reserve": OpInfo("", "", "k", "output"),  # attr: plan.RecordPlan
    "put": OpInfo("a", "", "k", "output"),  # attr: program.Field
    "append": OpInfo("*", "", "k", "output"),  # attr: plan.LogEntry
    "turns": OpInfo("bi*", "b", "u", "control"),
    "take": OpInfo("b", "a", "u", "control"),  # attr: program.Field
    "fault_of": OpInfo("", "i", "k", "ctx"),  # attr: the Local that a Load(fault="capture") assigned
    # attr: an update of an array before it, which met that it is full (1) and did nothing, or not (0)
    "full_of": OpInfo("", "i", "k", "read"),
    # from here to "unlock" no other run that takes the lock goes on; one that can't get it is skipped and counted
    "lock": OpInfo("", "", "k", "control"),
    "unlock": OpInfo("", "", "k", "control"),
    # error, address: raise Program.errors[error - 1] unless it is 0; its message may show the address
    "raise_site": OpInfo("ii", "", "u", "fault control"),
}


class Load(Node):
    """How memory is read at address operand + off.

    size: bytes (1, 2, 4, 8 for "load"; at most so many, with the NUL, for "load_str"; exact for
    "load_buf"); fault: "error" raises the language's run-time error, "zero" gives 0 or "", "capture" (staging's) keeps
    the error for fault_of and gives 0;
    struct: name of the BTF struct that the operand points to, where known ("" where not), which
    allows a direct load; space: "kernel" or "user"; what: words for the error ("$skb->dev->name").
    A load_str whose source is a char array of known size has size = that size.
    """

    off: int = 0
    size: int = 8
    signed: bool = True
    fault: str = "error"
    struct: str = ""
    space: str = "kernel"
    what: str = ""
