"""One program attached to many kernel functions, by one link where the kernel has kprobe_multi, else by single kprobes.

    found = attach_functions(fd, functions, table, ret=False, multi=True)
    found.fds, found.refused       # what wasn't attached, and why

A function is (cookie, module, name, symbol), and stands for every piece of code that the symbols call so. Functions of
modules that aren't loaded are nobody's: they are neither attached nor refused.
"""

from __future__ import annotations

import errno as _errno
import os

from ..sys import KernelError
from .base import Attachment
from .kprobe import attach_kprobe, attach_kprobe_multi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..symbols import Kallsyms

    Listed = tuple[int, str, str, str]

# What the kernel says when one of many functions can't be attached to; anything else concerns them all.
_ONE = frozenset(
    {_errno.EINVAL, _errno.ENOENT, _errno.ESRCH, _errno.EILSEQ, _errno.ERANGE, _errno.EADDRNOTAVAIL}
)


_SPARE_FILES = 256  # for what is opened later


class Refused:
    """A function that the kernel doesn't let be attached to."""

    __slots__ = ("address", "errno", "module", "name")

    def __init__(self, module: str, name: str, address: int, errno: int) -> None:
        self.module = module
        self.name = name
        self.address = address
        self.errno = errno


class NoneAttached(KernelError):
    """Of the functions of a program, none can be attached to."""


class Many(Attachment):
    """Attached to many functions: links and events, and what was refused."""

    __slots__ = ("modules", "places", "refused")

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(kind, what, ())
        self.refused: list[Refused] = []
        self.places = 0  # pieces of code that it is attached to
        self.modules: dict[str, list[int]] = {}  # descriptors that belong to one module

    def add(self, attached: Attachment, places: list[_Place]) -> None:
        """Take over what another attachment holds."""
        self.fds += attached.fds
        self.places += len(places)
        owners = {place.module for place in places}
        if len(owners) == 1:
            self.modules.setdefault(owners.pop(), []).extend(attached.fds)

    def leave(self, module: str) -> Attachment:
        """Give up, to be closed, what holds on to a module's functions: the module is gone."""
        gone = Attachment(self.kind, self.what, self.modules.pop(module, []))
        self.fds = tuple(fd for fd in self.fds if fd not in gone.fds)
        return gone


class _Place:
    __slots__ = ("address", "cookie", "module", "name")

    def __init__(self, address: int, listed: Listed, offset: int) -> None:
        self.address = address + offset
        self.cookie, self.module, self.name, _ = listed


def attach_functions(
    prog_fd: int,
    functions: Sequence[Listed],
    table: Kallsyms,
    *,
    ret: bool = False,
    multi: bool = False,
    offset: int = 0,
) -> Many:
    """Attach to all of them; `KernelError` when the kernel can't do such a thing at all."""
    word = "kretprobe" if ret else "kprobe"
    places = _places(functions, table, offset)
    made = Many(f"{word}_multi" if multi else word, f"{len(places)} {word}s")
    try:
        if multi and places:
            _by_link(made, prog_fd, places, ret)
        else:
            _make_room(len(places))
            for place in places:
                _by_event(made, prog_fd, place, ret)
    except BaseException:
        made.close()
        raise
    if made.refused and not made.places:
        first = made.refused[0]
        raise NoneAttached(first.errno, f"attaching to the function {first.name}")
    return made


def _places(functions: Sequence[Listed], table: Kallsyms, offset: int) -> list[_Place]:
    known = table.places({(module, symbol) for _, module, _, symbol in functions})
    found: dict[int, _Place] = {}
    for listed in functions:
        for address in known[listed[1], listed[3]]:
            found.setdefault(address, _Place(address, listed, offset))
    return [found[address] for address in sorted(found)]


def _make_room(files: int) -> None:
    """See that so many more files may be open (setrlimit(2), RLIMIT_NOFILE): a usual limit is 1024."""
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    wanted = len(os.listdir("/proc/self/fd")) + files + _SPARE_FILES
    if soft >= wanted:
        return
    try:
        setrlimit(RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):  # attaching says which file was one too many
        setrlimit(RLIMIT_NOFILE, (hard, hard))


def _by_event(made: Many, prog_fd: int, place: _Place, ret: bool) -> None:
    try:
        made.add(attach_kprobe(prog_fd, addr=place.address, ret=ret, cookie=place.cookie), [place])
    except KernelError as error:
        _refuse(made, place, error)


def _by_link(made: Many, prog_fd: int, places: list[_Place], ret: bool) -> None:
    """One link for all; where one of them is refused, for halves of them."""
    try:
        addresses = [place.address for place in places]
        cookies = [place.cookie for place in places]
        made.add(attach_kprobe_multi(prog_fd, addrs=addresses, ret=ret, cookies=cookies), places)
    except KernelError as error:
        if len(places) == 1:
            _refuse(made, places[0], error)
            return
        if error.errno not in _ONE:
            raise
        middle = len(places) // 2
        _by_link(made, prog_fd, places[:middle], ret)
        _by_link(made, prog_fd, places[middle:], ret)


def _refuse(made: Many, place: _Place, error: KernelError) -> None:
    if error.errno not in _ONE:
        raise error
    made.refused.append(Refused(place.module, place.name, place.address, error.errno or 0))
