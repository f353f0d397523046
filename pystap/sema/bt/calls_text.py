"""Functions that make, read or render text and bytes."""

from __future__ import annotations

from ...ir.nodes import BUF, STR, Const, Text
from ...ir.ops import Load
from ...lang.bt import ast
from ..build import latin
from . import arrays, types
from .body import error
from .builtins import BUILTINS, stack
from .types import BOOL, INET, INT64, KSYM, MAC, UINT64, USYM, T, is_number, name
from .values import BYTES, UNKNOWN, Mem, Val, number, size_of, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..build import Operand
    from .body import Body

AF_INET, AF_INET6 = 2, 10


def str_(body: Body, call: ast.Call) -> Val:
    """`str(pointer [, length])`: of so many bytes the last is the NUL; of a positional parameter its text."""
    first = call.args[0]
    given = _positional(body, first)
    if given is not None:
        return given if len(call.args) == 1 else _cut_text(body, call, given)
    size, cut = _length(body, call)
    value = body.coerced(body.value(first))
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    if type.kind == "str":
        text = body.ops(value)[0]
        if cut is None and (len(call.args) > 1 or type.size > size):
            cut = Const(size - 1)
    else:
        address, space = pointer_of(body, value, first)
        text = body.b.op(
            "load_str", (address,), Load(0, size, False, "zero", "", space, first.span.text[:60]), STR
        )
    if cut is not None:
        text = body.text_call("substr", text, Const(0), cut)
    return Val(T("str", size), [text])


def _positional(body: Body, node: ast.Expr | ast.Type) -> Val | None:
    """Return the text of a positional parameter, or of what `$1 + 2` leaves of it."""
    skip = 0
    if isinstance(node, ast.Binary) and node.op == "+":
        one, other = node.left, node.right
        if isinstance(other, ast.Positional):
            one, other = other, one
        if not isinstance(one, ast.Positional) or not isinstance(other, ast.Integer):
            return None
        node, skip = one, other.value
    if not isinstance(node, ast.Positional):
        return None
    params = body.unit.options.args
    text = latin(params[node.index - 1]) if node.index <= len(params) else ""
    if skip > len(text):
        words = f"${node.index} has {len(text)} characters, so {skip} can't be left out"
        raise error("E207", words, node.span)
    return string(text[skip:])


def _cut_text(body: Body, call: ast.Call, given: Val) -> Val:
    """`str($1, length)`."""
    size, cut = _length(body, call)
    if cut is None:
        assert isinstance(given.const, str)
        return string(given.const[: size - 1])
    return Val(given.type, [body.text_call("substr", body.ops(given)[0], Const(0), cut)])


def _length(body: Body, call: ast.Call) -> tuple[int, Operand | None]:
    """Return the bytes to read, and the length where it is only known at run time."""
    most = body.unit.config.max_strlen
    if len(call.args) < 2:
        return most, None
    length, value = body.number_of(call.args[1], "a length")  # type: ignore[arg-type]
    if isinstance(value.const, int):
        if value.const < 0:
            raise error("E207", f"a length is 0 or more, not {value.const}", call.args[1].span)
        return max(1, min(most, value.const)), None
    # a length of 0 or less is no string at all, as 1 is
    return most, body.b.op("sub", (length, Const(1)))


def pointer_of(body: Body, value: Val, node: ast.Expr | ast.Type) -> tuple[Operand, str]:
    """Return the address and the address space of what a pointer, number or array means."""
    type = value.type
    if type.kind in ("array", "record", "str") and value.mem is not None and value.mem.space != BYTES:
        from .access import address

        return address(body, value), value.mem.space
    if not is_number(type):
        raise error("E251", f"a pointer is needed here, not {name(type)}", node.span)
    space = type.space if type.kind == "ptr" and type.space != "kernel" else body.point.space
    if type.kind == "ptr" and type.space == "kernel" and type.note == "kernel":
        space = "kernel"
    return body.ops(value)[0], space


def buf(body: Body, call: ast.Call) -> Val:
    """`buf(pointer or array [, length])`: raw bytes."""
    first = call.args[0]
    value = body.value(first)
    if value.type.kind == "none":
        return UNKNOWN
    operand: Operand | None = None
    if len(call.args) == 2:
        operand, length = body.number_of(call.args[1], "a length")  # type: ignore[arg-type]
        if isinstance(length.const, int):
            size, operand = length.const, None
        else:
            size = min(body.unit.config.max_strlen, 4096)
    elif value.type.kind in ("array", "str"):
        size = size_of(value.type)
    else:
        raise error("E202", "buf() of a pointer needs a length", call.span)
    if not 1 <= size <= 4096:
        raise error("E207", f"buf() can hold 1 to 4096 bytes, not {size}", call.span)
    if value.type.kind == "str" and (value.mem is None or value.mem.space == BYTES):
        room = Const(size) if operand is None else operand
        return Val(T("buffer", size), [body.b.op("call", (body.ops(value)[0], room), "text_room", BUF)])
    address, space = pointer_of(body, value, first)
    load = Load(0, size, False, "zero", "", space, first.span.text[:60])
    if operand is None:
        return Val(T("buffer", size), [body.b.op("load_buf", (address,), load, BUF)])
    # so many bytes are read; the rest of the room is zeros, which the user stage cuts off
    data = body.b.op("load_buf", (address, operand), load, BUF)
    return Val(T("buffer", size), [body.b.op("call", (data, operand), "buf_cut", BUF)])


def ntop(body: Body, call: ast.Call) -> Val:
    """`ntop([family,] address)`."""
    node = call.args[-1]
    family = 0
    if len(call.args) == 2:
        known = body.number_of(call.args[0], "the family of ntop()")[1].const  # type: ignore[arg-type]
        # one that isn't constant says nothing that the address's size doesn't
        family = known if isinstance(known, int) else 0
        if known is not None and family not in (AF_INET, AF_INET6):
            raise error("E207", "the family of ntop() is AF_INET or AF_INET6", call.args[0].span)
    value = body.coerced(body.value(node))
    type = value.type
    if type.kind == "none":
        return Val(INET, [Text("")])
    if isinstance(value.const, bytes) and (
        not family or len(value.const) == (4 if family == AF_INET else 16)
    ):
        return Val(INET, [Text(arrays.ntop(value.const))])
    if is_number(type):
        if family == AF_INET6:
            raise error("E251", "ntop(AF_INET6, ...) needs an array of 16 bytes", node.span)
        return Val(INET, [body.text_call("ip4_text", body.ops(value)[0])])
    if type.kind not in ("array", "record", "str", "buffer") or (type.kind == "str" and value.mem is None):
        raise error("E251", f"ntop() needs an address, not {name(type)}", node.span)
    size = size_of(type)
    if type.kind == "str":  # an array of characters, which is no text here
        value = Val(T("buffer", size), None, value.mem)
    if size not in (4, 16) or (family and size != (4 if family == AF_INET else 16)):
        raise error("E251", f"ntop() needs an address of 4 or 16 bytes, not {size}", node.span)
    if size == 16:
        return Val(INET, [body.text_call("ip6_text", body.ops(value)[0])])
    mem = value.mem or Mem(body.ops(value)[0], 0, "", BYTES)
    word = Val(types.UINT32, None, mem)
    return Val(INET, [body.text_call("ip4_text", body.ops(word)[0])])


def macaddr(body: Body, call: ast.Call) -> Val:
    """`macaddr(bytes)`."""
    node = call.args[0]
    value = body.value(node)
    if value.type.kind == "none":
        return UNKNOWN
    if value.type.kind not in ("array", "str", "ptr") or (
        value.type.kind != "ptr" and size_of(value.type) != 6
    ):
        raise error("E251", f"macaddr() needs an array of 6 bytes, not {name(value.type)}", node.span)
    if value.type.kind == "array" and (value.mem is None or value.mem.space == BYTES):
        return Val(MAC, body.ops(value))
    address, space = pointer_of(body, value, node)
    load = Load(0, 6, False, "zero", "", space, node.span.text[:60])
    return Val(MAC, [body.b.op("load_buf", (address,), load, BUF)])


def _one_number(type: T, builtin: str = "") -> Callable[[Body, ast.Call], Val]:
    """A function of one number whose value is shown as something else, or that a builtin computes."""

    def write(body: Body, call: ast.Call) -> Val:
        operand, value = body.number_of(call.args[0], f"{call.name}()")  # type: ignore[arg-type]
        if value.type.kind == "none":
            return UNKNOWN
        if builtin:
            return Val(type, [body.b.op("call", (operand,), builtin, types.parts(type)[0])])
        return Val(type, [operand])

    return write


def usym(body: Body, call: ast.Call) -> Val:
    """`usym(address)`: a symbol of the current process."""
    operand, _ = body.number_of(call.args[0], "usym()")  # type: ignore[arg-type]
    return Val(USYM, [operand, body.call("pid")])


def kaddr(body: Body, call: ast.Call) -> Val:
    """`kaddr("name")`: the address of a kernel symbol."""
    word = body.literal(call.args[0], "the symbol of kaddr()")
    symbols = body.unit.target.symbols
    if symbols is not None:
        address = symbols.address(word)
        if address is None:
            raise error("E265", f"this kernel has no symbol '{word}'", call.args[0].span)
        return number(address, UINT64)
    return Val(UINT64, [body.call("kernel_addr", Text(word))])


def strftime(body: Body, call: ast.Call) -> Val:
    """`strftime(format, ns since boot)`."""
    text = latin(body.literal(call.args[0], "the format of strftime()"))
    operand, _ = body.number_of(call.args[1], "strftime()")  # type: ignore[arg-type]
    return Val(T("timestamp", note=text), [operand])


def strlen(body: Body, call: ast.Call) -> Val:
    """`strlen(string)`."""
    return Val(UINT64, [body.call("strlen", body.string_of(call.args[0], "strlen()"))])  # type: ignore[arg-type]


def strncmp(body: Body, call: ast.Call) -> Val:
    """`strncmp(a, b, n)`: 0 when the first n bytes are equal."""
    one = body.string_of(call.args[0], "strncmp()")  # type: ignore[arg-type]
    two = body.string_of(call.args[1], "strncmp()")  # type: ignore[arg-type]
    count, length = body.number_of(call.args[2], "strncmp()")  # type: ignore[arg-type]
    if isinstance(length.const, int) and length.const < 0:
        raise error("E207", f"strncmp() compares 0 or more characters, not {length.const}", call.args[2].span)
    return Val(INT64, [body.call("strncmp", one, two, count)])


def strcontains(body: Body, call: ast.Call) -> Val:
    """`strcontains(haystack, needle)`."""
    one = body.string_of(call.args[0], "strcontains()")  # type: ignore[arg-type]
    two = body.string_of(call.args[1], "strcontains()")  # type: ignore[arg-type]
    return Val(BOOL, [body.call("isinstr", one, two)])


def strstr(body: Body, call: ast.Call) -> Val:
    """`strstr(haystack, needle)`: the position, or -1."""
    one = body.string_of(call.args[0], "strstr()")  # type: ignore[arg-type]
    two = body.string_of(call.args[1], "strstr()")  # type: ignore[arg-type]
    return Val(INT64, [body.call("str_find", one, two)])


def bswap(body: Body, call: ast.Call) -> Val:
    """`bswap(n)`: the bytes of n, as many as its type has, the other way round."""
    operand, value = body.number_of(call.args[0], "bswap()")  # type: ignore[arg-type]
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    size = types.literal_size(value.const) if isinstance(value.const, int) else type.size
    if size == 1:
        return Val(T("int", 1, False), [operand])
    return Val(T("int", size, False), [body.call(f"bswap{8 * size}", operand)])


def reg(body: Body, call: ast.Call) -> Val:
    """`reg("ip")`."""
    word = body.literal(call.args[0], "the register of reg()")
    if not body.point.registers:
        raise error("E263", f"a {body.point.provider} probe has no registers", call.span)
    from .points import REGISTERS, register

    short = word[1:] if word[:1] == "r" and word[1:] in REGISTERS else word
    return register(short, f"there is no register '{word}'", call.args[0].span)(body)


def _stack(user: bool) -> Callable[[Body, ast.Call], Val]:
    def write(body: Body, call: ast.Call) -> Val:
        mode, depth = "", 0
        for node in call.args:
            if isinstance(node, ast.Identifier) and node.name in _MODES:
                mode = node.name
            else:
                depth = body.constant(node, f"the depth of {call.name}()")  # type: ignore[arg-type]
                if not 1 <= depth <= 127:
                    raise error("E207", f"{call.name}() takes a depth of 1 to 127", node.span)
        return stack(body, user, mode, depth)

    return write


_MODES = ("bpftrace", "perf", "raw", "build_id")


def nsecs(body: Body, call: ast.Call) -> Val:
    """`nsecs([monotonic | boot | tai | sw_tai])`."""
    word = "boot"
    if call.args:
        node = call.args[0]
        word = node.name if isinstance(node, ast.Identifier) else ""
        if word not in _CLOCKS:
            raise error("E207", "the clock of nsecs() is one of " + ", ".join(_CLOCKS), node.span)
    return Val(UINT64, [body.call(_CLOCKS[word])])


_CLOCKS = {"monotonic": "ktime_ns", "boot": "boottime_ns", "tai": "tai_ns", "sw_tai": "tai_ns"}


_NS_TID = "(uint32)((struct upid *)&curtask->thread_pid->numbers)[curtask->thread_pid->level].nr"


def process(body: Body, call: ast.Call) -> Val:
    """`pid([curr_ns | init])`, `tid(...)`."""
    node = call.args[0] if call.args else None
    word = node.name if isinstance(node, ast.Identifier) else "init" if node is None else ""
    if word not in ("init", "curr_ns"):
        raise error("E207", f"{call.name}() takes curr_ns or init", call.span)
    if word == "curr_ns" and call.name == "tid":
        from .calls_more import expression

        return expression(body, _NS_TID, call)
    return Val(types.UINT32, [body.call("ns_pid" if word == "curr_ns" else call.name)])


def comm(body: Body, call: ast.Call) -> Val:
    """`comm([pid])`: the name of the current thread, or of a process."""
    if not call.args:
        return BUILTINS["comm"](body, call)
    operand, _ = body.number_of(call.args[0], "comm()")  # type: ignore[arg-type]
    return Val(T("str", 16), [body.text_call("comm_of", operand)])


def ppid(body: Body, call: ast.Call) -> Val:
    """`ppid([task])`: the parent's process id, of the current task or another."""
    if not call.args:
        return BUILTINS["ppid"](body, call)
    return Val(types.UINT32, body.ops(_member_of(body, call, "real_parent", "tgid")))


def pcomm(body: Body, call: ast.Call) -> Val:
    """`pcomm([task])`: the name of the process, of the current task or another."""
    if not call.args:
        return BUILTINS["pcomm"](body, call)
    return _member_of(body, call, "group_leader", "comm")


def _member_of(body: Body, call: ast.Call, *words: str) -> Val:
    """Return what the first argument leads to by these members, each of a pointer."""
    from .access import member

    node = call.args[0]
    for word in words:
        node = ast.Member(call.span, node, word, True, call.span)  # type: ignore[arg-type]
    return member(body, node)  # type: ignore[arg-type]


def _space(space: str) -> Callable[[Body, ast.Call], Val]:
    """`kptr(p)`, `uptr(p)`: the pointer, of that address space."""

    def write(body: Body, call: ast.Call) -> Val:
        operand, value = body.number_of(call.args[0], f"{call.name}()")  # type: ignore[arg-type]
        ctype = value.type.ctype if value.type.kind == "ptr" else None
        return Val(
            T("ptr", 8, False, ctype, space=space, note="kernel" if space == "kernel" else ""), [operand]
        )

    return write


_OPERATIONS = (("READ", "R"), ("WRITE", "W"), ("DISCARD", "D"), ("SECURE_ERASE", "DE"), ("FLUSH", "F"))
_REQUEST_FLAGS = (("FUA", "F"), ("RAHEAD", "A"), ("SYNC", "S"), ("META", "M"), ("ATOMIC", "U"))


def rwbs(body: Body, call: ast.Call) -> Val:
    """`__rwbs(flags)`: a block request's operation and flags in letters, for the field of that name."""
    from .constants import find

    operand, _ = body.number_of(call.args[0], "__rwbs()")  # type: ignore[arg-type]

    def numbers(prefix: str, words: tuple[tuple[str, str], ...]) -> str:
        known = [(found[0], text) for word, text in words if (found := find(body.unit, prefix + word))]
        return ";".join([f"{number}={text}" for number, text in known])

    tables = (("__REQ_", (("PREFLUSH", "F"),)), ("REQ_OP_", _OPERATIONS), ("__REQ_", _REQUEST_FLAGS))
    spec = "|".join([numbers(prefix, words) for prefix, words in tables])
    return Val(T("str", 10), [body.text_call("rwbs_text", operand, Text(spec))])


TABLE: dict[str, tuple[int, int, Callable[[Body, ast.Call], Val]]] = {
    "str": (1, 2, str_),
    "buf": (1, 2, buf),
    "ntop": (1, 2, ntop),
    "pton": (1, 1, arrays.pton),
    "macaddr": (1, 1, macaddr),
    "ksym": (1, 1, _one_number(KSYM)),
    "usym": (1, 1, usym),
    "kaddr": (1, 1, kaddr),
    "strftime": (2, 2, strftime),
    "strlen": (1, 1, strlen),
    "strncmp": (3, 3, strncmp),
    "strcontains": (2, 2, strcontains),
    "strstr": (2, 2, strstr),
    "strerror": (1, 1, _one_number(T("str", 64), "strerror")),
    "signal_name": (1, 1, _one_number(T("str", 32), "signal_name")),
    "syscall_name": (1, 1, _one_number(T("str", 32), "syscall_name")),
    "cgroup_path": (1, 2, _one_number(T("cgroup_path"))),
    "bswap": (1, 1, bswap),
    "__rwbs": (1, 1, rwbs),
    "reg": (1, 1, reg),
    "kstack": (0, 2, _stack(False)),
    "ustack": (0, 2, _stack(True)),
    "nsecs": (0, 1, nsecs),
    "pid": (0, 1, process),
    "tid": (0, 1, process),
    "comm": (0, 1, comm),
    "pcomm": (0, 1, pcomm),
    "ppid": (0, 1, ppid),
    "kptr": (1, 1, _space("kernel")),
    "uptr": (1, 1, _space("user")),
}
