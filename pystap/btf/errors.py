"""What can go wrong with BTF: `BtfError`, and `FieldError` for a path that a type doesn't have."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .types import Type


class BtfError(Exception):
    """The bytes are not the BTF (or the index) that they claim to be, or a type has no such property."""


class FieldError(BtfError):
    """A field path can't be followed.

    element: the member name or index that failed, at `position` in the path; parent: the type it was
    looked up in; candidates: the names that the parent does have (for did-you-mean).
    """

    def __init__(
        self, message: str, element: str | int, position: int, parent: Type, candidates: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.element = element
        self.position = position
        self.parent = parent
        self.candidates = candidates
