"""Errors of scripts at run time, and how a session ends."""

from __future__ import annotations

OVERFLOW = "Array overflow, check MAXMAPENTRIES"
ACTIONS = "MAXACTION exceeded"
NESTING = "MAXNESTING exceeded"


class ScriptError(Exception):
    """A run-time error of the script: `message`, and `place`, "near ... at file:line:column" or ""."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def __str__(self) -> str:
        return f"{self.message} {self.place}" if self.place else self.message


class Quit(BaseException):
    """The user has no patience left (a second Ctrl-C): end at once."""


def message_of(error: Exception) -> str:
    """The text that `catch (msg)` gets."""
    if isinstance(error, ScriptError):
        return error.message
    return NESTING
