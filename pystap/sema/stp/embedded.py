"""C code in scripts: what `sema/c` needs to know of the file, the function and the handler that it stands in."""

from __future__ import annotations

from ...diag import CompileError
from .types import LONG, STRING, T_LONG, T_STRING, T, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Local
    from ...lang.stp import ast
    from ..build import Operand
    from ..c import Library
    from .check import Checker
    from .lower import Lower
    from .symbols import FileScope
    from .unit import Unit

_MARK = "/*"
_COPIES = ("snprintf", "scnprintf", "sprintf", "strlcpy", "strscpy", "strncpy", "strcpy", "strlcat", "strcat")


def library(unit: Unit, scope: FileScope) -> Library:
    """Return what the C code of a file shares; made when first asked for. CompileError where it is wrong."""
    found = scope.c
    if found is None:
        from ..c import Library

        found = scope.c = Library(unit.target, unit.options)
        for item in scope.file.embedded:
            found.add(item.code, item.span)
    return found


def marked(code: str, word: str) -> bool:
    """Whether the code has a marker, /* word */."""
    return word in code and any(part.split("*/")[0].strip() == word for part in code.split(_MARK)[1:])


def check_body(c: Checker, s: ast.EmbeddedStmt) -> None:
    """Check the form of C statements; settle the type of a function that they are the body of."""
    library(c.unit, c.scope).body(s.code, s.span)
    function = c.function
    if function is None:
        return
    kind = _result(s.code)
    if kind:
        function.returns = True
        if not function.result.find().kind:
            want(c.bag, function.result, kind, s.span)


def _result(code: str) -> str:
    """Return the type of what a body returns by what it does with its result, "" if it returns nothing."""
    if "STAP_RET" not in code and "__retvalue" not in code:
        return ""
    flat = "".join(code.split())
    names = ("STAP_RETVALUE", "THIS->__retvalue")
    if 'STAP_RETURN("' in flat or any(f"{copy}({name}" in flat for copy in _COPIES for name in names):
        return STRING
    if any(f'{name}="' in flat for name in names):
        return STRING
    return (
        LONG
        if any(n in flat for n in names) or flat.replace("STAP_RETURN()", "").count("STAP_RETURN(")
        else ""
    )


def check_expression(c: Checker, e: ast.EmbeddedExpr) -> T:
    """Check the form of a C expression: a long, or a string if it says so by /* string */."""
    library(c.unit, c.scope).expression(e.code, e.span)
    return T_STRING if marked(e.code, "string") else T_LONG


def _params(lo: Lower) -> dict[str, Local]:
    function = lo.function
    if function is None or lo.body is not function:
        return {}
    return {name: lo.local(var) for name, var in function.vars.items() if var.param}


def body(lo: Lower, s: ast.EmbeddedStmt) -> None:
    """Write C statements. A mistake is put in the bag."""
    from ..c import Frame, lower_body

    function = lo.function
    made = function.ir if function is not None else None
    result, label = (made.result, made.label) if made is not None else (None, lo.next_label)
    try:
        lower_body(library(lo.unit, lo.scope), s.code, s.span, Frame(lo.b, _params(lo), result, label))
    except CompileError as error:
        lo.unit.bag.add(error.diagnostic)


def expression(lo: Lower, e: ast.EmbeddedExpr) -> Operand:
    """Write a C expression."""
    from ..c import Frame, lower_expression

    frame = Frame(lo.b, _params(lo), None, lo.next_label)
    return lower_expression(library(lo.unit, lo.scope), e.code, e.span, frame, marked(e.code, "string"))
