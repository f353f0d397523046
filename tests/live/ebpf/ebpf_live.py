"""Loads hand-made kernel programs in the kernel: maps as staging lays them out, attach, read back."""

from __future__ import annotations

import mmap
import struct

from pystap.backend.ebpf import generate, zero_map
from pystap.backend.ebpf.target import from_btf
from pystap.bpf import consts_gen as abi
from pystap.btf import Btf
from pystap.kernel import maps as kernel_maps
from pystap.kernel.cpus import possible_cpus
from pystap.kernel.ring import Ring
from pystap.program import CTL_ERROR, CTL_ERROR_ARG, CTL_STATE, STATE_RUNNING
from pystap.runtime.loader import load
from pystap.staging.layout import Layout
from pystap.staging.plan import Home, KernelProgram

_BTF: list[Btf] = []


def kernel_btf():
    if not _BTF:
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            _BTF.append(Btf(file.read()))
    return _BTF[0]


def live_target(*features):
    return from_btf(kernel_btf(), ("direct", "bpf_loop", "compat", *features))


class Options:
    def __init__(self, max_action=1000):
        self.max_action, self.maxerrors = max_action, 0


class Live:
    """Programs of one run; a context manager that leaves nothing attached."""

    def __init__(self, bodies, *, globs=(), target=None, ring=1 << 16, options=None, attach=True):
        """bodies: (event, body, sizes) each."""
        self.errors = []
        self.wanted = attach
        layout = Layout(ring, max(possible_cpus()) + 1)
        self.homes = {}
        for glob, home, shapes, resets in globs:
            self.homes[glob] = Home(glob, layout.add(glob, home, shapes, resets))
        specs = layout.all_maps(True)
        target = target or live_target("rdonly_cast")
        self.progs = [
            generate(
                KernelProgram(f"p{n}", event, body, sizes, (n,)),
                self.homes,
                self.errors,
                target,
                options or Options(),
            )
            for n, (event, body, sizes) in enumerate(bodies)
        ]
        zero = zero_map(self.homes)
        if zero:
            specs.append(zero)
        self.maps = {}
        self.inner = []
        self.attached = []
        self.loaded = []
        for spec in specs:
            self.maps[spec.name] = self._make(spec)
        ctl = self.maps["ctl"]
        self.ctl = mmap.mmap(ctl.fd, mmap.PAGESIZE)
        try:
            self.loaded = [load(prog, self.maps, kernel_btf()) for prog in self.progs]
        except BaseException:
            self.close()
            raise

    def _make(self, spec):
        kind = getattr(abi, "BPF_MAP_TYPE_" + spec.type.upper())
        if spec.type != "array_of_maps":
            return kernel_maps.create_map(
                kind,
                spec.key_size,
                spec.value_size,
                spec.max_entries,
                spec.flags,
                spec.name[:15].replace(".", "_"),
            )
        cpus = len(possible_cpus())
        self.inner = [
            kernel_maps.create_map(abi.BPF_MAP_TYPE_RINGBUF, 0, 0, spec.inner.max_entries)
            for _ in range(cpus)
        ]
        outer = kernel_maps.create_map(kind, 4, 4, cpus, 0, spec.name, inner_fd=self.inner[0].fd)
        for n, ring in enumerate(self.inner):
            outer.update(struct.pack("<I", n), struct.pack("<I", ring.fd))
        self.rings = [Ring(ring.fd, spec.inner.max_entries) for ring in self.inner]
        return outer

    def __enter__(self):
        self.poke(CTL_STATE, "<I", STATE_RUNNING)
        self.attached = [one.attach() for one in self.loaded] if self.wanted else []
        return self

    def __exit__(self, *_):
        self.stop()
        self.close()

    def stop(self):
        for one in self.attached:
            one.close()
        self.attached = []

    def close(self):
        import os

        self.stop()
        for one in self.loaded:
            os.close(one.fd)
            os.close(one.btf_fd)
        self.ctl.close()
        self.loaded = []
        for ring in getattr(self, "rings", ()):
            ring.close()
        for one in (*self.maps.values(), *self.inner):
            one.close()

    def poke(self, offset, form, value):
        struct.pack_into(form, self.ctl, offset, value)

    def peek(self, offset, form="<Q"):
        return struct.unpack_from(form, self.ctl, offset)[0]

    @property
    def missed(self):
        """Runs that the kernel left out: another run of the same program was under way (or put off) on that CPU."""
        counted = 0
        for one in self.loaded:
            with open(f"/proc/self/fdinfo/{one.fd}") as lines:
                counted += sum(int(line.split()[1]) for line in lines if line.startswith("recursion_misses"))
        return counted

    @property
    def error(self):
        number = self.peek(CTL_ERROR)
        return (self.errors[number - 1].message, self.peek(CTL_ERROR_ARG)) if number else None

    def records(self):
        """All records of all CPUs, in the order of their numbers."""
        out = []
        for ring in self.rings:
            ring.snapshot()
            out += [bytes(record) for record, *_ in ring.records()]
            ring.advance()
        return sorted(out, key=lambda r: r[:8][::-1])

    def delta(self, offset, form="<q", generation=0):
        """The sum over CPUs of a word of the collected scalars."""
        raw = self.maps["delta"].lookup(bytes(4))
        spec = next(home.spec for home in self.homes.values() if home.spec.map == "delta")
        slots = range(generation * spec.stride, len(raw), 2 * spec.stride)
        return sum(struct.unpack_from(form, raw, at + offset)[0] for at in slots)

    def table(self, name, key_size, generation=0):
        """{key: [value bytes of each CPU that has it]} of a delta array, front table and hash together."""
        found = {}
        front = self.maps[name + ".front"]
        for slot in range(generation * 256, generation * 256 + 256):
            for value in front.cpu_values(front.lookup(struct.pack("<I", slot))):
                state = struct.unpack_from("<Q", value)[0]
                assert state in (0, 2), state
                if state:
                    found.setdefault(value[8 : 8 + key_size], []).append(value[8 + key_size :])
        table = self.maps[f"{name}.{generation}"]
        for key, raw in table.items():
            found.setdefault(key, []).extend(table.cpu_values(raw))
        return found
