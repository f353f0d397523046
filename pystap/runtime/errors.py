"""Errors of scripts at run time, and how a session ends."""

from __future__ import annotations

OVERFLOW = "Array overflow, check MAXMAPENTRIES"
ACTIONS = "MAXACTION exceeded"
NESTING = "MAXNESTING exceeded"
USER_STAGE = "<user stage>"  # the file that the generated text says it is


class ScriptError(Exception):
    """A run-time error of the script: `message`, and `place`, "near ... at file:line:column" or ""."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def __str__(self) -> str:
        return f"{self.message} {self.place}" if self.place else self.message


def too_deep(error: RecursionError, source: str) -> ScriptError:
    """MAXNESTING, near the innermost call in the generated text, which has the place of each such call behind it."""
    from ast import literal_eval

    lines, call = source.split("\n"), ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == USER_STAGE:
            _, mark, place = lines[trace.tb_lineno - 1].rpartition("  #@ ")
            call = place if mark else call
        trace = trace.tb_next
    return ScriptError(NESTING, literal_eval(call) if call else "")


class Quit(BaseException):
    """The user has no patience left (a second Ctrl-C): end at once."""


def message_of(error: Exception) -> str:
    """The text that `catch (msg)` gets."""
    if isinstance(error, ScriptError):
        return error.message
    return NESTING
