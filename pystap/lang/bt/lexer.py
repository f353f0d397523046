"""Text -> tokens, a piece at a time.

A token is (kind, value, start, end), the offsets counted in the source. Kinds:

- operators and keywords: their own text ("+=", "if")
- "id" (value: the word), "var" `$x` and "map" `@x` (value: the name without sigil)
- "int" (value: (number, suffix, unit)), "str" (value: the decoded text), "char" (value: int; C only)
- "pos" `$1` (value: the index), "argc" `$#`, "eof": the end of the region

Attach points are not made of tokens, so the lexer works on regions: `begin(pos, stop)` and then
`fill` until "eof", which stands where the region ended: behind the "}" that closes its first
"{", behind the first ";" outside of braces, or at the end of the text. Chunks bound how far it reads ahead.
"""

from __future__ import annotations

from ...diag import escape
from .literals import BadLiteral, number, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .report import Reporter

Token = tuple[str, "Any", int, int]

_WORDS = (
    "if else for while unroll return break continue let sizeof offsetof typeof comptime struct union enum"
)
KEYWORDS = {word: word for word in _WORDS.split()}

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
WORD = _LETTERS | _DIGITS
SPACE = frozenset(" \t\r\n\f\v")

_LONG = frozenset(("<<=", ">>=", "..."))
_OPERATORS = "++ -- -> << >> <= >= == != && || += -= *= /= %= &= |= ^= .."
_PAIRS = frozenset(_OPERATORS.split())
_SINGLE = "+-*/%&|^~!<>=?:;,.(){}[]"
_KNOWN = WORD | SPACE | frozenset(_SINGLE) | frozenset("\"'$@#")


class Lexer:
    """Fills `tokens` from `text`; `base` is added to all offsets (for a piece of the source)."""

    __slots__ = ("base", "chunk", "depth", "done", "pos", "report", "stop", "text", "tokens")

    def __init__(self, text: str, report: Reporter, base: int = 0) -> None:
        self.text = text + "\0"  # a sentinel: no bounds to test
        self.report = report
        self.base = base
        self.pos = 0
        self.tokens: list[Token] = []
        self.begin(0, "")

    def begin(self, pos: int, stop: str, chunk: int = 256) -> None:
        """Start a region: `stop` is "}", ";" or "" (the end of the text)."""
        self.tokens = []
        self.pos = pos
        self.stop = stop
        self.chunk = chunk
        self.depth = 0
        self.done = False

    def fill(self) -> None:
        """Append at least one token: the region's next ones, or "eof" when there is none."""
        text = self.text
        tokens = self.tokens
        push = tokens.append
        base = self.base
        pos = self.pos
        wanted = len(tokens) + self.chunk
        while not self.done and len(tokens) < wanted:
            char = text[pos]
            while char in SPACE:
                pos += 1
                char = text[pos]
            if char in _LETTERS:
                start = pos
                pos += 1
                while text[pos] in WORD:
                    pos += 1
                word = text[start:pos]
                push((KEYWORDS.get(word, "id"), word, base + start, base + pos))
            else:
                pos = _HANDLERS.get(char, _unknown)(self, pos, char)
        self.pos = pos
        if self.done and len(tokens) < wanted:
            push(("eof", "", base + pos, base + pos))

    def all(self) -> list[Token]:
        """Return the tokens of the whole region, without "eof"."""
        while not self.done:
            self.fill()
        return [token for token in self.tokens if token[0] != "eof"]

    def error(self, code: str, message: str, start: int, end: int, *hints: str) -> None:
        """Report an error at text[start:end]."""
        self.report.lexical.append((self.base + start, code))
        self.report.error(code, message, self.base + start, self.base + end, *hints)


def skip_blank(text: str, pos: int) -> int:
    """Return the offset of what follows blanks and comments; an open comment's own offset.

    The text must end in "\\0".
    """
    while True:
        while text[pos] in SPACE:
            pos += 1
        if text[pos] != "/":
            return pos
        if text[pos + 1] == "/":
            end = text.find("\n", pos)
            pos = end if end >= 0 else len(text) - 1
        elif text[pos + 1] == "*":
            end = text.find("*/", pos + 2)
            if end < 0:
                return pos
            pos = end + 2
        else:
            return pos


def _operator(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    end = pos + 1
    pair = text[pos : pos + 2]
    if pair in _PAIRS:
        char = pair
        end = pos + 2
        triple = text[pos : pos + 3]
        if triple in _LONG:
            char = triple
            end = pos + 3
    lexer.tokens.append((char, char, lexer.base + pos, lexer.base + end))
    return end


def _slash(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    following = text[pos + 1]
    if following == "/" or following == "*":
        after = skip_blank(text, pos)
        if after == pos:
            lexer.error("E103", "comment without end", pos, pos + 2, "close it with */")
            return len(text) - 1
        return after
    return _operator(lexer, pos, char)


def _open(lexer: Lexer, pos: int, char: str) -> int:
    lexer.depth += 1
    lexer.tokens.append((char, char, lexer.base + pos, lexer.base + pos + 1))
    return pos + 1


def _close(lexer: Lexer, pos: int, char: str) -> int:
    lexer.depth -= 1
    lexer.tokens.append((char, char, lexer.base + pos, lexer.base + pos + 1))
    if lexer.depth <= 0 and lexer.stop == "}":
        lexer.done = True
    return pos + 1


def _semicolon(lexer: Lexer, pos: int, char: str) -> int:
    lexer.tokens.append((char, char, lexer.base + pos, lexer.base + pos + 1))
    if lexer.depth <= 0 and lexer.stop == ";":
        lexer.done = True
    return pos + 1


def _digit(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    end = pos + 1
    while text[end] in WORD:
        end += 1
    word = text[pos:end]
    value: tuple[int, str, str]
    if word.isdigit() and (char != "0" or end == pos + 1) and end - pos < 19:
        value = (int(word), "", "")
    else:
        try:
            value = number(word)
        except BadLiteral as bad:
            lexer.error("E105", bad.message, pos, end, *filter(None, (bad.hint,)))
            value = (0, "", "")
    lexer.tokens.append(("int", value, lexer.base + pos, lexer.base + end))
    return end


def _closing(text: str, pos: int) -> int:
    """Return the offset of the quote that closes the one at `pos`, or -1."""
    end = text.find('"', pos + 1)
    while end >= 0:
        slash = end - 1
        while text[slash] == "\\":
            slash -= 1
        if (end - 1 - slash) % 2 == 0:
            break
        end = text.find('"', end + 1)
    return end


def _string(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    end = _closing(text, pos)
    body = text[pos + 1 : end] if end >= 0 else ""
    if end < 0 or "\n" in body:
        line = text.find("\n", pos)
        line = line if line >= 0 else len(text) - 1
        lexer.error("E102", "string without closing '\"'", pos, line, "for a newline in a string write \\n")
        lexer.tokens.append(("str", "", lexer.base + pos, lexer.base + line))
        return line
    if "\\" in body:
        try:
            body = unescape(body)
        except BadLiteral as bad:
            at = pos + 1 + bad.at
            lexer.error("E104", bad.message, at, at + bad.length, *filter(None, (bad.hint,)))
    lexer.tokens.append(("str", body, lexer.base + pos, lexer.base + end + 1))
    return end + 1


def _character(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    size = 4 if text[pos + 1] == "\\" else 2
    end = text.find("'", pos + size - 1, pos + 8)
    body = text[pos + 1 : end] if end >= 0 else ""
    try:
        value = unescape(body)
    except (BadLiteral, IndexError):
        value = ""
    if len(value) != 1 or "\n" in body:
        lexer.error("E101", 'unexpected character "\'"', pos, pos + 1, 'strings are written with "')
        return pos + 1
    lexer.tokens.append(("char", ord(value) & 0xFF, lexer.base + pos, lexer.base + end + 1))
    return end + 1


def _dollar(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    end = pos + 1
    while text[end] in WORD:
        end += 1
    word = text[pos + 1 : end]
    base = lexer.base
    if word[:1] in _LETTERS:
        lexer.tokens.append(("var", word, base + pos, base + end))
    elif word.isdigit() and word[0] != "0" and len(word) < 6:
        lexer.tokens.append(("pos", int(word), base + pos, base + end))
    elif text[end] == "#" and not word:
        end += 1
        lexer.tokens.append(("argc", "", base + pos, base + end))
    else:
        hint = "variables are $name, the script's arguments $1, $2, ... and their number $#"
        lexer.error("E106", f"malformed name '{escape(text[pos:end])}'", pos, end, hint)
        lexer.tokens.append(("var", "", base + pos, base + end))
    return end


def _at(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    end = pos + 1
    if text[end] in _LETTERS:
        end += 1
        while text[end] in WORD:
            end += 1
    lexer.tokens.append(("map", text[pos + 1 : end], lexer.base + pos, lexer.base + end))
    return end


def _unknown(lexer: Lexer, pos: int, char: str) -> int:
    text = lexer.text
    size = len(text) - 1
    if pos == size:
        lexer.done = True
        return pos
    end = pos + 1
    if char == "#":  # a directive: it goes to the line's end
        hint = "#include and #define stand at the top of the script"
        lexer.error("E101", "unexpected character '#'", pos, end, hint)
        line = text.find("\n", pos)
        return line if line >= 0 else size
    while end < size and text[end] not in _KNOWN:
        end += 1
    shown = escape(text[pos : min(end, pos + 8)])
    what = "character" if end == pos + 1 else "characters"
    lexer.error("E101", f"unexpected {what} '{shown}'", pos, end)
    return end


_HANDLERS: dict[str, Callable[[Lexer, int, str], int]] = {
    **dict.fromkeys(_SINGLE, _operator),
    **dict.fromkeys(_DIGITS, _digit),
    "/": _slash,
    "{": _open,
    "}": _close,
    ";": _semicolon,
    '"': _string,
    "'": _character,
    "$": _dollar,
    "@": _at,
}
