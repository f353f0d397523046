"""The numbers of the format: type kinds, their sizes, and the groups that names are looked up in."""

from __future__ import annotations

from .errors import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAGIC: Final = 0xEB9F
VERSION: Final = 1

VOID: Final = 0
INT: Final = 1
PTR: Final = 2
ARRAY: Final = 3
STRUCT: Final = 4
UNION: Final = 5
ENUM: Final = 6
FWD: Final = 7
TYPEDEF: Final = 8
VOLATILE: Final = 9
CONST: Final = 10
RESTRICT: Final = 11
FUNC: Final = 12
FUNC_PROTO: Final = 13
VAR: Final = 14
DATASEC: Final = 15
FLOAT: Final = 16
DECL_TAG: Final = 17
TYPE_TAG: Final = 18
ENUM64: Final = 19

NAMES: Final = (
    "void",
    "int",
    "ptr",
    "array",
    "struct",
    "union",
    "enum",
    "fwd",
    "typedef",
    "volatile",
    "const",
    "restrict",
    "func",
    "func_proto",
    "var",
    "datasec",
    "float",
    "decl_tag",
    "type_tag",
    "enum64",
)

SIGNED: Final = 1
CHAR: Final = 2
BOOL: Final = 4

# Name groups: each has a hash table of its own in the index.
G_SCALAR: Final = 0
G_STRUCT: Final = 1
G_UNION: Final = 2
G_ENUM: Final = 3
G_FWD: Final = 4
G_TYPEDEF: Final = 5
G_FUNC: Final = 6
G_VAR: Final = 7
G_DATASEC: Final = 8
G_ENUMERATOR: Final = 9
GROUPS: Final = 10

GROUP_OF: Final = {
    INT: G_SCALAR,
    FLOAT: G_SCALAR,
    STRUCT: G_STRUCT,
    UNION: G_UNION,
    ENUM: G_ENUM,
    ENUM64: G_ENUM,
    FWD: G_FWD,
    TYPEDEF: G_TYPEDEF,
    FUNC: G_FUNC,
    VAR: G_VAR,
    DATASEC: G_DATASEC,
}

# Words of a type: (fixed, for each of vlen). Every type starts with name, info, size or type.
_WORDS: Final = {
    INT: (4, 0),
    ARRAY: (6, 0),
    STRUCT: (3, 3),
    UNION: (3, 3),
    ENUM: (3, 2),
    FUNC_PROTO: (3, 2),
    VAR: (4, 0),
    DATASEC: (3, 3),
    DECL_TAG: (4, 0),
    ENUM64: (3, 3),
}


def words_of(info: int) -> int:
    """Return how many 32-bit words the type with this info word takes."""
    kind = info >> 24 & 31
    if not INT <= kind <= ENUM64:
        raise BtfError(f"unknown BTF kind {kind}")
    fixed, each = _WORDS.get(kind, (3, 0))
    return fixed + each * (info & 0xFFFF)


class Words(dict[int, int]):
    """`words_of` as a table that fills itself: a blob has some hundred distinct info words."""

    def __missing__(self, info: int) -> int:
        words = self[info] = words_of(info)
        return words
