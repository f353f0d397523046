"""Functions without code of their own: into which others they are inlined, where debug information tells that.

holders(wanted, env, name, file)    the functions that it is inlined into; () where nothing tells
inlined_only(...)                   the error for one
InlinedOnly.probed(...)             its copies, as .inline probes them, where a probe point has no suffix
"""

from __future__ import annotations

from ...debuginfo import DebugInfoError
from ...diag import CompileError, Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from ..base import Env, Resolved
    from . import Wanted

SHOWN = 5  # functions that an error names


def holders(wanted: Wanted, env: Env, name: str, file: str) -> tuple[str, ...]:
    """Return the functions that have copies of one, by name."""
    if env.target.debuginfo is None:
        return ()
    try:
        info = env.target.debuginfo(wanted.module)
        if info is None:
            return ()
        functions = info.find(name, file) or (info.find(name, "") if file else [])
        found = tuple(sorted({spot.within for function in functions for spot in info.inlined(function)}))
        info.save()
    except DebugInfoError:
        return ()
    return found


class InlinedOnly(CompileError):
    """The error for a function that debug information knows to be inlined, and its copies."""

    def __init__(self, diagnostic: Diagnostic, shown: str) -> None:
        super().__init__(diagnostic)
        self.shown = shown

    def probed(self, wanted: Wanted, env: Env) -> list[Resolved]:
        """Return the events of the function's copies: without a suffix a probe point means these too."""
        from .inside import parts_of

        out = parts_of(wanted, env, _Inline(wanted.part.span))
        words = f"'{wanted.name}' is probed where it is inlined, as .inline does: in {self.shown}"
        if out:
            out[0].notes += (("W305", words, "an inlined function has no .return"),)
        return out


class _Inline:
    """The suffix .inline."""

    name = "inline"

    def __init__(self, span: Span) -> None:
        self.span = span
        self.arg: int | str | None = None


def inlined_only(wanted: Wanted, name: str, where: str, file: str, found: tuple[str, ...]) -> Exception:
    """Return the error for a function that is only there as a part of others: which ones, what to do."""
    words = f"the function '{name}' has no code of its own in {where}: it is inlined into its callers"
    span = wanted.part.span
    owner = f'module("{wanted.module}")' if wanted.module else "kernel"
    inline = f'{owner}.function("{name}{"@" if file else ""}{file}").inline'
    shown = ""
    if found:
        shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
        hints = [f"it is inlined into {shown}: probe those, or {inline} (an inlined function has no .return)"]
    else:
        hints = [f"{inline} probes where it was inlined, with the debug information of this kernel installed"]
    if file:
        hints.append(f'it is in {file}: function("*@{file}") probes what is there')
    error = Diagnostic("E304", words, span, hints=tuple(hints))
    return InlinedOnly(error, shown) if found else CompileError(error)
