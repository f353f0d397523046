"""`Door`: all that a session wants of the kernel, behind one object, so that a test can stand in for it."""

from __future__ import annotations

import os
from _thread import allocate_lock
from struct import Struct

from ..kernel.attach.base import close_attachments
from ..kernel.sys import KernelError
from ..program import (
    CPU_SKIPPED,
    CPU_SKIPPED_OTHER,
    CTL_ERROR,
    CTL_ERROR_ARG,
    CTL_ERRORS,
    CTL_EXIT,
    CTL_GEN,
    CTL_REALTIME,
    CTL_SEQ,
    CTL_STATE,
    STATE_RUNNING,
    STATE_STOPPING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..btf import Btf
    from ..kernel.attach.base import Attachment
    from ..kernel.attach.iter import Passes
    from ..kernel.maps import Map
    from ..kernel.ring import Ring, RingMap
    from ..program import GlobalSpec, MapSpec, Program
    from .loader import Loaded
    from .misses import Misses
    from .modules import Modules

SLOW = 8  # descriptors of attachments that take long to close: the kernel needs up to 100 ms for a function's
_ZERO = bytes(4)
_U64 = Struct("<Q")


def _when(one: Loaded) -> str | None:
    args = one.prog.args
    return args.get("when") if isinstance(args, dict) else None


def _starting(one: Loaded) -> bool:
    """Whether it does nothing once the run has begun (staging/early.py)."""
    return _when(one) == "starting"


def _order(one: Loaded) -> int:
    """What notes early calls before the returns that look for them."""
    if _when(one) == "early":
        return 2 if one.prog.kind in ("kretprobe", "fexit") else 0
    return 0 if _starting(one) else 1


class Door:
    """The live kernel. Maps exist after `make_maps`, programs after `load`, and run after `attach` and `go`.

    control: the control block's bytes; words: the same as signed 8 byte words. A program without kernel
    programs has neither maps nor rings, and the control block is plain memory.
    """

    def __init__(self, btf: Btf | None = None) -> None:
        self.btf = btf
        self.unwanted: Callable[[], bool] = lambda: False
        self.maps: dict[str, Map] = {}
        self.rings: list[Ring] = []
        self.loaded: list[Loaded] = []
        self.attachments: list[Attachment] = []
        self._misses: Misses | None = None
        self._missed = (0, 0)
        self._missed_before: tuple[int, int] | None = None  # while it runs: what there was at `go`
        self._early: list[tuple[Loaded, Attachment]] = []  # what is attached for the start alone
        self._letting_go = allocate_lock()
        self.modules: Modules | None = None  # where functions of modules are probed
        self._following: list[Any] | None = None
        self._ring_maps: list[RingMap] = []
        self._memory: Any = None
        self._blocks: dict[str, memoryview] = {}
        self._filling = allocate_lock()
        self._fill_error: Exception | None = None
        self._quiet = False
        self._use(bytearray(4096))

    def _use(self, memory: Any) -> None:
        self._memory = memory
        self.control = memoryview(memory)
        self.words = self.control.cast("q")
        self._half = self.control.cast("I")

    # -- making

    def make_maps(self, program: Program) -> None:
        """Make every map of the program."""
        if not program.progs:
            size = max([4096, *(spec.value_size for spec in program.maps if spec.name == "ctl")])
            self._use(bytearray((size + 7) & ~7))
            return
        for spec in program.maps:
            if spec.type == "array_of_maps" and spec.inner is not None and spec.inner.type == "ringbuf":
                self._make_rings(spec)
            else:
                self.maps[spec.name] = self._make(spec)
        self._use(self.maps["ctl"].mmap())

    def _make(self, spec: MapSpec) -> Map:
        from ..bpf import consts_gen as abi
        from ..kernel.maps import create_map

        number = getattr(abi, "BPF_MAP_TYPE_" + spec.type.upper())
        inner = 0
        made = None
        if spec.inner is not None:
            made = self._make(spec.inner)
            inner = made.fd
        table = create_map(
            *(number, spec.key_size, spec.value_size, spec.max_entries, spec.flags, spec.name), inner_fd=inner
        )
        if made is not None:
            table.update(_ZERO, made.fd.to_bytes(4, "little"))
            for i in range(1, spec.max_entries):
                made = self._make(spec.inner)
                table.update(i.to_bytes(4, "little"), made.fd.to_bytes(4, "little"))
        return table

    def _make_rings(self, spec: MapSpec) -> None:
        """The rings of all CPUs, put in their array by one call.

        The kernel waits a grace period in such a call (8 to 20 ms), so a thread makes it, and `go` waits for it.
        """
        from _thread import start_new_thread

        from ..bpf import consts_gen as abi
        from ..kernel.cpus import possible_cpus
        from ..kernel.maps import create_map
        from ..kernel.ring import RingMap

        count = spec.max_entries or max(possible_cpus()) + 1
        for _ in range(count):
            self._ring_maps.append(RingMap(spec.inner.max_entries, "ring"))
        outer = create_map(
            *(abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, count, 0, spec.name), inner_fd=self._ring_maps[0].map.fd
        )
        self.maps[spec.name] = outer
        self.rings = [one.ring for one in self._ring_maps]
        self._filling.acquire()
        start_new_thread(self._fill, (outer, count))

    def _fill(self, outer: Map, count: int) -> None:
        """Put the rings in their array; a failure is kept for `go`."""
        try:
            keys = b"".join([i.to_bytes(4, "little") for i in range(count)])
            outer.update_batch(keys, b"".join([one.map.fd.to_bytes(4, "little") for one in self._ring_maps]))
        except Exception as error:
            self._fill_error = error
        finally:
            self._filling.release()

    def _filled(self) -> None:
        """Wait until the rings are in their array."""
        with self._filling:
            error, self._fill_error = self._fill_error, None
        if error is not None:
            raise error

    def load(self, program: Program) -> None:
        """Load every kernel program; `VerifierError` if one is refused."""
        if not program.progs:
            return
        from .loader import load

        for prog in program.progs:
            self.loaded.append(load(prog, self.maps, self.btf))

    def attach(self) -> list[str]:
        """Attach them all; they do nothing yet. Return warnings of what can't be attached among many.

        Once `unwanted()` is true, as the user wants to end, nothing more is attached.
        """
        from .modules import Modules, refusals, wanted_modules
        from .places import Places

        warnings: list[str] = []
        if any(wanted_modules(one) for one in self.loaded):
            self.modules = Modules(self)
        # marks of early calls before the returns that look for them
        places = Places()
        for one in sorted(self.loaded, key=_order):
            if self.unwanted():
                return warnings
            try:
                made = one.attach()
            except KernelError as error:
                warnings.append(places.refused(one.prog, error))
                continue
            places.attached(one.prog)
            self.attachments.append(made)
            if _starting(one):
                self._early.append((one, made))
            else:
                warnings += refusals(one, made)
        places.check()
        return warnings

    def iterate(self) -> Passes | None:
        """Begin to read every attached iterator once; None if there is none."""
        found: Any = [one for one in self.attachments if one.kind == "iter"]
        if not found:
            return None
        from ..kernel.attach.iter import Passes

        return Passes(found)

    def refresh(self) -> None:
        """Follow what comes and goes while the run lasts, for attachments that do."""
        if self._following is None:
            self._following = [one for one in self.attachments if hasattr(one, "refresh")]
        for one in self._following:
            one.refresh()

    def drop(self, gone: Attachment) -> None:
        """Detach a part of what is attached; what it missed counts on."""
        before = self._missed_before
        if before is not None:
            runs, returns = self._count([], [gone])
            self._missed_before = before[0] - runs, before[1] - returns
        gone.close()

    def detach(self) -> None:
        """Detach them all. Where that takes its time it goes on meanwhile, and `close` waits for it.

        After `stop` and `quiesce` programs that are still attached leave at once.
        """
        with self._letting_go:
            pass
        if self.modules is not None:
            self.modules.close()
            self.modules = None
        self._following = []
        attachments, self.attachments = self.attachments[::-1], []
        if self.state >= STATE_STOPPING and sum([len(one.fds) for one in attachments]) > SLOW:
            from _thread import start_new_thread

            self._letting_go.acquire()
            start_new_thread(self._close_all, (attachments,))
        else:
            close_attachments(attachments)

    def close(self) -> None:
        """Detach, and free programs and maps."""
        self.detach()
        if self._misses is not None:
            self._misses.close()
        with self._letting_go:
            pass
        with self._filling:
            pass
        for one in self.loaded:
            for fd in (one.fd, one.btf_fd):
                if fd > 0:
                    os.close(fd)
        self.loaded.clear()
        for ring in self._ring_maps:
            ring.close()
        self._ring_maps.clear()
        self.rings = []
        for view in (self.words, self._half, self.control, *self._blocks.values()):
            view.release()
        self._blocks.clear()
        for table in self.maps.values():
            table.close()
        self.maps.clear()
        self._use(bytearray(4096))

    # -- the control block

    def map(self, name: str) -> Map:
        """A map by name."""
        return self.maps[name]

    def block(self, name: str) -> memoryview:
        """The memory of a mapped array, until `close`."""
        view = self._blocks.get(name)
        if view is None:
            view = self._blocks[name] = memoryview(self.maps[name].mmap())
        return view

    def go(self) -> None:
        """From now on programs do their work."""
        self._filled()
        self._missed_before = self.kernel_misses()
        self._half[CTL_STATE >> 2] = STATE_RUNNING
        self._let_go()

    def _let_go(self) -> None:
        """Detach, meanwhile, what was only needed until now (staging/early.py): that takes its time."""
        early = [made for one, made in self._early if one in self.loaded]
        self._early.clear()
        if early:
            from _thread import start_new_thread

            self.attachments = [made for made in self.attachments if made not in early]
            self._letting_go.acquire()
            start_new_thread(self._close_all, (early,))

    def _close_all(self, attachments: list[Attachment]) -> None:
        try:
            close_attachments(attachments)
        finally:
            self._letting_go.release()

    def stop(self) -> None:
        """From now on programs do nothing; an error's state stays."""
        if self._half[CTL_STATE >> 2] <= STATE_RUNNING:
            self._half[CTL_STATE >> 2] = STATE_STOPPING
        before, self._missed_before = self._missed_before, None
        if before is not None:  # it may be stopped twice, or never have begun
            runs, returns = self.kernel_misses()
            self._missed = runs - before[0], returns - before[1]

    @property
    def state(self) -> int:
        """The state word."""
        return self._half[CTL_STATE >> 2]

    def flip(self) -> int:
        """Begin a new generation; return the old one once no program writes it any more."""
        old = self._half[CTL_GEN >> 2]
        self._half[CTL_GEN >> 2] = 1 - old
        self.quiesce()
        return old

    def quiesce(self) -> None:
        """Return when all programs that run now have left; those that begin after `stop` leave at once."""
        if self.attachments and not self._quiet:
            from ..kernel.quiesce import wait_for_programs

            wait_for_programs()
            self._quiet = self.state >= STATE_STOPPING

    @property
    def sequence(self) -> int:
        """The number that the next record will have."""
        return self.words[CTL_SEQ >> 3]

    def exit_code(self) -> int | None:
        """The code of an exit() in the kernel stage, or None."""
        code = self.words[CTL_EXIT >> 3]
        return code - 1 if code else None

    def error(self) -> tuple[int, int] | None:
        """(site, argument) of an error in the kernel stage, or None."""
        site = self.words[CTL_ERROR >> 3]
        return (site - 1, self.words[CTL_ERROR_ARG >> 3]) if site else None

    def full(self, spec: GlobalSpec) -> bool:
        """Whether the kernel map of an array was full, if that is no error."""
        return bool(self.words[spec.offset >> 3])

    def errors(self) -> int:
        """How many errors of the kernel stage no record told of; with MAXERRORS, which makes `error` one of them."""
        return self.words[CTL_ERRORS >> 3]

    def clear_error(self) -> None:
        """Forget an error, so that the next one is seen (MAXERRORS)."""
        self.words[CTL_ERROR >> 3] = 0

    def set_clock(self) -> None:
        """Tell programs the time of day."""
        from ..kernel.clock import realtime_offset

        self.words[CTL_REALTIME >> 3] = realtime_offset()

    # -- losses

    def skipped(self) -> tuple[int, int]:
        """Runs that did not happen: (for want of room in the ring, for want of scratch or a lock)."""
        table = self.maps.get("cpu")
        if table is None:
            return 0, 0
        values = table.cpu_values(table.lookup(_ZERO) or b"")
        return (
            sum([_U64.unpack_from(v, CPU_SKIPPED)[0] for v in values]),
            sum([_U64.unpack_from(v, CPU_SKIPPED_OTHER)[0] for v in values]),
        )

    def missed(self) -> tuple[int, int]:
        """Runs that the kernel itself left out: (as it was running a program on that CPU already, of returns).

        Between `go` and `stop`. A return is also left out when too many calls haven't returned yet.
        """
        return self._missed

    def kernel_misses(self) -> tuple[int, int]:
        """The kernel's own counts, from when programs were loaded: see `missed`."""
        if not self.loaded:
            return 0, 0
        early = [made for _, made in self._early]
        return self._count(
            [one for one in self.loaded if not _starting(one)],
            [made for made in self.attachments if made not in early],
        )

    def _count(self, loaded: list[Loaded], attachments: list[Attachment]) -> tuple[int, int]:
        if self._misses is None:
            from .misses import Misses

            self._misses = Misses(self.btf)
        return self._misses.count(loaded, attachments)
