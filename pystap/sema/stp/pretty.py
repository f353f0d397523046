"""`$x$` and `$x$$`: a value as text, `{.a=1, .b=0xffff..., .c={...}, .d=[...]}`; `$$parms$` and its like.

One `$` shows the members of a struct, two also those of all structs in it and the first elements of arrays. A struct is
read as a whole, up to the last member that may be seen before the end of the longest string, and made text by the user
stage; what a `char *` points to is read by itself. What can't be read is "ERROR", a string "<unknown>".
"""

from __future__ import annotations

from ...btf import types as t
from ...btf.layout import field_path, members, sizeof
from ...ir.format import Directive
from ...ir.nodes import BUF, STR, Const, Local, Text, Try
from ...ir.ops import Load
from ..build import latin
from ..paths import Place, Walk, char_array, emit_value, pointee_of, struct_name, text_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...btf import Btf
    from ...ir.nodes import Stmt
    from ...lang.stp import ast
    from ..build import Operand
    from .lower import Lower

ELEMENTS = 5  # of an array
MOST = 2048  # bytes of a struct
STRINGS = 4  # that one text reads besides
_EVERY = 100  # levels


def pretty(lo: Lower, e: ast.Access, walk: Walk, base: Operand, indexes: list[Operand]) -> Operand:
    """Write the reading of a value, and the making of its text."""

    def write() -> Operand:
        return _whole(lo, walk, emit_value(lo.b, walk, base, indexes), depth(e.pretty))

    return _guarded(lo, write)


def parameter(lo: Lower, btf: Btf, value: Operand, type: t.Type | None, what: str, levels: int) -> Operand:
    """Write the text of a parameter: what it points to, where that is a struct or a string."""
    walk = Walk(btf, pointee_of(btf, type), what)
    walk.type = type
    return _guarded(lo, lambda: _whole(lo, walk, value, depth(levels)))


def depth(pretty: int) -> int:
    """Return how many levels of structs so many `$` show."""
    return 1 if pretty == 1 else _EVERY * (pretty > 1)


def _guarded(lo: Lower, write: Callable[[], Operand]) -> Operand:
    """Write a text; it is "ERROR" where something of it can't be read."""
    b = lo.b
    body: list[Stmt] = []
    before = b.into(body)
    text = write()
    b.into(before)
    if not any(getattr(s, "name", "").startswith("load") for s in body):
        b.out += body
        return text
    return _or_else(lo, body, text, "ERROR")


def _or_else(lo: Lower, body: list[Stmt], text: Operand, otherwise: str) -> Local:
    """Write statements that make a text, and what it is where one of them fails."""
    b = lo.b
    result = Local("text", STR)
    before = b.into(body)
    b.mov(result, text)
    failed: list[Stmt] = []
    b.into(failed)
    b.mov(result, Text(otherwise))
    b.into(before)
    b.out.append(Try(body, None, failed, b.span))
    return result


def _whole(lo: Lower, walk: Walk, value: Operand | Place, levels: int) -> Operand:
    btf = walk.btf
    most = lo.unit.options.maxstringlen
    if isinstance(value, Place):
        here = btf.resolve(value.type) if value.type is not None else None
        size = char_array(btf, here)
        if size:
            return _quoted(
                lo, Place(value.base, value.off, value.struct, here, walk.what), min(text_bytes(size), most)
            )
        return _memory(lo, btf, value, here, levels)
    target = walk.result
    here = None if target is None else btf.resolve(target)
    if isinstance(here, t.Composite):
        return _memory(lo, btf, Place(value, 0, struct_name(btf, here), here, walk.what), here, levels)
    if isinstance(here, t.Int) and here.is_char:
        return _written(lo, ['"', Directive("s"), '"'], _string(lo, Place(value, 0, "", here, walk.what)))
    conv = "x" if target is not None else conversion(btf, walk.type)
    return _written(lo, [Directive(conv, "#" if conv == "x" else "")], value)


def _written(lo: Lower, parts: list[str | Directive], *values: Operand) -> Operand:
    from .lower_print import write

    return write(lo, parts, list(values), True)


def _string(lo: Lower, place: Place, pointer: bool = False) -> Local:
    """Write the reading of a string at a place, or where the pointer that lies there leads to."""
    b = lo.b
    body: list[Stmt] = []
    before = b.into(body)
    base, off, struct = place.base, place.off, place.struct
    if pointer:
        base = b.op("load", (base,), Load(off, 8, False, "error", struct, "kernel", place.what))
        off, struct = 0, ""
    load = Load(off, lo.unit.options.maxstringlen, False, "error", struct, "kernel", place.what)
    text = b.op("load_str", (base,), load, STR)
    b.into(before)
    return _or_else(lo, body, text, "<unknown>")


def _quoted(lo: Lower, place: Place, size: int) -> Operand:
    load = Load(place.off, size, False, "error", place.struct, "kernel", place.what)
    text = lo.b.op("load_str", (place.base,), load, STR)
    return _written(lo, ['"', Directive("s"), '"'], text)


def _memory(lo: Lower, btf: Btf, place: Place, here: t.Type | None, levels: int) -> Operand:
    """Write the reading of a struct or array as a whole."""
    form = _Form(btf, lo.unit.options.maxstringlen)
    if here is not None:
        form.add(0, here, levels)
    parts: list[str | Directive] = []
    texts: list[Operand] = []
    data: Operand = Const(0)
    if form.end:
        load = Load(place.off, form.end, False, "error", place.struct, "kernel", place.what)
        data = lo.b.op("load_buf", (place.base,), load, BUF)
    for words, offset in (*form.before, (form.words, -1)):
        parts.append(words[0] if len(words) == 1 else Directive("s"))
        if len(words) > 1:
            texts.append(lo.b.op("call", (data, Text(latin("\1".join(words)))), "struct_text", STR))
        if offset >= 0:
            parts += ['"', Directive("s"), '"']
            there = Place(place.base, place.off + offset, place.struct, None, place.what)
            texts.append(_string(lo, there, True))
    return _written(lo, parts, *texts)  # which cuts it to the longest string


class _Form:
    """What a text of memory is made of: words and values by turns; `end`: how many bytes it needs.

    A value is "offset:size:conversion", behind it for a bit field ":shift:bits". `room`: characters that may still show.
    `before`: the words before strings, and where the pointers to these are.
    """

    __slots__ = ("before", "btf", "end", "room", "words")

    def __init__(self, btf: Btf, room: int) -> None:
        self.btf = btf
        self.room = room
        self.end = 0
        self.words = [""]
        self.before: list[tuple[list[str], int]] = []

    def text(self, words: str) -> None:
        self.words[-1] += words
        self.room -= len(words)

    def value(self, offset: int, size: int, conv: str, more: str = "") -> None:
        self.words += [f"{offset}:{size}:{conv}{more}", ""]
        self.end = max(self.end, offset + size)
        self.room -= conv != "s"

    def string(self, offset: int) -> None:
        """Add what the pointer at an offset leads to."""
        self.before.append((self.words, offset))
        self.words = [""]
        self.room -= 2

    def full(self, offset: int) -> bool:
        """Say whether nothing more may be seen, or read."""
        return self.room <= 0 or offset >= MOST - 8

    def add(self, offset: int, type: t.Type, levels: int) -> None:
        """Add what lies at an offset."""
        here = self.btf.resolve(type)
        size = char_array(self.btf, here)
        if isinstance(here, t.Composite):
            if levels:
                self.members(offset, here, levels - 1)
            else:
                self.text("{...}")
        elif size:
            self.text('"')
            self.value(offset, min(size, MOST - offset), "s")
            self.text('"')
        elif isinstance(here, t.Array):
            if levels:
                self.elements(offset, here, levels - 1)
            else:
                self.text("[...]")
        elif isinstance(here, t.Ptr) and len(self.before) < STRINGS and _is_text(self.btf, here):
            self.string(offset)
        else:
            size = getattr(here, "size", 8)
            self.value(offset, min(size, 8), conversion(self.btf, here))

    def members(self, offset: int, here: t.Composite, levels: int) -> None:
        """Add the members of a struct or union."""
        self.text("{")
        for number, member in enumerate(members(here)):
            found = field_path(self.btf, here, (member.name,))
            at = offset + found.offsets[0]
            if self.full(at):
                self.text(", ...")
                break
            self.text(f"{', ' if number else ''}.{member.name}=")
            if found.bit_size:
                conv = conversion(self.btf, found.type)
                self.value(at, found.size, conv, f":{found.bit_shift}:{found.bit_size}")
            else:
                self.add(at, found.type, levels)
        self.text("}")

    def elements(self, offset: int, here: t.Array, levels: int) -> None:
        """Add the first elements of an array."""
        size = sizeof(self.btf.resolve(here.type))
        self.text("[")
        shown = 0
        while shown < min(here.count, ELEMENTS) and not self.full(offset + shown * size):
            self.text(", " if shown else "")
            self.add(offset + shown * size, here.type, levels)
            shown += 1
        self.text(", ...]" if shown < here.count else "]")


def _is_text(btf: Btf, pointer: t.Ptr) -> bool:
    """Say whether a pointer in a struct leads to a string: one to unsigned char is mostly to bytes."""
    target = btf.resolve(pointer.type)
    return isinstance(target, t.Int) and target.size == 1 and target.name == "char"


def conversion(btf: Btf, type: t.Type | None) -> str:
    """Return the conversion of a scalar."""
    here = btf.resolve(type) if type is not None else None
    if isinstance(here, t.Ptr):
        return "x"
    unsigned = isinstance(here, (t.Int, t.Enum)) and not here.signed
    return "u" if unsigned else "d"


__all__ = ["conversion", "parameter", "pretty"]
