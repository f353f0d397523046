"""Runs hand-made kernel programs in the interpreter: the maps that staging would make, a world, records."""

from __future__ import annotations

import struct

from pystap.backend.ebpf import generate, zero_map
from pystap.backend.ebpf.target import from_tables
from pystap.bpf.object import from_prog
from pystap.bpf.vm.machine import Vm, World, make_map
from pystap.bpf.vm.maps import MapOfMaps
from pystap.ir.nodes import Const, Event, Global, If, Label, Local, Op, Scope, Stat, Text
from pystap.program import (
    CPU_SIZE,
    CTL_ERROR,
    CTL_ERROR_ARG,
    CTL_EXIT,
    CTL_GEN,
    CTL_REALTIME,
    CTL_STATE,
    STATE_RUNNING,
    Field,
)
from pystap.staging.layout import Layout, Shape
from pystap.staging.plan import Home, KernelProgram, RecordPlan

TASK = 0xFFFF888000001000
CRED = 0xFFFF888000009000
PARENT = 0xFFFF88800000A000

OFFSETS = {
    ("task_struct", "tgid"): (0x104, 4),
    ("task_struct", "pid"): (0x100, 4),
    ("task_struct", "comm"): (0x200, 16),
    ("task_struct", "cred"): (0x300, 8),
    ("task_struct", "real_parent"): (0x308, 8),
    ("task_struct", "thread_info.status"): (0x10, 4),
    ("cred", "uid.val"): (8, 4),
    ("cred", "euid.val"): (16, 4),
    ("cred", "gid.val"): (24, 4),
    ("cred", "egid.val"): (32, 4),
}


def target(**more):
    return from_tables(OFFSETS, **more)


def put_task(world, address, tgid, pid, comm, cred=CRED, parent=PARENT):
    data = bytearray(0x400)
    struct.pack_into("<II", data, 0x100, pid, tgid)
    data[0x200 : 0x200 + len(comm)] = comm
    struct.pack_into("<QQ", data, 0x300, cred, parent)
    return world.add_kernel(address, bytes(data))


FRONT = 256  # slots of a front table


class Options:
    def __init__(self, max_action=1000, maxerrors=0):
        self.max_action = max_action
        self.maxerrors = maxerrors


class Rig:
    """A program with its maps, ready to run."""

    def __init__(
        self, body, *, sizes=None, event=None, globs=(), target_=None, options=None, world=None, ring=4096
    ):
        self.errors = []
        self.world = world or World()
        if world is None:
            put_task(self.world, TASK, self.world.pid, self.world.tid, self.world.comm)
            self.world.task = TASK
            cred = bytearray(64)
            struct.pack_into("<I", cred, 8, 1001)
            struct.pack_into("<I", cred, 16, 1002)
            struct.pack_into("<I", cred, 24, 1003)
            struct.pack_into("<I", cred, 32, 1004)
            self.world.add_kernel(CRED, bytes(cred))
            put_task(self.world, PARENT, 77, 78, b"parent")
        layout = Layout(ring, self.world.cpus)
        self.homes = {}
        for glob, home, shapes, resets in globs:
            self.homes[glob] = Home(glob, layout.add(glob, home, shapes, resets))
        specs = layout.all_maps(True)
        event = event or Event("tp_btf", "test")
        self.kp = KernelProgram("main", event, body, sizes or {}, (0,))
        self.prog = generate(self.kp, self.homes, self.errors, target_ or target(), options or Options())
        zero = zero_map(self.homes)
        if zero:
            specs.append(zero)
        self.specs = specs
        maps = {}
        cpus = self.world.cpus
        for s in specs:
            if s.type == "array_of_maps":
                made = MapOfMaps(4, 4, cpus, cpus=cpus, name=s.name)
                for n in range(cpus):
                    made.put(n, make_map("ringbuf", 0, 0, ring, cpus=cpus))
            else:
                made = make_map(s.type, s.key_size, s.value_size, s.max_entries, name=s.name, cpus=cpus)
            maps[s.name] = made
        self.vm = Vm({"main": from_prog(self.prog)}, maps, self.world)
        self.maps = maps
        self.poke(CTL_STATE, "<I", STATE_RUNNING)

    def poke(self, offset, form, value):
        data = bytearray(self.maps["ctl"].get(0))
        struct.pack_into(form, data, offset, value)
        self.maps["ctl"].set(0, bytes(data))

    def peek(self, offset, form="<Q"):
        return struct.unpack_from(form, self.maps["ctl"].get(0), offset)[0]

    def run(self, *args):
        return self.vm.run("main", struct.pack(f"<{len(args)}Q", *[a & (1 << 64) - 1 for a in args]))

    def records(self, cpu=None):
        inner = self.maps["rings"].inner
        cpus = range(self.world.cpus) if cpu is None else [cpu]
        return [record for n in cpus for record in inner[n.to_bytes(4, "little")].consume()]

    @property
    def state(self):
        return self.peek(CTL_STATE, "<I")

    @property
    def error(self):
        number = self.peek(CTL_ERROR)
        return (self.errors[number - 1].message, self.peek(CTL_ERROR_ARG)) if number else None


def i64(name="x"):
    return Local(name, "i64")


def string(name="s"):
    return Local(name, "str")


def handler(*body):
    return Scope(Label("h"), list(body))


__all__ = [
    "CPU_SIZE",
    "CTL_EXIT",
    "CTL_GEN",
    "CTL_REALTIME",
    "Const",
    "Event",
    "Field",
    "Global",
    "If",
    "Label",
    "Local",
    "Op",
    "RecordPlan",
    "Rig",
    "Scope",
    "Shape",
    "Stat",
    "Text",
]


def shape(kind, size):
    made = Shape()
    made.kind, made.size = kind, size
    return made


def table(rig, name, generation=0):
    """{key: [value bytes]} of a delta array over all CPUs."""
    found = {}
    spec = next(h.spec for h in rig.homes.values() if h.spec.name == name)
    front = rig.maps[name + ".front"]
    for slot in range(generation * FRONT, (generation + 1) * FRONT):
        for raw in front.get_all(slot):
            if struct.unpack_from("<Q", raw)[0] == 2:
                found.setdefault(raw[8 : 8 + spec.key_size], []).append(raw[8 + spec.key_size :])
    hashed = rig.maps[f"{name}.{generation}"]
    for key in hashed.keys():  # noqa: SIM118
        found.setdefault(key, []).extend(hashed.get_all(key))
    return found


def counted(rig, name, generation=0):
    return {
        key: total
        for key, values in table(rig, name, generation).items()
        if (total := sum(struct.unpack_from("<q", v)[0] for v in values))
    }
