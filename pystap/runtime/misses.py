"""What the kernel itself left out: runs of programs, and handlers of kprobes that it didn't get as far as to call."""

from __future__ import annotations

from ..kernel.objects import ProgInfo, link_misses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..btf import Btf
    from ..kernel.attach.base import Attachment
    from ..kernel.kprobe_misses import KprobeMisses
    from .loader import Loaded

_FEW = 8  # kprobes whose links are rather asked


class Misses:
    """Reads the kernel's counts, which go back to the loading of programs and the attaching of kprobes."""

    def __init__(self, btf: Btf | None) -> None:
        self._btf = btf
        self._reader: KprobeMisses | None = None

    def count(self, loaded: Iterable[Loaded], attachments: Iterable[Attachment]) -> tuple[int, int]:
        """(Runs, returns) so far; without the part of kprobes of which nothing can be known."""
        runs, returns = sum([ProgInfo(one.fd).recursion_misses for one in loaded]), 0
        for one in attachments:
            if one.kind.startswith("kprobe"):
                runs += self._missed(one)
            elif one.kind.startswith("kretprobe"):
                returns += self._missed(one)
        return runs, returns

    def _missed(self, one: Attachment) -> int:
        """The handlers of an attachment by kprobes that were left out before a program was called."""
        single = not one.kind.endswith("_multi")
        found = None if single and len(one.fds) > _FEW else link_misses(one.fds)
        if found is None and single:
            reader = self._open()
            found = reader(one.fds) if reader is not None else link_misses(one.fds)
        return found or 0

    def _open(self) -> KprobeMisses | None:
        from ..btf import BtfError
        from ..kernel.kprobe_misses import KprobeMisses
        from ..kernel.sys import KernelError

        if self._reader is None and self._btf is not None:
            try:
                self._reader = KprobeMisses(self._btf)
            except (BtfError, KernelError):
                self._btf = None  # it won't work the next time either
        return self._reader

    def close(self) -> None:
        """Unload what it reads with."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
