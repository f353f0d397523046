"""Answers for `target.Target` from BTF, as the verifier would give them.

`access` follows the verifier's own walk: the first member that overlaps decides, and a load that doesn't fit in it
is refused, but inside of unions on kernels that are lenient there.
"""

from __future__ import annotations

from ...btf import FieldError, pointer_tags
from ...btf import resolve as strip
from ...btf import types as t
from ...btf.layout import argument_words, field_path, sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...btf import Btf

# Came with Linux 6.7; the verifier is lenient in unions from 6.6 on. 6.1 is not.
_LENIENT = "bpf_iter_task_new"
_OTHER_SPACES = frozenset({"user", "percpu"})


class Answers:
    """See the module. Answers are kept."""

    def __init__(self, btf: Btf, module: Callable[[str], Btf | None] | None = None) -> None:
        self.btf = btf
        self.module = module
        self._lenient: bool | None = None
        self._access: dict[tuple[str, int, int], str | None] = {}
        self._offset: dict[tuple[str, str], tuple[int, int] | None] = {}

    def offset(self, struct: str, path: str) -> tuple[int, int] | None:
        """Place of a field."""
        key = (struct, path)
        if key not in self._offset:
            self._offset[key] = self._find(struct, path)
        return self._offset[key]

    def _find(self, struct: str, path: str) -> tuple[int, int] | None:
        root = self.btf.find_struct(struct)
        if root is None:
            return None
        try:
            found = field_path(self.btf, root, path.split("."))
        except FieldError:
            return None
        return (found.offsets[0], found.size) if len(found.offsets) == 1 and not found.bit_size else None

    def struct_id(self, name: str) -> int:
        """BTF id."""
        found = self.btf.find_struct(name)
        return 0 if found is None else found.id

    def argument(self, tracepoint: str, n: int) -> str:
        """Struct that an argument points to: of a tracepoint, or of a function (`name()`, of a module `module:name()`;
        behind them its value); "*" ("*return") for a pointer that the verifier lets nobody load as such. A struct of the
        module's own is none that a program knows."""
        if tracepoint.endswith("()"):
            module, _, name = tracepoint[:-2].rpartition(":")
            btf = self.module(module) if module and self.module is not None else self.btf
            func = btf.find_func(name) if btf is not None else None
            proto = func.type if func is not None else None
            if not isinstance(proto, t.FuncProto):
                return ""
            kinds = dict(
                zip(argument_words(proto), (*(p.type for p in proto.params), proto.type), strict=True)
            )
            if n not in kinds:
                return ""
            return self._pointee(kinds[n]) or self._opaque(kinds[n], n == max(kinds))
        found = self.btf.find_tracepoint(tracepoint)
        if found is None or n >= len(found.params):
            return ""
        kind = found.params[n].type
        return self._pointee(kind) or self._opaque(kind, False)

    def _opaque(self, pointer: t.Type, returned: bool) -> str:
        """What the verifier lets nobody load: behind pointers it wants structs, numbers, and void without a qualifier."""
        resolved = self.btf.resolve(pointer)
        if not isinstance(resolved, t.Ptr) or isinstance(resolved.type, t.Void):
            return ""
        if isinstance(strip(resolved.type), (t.Int, t.Composite)):
            return ""
        return "*return" if returned else "*"

    def _pointee(self, pointer: t.Type) -> str:
        resolved = self.btf.resolve(pointer)
        if not isinstance(resolved, t.Ptr) or _OTHER_SPACES & set(pointer_tags(resolved)):
            return ""
        to = self.btf.resolve(resolved.type)
        return to.name if isinstance(to, t.Struct) and to.btf is self.btf else ""

    def access(self, struct: str, offset: int, size: int) -> str | None:
        """What a plain load reads."""
        key = (struct, offset, size)
        if key not in self._access:
            root = self.btf.find_struct(struct)
            self._access[key] = None if root is None else self._walk(root, offset, size, False)
        return self._access[key]

    def _walk(self, parent: t.Composite, offset: int, size: int, loose: bool) -> str | None:
        if offset < 0 or offset + size > parent.size:
            return None
        for member in parent.members:
            at = member.bit_offset >> 3
            if offset + size <= at:
                return None
            if member.bit_size:
                if offset <= at and (member.bit_offset + member.bit_size + 7) >> 3 <= offset + size:
                    return ""
                continue
            if offset < at:
                return None
            kind = self.btf.resolve(member.type)
            length = sizeof(kind)
            end = at + length
            if offset >= end:
                continue
            named = False
            while isinstance(kind, t.Array):
                named = not isinstance(kind.type, t.Composite)
                kind = self.btf.resolve(kind.type)
                step = sizeof(kind)
                if not isinstance(kind, t.Array) and step:
                    at += (offset - at) // step * step
            if isinstance(kind, t.Composite):
                if named and offset == at and not self._in_unions():
                    return None  # at the beginning of an element these verifiers take a typedef for what is no struct
                inner = isinstance(kind, t.Union) and len(kind.members) != 1
                return self._walk(kind, offset - at, size, loose or inner)
            if isinstance(kind, t.Ptr):
                return self._pointee(kind) if size == 8 and offset == at else None
            return "" if offset + size <= end or (loose and self._in_unions()) else None
        return None

    def _in_unions(self) -> bool:
        if self._lenient is None:
            self._lenient = self.btf.find_func(_LENIENT) is not None
        return self._lenient
