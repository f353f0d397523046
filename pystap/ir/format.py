"""A parsed printf format, shared by both languages."""

from __future__ import annotations

from ..node import Node


class Directive(Node):
    """One conversion. It takes its operands in the order width (when "*"), precision (when "*"), value.

    conv: d i u x X o c s p b m M as SystemTap defines them (i = d, p = %#x), r (bpftrace buffers); flags: characters
    of "-+ #0"; width, precision: a number, "*" or None; bits: 8, 16, 32 or 64, the width of the C type
    that the value is cut to before an unsigned conversion (64 for SystemTap).
    """

    conv: str
    flags: str = ""
    width: int | str | None = None
    precision: int | str | None = None
    bits: int = 64


class Format(Node):
    """parts: literal strings (latin-1 convention) and Directives, in order."""

    parts: tuple[str | Directive, ...]
