"""The interpreter's helpers that work on maps: elements, loops over them, rings, stack ids."""

from __future__ import annotations

from ..insn import M32
from .maps import (
    ENOENT,
    EXIST,
    MapOfMaps,
    PerfEventArray,
    QueueMap,
    RingBuf,
    StackTrace,
    TaskStorage,
    VmMap,
)
from .world import Region, VmFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .machine import Vm

_EFAULT, _EINVAL, _E2BIG, _EAGAIN, _EEXIST = -14, -22, -7, -11, -17
_F_USER_STACK, _F_SKIP, _F_FAST_CMP, _F_REUSE = 0x100, 0xFF, 0x200, 0x400
_CURRENT_CPU = 0xFFFFFFFF


def _key(vm: Vm, m: VmMap, address: int) -> bytes:
    return vm.read(address, m.key_size)


def _lookup(vm: Vm, m: VmMap, key: bytes, cpu: int) -> int:
    if isinstance(m, MapOfMaps):
        inner = m.inner.get(key)
        return 0 if inner is None else vm.map_address(inner)
    found = m.lookup(key, cpu)
    return 0 if found is None else vm.memory.address(found)


def map_lookup_elem(vm: Vm, handle: int, key: int) -> int:
    m = vm.map_at(handle)
    return _lookup(vm, m, _key(vm, m, key), vm.world.cpu)


def map_lookup_percpu_elem(vm: Vm, handle: int, key: int, cpu: int) -> int:
    m = vm.map_at(handle)
    cpu &= M32
    return _lookup(vm, m, _key(vm, m, key), cpu) if cpu < vm.world.cpus and m.percpu else 0


def map_update_elem(vm: Vm, handle: int, key: int, value: int, flags: int) -> int:
    m = vm.map_at(handle)
    key_bytes = _key(vm, m, key)
    data = vm.read(value, m.value_size)
    old = m.replaced(key_bytes)
    status = m.update(key_bytes, data, flags, vm.world.cpu)
    if not status:
        vm.discard(old)
    return status


def map_delete_elem(vm: Vm, handle: int, key: int) -> int:
    m = vm.map_at(handle)
    status, regions = m.delete(_key(vm, m, key))
    vm.discard(regions)
    return status


def _queue(vm: Vm, handle: int) -> QueueMap:
    m = vm.map_at(handle)
    if not isinstance(m, QueueMap):
        raise VmFault(f"{m.name} is no queue")
    return m


def map_push_elem(vm: Vm, handle: int, value: int, flags: int) -> int:
    m = _queue(vm, handle)
    return m.push(vm.read(value, m.value_size), flags) if flags in (0, EXIST) else _EINVAL


def map_peek_elem(vm: Vm, handle: int, value: int, remove: bool = False) -> int:
    m = _queue(vm, handle)
    found = m.peek(remove)
    vm.write(value, bytes(m.value_size) if found is None else found)
    return ENOENT if found is None else 0


def map_pop_elem(vm: Vm, handle: int, value: int) -> int:
    return map_peek_elem(vm, handle, value, True)


def for_each_map_elem(vm: Vm, handle: int, function: int, ctx: int, flags: int) -> int:
    m = vm.map_at(handle)
    if flags:
        return _EINVAL
    count = 0
    for key in list(m.keys()):
        if m.get(key) is None:
            continue
        count += 1
        copy = Region(bytearray(key), f"key of {m.name}", writable=False)
        address = vm.memory.address(copy)
        stop = vm.callback(function, handle, address, _lookup(vm, m, key, vm.world.cpu), ctx)
        vm.memory.drop(copy)
        if stop:
            break
    return count


def loop(vm: Vm, count: int, function: int, ctx: int, flags: int) -> int:
    if count >> 32:
        raise VmFault("bpf_loop with more than 32 bits of count: called it cuts them, inlined it fails")
    if flags:
        return _EINVAL
    if count > 1 << 23:
        return _E2BIG & M32  # of 32 bits where the verifier has inlined the call, as it does as a rule
    for i in range(count):
        if vm.callback(function, i, ctx):
            return i + 1
    return count


def _storage(vm: Vm, handle: int) -> TaskStorage:
    m = vm.map_at(handle)
    if not isinstance(m, TaskStorage):
        raise VmFault(f"{m.name} is no task storage")
    return m


def task_storage_get(vm: Vm, handle: int, owner: int, value: int, flags: int) -> int:
    m = _storage(vm, handle)
    if flags > 1 or not owner:
        return 0
    region = m.values.get(owner)
    if region is None:
        if not flags:
            return 0
        initial = vm.read(value, m.value_size) if value else bytes(m.value_size)
        region = m.values[owner] = Region(bytearray(initial), f"value of {m.name}")
    return vm.memory.address(region)


def task_storage_delete(vm: Vm, handle: int, owner: int) -> int:
    region = _storage(vm, handle).values.pop(owner, None)
    if region is None:
        return ENOENT
    vm.discard([region])
    return 0


def _ring(vm: Vm, handle: int) -> RingBuf:
    m = vm.map_at(handle)
    if not isinstance(m, RingBuf):
        raise VmFault(f"{m.name} is no ring buffer")
    return m


def ringbuf_reserve(vm: Vm, handle: int, size: int, flags: int) -> int:
    ring = _ring(vm, handle)
    region = None if flags else ring.reserve(size)
    if region is None:
        return 0
    address = vm.memory.address(region)
    vm.reserved[address] = ring
    return address


def _finish(vm: Vm, record: int, discard: bool) -> int:
    ring = vm.reserved.pop(record, None)
    if ring is None:
        raise VmFault(f"{record:#x} is no reserved record")
    region = vm.memory.regions[record >> 32]
    ring.finish(region, discard)
    vm.memory.drop(region)
    return 0


def ringbuf_submit(vm: Vm, record: int, _flags: int) -> int:
    return _finish(vm, record, False)


def ringbuf_discard(vm: Vm, record: int, _flags: int) -> int:
    return _finish(vm, record, True)


def ringbuf_output(vm: Vm, handle: int, data: int, size: int, flags: int) -> int:
    ring = _ring(vm, handle)
    if flags & ~3:
        return _EINVAL
    content = vm.read(data, size)
    region = ring.reserve(size)
    if region is None:
        return _EAGAIN
    region.data[:] = content
    ring.finish(region, False)
    return 0


def ringbuf_query(vm: Vm, handle: int, flags: int) -> int:
    ring = _ring(vm, handle)
    return {0: ring.pending(), 1: ring.max_entries, 2: ring.consumed, 3: ring.produced}.get(flags, 0)


def perf_event_output(vm: Vm, _ctx: int, handle: int, flags: int, data: int, size: int) -> int:
    m = vm.map_at(handle)
    if not isinstance(m, PerfEventArray):
        raise VmFault(f"{m.name} is no perf event array")
    cpu = flags & M32
    if flags >> 32:
        return _EINVAL
    m.events.append((vm.world.cpu if cpu == _CURRENT_CPU else cpu, vm.read(data, size)))
    return 0


def _frames(vm: Vm, flags: int) -> list[int]:
    frames = vm.world.user_stack if flags & _F_USER_STACK else vm.world.kernel_stack
    return frames[flags & _F_SKIP :]


def get_stack(vm: Vm, _ctx: int, buf: int, size: int, flags: int) -> int:
    size &= M32
    if flags & ~(_F_SKIP | _F_USER_STACK):
        return _EINVAL
    frames = _frames(vm, flags)
    if size % 8 or not frames:
        vm.write(buf, bytes(size))
        return _EINVAL if size % 8 else _EFAULT
    data = b"".join(f.to_bytes(8, "little") for f in frames)[:size]
    vm.write(buf, data.ljust(size, b"\0"))
    return len(data)


def get_stackid(vm: Vm, _ctx: int, handle: int, flags: int) -> int:
    m = vm.map_at(handle)
    if not isinstance(m, StackTrace) or flags & ~(_F_SKIP | _F_USER_STACK | _F_FAST_CMP | _F_REUSE):
        return _EINVAL
    frames = _frames(vm, flags)[: m.value_size // 8]
    if not frames:
        return _EFAULT
    for number, known in m.stacks.items():
        if known == frames:
            return number
    if len(m.stacks) >= m.max_entries:
        return _EEXIST
    number = len(m.stacks)
    m.stacks[number] = frames
    return number
