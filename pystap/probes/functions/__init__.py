"""kernel.function, module("m").function, kprobe.function: the best way to attach that this kernel has (the ladder).

    resolve(parts, env, module) -> the events

fentry and fexit come first (`direct.py`), then kprobes; a kernel that can probe no functions at all gets stand-ins
(`instead.py`). What there is, is found by `target.features`, which tries.
"""

from __future__ import annotations

from ...diag import fail
from ..base import Env, Resolved, point_text, unknown, wrong_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...source import Span
    from ..base import Part

SUFFIXES = ("call", "return", "inline", "exported", "callee", "callees", "label", "maxactive", "nearest")
_INSIDE = frozenset(("inline", "callee", "callees", "label"))  # places that only debug information tells


class Wanted:
    """A probe point on functions, taken apart: name@file:line and what follows."""

    __slots__ = ("exported", "file", "line", "maxactive", "module", "name", "part", "returns", "text")

    def __init__(self, parts: Sequence[Part], module: str) -> None:
        self.part = parts[1]
        text = self.part.arg
        assert isinstance(text, str)
        self.name, _, place = text.partition("@")
        self.file, _, self.line = place.partition(":")
        self.module = module
        self.returns = any(p.name == "return" for p in parts[2:])
        self.exported = any(p.name == "exported" for p in parts[2:])
        self.maxactive = any(p.name == "maxactive" for p in parts[2:])
        self.text = point_text(parts)

    def text_of(self, function: str) -> str:
        """Return what pp() gives at one function of a pattern."""
        before, behind = self.around()
        return before + function + behind

    def suffix(self) -> str:
        """Return what follows the function in the text: ".return"."""
        return self.text.partition(f'("{self.part.arg}")')[2]

    def around(self) -> tuple[str, str]:
        """Return what stands before and behind the function's name in the text."""
        before, word, behind = self.text.partition(f'function("{self.name}')
        return before + word[: len(word) - len(self.name)], behind


def resolve(parts: Sequence[Part], env: Env, module: str) -> list[Resolved]:
    """`(kernel | module("m") | kprobe) . function ("name[@file[:line]]") { . suffix }`."""
    word = parts[1]
    if isinstance(word.arg, int):
        word, module = _at_address(word, env)
        parts = (parts[0], word, *parts[2:])
    if not isinstance(word.arg, str):
        raise wrong_argument(word, 'needs a name: function("name")')
    for at, part in enumerate(parts[2:], 2):
        if part.name not in SUFFIXES:
            raise unknown(parts, env, SUFFIXES, at)
    wanted = Wanted(parts, module)
    inside = next((part for part in parts[2:] if part.name in _INSIDE), None)
    if inside is not None:
        from .lines import parts_of

        return parts_of(wanted, env, inside)
    if wanted.line:
        from .lines import resolve as lines

        return lines(wanted, env)
    if env.attach != "standin" and (env.attach or can_probe(env)):
        from .direct import resolve as direct

        return direct(wanted, env)
    from .instead import resolve as instead

    return instead(wanted, env)


class _Named:
    """The component that an address stands for: a function's name."""

    __slots__ = ("arg", "name", "span")

    def __init__(self, span: Span, function: str) -> None:
        self.span = span
        self.name = "function"
        self.arg: int | str | None = function


def _at_address(word: Part, env: Env) -> tuple[Part, str]:
    """Return the component with the name of the function that begins at its address, and the module."""
    assert isinstance(word.arg, int)
    address = word.arg & 0xFFFFFFFFFFFFFFFF
    known = env.target.functions
    table = known.table if known is not None else None
    if table is None:
        raise fail("E304", "the kernel's symbols can't be read, which functions by address need", word.span)
    found = table.lookup(address)
    absolute = f"kernel.statement({address:#x}).absolute probes that place"
    if found is None:
        raise fail("E304", f"no function of this kernel is at {address:#x}", word.span)
    if found.offset:
        words = f"no function begins at {address:#x}: that is {found.name}+{found.offset:#x}"
        raise fail("E304", words, word.span, absolute)
    name = found.name.partition(".")[0]
    if len(known.copies(name, found.module)) > 1 or len(table.addresses(found.name)) > 1:
        raise fail("E304", f"several functions are called '{name}'", word.span, absolute)
    return _Named(word.span, name), found.module


def can_probe(env: Env) -> bool:
    """Say whether this kernel can probe functions one way or the other."""
    features = env.target.features
    return features is not None and any(features(f) for f in ("fentry", "kprobe", "kprobe_multi"))


__all__ = ["Wanted", "can_probe", "resolve"]
