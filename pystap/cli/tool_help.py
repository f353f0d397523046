"""The text of `pystap NAME --help`, from the tool's description."""

from __future__ import annotations

from .tool_macros import heading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VALUES = {
    "count": "N",
    "port": "PORT",
    "pid": "PID",
    "user": "USER",
    "seconds": "SECONDS",
    "name": "NAME",
    "call": "NAME",
}


def page(name: str, about: dict[str, Any]) -> str:
    """Return the whole page."""
    options: dict[str, dict[str, Any]] = about.get("options", {})
    places = [key for key, entry in options.items() if entry.get("position")]
    brackets = "".join(f" [{key.upper()}" for key in places) + "]" * len(places)
    out = [f"pystap {name}: {about['summary']}", "", f"usage: pystap {name} [OPTIONS]{brackets}", ""]
    out += [about["about"].strip(), ""]
    rows = [(_option(key, entry), _help(entry)) for key, entry in options.items()]
    rows.append(
        ("-f json, --format json", "a JSON object for each row, its keys the columns' names in small letters")
    )
    out += _table("options:", rows)
    columns: dict[str, dict[str, Any]] = about["columns"]
    out += _table("columns:", [(_column(key, entry), entry["help"]) for key, entry in columns.items()])
    examples = about["examples"]
    out += _table("examples:", list(zip(examples[::2], examples[1::2], strict=True)))
    out.append(
        "Options of pystap --help that stand before or after the name of the tool work too (-T, -o, -c, -v)."
    )
    return "\n".join(out) + "\n"


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [title, *(f"  {left:{width}}  {right}".rstrip() for left, right in rows), ""]


def _option(key: str, entry: dict[str, Any]) -> str:
    short = f"-{entry['short']}, " if "short" in entry else "    "
    value = entry.get("value", _VALUES.get(entry["type"], entry["type"].upper()))
    return f"{short}--{key}" + ("" if entry["type"] == "flag" else f" {value}")


def _help(entry: dict[str, Any]) -> str:
    default = entry.get("default")
    return str(entry["help"]) + (f" (default {default})" if default else "")


def _column(key: str, entry: dict[str, Any]) -> str:
    if entry.get("only") == "json":
        return f"{key} (JSON only)"
    return heading(key, entry)
