"""The command line, as `stap` has it, with bpftrace's options where they don't clash.

Hand-written: argparse costs 7 ms to import, and knows no `-vg` next to `-p4`.
"""

from __future__ import annotations

import os

from ..diag import did_you_mean, fail
from ..options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .toolbox import Tool

# option -> (field or action, takes a value); "" is taken and means nothing here
_SHORT: dict[str, tuple[str, bool]] = {
    "e": ("script", True),
    "v": ("verbose", False),
    "g": ("guru", False),
    "w": ("nowarn", False),
    "W": ("werror", False),
    "h": ("help", False),
    "V": ("version", False),
    "k": ("", False),
    "u": ("", False),
    "q": ("quiet", False),
    "t": ("", False),
    "p": ("last_pass", True),
    "o": ("output", True),
    "c": ("command", True),
    "x": ("target_pid", True),
    "T": ("timeout", True),
    "G": ("override", True),
    "D": ("define", True),
    "f": ("format", True),
    "s": ("buffer", True),
    "d": ("needless", True),
    "m": ("", True),
    "S": ("switch", True),
    "I": ("folder", True),
    "E": ("scripts", True),
    "l": ("listing", True),
    "L": ("listing", True),
}
_LONG: dict[str, tuple[str, bool]] = {
    "help": ("help", False),
    "version": ("version", False),
    "lang": ("lang", True),
    "stage": ("stage", True),
    "dump-after": ("dump_after", True),
    "unsafe": ("unsafe", False),
    "quiet": ("quiet", False),
    "format": ("format", True),
    "no-warnings": ("nowarn", False),
    "no-global-var-display": ("nodisplay", False),
    "all-modules": ("needless", False),
    "ldd": ("", False),
    "poison-cache": ("", False),
    "disable-cache": ("", False),
    "dump-functions": ("listing", False),
    "dump-probe-aliases": ("listing", False),
    "dump-probe-types": ("listing", False),
    "no-standins": ("nostandins", False),
    "attach": ("attach", True),
}
COMMANDS = ("explain", "doctor", "shim")
FORMATS = ("text", "json")
STAGES = ("auto", "mirror")
RUNGS = ("fentry", "kprobe", "kprobe_multi", "standin")
LANGS = ("stp", "bt")


class Arguments:
    """What was asked for. file: the script's path or "-"; script: the text of -e; last_pass: of -p, else 5.

    action: "run", "help" or "version"; listing: the option that asks for one (-l, ...), of `pattern`. fields: what
    `options` is made of, while the words are read.
    """

    def __init__(self) -> None:
        self.options = Options()
        self.file: str | None = None
        self.script: str | None = None
        self.last_pass = 5
        self.dump_after: str | None = None
        self.action = "run"
        self.listing = ""
        self.pattern = ""
        self.folders: list[str] = []  # of -I
        self.needless: list[str] = []  # options of stap that say what is so anyhow
        self.without_effect: list[tuple[str, str]] = []  # others, and why they have none
        self.fields: dict[str, Any] = {"overrides": [], "defines": [], "scripts": []}


def parse(words: list[str]) -> Arguments:
    """Return the arguments; raise CompileError (E9xx) for what makes no sense."""
    args = Arguments()
    rest: list[str] = []
    tool: Tool | None = None
    named = 0  # words up to the tool's name, with it
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            rest += words[at:]
            break
        option = word.startswith("-") and len(word) > 1
        if option and tool is not None and (then := tool.take(word, words, at)) >= 0:
            at = then
        elif option and tool is not None and _unknown(word):
            raise tool.unknown(word)
        elif word.startswith("--"):
            at = _long(word, words, at, args)
        elif option and not _negative(word):
            at = _short(word, words, at, args)
        else:
            rest.append(word)  # options may follow the script, as stap's do
            if not named and word not in COMMANDS:
                named = len(rest)
                tool = _tool(word) if args.script is None else None
    if tool is not None:
        tool.take_positions(rest[named:])
        del rest[named:]
        args.fields["macros"] = tool.macros(args.fields.pop("format", "text"), _terminal_lines(args.fields))
    _complete(args, rest)
    return args


def _complete(args: Arguments, rest: list[str]) -> None:
    """Make the options, once all words are read; rest: those that aren't options."""
    if args.script is None and rest:
        args.file = rest.pop(0)
    fields = args.fields
    fields["args"] = tuple(rest)
    fields["overrides"] = tuple(fields["overrides"])
    fields["defines"] = tuple(fields["defines"])
    fields["scripts"] = tuple(fields["scripts"])
    if "switch" in fields and (fields.get("format") == "json" or "output" not in fields):
        raise fail("E903", "-S is for the files of -o, of text")
    if "command" in fields and "target_pid" in fields:
        raise fail(
            "E903", "-c and -x (bpftrace's -p) both say which process is target()", None, "give one of them"
        )
    args.options = Options(**fields)


def _tool(word: str) -> Tool | None:
    """Return the tool that a word names, if it names one."""
    if not word.replace("-", "_").isidentifier():
        return None
    from .toolbox import Tool, tool

    return Tool(word) if tool(word) is not None else None


def _unknown(word: str) -> bool:
    """Whether a word is no option of ours."""
    if word.startswith("--"):
        return word[2:].partition("=")[0] not in _LONG
    return word[1] not in _SHORT and not _negative(word)


def _terminal_lines(fields: dict[str, Any]) -> int:
    """Return how many lines the terminal has that the output goes to, 0 where it goes elsewhere."""
    try:
        return 0 if "output" in fields else os.get_terminal_size(1).lines
    except OSError:
        return 0


def _negative(word: str) -> bool:
    """Whether a word is a negative number, which no option is: an argument of the script."""
    return word[1:].isdecimal()


_HELP = "see pystap --help"


def _long(word: str, words: list[str], at: int, args: Arguments) -> int:
    name, equals, value = word[2:].partition("=")
    entry = _LONG.get(name)
    if entry is None:
        then = _stap(f"--{name}", equals, value, words, at, args)
        if then >= 0:
            return then
        near = did_you_mean(name, _LONG)
        raise fail("E901", f"unknown option '--{name}'", None, f"did you mean '--{near}'?" if near else _HELP)
    field, takes = entry
    if takes and not equals:
        if at >= len(words):
            raise fail("E902", f"option '--{name}' needs a value", None, _HELP)
        value = words[at]
        at += 1
    elif equals and not takes:
        raise fail("E902", f"option '--{name}' takes no value")
    _set(f"--{name}", field, value, args)
    return at


def _short(word: str, words: list[str], at: int, args: Arguments) -> int:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        entry = _SHORT.get(letter)
        if entry is None:
            then = _stap(f"-{letter}", letters, letters, words, at, args)
            if then >= 0:
                if _takes_value(f"-{letter}"):
                    return then
                continue
            raise fail(
                "E901", f"unknown option '-{letter}'", None, _HELP, "after '--' all words are arguments"
            )
        field, takes = entry
        value = ""
        if letter == "l" and args.fields.get("lang") == "bt":
            takes = False  # bpftrace's: a pattern may follow, other letters too
        if takes:
            value, letters = letters, ""
            if not value:
                if at >= len(words):
                    raise fail("E902", f"option '-{letter}' needs a value", None, _HELP)
                value = words[at]
                at += 1
        _set(f"-{letter}", field, value, args)
    return at


def _takes_value(option: str) -> bool:
    from .stap_options import ALWAYS, OPTIONS

    return OPTIONS[option][0] == ALWAYS


def _stap(option: str, given: str, value: str, words: list[str], at: int, args: Arguments) -> int:
    """Take an option that only stap has; return where the words go on, -1 if it has none of that name."""
    from .stap_options import ALWAYS, NEVER, OPTIONS, take

    entry = OPTIONS.get(option)
    if entry is None:
        return -1
    long = option[1] == "-"
    if entry[0] == ALWAYS and not given:
        if at >= len(words):
            raise fail("E902", f"option '{option}' needs a value", None, _HELP)
        value = words[at]
        at += 1
    elif entry[0] == NEVER and long and given:
        raise fail("E902", f"option '{option}' takes no value")
    take(option, "" if entry[0] == NEVER else value, args)
    return at


def _number(option: str, value: str, low: int, high: int) -> int:
    try:
        number = int(value, 0)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise fail("E903", f"{option} takes a number from {low} to {high}, not '{value}'")
    return number


def _choice(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise fail("E903", f"{option} takes {' or '.join(known)}, not '{value}'")
    return value


def _text_of(option: str, value: str) -> str:
    """Return a script that is given as a word."""
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeDecodeError:
        raise fail("E912", f"the text of {option} is not UTF-8") from None


def _pair(option: str, value: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not name.isidentifier() or (not equals and option == "-G"):
        raise fail("E903", f"{option} takes NAME=VALUE, not '{value}'")
    return name, text if equals else "1"


# option's field -> the field of Options that it sets, and to what
_FLAGS: dict[str, tuple[str, bool]] = {
    "guru": ("guru", True),
    "unsafe": ("unsafe", True),
    "quiet": ("quiet", True),
    "nowarn": ("warnings", False),
    "werror": ("warnings_as_errors", True),
    "nodisplay": ("display_globals", False),
    "nostandins": ("standins", False),
}


def _set(option: str, field: str, value: str, args: Arguments) -> None:
    """Take one option."""
    fields = args.fields
    flag = _FLAGS.get(field)
    if flag is not None:
        fields[flag[0]] = flag[1]
    elif field == "verbose":
        fields["verbose"] = fields.get("verbose", 0) + 1
    elif field in ("output", "command"):
        fields[field] = value
    elif field == "script":
        if args.script is not None:
            raise fail("E903", "one script can be given, by one -e", None, "-E TEXT adds another one")
        args.script = value
    elif field == "listing":
        args.listing, args.pattern = option, value
    elif field == "dump_after":
        args.dump_after = value
    elif field in ("help", "version"):
        args.action = field
    elif field in ("override", "define"):
        fields["overrides" if field == "override" else "defines"].append(_pair(option, value))
    elif field == "needless":
        args.needless.append(f"{option} {value}".rstrip())
    elif field == "scripts":
        fields["scripts"].append(_text_of(option, value))
    elif field == "folder":
        args.folders.append(value)
    elif field:
        _set_value(option, field, value, args)


def _set_value(option: str, field: str, value: str, args: Arguments) -> None:
    fields = args.fields
    if field == "last_pass":
        args.last_pass = _number(option, value, 1, 5)
    elif field == "target_pid":
        fields["target_pid"] = _number(option, value, 1, 1 << 22)
    elif field == "timeout":
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < 1e9:
            raise fail("E903", f"-T takes a number of seconds, not '{value}'")
        fields["timeout"] = seconds
    elif field == "buffer":
        megabytes = _number(option, value, 1, 512)
        fields["buffer"] = 1 << (megabytes * (1 << 20) - 1).bit_length()
    elif field == "switch":
        size, _, most = value.partition(",")
        count = _number(option, most, 1, 1 << 20) if most else 0
        fields["switch"] = (_number(option, size, 1, 1 << 20) << 20, count)
    elif field == "format":
        fields["format"] = _choice(option, value, FORMATS)
    elif field == "stage":
        fields["stage"] = _choice(option, value, STAGES)
    elif field == "attach":
        fields["attach"] = _choice(option, value, RUNGS)
    elif field == "lang":
        fields["lang"] = _choice(option, value, LANGS)
