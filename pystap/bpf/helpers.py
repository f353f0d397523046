"""Helper functions of the kernel: ids, signatures, names.

Kinds of parameters: `int` a number; `map` a map; `ctx` the program's context;
`key`, `value` memory of the map's key or value size; `mem` memory that is read
and `out` memory that is written, followed by its `size` (which may be 0 where
the kernel says so); `const` a number known when the program is loaded; `addr`
any address; `btf` a typed kernel pointer; `func` a callback; `any` whatever the
callback gets; `dynptr`; `record` a reserved ring buffer record; `...` up to
three numbers more. Kinds of results: `int` (negative errno on failure), `u32`,
`u64`, `ptr` (may be NULL), `void`.
"""

from __future__ import annotations

from .helpers_gen import HELPERS

HELPER_ID = {name: entry[0] for name, entry in HELPERS.items()}

_names: list[str] = []


def helper_name(number: int) -> str | None:
    """Return the name (without `bpf_`) of a helper's number."""
    if not _names:
        _names.extend([""] * (max(HELPER_ID.values()) + 1))
        for name, value in HELPER_ID.items():
            _names[value] = name
    return _names[number] or None if 0 <= number < len(_names) else None


def arg_count(name: str) -> int:
    """Return how many argument registers a helper reads (5 for variadic ones)."""
    kinds = HELPERS[name][1]
    return 5 if kinds and kinds[-1] == "..." else len(kinds)


def signature(name: str) -> tuple[tuple[str, ...], str]:
    """Return (kinds of the parameters, kind of the result)."""
    _, kinds, result = HELPERS[name]
    return kinds, result
