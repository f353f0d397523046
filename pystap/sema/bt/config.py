"""Settings of a script: `config = { key = value; ... }`."""

from __future__ import annotations

from ...diag import Bag, did_you_mean
from ...lang.bt import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...options import Options
    from ...source import Span

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
            *("unstable_macro", "unstable_import", "unstable_map_decl", "unstable_addr"),
        ),
        (("error", "warn", "enable"), "warn"),
    ),
}


# Settings of what there isn't here (LLVM, libbpf's logs, one program for each probe): any value does.
_NOTHING = (
    "cache_user_symbols cpp_demangle lazy_symbolication log_size max_bpf_progs on_stack_limit show_debug_info "
    "use_blazesym unstable_dw_ustack unstable_typeinfo unstable_import_statement unstable_macro "
    "unstable_import unstable_map_decl unstable_addr"
)
MEANINGLESS = frozenset(_NOTHING.split())
# Words of the environment that were names of settings once.
OLD_NAMES = {"strlen": "max_strlen", "map_keys_max": "max_map_keys", "cat_bytes_max": "max_cat_bytes"}
_PAGE = 4096
_LARGEST = {
    "max_strlen": 1 << 15,
    "max_map_keys": 1 << 26,
    "max_cat_bytes": 1 << 30,
    "perf_rb_pages": 1 << 17,
}


class Config:
    """The settings that have a meaning here, with bpftrace's defaults."""

    __slots__ = (
        *("max_cat_bytes", "max_map_keys", "max_probes", "max_strlen", "missing_probes", "perf_rb_pages"),
        *("print_maps_on_exit", "stack_mode", "str_trunc_trailer", "unstable_tseries"),
    )

    def __init__(self) -> None:
        self.max_cat_bytes = 10240
        self.max_map_keys = 4096
        self.max_probes = 1024
        self.max_strlen = 1024
        self.missing_probes = "error"
        self.perf_rb_pages = 0
        self.print_maps_on_exit = True
        self.stack_mode = "bpftrace"
        self.str_trunc_trailer = ".."
        self.unstable_tseries = "warn"

    def take(
        self, entries: tuple[ast.ConfigEntry, ...], bag: Bag, given: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Read the script's settings, then those of the environment; unknown ones and bad values go to the bag."""
        for entry in entries:
            key = entry.key.lower().removeprefix("bpftrace_")
            known = KEYS.get(key)
            if known is None:
                near = did_you_mean(key, KEYS)
                hints = [f"did you mean '{near}'?"] if near else []
                bag.error("E270", f"unknown setting '{entry.key}'", entry.span, *hints)
                continue
            self._set(key, _value(entry.value, known[0]), known[0], bag, entry.value.span)
        for key, text in given:
            known = KEYS.get(key)
            if known is not None:
                self._set(key, _from_text(text, known[0]), known[0], bag, None)

    def _set(self, key: str, value: Any, kind: Any, bag: Bag, span: Span | None) -> None:
        shown = f"'{key}'" if span is not None else f"BPFTRACE_{key.upper()}"
        most = _LARGEST.get(key)
        if value is None:
            bag.error("E270", f"{shown} needs {_wanted(kind)}", span)
        elif most is not None and value > most:
            bag.error("E270", f"{shown} can be {most} at most", span)
        elif key == "license" and "GPL" not in str(value):
            bag.error("E401", "not supported yet: programs of another licence than the GPL", span)
        elif key in self.__slots__:
            setattr(self, key, value)


def with_settings(options: Options, tree: ast.Program) -> Options:
    """Return the options with what a script's settings say of them: the size of each CPU's buffer."""
    if not tree.config and not options.settings:
        return options
    config = Config()
    config.take(tree.config, Bag(), options.settings)
    wanted = config.perf_rb_pages * _PAGE
    return options.replace(buffer=1 << (wanted - 1).bit_length()) if wanted > options.buffer else options


def _from_text(text: str, kind: Any) -> Any:
    """Return the value that the environment gives a setting, None for a bad one."""
    if kind == "int":
        return int(text) if text.isascii() and text.isdecimal() and int(text) > 0 else None
    if kind == "bool":
        return {"1": True, "true": True, "0": False, "false": False}.get(text.lower())
    return text if kind == "str" or text in kind else None


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
