"""Constants by name: enumerators of the kernel's BTF first, then those of the public headers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .unit import Unit


def find(unit: Unit, word: str) -> tuple[int, Any] | None:
    """Return (value, its enum or None) of a constant, or None."""
    found = unit.btf.find_enumerator(word)
    if found is not None:
        return found  # type: ignore[no-any-return]
    from ...builtins.constants import CONSTANTS

    value = CONSTANTS.get(word)
    return None if value is None else (value, None)
