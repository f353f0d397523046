"""Settings of a script: `config = { key = value; ... }`."""

from __future__ import annotations

from ...diag import did_you_mean
from ...lang.bt import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...diag import Bag

# key -> (kind, default). A kind is "int", "bool", "str", or the words that are allowed.
KEYS: dict[str, tuple[Any, Any]] = {
    "cache_user_symbols": (("PER_PID", "PER_PROGRAM", "NONE"), ""),
    "cpp_demangle": ("bool", True),
    "lazy_symbolication": ("bool", False),
    "license": ("str", "GPL"),
    "log_size": ("int", 1_000_000),
    "max_bpf_progs": ("int", 1024),
    "max_cat_bytes": ("int", 10240),
    "max_map_keys": ("int", 4096),
    "max_probes": ("int", 1024),
    "max_strlen": ("int", 1024),
    "missing_probes": (("error", "warn", "ignore"), "error"),
    "on_stack_limit": ("int", 32),
    "perf_rb_pages": ("int", 64),
    "show_debug_info": ("bool", False),
    "stack_mode": (("bpftrace", "perf", "raw", "build_id"), "bpftrace"),
    "str_trunc_trailer": ("str", ".."),
    "print_maps_on_exit": ("bool", True),
    "use_blazesym": ("bool", True),
    **dict.fromkeys(
        (
            "unstable_tseries",
            "unstable_dw_ustack",
            "unstable_typeinfo",
            "unstable_import_statement",
            "unstable_macro",
        ),
        (("error", "warn", "enable"), "warn"),
    ),
}


class Config:
    """The settings that have a meaning here, with bpftrace's defaults."""

    __slots__ = (
        "max_map_keys",
        "max_strlen",
        "missing_probes",
        "print_maps_on_exit",
        "stack_mode",
        "str_trunc_trailer",
        "unstable_tseries",
    )

    def __init__(self) -> None:
        self.max_map_keys = 4096
        self.max_strlen = 1024
        self.missing_probes = "error"
        self.print_maps_on_exit = True
        self.stack_mode = "bpftrace"
        self.str_trunc_trailer = ".."
        self.unstable_tseries = "warn"

    def take(self, entries: tuple[ast.ConfigEntry, ...], bag: Bag) -> None:
        """Read the script's settings; unknown ones and bad values go to the bag."""
        for entry in entries:
            key = entry.key.lower().removeprefix("bpftrace_")
            known = KEYS.get(key)
            if known is None:
                near = did_you_mean(key, KEYS)
                bag.error(
                    "E270",
                    f"unknown setting '{entry.key}'",
                    entry.span,
                    *([f"did you mean '{near}'?"] if near else []),
                )
                continue
            value = _value(entry.value, known[0])
            if value is None:
                bag.error("E270", f"'{key}' needs {_wanted(known[0])}", entry.value.span)
            elif key in self.__slots__:
                setattr(self, key, value)


def _value(node: ast.Expr, kind: Any) -> Any:
    if kind == "int":
        return node.value if isinstance(node, ast.Integer) and node.value > 0 else None
    if kind == "bool":
        if isinstance(node, ast.Boolean):
            return node.value
        if isinstance(node, ast.Integer) and node.value in (0, 1):
            return bool(node.value)
        return None
    word = (
        node.name
        if isinstance(node, ast.Identifier)
        else node.value
        if isinstance(node, ast.String)
        else None
    )
    if kind == "str":
        return word
    return word if word in kind else None


def _wanted(kind: Any) -> str:
    if kind == "int":
        return "a number above 0"
    if kind == "bool":
        return "true or false"
    return "a string" if kind == "str" else "one of " + ", ".join(kind)
