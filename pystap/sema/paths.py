"""Following kernel types: a `Walk` is built from accessors, and emitted when IR is written.

A walk starts from a value (a pointer, or an array's address) and makes steps: to a member, to an element,
through a pointer. Its end is a scalar, which is loaded, or a struct or array, of which the address is the value.
"""

from __future__ import annotations

from ..btf import BtfError, FieldError, type_name
from ..btf import types as t
from ..btf.layout import field_path, sizeof
from ..diag import CompileError, Diagnostic, did_you_mean
from ..ir.nodes import Const, Local
from ..ir.ops import Load
from ..node import Node
from .build import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from ..source import Span
    from .build import Builder, Operand


_FEW = 12  # members that a hint lists


class Offset(Node):
    """Go on by so many bytes. struct: what the base points to before the first step, "" if not known."""

    bytes: int


class Indexed(Node):
    """Go on by `size` bytes times the index whose number among the walk's indexes is `index`."""

    index: int
    size: int


class Follow(Node):
    """Load the pointer here; go on from where it points to. struct: name of what it points to."""

    struct: str
    what: str


class Walk:
    """The way from a value. It is at a value (the address of a `pointee`) or at a `place` with a `type`."""

    __slots__ = (
        *("bit_shift", "bit_size", "btf", "load_size", "place", "pointee", "start_struct", "steps"),
        *("taken", "type", "what"),
    )

    def __init__(self, btf: Btf, pointee: t.Type | None, what: str) -> None:
        self.btf = btf
        self.pointee = pointee  # what the value points to, where that is known
        self.type: t.Type | None = None  # of what is at the place
        self.place = False
        self.taken = False  # `&` was applied
        self.what = what  # the way in words, for messages
        self.steps: list[Offset | Indexed | Follow] = []
        self.start_struct = struct_name(btf, pointee)
        self.bit_shift = self.bit_size = self.load_size = 0

    def field(self, name: str, span: Span) -> None:
        """Go to the member `name` of the struct here (or of the one that the pointer here points to)."""
        here = self._enter(span)
        holder = self.btf.resolve(here)
        if isinstance(holder, t.Ptr) and self.place:
            self._follow(holder)
            holder = self.btf.resolve(self._enter(span))
        if not isinstance(holder, t.Composite):
            why = "its definition isn't in the kernel's BTF" if isinstance(holder, t.Fwd) else "not a struct"
            raise _error("E231", f"'{self.what}' has no member '{name}': '{type_name(holder)}', {why}", span)
        try:
            found = field_path(self.btf, holder, (name,))
        except FieldError as error:
            near = did_you_mean(name, error.candidates)
            few = 0 < len(error.candidates) <= _FEW
            hint = (
                f"did you mean '{near}'?" if near else f"it has {', '.join(error.candidates)}" if few else ""
            )
            raise _error("E231", f"'{type_name(holder)}' has no member '{name}'", span, hint) from None
        self._on(found.offsets[0])
        self.type = found.type
        self.bit_size, self.bit_shift, self.load_size = found.bit_size, found.bit_shift, found.size
        self.what += f"->{name}"

    def element(self, index: int | None, number: int, span: Span) -> None:
        """Go to an element: of constant index, or (None) of the one that is the walk's index `number`."""
        from_value = not self.place
        target = self._enter(span)
        here = self.btf.resolve(target)
        if isinstance(here, t.Array):
            target = here.type
        elif isinstance(here, t.Ptr) and not from_value:
            self._follow(here)
            target = self._enter(span)
        elif not from_value:
            raise _error("E232", f"'{self.what}' is not an array or pointer: '{type_name(target)}'", span)
        try:
            size = sizeof(self.btf.resolve(target))
        except BtfError:
            size = 0
        if not size:
            raise _error("E232", f"the size of '{type_name(target)}' is not known", span)
        if index is None:
            self.steps.append(Indexed(number, size))
        else:
            self._on(wrap(index * size))
        self.type = target
        self.bit_size = 0
        self.what += "[]" if index is None else f"[{index}]"

    def address(self, span: Span) -> None:
        """Take the address of the place, which ends the walk."""
        if not self.place:
            raise _error("E233", f"'{self.what}' has no address", span)
        if self.bit_size:
            raise _error("E233", f"'{self.what}' is a bit field and has no address", span)
        self.taken = True

    def _on(self, offset: int) -> None:
        if offset:
            last = self.steps[-1] if self.steps else None
            if isinstance(last, Offset):
                last.bytes += offset
            else:
                self.steps.append(Offset(offset))

    def _enter(self, span: Span) -> t.Type:
        """Be at a place: the one here, or the one that the value points to. Return the type there."""
        if self.bit_size:
            raise _error("E231", f"'{self.what}' is a bit field", span)
        if not self.place:
            if self.pointee is None:
                raise _error("E231", f"'{self.what}' is not a pointer of a known type", span)
            self.place = True
            self.type = self.pointee
        assert self.type is not None
        return self.type

    def _follow(self, pointer: t.Ptr) -> None:
        self.steps.append(Follow(struct_name(self.btf, pointer.type), self.what))
        self.place = False
        self.pointee = pointer.type

    @property
    def is_address(self) -> bool:
        """Whether the walk ends at an address of memory: nothing has to be loaded there."""
        if not self.place or self.taken:
            return self.place
        assert self.type is not None
        return isinstance(self.btf.resolve(self.type), (t.Array, t.Composite, t.FuncProto))

    @property
    def result(self) -> t.Type | None:
        """What the walk's value points to, None where it is no pointer of a known type."""
        if not self.place:
            return self.pointee
        if self.is_address:
            return self.type
        assert self.type is not None
        here = self.btf.resolve(self.type)
        return here.type if isinstance(here, t.Ptr) else None


def struct_name(btf: Btf, type: t.Type | None) -> str:
    """Return the name of the struct that a type is, "" for others."""
    if type is None:
        return ""
    here = btf.resolve(type)
    return here.name if isinstance(here, t.Struct) else ""


def pointee_of(btf: Btf, type: t.Type | None) -> t.Type | None:
    """Return what a pointer type points to, None for other types."""
    if type is None:
        return None
    here = btf.resolve(type)
    return here.type if isinstance(here, t.Ptr) else None


class Place:
    """Memory at base + off, with what is known of it. An address that no operation computed yet."""

    __slots__ = ("base", "off", "struct", "type", "what")

    def __init__(self, base: Operand, off: int, struct: str, type: t.Type | None, what: str) -> None:
        self.base = base
        self.off = off
        self.struct = struct  # of what base points to
        self.type = type  # of what lies there
        self.what = what

    def operand(self, b: Builder) -> Operand:
        """Return the address."""
        return b.offset(self.base, self.off)


def emit_place(b: Builder, walk: Walk, base: Operand, indexes: list[Operand]) -> Place:
    """Write the walk's steps; return the place it ends at."""
    off = 0
    struct = walk.start_struct
    for step in walk.steps:
        if isinstance(step, Offset):
            off += step.bytes
        elif isinstance(step, Indexed):
            index = indexes[step.index]
            base = b.op("add", (base, b.op("mul", (index, Const(step.size)))))
            struct = ""
        else:
            base = b.op("load", (base,), Load(off, 8, False, "error", struct, "kernel", step.what))
            off, struct = 0, step.struct
    return Place(base, off, struct, walk.type, walk.what)


def emit_value(b: Builder, walk: Walk, base: Operand, indexes: list[Operand]) -> Operand | Place:
    """Write the walk; return its value: an operand, or the place whose address is the value."""
    if not walk.place:
        return base
    place = emit_place(b, walk, base, indexes)
    if walk.is_address:
        return place
    return emit_load(b, walk, place)


def emit_load(b: Builder, walk: Walk, place: Place) -> Local:
    """Write the load of the scalar at the end of a walk."""
    assert walk.type is not None
    size, signed = scalar(walk.btf, walk.type)
    if walk.bit_size:
        unit = walk.load_size
        load = Load(place.off, unit, False, "error", place.struct, "kernel", walk.what)
        value = b.op("load", (place.base,), load)
        if walk.bit_shift:
            value = b.op("shr", (value, Const(walk.bit_shift)))
        if signed:
            return b.op("sext", (value,), walk.bit_size)
        return b.op("and", (value, Const((1 << walk.bit_size) - 1)))
    load = Load(place.off, size, signed, "error", place.struct, "kernel", walk.what)
    return b.op("load", (place.base,), load)


def scalar(btf: Btf, type: t.Type) -> tuple[int, bool]:
    """Return (bytes, signed) of a value that fits a register; (8, True) where BTF doesn't know."""
    here = btf.resolve(type)
    if isinstance(here, t.Int):
        return min(here.size, 8), here.signed
    if isinstance(here, t.Enum):
        return here.size, here.signed
    if isinstance(here, t.Ptr):
        return 8, False
    return 8, True


def char_array(btf: Btf, type: t.Type | None) -> int:
    """Return the length of a `char[N]`, 0 for anything else."""
    if type is None:
        return 0
    here = btf.resolve(type)
    if isinstance(here, t.Array):
        inner = btf.resolve(here.type)
        if isinstance(inner, t.Int) and inner.size == 1:
            return here.count
    return 0


def text_bytes(count: int) -> int:
    """Return what to read of a `char[N]` as a string, a NUL included: one more than it holds, which need not end with one.
    Arrays of whole words (of names, which do) are read as they are: by plain loads."""
    return count if count % 8 == 0 else count + 1


def parse_type(btf: Btf, text: str) -> t.Type | None:
    """Return the type that C words name ("struct sock", "task_struct *", "u32"), or None.

    A bare name is a struct, union, enum, typedef or scalar, whichever there is. A `*` is taken off:
    in a cast `struct x` and `struct x *` both mean that the value points to one. Returns the pointee then.
    """
    words = text.replace("*", " * ").split()
    while words and words[-1] in ("*", "const"):
        words.pop()
    words = [w for w in words if w not in ("const", "volatile")]
    if not words:
        return None
    name = words[-1]
    if words[0] in ("struct", "union", "enum"):
        return btf.find_tagged(words[0], name)
    plain = " ".join(words)
    return (
        btf.find_struct(plain)
        or btf.find_typedef(plain)
        or btf.find_union(plain)
        or btf.find_enum(plain)
        or btf.find_scalar(_SCALARS.get(plain, plain))
    )


_SCALARS = {
    "long": "long int",
    "unsigned long": "long unsigned int",
    "unsigned": "unsigned int",
    "short": "short int",
    "unsigned short": "short unsigned int",
    "long long": "long long int",
    "unsigned long long": "long long unsigned int",
}


def _error(code: str, message: str, span: Span, hint: str = "") -> CompileError:
    return CompileError(Diagnostic(code, message, span, hints=(hint,) if hint else ()))
