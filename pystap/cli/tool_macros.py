"""The macros that a tool's script is given.

    @PID, @COMM, @INTERVAL, ...   the value of each option: a number or a text, 0, "" or (a user) -1 where it isn't given
    @HEADER                       the line of the columns' names
    @BETWEEN                      what parts two tables
    @ROW(a, b, ...)               a row: an argument for each column, in order
    @EVENT(a, b, ...)             a row, the header before it where it is due, and the end after @COUNT rows

As text, a row is padded columns; as JSON, an object with the columns' names as keys. A column's type says what its
argument is:

    number    a number
    id        a number, of which 0 means that it isn't known: "-", null
    user      a number, below 0 when it isn't known
    word      a text, of which the empty one means so
    address   an address's text; these columns grow with the first IPv6 address
    clock     nanoseconds since 1970, shown as time of day
    ms        microseconds, shown as milliseconds; below 0: not known
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WIDTHS = {"number": 9, "id": 7, "user": 6, "word": 15, "clock": 12, "ms": 10}
_LEFT = ("word", "address", "clock")
_JSON = {"id": "__tool_id_json(@%s)", "word": "__tool_word_json(@%s)", "address": "__tool_word_json(@%s)"}
_JSON.update(user="__tool_user_json(@%s)", clock="__tool_clock_json(@%s)", ms="__tool_ms_json(@%s)")
_TEXT = {"id": "__tool_id(@%s)", "word": "__tool_word(@%s)", "address": "__tool_word(@%s)"}
_TEXT.update(user="__tool_user(@%s)", clock="__tool_clock(@%s)", ms="__tool_ms(@%s)")


def macros(about: dict[str, Any], values: dict[str, int | str], form: str, terminal: int) -> str:
    """Return the definitions, each a line."""
    found = [_define(name, value) for name, value in values.items()]
    columns: dict[str, dict[str, Any]] = about["columns"]
    params = ", ".join(columns)
    over = "if (__tool_over(@COUNT)) exit()" if values.get("count") else "__tool_rows++"
    if form == "json":
        header, row, due, between = "", _json_row(columns), "", ""
    else:
        wide = 15 if not values.get("ipv6") else 39
        header, row, between = _header(columns), _text_row(columns), 'println("")'
        grown = " + ".join(
            [f"__tool_fit(@{name})" for name, entry in columns.items() if entry["type"] == "address"] or ["0"]
        )
        due = f"if (__tool_due({grown}, {terminal and max(terminal - 2, 8)})) {{ {header} }}"
        if wide != 15 and grown != "0":
            header = f"__tool_start({wide}) {header}"
    found.append(f"@define BETWEEN %( {{ {between} }} %)")
    found.append(f"@define HEADER %( {{ {header} }} %)")
    found.append(f"@define ROW({params}) %( {row} %)")
    found.append(f"@define EVENT({params}) %( {{ {due} {row} {over} }} %)")
    return "\n".join(found)


def _define(name: str, value: int | str) -> str:
    text = _quoted(value) if isinstance(value, str) else str(value)
    return f"@define {name.upper()} %( {text} %)"


def _quoted(text: str) -> str:
    """Return a text as a script's literal."""
    out = ""
    for letter in text:
        if letter in '"\\':
            out += "\\" + letter
        elif letter.isprintable():
            out += letter
        else:
            out += "".join([f"\\{byte:03o}" for byte in letter.encode("utf-8", "surrogateescape")])
    return f'"{out}"'


def _json_row(columns: dict[str, dict[str, Any]]) -> str:
    parts, args = [], []
    for name, entry in columns.items():
        kind = entry["type"]
        parts.append(f'\\"{name}\\": {"%d" if kind == "number" else "%s"}')
        args.append(_JSON.get(kind, "@%s") % name)
    return f'printf("{{{", ".join(parts)}}}\\n", {", ".join(args)})'


def _shown(columns: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, entry) for name, entry in columns.items() if entry.get("only") != "json"]


def _text_row(columns: dict[str, dict[str, Any]]) -> str:
    parts, args = [], []
    shown = _shown(columns)
    for name, entry in shown:
        directive, width = _directive(entry, "d" if entry["type"] == "number" else "s", name == shown[-1][0])
        parts.append(directive)
        args += width
        args.append(_TEXT.get(entry["type"], "@%s") % name)
    return f'printf("{" ".join(parts)}\\n", {", ".join(args)})'


def _header(columns: dict[str, dict[str, Any]]) -> str:
    parts, args = [], []
    shown = _shown(columns)
    for name, entry in shown:
        directive, width = _directive(entry, "s", name == shown[-1][0])
        parts.append(directive)
        args += width
        args.append(f'"{heading(name, entry)}"')
    return f'printf("{" ".join(parts)}\\n", {", ".join(args)})'


def heading(name: str, entry: dict[str, Any]) -> str:
    """Return the name that a column has in the table."""
    return str(entry.get("heading", name.upper()))


def _directive(entry: dict[str, Any], letter: str, last: bool) -> tuple[str, list[str]]:
    kind = entry["type"]
    left = "-" if kind in _LEFT else ""
    if kind == "address":
        return f"%{left}*s", ["__tool_width()"]
    if last and left:
        return f"%{letter}", []
    return f"%{left}{entry.get('width', WIDTHS[kind])}{letter}", []
