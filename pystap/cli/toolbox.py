"""The ready-made tools, `pystap NAME`: each is a script and its description, pystap/tools/NAME.stp and NAME.toml.

The description holds the summary, the text and the examples of --help, the options and the columns. Options and columns
become macros that the script uses (`tool_macros.py`): an option that isn't given is a constant, and costs nothing.
"""

from __future__ import annotations

import os

from ..diag import CompileError, did_you_mean, fail
from .toml import read
from .tool_values import BadValue, ungiven, wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Value = int | str

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "tools")
SUFFIX = ".stp"


def tool(word: str) -> str | None:
    """Return the path of the script of the tool that a word names, or None; a file of that name goes before a tool."""
    if not word.replace("-", "_").isidentifier() or os.path.isfile(word):
        return None
    path = os.path.join(FOLDER, word + SUFFIX)
    return path if os.path.isfile(path) else None


def names() -> list[str]:
    """Return the names of the tools."""
    try:
        files = os.listdir(FOLDER)
    except OSError:
        return []
    return sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX))


def describe(name: str) -> dict[str, Any]:
    """Return what the description file of a tool says."""
    with open(os.path.join(FOLDER, name + ".toml"), encoding="utf-8") as file:
        return read(file.read())


def summary(name: str) -> str:
    """Return what a tool does, in one line."""
    return str(describe(name)["summary"])


class Tool:
    """A tool and what it was given. values: of its options, by name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.about = describe(name)
        self.options: dict[str, dict[str, Any]] = self.about.get("options", {})
        self.values: dict[str, Value] = {}
        self._shorts = {entry["short"]: key for key, entry in self.options.items() if "short" in entry}

    def take(self, word: str, words: list[str], at: int) -> int:
        """Take an option of the tool, with its value from `words` at `at`; return where to go on, or -1 if it is none."""
        if word.startswith("--"):
            name, equals, text = word[2:].partition("=")
            if name not in self.options:
                return -1
        else:
            if word[1] not in self._shorts:
                return -1
            name, text = self._shorts[word[1]], word[2:]
            equals = text and "="
            word = word[:2]
        shown = word.partition("=")[0]
        if self.options[name]["type"] == "flag":
            if equals:
                raise fail("E902", f"option '{shown}' takes no value")
            self._put(name, shown, "")
            return at
        if not equals:
            if at >= len(words):
                raise fail("E902", f"option '{shown}' needs a value", None, self._hint())
            text = words[at]
            at += 1
        self._put(name, shown, text)
        return at

    def take_positions(self, words: list[str]) -> None:
        """Take the words that stand for options: the interval, the count."""
        places = [name for name, entry in self.options.items() if entry.get("position")]
        if len(words) > len(places):
            extra = words[len(places)]
            message = f"{self.name} takes {_words(places)}, and no '{extra}'"
            raise fail("E901", message, None, self._hint())
        for name, text in zip(places, words, strict=False):
            self._put(name, name.upper(), text)

    def unknown(self, word: str) -> CompileError:
        """Return the error of an option that neither the tool nor the command has."""
        shown = word.partition("=")[0] if word.startswith("--") else word[:2]
        near = did_you_mean(shown[2:], self.options) if shown.startswith("--") else None
        return fail(
            "E901",
            f"{self.name} has no option '{shown}'",
            None,
            *((f"did you mean '--{near}'?",) if near else ()),
            self._hint(),
        )

    def macros(self, form: str, terminal: int) -> str:
        """Return the definitions for the script. form: "text" or "json"; terminal: its lines, 0 if it is none."""
        from .tool_macros import macros

        values = {name: self.values.get(name, ungiven(entry)) for name, entry in self.options.items()}
        return macros(self.about, values, form, terminal)

    def _put(self, name: str, shown: str, text: str) -> None:
        entry = self.options[name]
        other = entry.get("excludes")
        if other in self.values:
            raise fail("E901", f"{self.name} takes --{name} or --{other}, not both", None, self._hint())
        try:
            self.values[name] = wanted(entry, text)
        except BadValue as error:
            raise fail("E903", f"{shown} takes {error}, not '{text}'", None, self._hint()) from None

    def _hint(self) -> str:
        return f"see pystap {self.name} --help"


def _words(places: list[str]) -> str:
    return f"at most {' and '.join(name.upper() for name in places)}" if places else "no arguments"


def usage(name: str) -> str:
    """Return the text of `pystap NAME --help`."""
    from .tool_help import page

    return page(name, describe(name))
