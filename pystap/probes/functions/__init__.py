"""kernel.function, module("m").function, kprobe.function: the best way to attach that this kernel has (the ladder).

    resolve(parts, env, module) -> the events

fentry and fexit come first (`direct.py`), then kprobes; a kernel that can probe no functions at all gets stand-ins
(`instead.py`). What there is, is found by `target.features`, which tries.
"""

from __future__ import annotations

from ...diag import fail
from ..base import Env, Resolved, bare, number_of, point_text, unknown, wrong_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...source import Span
    from ..base import Part

SUFFIXES = ("call", "return", "inline", "exported", "callee", "callees", "label", "maxactive", "nearest")
INSIDE = frozenset(("inline", "callee", "callees", "label"))  # places that only debug information tells
_BARE = frozenset(("call", "return", "inline", "exported", "nearest"))
_NOT_TOGETHER = frozenset(
    frozenset(pair)
    for pair in (
        ("call", "return"),
        *(
            (one, other)
            for one in ("inline", "callees", "label")
            for other in ("call", "return", "maxactive")
        ),
        *((one, "exported") for one in sorted(INSIDE)),
        *((one, other) for one in sorted(INSIDE) for other in sorted(INSIDE) if one < other),
    )
)


class Wanted:
    """A probe point on functions, taken apart: name@file:line and what follows."""

    __slots__ = (
        "called",
        "exported",
        "file",
        "line",
        "maxactive",
        "module",
        "name",
        "part",
        "returns",
        "text",
    )

    def __init__(self, parts: Sequence[Part], module: str) -> None:
        self.part = parts[1]
        text = self.part.arg
        assert isinstance(text, str)
        self.name, _, place = text.partition("@")
        self.file, _, self.line = place.partition(":")
        self.module = module
        self.returns = any(p.name == "return" for p in parts[2:])
        self.called = any(p.name in ("call", "return") for p in parts[2:])  # said, as behind .callee
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
    plain = len(parts) == 2 and isinstance(parts[1].arg, str)
    if isinstance(parts[1].arg, int):
        word, module = _at_address(parts[1], env)
        parts = (parts[0], word, *parts[2:])
    wanted = wanted_of(parts, env, module)
    inside = next((part for part in parts[2:] if part.name in INSIDE), None)
    if inside is not None:
        from .inside import parts_of

        return parts_of(wanted, env, inside)
    if wanted.line:
        from .lines import resolve as lines

        return lines(wanted, env)
    if env.attach != "standin" and (env.attach or can_probe(env)):
        from .direct import resolve as direct
        from .inlined import InlinedOnly

        plain = plain and wanted.text.startswith(("kernel.", "module("))
        try:
            own = direct(wanted, env)
        except InlinedOnly as inlined:
            if not plain:
                raise
            return inlined.probed(wanted, env)
        if not plain:
            return own
        from .copies import add

        return add(wanted, env, own)
    from .instead import resolve as instead

    return instead(wanted, env)


def wanted_of(parts: Sequence[Part], env: Env, module: str) -> Wanted:
    """Return what a probe point means; CompileError where its suffixes mean nothing, or not together."""
    word = parts[1]
    if not isinstance(word.arg, str) or not word.arg.partition("@")[0]:
        raise wrong_argument(word, 'needs a name: function("name"), function("name@file")')
    for at, part in enumerate(parts[2:], 2):
        before = [p.name for p in parts[2:at]]
        if part.name not in SUFFIXES:
            raise unknown(parts, SUFFIXES, at)
        if part.name in before:
            raise fail("E301", f"'.{part.name}' stands twice in '{point_text(parts)}'", part.span)
        if part.name in _BARE:
            bare(part)
        if part.name == "maxactive":
            number_of(part)
        against = next((one for one in before if frozenset((one, part.name)) in _NOT_TOGETHER), "")
        if against:
            raise _together(parts, at, against)
    return Wanted(parts, module)


def _together(parts: Sequence[Part], at: int, other: str) -> Exception:
    """Return the error for two suffixes of which one leaves nothing for the other."""
    name = parts[at].name
    words = f"'.{other}' and '.{name}' can't go together in '{point_text(parts)}'"
    if {other, name} == {"call", "return"}:
        return fail("E301", words, parts[at].span, "the one is the function's entry, the other its return")
    inline = 'an inlined function has no call and no return: probe its lines, kernel.statement("f@file:line")'
    return fail("E301", words, parts[at].span, inline if INSIDE & {other, name} else "write one of them")


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
        hint = "addresses are those of the running kernel (/proc/kallsyms)"
        raise fail("E304", f"no function of this kernel is at {address:#x}", word.span, hint)
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


__all__ = ["Wanted", "can_probe", "resolve", "wanted_of"]
