"""Write pystap/tapset/syscall_argstr.stp: argstr of a system call that is known by its number only."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pystap.probes.syscall import CREATE, FORMS, WORDS  # noqa: E402
from pystap.probes.syscall_args import ARGS  # noqa: E402
from pystap.probes.syscall_numbers import X86_64  # noqa: E402

FILE = ROOT / "pystap" / "tapset" / "syscall_argstr.stp"
HEAD = """\
# The arguments of a system call that is known by its number only, as argstr of a pattern of calls shows them. Made by
# scripts/gen_syscall_argstr.py; do not edit.

"""
_STRINGS = 2  # so many of a call's strings are read; what else is one is shown as an address


def _forms(name: str) -> list[str]:
    return [word.partition(":")[2] for word in ARGS[name].split()]


def _strings(name: str) -> list[int]:
    return [n for n, form in enumerate(_forms(name)) if form == "s"][:_STRINGS]


def _line(name: str) -> str:
    shown, values = [], []
    strings = _strings(name)
    for n, form in enumerate(_forms(name)):
        plain, words = WORDS.get(form, (form, ""))
        if form == "Y" or (form == "s" and n not in strings):
            plain, words = "p", ""
        if form == "j":
            shown.append("%s")
            values.append("socket")
            continue
        if form == "s" and n in strings:
            shown.append("%s")
            values.append(f"s{strings.index(n)}")
            continue
        value = FORMS[plain][0] % f"a{n}"
        shown.append("%s" if words else FORMS[plain][1])
        values.append(f"{words}({value})" if words else value)
    full = _sprintf(shown, values)
    if name in ("open", "openat"):
        flags = "a2" if name == "openat" else "a1"
        full = f"{flags} & {CREATE} ? {full} : {_sprintf(shown[:-1], values[:-1])}"
    return f"  if (nr == {X86_64[name]}) return {full} # {name}\n"


def _sprintf(shown: list[str], values: list[str]) -> str:
    return f'sprintf("{", ".join(shown)}", {", ".join(values)})' if values else '""'


def _set(function: str, wanted: list[tuple[int, int]], what: str) -> str:
    """Return a function that says which argument a string is, by bits of the calls' numbers."""
    places = sorted({place for _, place in wanted})
    text = f"# Where {what} of a call is, 0 if nowhere.\n"
    text += f"function {function}:long(nr:long, a0:long, a1:long, a2:long, a3:long) {{\n"
    for place in places:
        bits: dict[int, int] = {}
        for number, at in wanted:
            if at == place:
                bits[number >> 6] = bits.get(number >> 6, 0) | 1 << (number & 63)
        tests = [f"nr >> 6 == {word} ? {mask:#x}" for word, mask in sorted(bits.items())]
        text += f"  if ((({' : '.join(tests)} : 0) >> (nr & 63)) & 1) return a{place}\n"
    return text + "  return 0\n}\n"


def _socket(names: list[str]) -> str:
    text = "# The address of a socket that a call takes.\n"
    text += "function __syscall_socket:string(nr:long, a1:long, a2:long, a4:long, a5:long) {\n"
    for name in names:
        if "j" in _forms(name):
            at = _forms(name).index("j")
            text += f"  if (nr == {X86_64[name]}) return _struct_sockaddr_u(a{at}, __builtin_sext(a{at + 1}, 32))\n"
    return text + '  return ""\n}\n'


def make() -> str:
    """Return the text of the file."""
    names = [name for name in ARGS if name in X86_64 and ARGS[name]]
    firsts = [(X86_64[n], _strings(n)[0]) for n in names if _strings(n)]
    seconds = [(X86_64[n], _strings(n)[1]) for n in names if len(_strings(n)) > 1]
    text = HEAD
    text += _set("__syscall_string0", firsts, "the first string")
    text += _set("__syscall_string1", seconds, "the second string")
    text += 'function __syscall_text:string(at:long) { if (at) return user_string_quoted(at); return "" }\n'
    text += _socket(names)
    text += (
        "function __syscall_argstr:string(nr:long, a0:long, a1:long, a2:long, a3:long, a4:long, a5:long,\n"
    )
    text += "  s0:string, s1:string, socket:string) {\n"
    text += "".join(_line(name) for name in sorted(names, key=X86_64.__getitem__))
    text += "".join(
        f'  if (nr == {X86_64[n]}) return "" # {n}\n' for n in ARGS if n in X86_64 and not ARGS[n]
    )
    six = ", ".join(["%#x"] * 6)
    text += f'  return sprintf("{six}", a0, a1, a2, a3, a4, a5)\n}}\n'
    return text


if __name__ == "__main__":
    FILE.write_text(make())
