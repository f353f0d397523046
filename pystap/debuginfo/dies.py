"""Entries of debug information, as pyelftools reads them one by one, with what this package asks of them.

`Unit` is a compile unit; `unit.entry(at)` the entry at a place, `unit.children(entry, tags)` those below one. Nothing is
read twice, and nothing that isn't asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE

    from .elf import Elf

# Tags.
ARRAY, ENUM, PARAMETER, LABEL = (
    "DW_TAG_array_type",
    "DW_TAG_enumeration_type",
    "DW_TAG_formal_parameter",
    "DW_TAG_label",
)
LEXICAL_BLOCK, POINTER, STRUCT = "DW_TAG_lexical_block", "DW_TAG_pointer_type", "DW_TAG_structure_type"
SUBROUTINE_TYPE, TYPEDEF, UNION = "DW_TAG_subroutine_type", "DW_TAG_typedef", "DW_TAG_union_type"
INLINED, SUBRANGE, BASE = "DW_TAG_inlined_subroutine", "DW_TAG_subrange_type", "DW_TAG_base_type"
SUBPROGRAM, VARIABLE = "DW_TAG_subprogram", "DW_TAG_variable"
QUALIFIERS = frozenset(f"DW_TAG_{word}_type" for word in ("const", "volatile", "restrict", "atomic"))
# Attributes.
LOCATION, NAME, BYTE_SIZE, LOW_PC = "DW_AT_location", "DW_AT_name", "DW_AT_byte_size", "DW_AT_low_pc"
HIGH_PC, COMP_DIR, CONST_VALUE = "DW_AT_high_pc", "DW_AT_comp_dir", "DW_AT_const_value"
UPPER_BOUND, ORIGIN, COUNT = "DW_AT_upper_bound", "DW_AT_abstract_origin", "DW_AT_count"
DECL_FILE, DECL_LINE, DECLARATION = "DW_AT_decl_file", "DW_AT_decl_line", "DW_AT_declaration"
ENCODING, FRAME_BASE, SPECIFICATION = "DW_AT_encoding", "DW_AT_frame_base", "DW_AT_specification"
TYPE, ENTRY_PC, RANGES, CALL_LINE = "DW_AT_type", "DW_AT_entry_pc", "DW_AT_ranges", "DW_AT_call_line"
LOCVIEWS, ENTRY_VIEW, INLINE = "DW_AT_GNU_locviews", "DW_AT_GNU_entry_view", "DW_AT_inline"
# Encodings of base types: boolean, signed, signed_char, unsigned, unsigned_char, UTF.
INTEGERS, SIGNED = frozenset((2, 5, 6, 7, 8, 0x10)), frozenset((5, 6, 0x0D))
_IN_UNIT = frozenset(
    f"DW_FORM_ref{form}" for form in ("1", "2", "4", "8", "_udata")
)  # count from the unit's beginning
COPIES = 4  # entries that are copies of copies


class Entry:
    """One entry: `at` is its place in .debug_info; `attributes` as pyelftools has them, by name."""

    __slots__ = ("at", "attributes", "die", "tag", "unit")

    def __init__(self, die: DIE, unit: Unit) -> None:
        self.die = die
        self.unit = unit
        self.at = die.offset
        self.tag: str = die.tag or ""
        self.attributes = die.attributes

    def get(self, attribute: str, default: Any = None) -> Any:
        """Return an attribute's value."""
        found = self.attributes.get(attribute)
        return default if found is None else found.value

    def target(self, attribute: str) -> Entry | None:
        """Return the entry that an attribute refers to."""
        found = self.attributes.get(attribute)
        if found is None:
            return None
        if found.form == "DW_FORM_ref_addr":
            unit = self.unit.among.unit_at(found.value)
            return unit.entry(found.value) if unit is not None else None
        if found.form in _IN_UNIT:
            return self.unit.entry(self.unit.start + found.value)
        return None  # it is in a file of common parts

    def text(self, attribute: str) -> str:
        """Return a string attribute, "" where there is none."""
        found = self.get(attribute)
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else ""

    def is_address(self, attribute: str) -> bool:
        """Whether an attribute is an address, not a number of bytes from one."""
        return str(self.attributes[attribute].form).startswith("DW_FORM_addr")

    @property
    def origin(self) -> int:
        """The place of the entry that this is a copy of, -1 where it is none."""
        found = self.attributes.get(ORIGIN)
        if found is None:
            return -1
        value: int = found.value
        return self.unit.start + value if found.form in _IN_UNIT else value

    @property
    def name(self) -> str:
        """The name, perhaps of the entry that it is a copy of."""
        holder = self.inherited(NAME)
        return holder.text(NAME) if holder is not None else ""

    def inherited(self, attribute: str) -> Entry | None:
        """Return the entry that has an attribute: this one, or what it is a copy of."""
        entry: Entry | None = self
        for _ in range(COPIES):
            if entry is None or attribute in entry.attributes:
                return entry
            entry = entry.target(ORIGIN) or entry.target(SPECIFICATION)
        return None


class Unit:
    """A compile unit, read when it is asked for something. among: what finds the unit of a place."""

    __slots__ = ("_cu", "among", "elf", "end", "start")

    def __init__(self, elf: Elf, start: int, end: int, among: Units) -> None:
        self.elf = elf
        self.start = start
        self.end = end
        self.among = among
        self._cu: CompileUnit | None = None

    @property
    def cu(self) -> CompileUnit:
        """The unit as pyelftools has it; it keeps all entries that were read."""
        if self._cu is None:
            self.among.loading(self)
            self._cu = self.elf.dwarf.get_CU_at(self.start)
        return self._cu

    def unload(self) -> None:
        """Forget what was read; it is read again when it is asked for."""
        self._cu = None

    @property
    def first(self) -> int:
        """The place of the unit's own entry."""
        return int(self.cu.cu_die_offset)

    @property
    def version(self) -> int:
        """The version of DWARF."""
        return int(self.cu["version"])

    @property
    def top(self) -> Entry:
        """The unit's own entry."""
        return Entry(self.cu.get_top_DIE(), self)

    def entry(self, at: int) -> Entry:
        """Read the entry at a place."""
        return Entry(self.cu.get_DIE_from_refaddr(at), self)

    def children(self, parent: Entry, wanted: frozenset[str]) -> Iterator[Entry]:
        """Give the entries right below one, of the wanted tags."""
        for die in parent.die.iter_children():
            if die.tag in wanted:
                yield Entry(die, self)

    @property
    def low(self) -> int:
        """The address that lists start from."""
        return int(self.top.get(LOW_PC, 0))


class Units:
    """Finds units, and keeps as many as there is room for; `Index` is one."""

    __slots__ = ()

    def unit_at(self, place: int) -> Unit | None:
        """Return the unit that a place of .debug_info is in."""
        raise NotImplementedError

    def loading(self, unit: Unit) -> None:
        """Hear that a unit will be read."""
        raise NotImplementedError
