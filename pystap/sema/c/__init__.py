"""Embedded C -> IR: the code between `%{` and `%}` of a SystemTap script.

    library = Library(target, options)
    library.add(code, span)                      declarations at the top level of a file
    library.check(code, span, expression)        syntax only
    lower_body(library, code, span, frame)       the body of a function, or statements in a handler
    lower_expression(library, code, span, b)     one expression

A `Frame` says what STAP_ARG_x, STAP_RETVALUE and `return` are. Types come from BTF; members are loads that may
fault. What is outside the subset (docs/embedded-c.md) is a diagnostic E402 at its place.
"""

from .library import Library
from .lower import Frame, lower_body, lower_expression

__all__ = ["Frame", "Library", "lower_body", "lower_expression"]
