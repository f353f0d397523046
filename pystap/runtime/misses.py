"""What the kernel itself left out: runs of programs, and handlers of kprobes that it didn't get as far as to call."""

from __future__ import annotations

from ..kernel.objects import ProgInfo, is_perf_link, link_misses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..btf import Btf
    from ..kernel.attach.base import Attachment
    from ..kernel.kprobe_misses import KprobeMisses
    from .loader import Loaded


class Misses:
    """Reads the kernel's counts, which go back to the loading of programs and the attaching of kprobes."""

    def __init__(self, btf: Btf | None) -> None:
        self._btf = btf
        self._reader: KprobeMisses | None = None  # where links don't tell

    def count(self, loaded: Iterable[Loaded], attachments: Iterable[Attachment]) -> tuple[int, int]:
        """(Runs, returns) so far; without the kprobes' part where the kernel's can't be known."""
        runs, returns = sum([ProgInfo(one.fd).recursion_misses for one in loaded]), 0
        for one in attachments:
            found = one.misses(self.of_link)
            if found is None:
                break
            if one.kind.startswith("kretprobe"):
                returns += found
            else:
                runs += found
        return runs, returns

    def of_link(self, fd: int) -> int | None:
        """Calls that one kprobe's link has missed, or None."""
        found = link_misses(fd) if self._reader is None else None
        if found is None and is_perf_link(fd):
            return (self._reader or self._open())(fd)
        return found

    def _open(self) -> Callable[[int], int | None]:
        from ..btf import BtfError
        from ..kernel.kprobe_misses import KprobeMisses
        from ..kernel.sys import KernelError

        if self._btf is not None:
            try:
                self._reader = KprobeMisses(self._btf)
            except (BtfError, KernelError):
                pass
        return self._reader or (lambda fd: None)

    def close(self) -> None:
        """Unload what it reads with."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
