"""What the options of tools take: `wanted(entry, text)` gives the value that a word stands for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_NAME = 15  # bytes of a command's name, as the kernel keeps it


class BadValue(Exception):
    """A word that isn't what the option takes; its text says what that is."""


def wanted(entry: dict[str, Any], text: str) -> int | str:
    """Return the value of a word for an option's entry of the description; BadValue."""
    return TYPES[entry["type"]](entry, text)


def _number(text: str, low: int, high: int, what: str) -> int:
    if not text.isdecimal() or not text.isascii() or not low <= int(text) <= high:
        raise BadValue(what)
    return int(text)


def _count(entry: dict[str, Any], text: str) -> int:
    return _number(text, 1, 1_000_000_000, "a number from 1")


def _port(entry: dict[str, Any], text: str) -> int:
    return _number(text, 1, 65535, "a port, a number from 1 to 65535")


def _pid(entry: dict[str, Any], text: str) -> int:
    return _number(text, 1, 1 << 22, "the number of a process")


def _user(entry: dict[str, Any], text: str) -> int:
    """The number of a user; the default, no user, is -1."""
    if not text.isdecimal():
        from pwd import getpwnam

        try:
            return getpwnam(text).pw_uid
        except (KeyError, ValueError):
            raise BadValue("a user's number or name") from None
    return _number(text, 0, (1 << 32) - 2, "a user's number or name")


def _seconds(entry: dict[str, Any], text: str) -> int:
    """Milliseconds."""
    what = "seconds, from 0.1 to 86400"
    whole, _, part = text.partition(".")
    if not (whole + part).isdecimal() or not text.isascii() or not 0.1 <= float(text) <= 86400:
        raise BadValue(what)
    return round(float(text) * 1000)


def _name(entry: dict[str, Any], text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if not data or len(data) > LONGEST_NAME:
        raise BadValue(f"a command's name, of 1 to {LONGEST_NAME} bytes")
    return text


def _word(entry: dict[str, Any], text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text:
        raise BadValue(entry.get("takes", "a word"))
    return text


def _call(entry: dict[str, Any], text: str) -> int:
    """The number of a system call of this machine; the default, any, is -1."""
    from os import uname

    from ..probes.syscall_numbers import X86_64

    number = X86_64.get(text) if uname().machine == "x86_64" else None
    if number is None:
        raise BadValue("the name of a system call")
    return number


def _protocol(entry: dict[str, Any], text: str) -> int:
    """The number of a protocol over IP."""
    names = {"icmp": 1, "tcp": 6, "udp": 17}
    return names[text] if text in names else _number(text, 1, 255, f"{', '.join(names)} or a number to 255")


def _choice(entry: dict[str, Any], text: str) -> str:
    if text not in entry["choices"]:
        raise BadValue(f"one of {', '.join(entry['choices'])}")
    return text


def _flag(entry: dict[str, Any], text: str) -> int:
    return 1


TYPES: dict[str, Callable[[dict[str, Any], str], int | str]] = {
    "count": _count,
    "port": _port,
    "pid": _pid,
    "user": _user,
    "seconds": _seconds,
    "name": _name,
    "word": _word,
    "call": _call,
    "choice": _choice,
    "protocol": _protocol,
    "flag": _flag,
}
_NOTHING: dict[str, int | str] = {"user": -1, "call": -1, "name": "", "word": "", "choice": ""}


def ungiven(entry: dict[str, Any]) -> int | str:
    """Return what an option is that isn't given: its default, else what no word stands for."""
    default = entry.get("default")
    return _NOTHING.get(entry["type"], 0) if default is None else wanted(entry, str(default))
