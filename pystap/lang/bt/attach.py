"""Attach points: `[provider:part:...]` -> `ast.AttachPoint`.

    scan(text, pos, ...)   where the attach point that begins at `pos` ends, and its parts
    build(parts, span)     parts -> AttachPoint, or CompileError
    parts_of(point)        AttachPoint -> parts, of which the canonical name is made

An attach point ends at a blank, `,`, `{`, `;` or `}`, and at a `/` where no path can stand.
A part may be quoted ("foo::bar(int)"); blanks around `:` don't count.
"""

from __future__ import annotations

from ...diag import CompileError, did_you_mean, fail
from ...source import Source, Span
from . import ast
from .lexer import SPACE
from .literals import BadLiteral, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ALIASES = {
    "k": "kprobe",
    "kr": "kretprobe",
    "f": "fentry",
    "kfunc": "fentry",
    "fr": "fexit",
    "kretfunc": "fexit",
    "t": "tracepoint",
    "rt": "rawtracepoint",
    "i": "interval",
    "p": "profile",
    "s": "software",
    "h": "hardware",
    "u": "uprobe",
    "ur": "uretprobe",
    "U": "usdt",
    "w": "watchpoint",
    "it": "iter",
}
"""Short and former names of providers."""

_NAMES = (
    "begin end self test bench kprobe kretprobe fentry fexit tracepoint rawtracepoint interval profile "
    "software hardware uprobe uretprobe usdt watchpoint iter"
)
PROVIDERS = frozenset(_NAMES.split())

_BINARY = frozenset(("uprobe", "uretprobe", "usdt"))
_UNITS = frozenset(("hz", "s", "ms", "us", "ns"))
_ENDS = frozenset(",{;}\0")
_SPECIAL = _ENDS | SPACE | frozenset(':"$/')
_MAX_LENGTH = 8192
_REMOVED = {
    "asyncwatchpoint": "use watchpoint, which also takes effect at once",
    "aw": "use watchpoint, which also takes effect at once",
}


def provider_name(word: str) -> str | None:
    """Return the long name of a provider (`K`, `kprobe`, `BEGIN`), or None. `U` is not `u`."""
    if word in ALIASES:
        return ALIASES[word]
    word = word.lower()
    word = ALIASES.get(word, word)
    return word if word in PROVIDERS else None


# ---- text -> parts ------------------------------------------------------------------------


class _Scan:
    """One attach point being read: the parts so far."""

    __slots__ = ("params", "parts", "pos", "source", "text")

    def __init__(self, source: Source, text: str, pos: int, params: list[str]) -> None:
        self.source = source
        self.text = text
        self.pos = pos
        self.params = params
        self.parts: list[str] = [""]

    def slash_in_path(self) -> bool:
        """Whether a `/` here belongs to a path."""
        part = len(self.parts) - 1
        provider = provider_name(self.parts[0]) if part else None
        if provider == "iter":
            return part == 2
        return part == 1 and provider in _BINARY

    def run(self) -> None:
        """Read to the end of the attach point."""
        text = self.text
        limit = self.pos + _MAX_LENGTH
        while self.pos < limit:
            char = text[self.pos]
            if char == ":":
                self.pos = _skip_space(text, self.pos + 1)
                self.parts.append("")
                if text[self.pos] in SPACE:
                    return
            elif char == '"':
                self._quoted()
            elif char == "$":
                self._parameter()
            elif char in SPACE:
                after = _skip_space(text, self.pos)
                if text[after] != ":":
                    return
                self.pos = after
            elif char in _ENDS or (char == "/" and not self.slash_in_path()):
                return
            else:
                end = self.pos + 1
                while text[end] not in _SPECIAL:
                    end += 1
                self.parts[-1] += text[self.pos : end]
                self.pos = end
        raise fail("E121", "attach point too long", self.source.span(limit - _MAX_LENGTH, limit))

    def _quoted(self) -> None:
        end = self.text.find('"', self.pos + 1)
        if end < 0 or "\n" in self.text[self.pos : end]:
            raise fail("E102", "string without closing '\"'", self.source.span(self.pos, self.pos + 1))
        self.parts[-1] += self.text[self.pos + 1 : end]
        self.pos = end + 1

    def _parameter(self) -> None:
        start = self.pos
        end = start + 1
        while self.text[end] in "0123456789":
            end += 1
        digits = self.text[start + 1 : end]
        self.pos = end
        span = self.source.span(start, end)
        if not digits or digits[0] == "0":
            raise fail("E106", "malformed parameter", span, "the script's arguments are $1, $2, ...")
        if len(digits) > 6 or int(digits) > len(self.params):
            count = len(self.params)
            given = "none is given" if not count else f"only {count} given" if count > 1 else "only one given"
            raise fail("E122", f"this attach point needs argument ${digits}, but {given}", span)
        pieces = self.params[int(digits) - 1].split(":")
        self.parts[-1] += pieces[0]
        self.parts += pieces[1:]


def _skip_space(text: str, pos: int) -> int:
    while text[pos] == " " or text[pos] == "\t":
        pos += 1
    return pos


def scan(source: Source, text: str, pos: int, params: list[str]) -> tuple[list[str], int]:
    """Return the parts of the attach point at `pos`, and the offset behind it.

    `text` is the source's text with "\\0" behind it.
    """
    reading = _Scan(source, text, pos, params)
    reading.run()
    return reading.parts, reading.pos


def skip(text: str, pos: int) -> int:
    """Return where a malformed attach point ends: at the next `,`, `{`, blank or line's end."""
    while text[pos] not in _ENDS and text[pos] not in SPACE:
        pos += 1
    return pos


# ---- parts -> node ------------------------------------------------------------------------


def build(parts: list[str], span: Span) -> ast.AttachPoint:
    """Return the attach point of these parts, or raise CompileError."""
    word = parts[0]
    provider = provider_name(word)
    if provider is None:
        raise _unknown_provider(word, span)
    point = ast.AttachPoint(span, provider, "")
    rest = parts[1:]
    _BUILDERS[provider](point, rest)
    point.name = ":".join(parts_of(point))
    return point


_SYSTEMTAP = "this looks like a SystemTap script: name it .stp, or say so with --lang"


def _unknown_provider(word: str, span: Span) -> CompileError:
    if word.lower() in _REMOVED:
        return fail("E120", f"'{word}' was removed", span, _REMOVED[word.lower()])
    if not word:
        return fail("E121", "an attach point begins with its provider, as in kprobe:vfs_read", span)
    near = did_you_mean(word.lower(), [*PROVIDERS, "kfunc", "kretfunc"])
    if word in ("probe", "global", "function", "private"):
        return fail("E120", f"unknown probe provider '{word}'", span, _SYSTEMTAP)
    hint = f"did you mean '{near}'?" if near else "known are " + ", ".join(sorted(PROVIDERS))
    return fail("E120", f"unknown probe provider '{word}'", span, hint)


def _malformed(point: ast.AttachPoint, form: str) -> CompileError:
    return fail("E121", f"malformed {point.provider} attach point", point.span, f"the form is {form}")


def _number(point: ast.AttachPoint, text: str, form: str) -> int:
    try:
        value, suffix, unit = number(text) if text[:1].isdecimal() and text.isascii() else (0, "?", "")
    except BadLiteral as bad:
        raise fail("E121", bad.message, point.span, *filter(None, (bad.hint,))) from None
    if suffix or unit:
        raise _malformed(point, form)
    return value


def _offset(point: ast.AttachPoint, form: str) -> None:
    """Split `func+offset`, or a bare address."""
    text = point.func
    if text[:1].isdecimal():
        point.address = _number(point, text, form)
        point.func = ""
        return
    name, plus, offset = text.rpartition("+")
    if plus and offset[:1].isdecimal():
        point.func = name.strip()
        point.offset = _number(point, offset.strip(), form)
    if not point.func:
        raise _malformed(point, form)


def _bare(point: ast.AttachPoint, rest: list[str]) -> None:
    if rest:
        raise _malformed(point, f"{point.provider}, with nothing behind it")


def _self(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) != 2 or rest[0] != "signal" or not rest[1]:
        raise _malformed(point, "self:signal:SIGUSR1")
    point.target, point.func = rest


def _named(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) != 1 or not rest[0]:
        raise _malformed(point, f"{point.provider}:name")
    point.func = rest[0]


def _kprobe(point: ast.AttachPoint, rest: list[str]) -> None:
    form = f"{point.provider}[:module]:function" + ("[+offset]" if point.provider == "kprobe" else "")
    if len(rest) not in (1, 2) or not all(rest):
        raise _malformed(point, form)
    point.func = rest[-1]
    point.target = rest[0] if len(rest) == 2 else ""
    _offset(point, form)
    if point.offset and point.provider == "kretprobe":
        raise _malformed(point, form)


def _fentry(point: ast.AttachPoint, rest: list[str]) -> None:
    bpf = rest[:1] == ["bpf"]
    if not all(rest) or len(rest) not in ((2, 3) if bpf else (1, 2)):
        raise _malformed(point, f"{point.provider}[:module]:function or {point.provider}:bpf[:prog_id]:name")
    point.func = rest[-1]
    point.target = rest[0] if len(rest) > 1 else ""
    if len(rest) == 3:
        point.ns = rest[1]
        if point.ns != "*":
            _number(point, point.ns, f"{point.provider}:bpf[:prog_id]:name")


def _tracepoint(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) != 2 or not all(rest):
        raise _malformed(point, "tracepoint:subsystem:event")
    point.target, point.func = rest


def _rawtracepoint(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) not in (1, 2) or not all(rest):
        raise _malformed(point, "rawtracepoint[:module]:event")
    point.func = rest[-1]
    point.target = rest[0] if len(rest) == 2 else ""


def _timer(point: ast.AttachPoint, rest: list[str]) -> None:
    provider = point.provider
    form = f"{provider}:s:1, {provider}:1s (units s, ms, us, ns, hz)"
    if len(rest) == 2 and rest[0] in _UNITS:
        point.unit, text = rest
    elif len(rest) == 1:
        text = rest[0]
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        point.unit = text[len(digits) :] or "ns"
        if point.unit in ("m", "h", "d"):
            raise fail("E121", f"a {provider} probe has no unit '{point.unit}'", point.span, f"as in {form}")
        text = digits
    else:
        raise _malformed(point, form)
    if point.unit not in _UNITS:
        raise _malformed(point, form)
    point.count = _number(point, text, form)
    limit = 1_000_000_000 if point.unit == "hz" else 1 << 63
    if not 0 < point.count <= limit or (point.unit != "hz" and point.nanoseconds >= 1 << 63):
        raise fail("E121", f"{provider} can't have the period {rest[-1]}", point.span)


def _counter(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) not in (1, 2) or not rest[0]:
        raise _malformed(point, f"{point.provider}:event[:count]")
    point.func = rest[0]
    if len(rest) == 2 and rest[1]:
        point.count = _number(point, rest[1], f"{point.provider}:event[:count]")


def _uprobe(point: ast.AttachPoint, rest: list[str]) -> None:
    provider = point.provider
    form = f"{provider}:binary:[cpp:]function" + ("[+offset]" if provider == "uprobe" else "")
    binary, at, file = rest[0].rpartition("@") if rest else ("", "", "")
    if at and provider == "uprobe" and len(rest) in (2, 3) and rest[1].isdecimal():
        if not file or int(rest[1][:9]) == 0:
            raise _malformed(point, f"{provider}:binary@file:line[:column]")
        point.target, point.file = binary, file
        point.line = _number(point, rest[1], form)
        point.column = _number(point, rest[2], form) if len(rest) == 3 else 0
        return
    if len(rest) == 3 and rest[1] == "cpp":
        point.ns = "cpp"
    elif len(rest) != 2:
        raise _malformed(point, form)
    point.target, point.func = rest[0], rest[-1]
    if not point.func:
        raise _malformed(point, form)
    if point.ns != "cpp":
        _offset(point, form)


def _usdt(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) not in (2, 3) or not rest[-1]:
        raise _malformed(point, "usdt:binary:[namespace:]probe")
    point.target, point.func = rest[0], rest[-1]
    point.ns = rest[1] if len(rest) == 3 else ""


def _watchpoint(point: ast.AttachPoint, rest: list[str]) -> None:
    form = "watchpoint:address:length:mode (mode of r, w, x)"
    if len(rest) != 3 or not all(rest):
        raise _malformed(point, form)
    point.func = rest[0]
    _offset(point, form)
    point.count = _number(point, rest[1], form)
    point.mode = "".join(c for c in "rwx" if c in rest[2])
    if len(point.mode) != len(rest[2]):
        raise _malformed(point, form)


def _iter(point: ast.AttachPoint, rest: list[str]) -> None:
    if len(rest) not in (1, 2) or not rest[0]:
        raise _malformed(point, "iter:object[:pin]")
    point.func = rest[0]
    point.pin = rest[1] if len(rest) == 2 else ""


_BUILDERS: dict[str, Callable[[ast.AttachPoint, list[str]], None]] = {
    "begin": _bare,
    "end": _bare,
    "self": _self,
    "test": _named,
    "bench": _named,
    "kprobe": _kprobe,
    "kretprobe": _kprobe,
    "fentry": _fentry,
    "fexit": _fentry,
    "tracepoint": _tracepoint,
    "rawtracepoint": _rawtracepoint,
    "interval": _timer,
    "profile": _timer,
    "software": _counter,
    "hardware": _counter,
    "uprobe": _uprobe,
    "uretprobe": _uprobe,
    "usdt": _usdt,
    "watchpoint": _watchpoint,
    "iter": _iter,
}


# ---- node -> parts ------------------------------------------------------------------------


def parts_of(point: ast.AttachPoint) -> list[str]:
    """Return the parts that `build` makes this attach point of."""
    provider = point.provider
    func = point.func
    if point.address is not None:
        func = hex(point.address)
    if point.offset:
        func += f"+{point.offset}"
    parts = [provider]
    if provider in ("interval", "profile"):
        return [provider, point.unit, str(point.count)]
    if provider == "watchpoint":
        return [provider, func, str(point.count), point.mode]
    if provider in ("software", "hardware"):
        return [provider, func, str(point.count)] if point.count else [provider, func]
    if point.file:
        parts += [f"{point.target}@{point.file}", str(point.line)]
        return [*parts, str(point.column)] if point.column else parts
    if point.target or provider in _BINARY:
        parts.append(point.target)
    if point.ns:
        parts.append(point.ns)
    if func:
        parts.append(func)
    if point.pin:
        parts.append(point.pin)
    return parts
