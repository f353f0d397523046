"""The interpreter's helper functions: `HELPER_FN[name](vm, *args) -> int`.

Results may be negative (errno); the machine makes them 64-bit. Memory arguments
must lie in the program's own memory, or the run faults; addresses for the
probe_read family may be anything.
"""

from __future__ import annotations

from ..insn import M32, M64
from . import helpers_maps as maps
from . import helpers_text as text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Vm

_EFAULT, _EINVAL, _EPERM = -14, -22, -1


def get_current_comm(vm: Vm, buf: int, size: int) -> int:
    size &= M32
    if size:
        vm.write(buf, vm.world.comm[: min(size - 1, 15)].ljust(size, b"\0"))
    return 0


def get_func_arg(vm: Vm, _ctx: int, index: int, value: int) -> int:
    args = vm.world.func_args
    found = args[index & M32] if index & M32 < len(args) else None
    vm.write(value, (found or 0).to_bytes(8, "little"))
    return _EINVAL if found is None else 0


def get_func_ret(vm: Vm, _ctx: int, value: int) -> int:
    vm.write(value, (vm.world.func_ret & M64).to_bytes(8, "little"))
    return 0


def send_signal(vm: Vm, signal: int) -> int:
    vm.world.signals.append(signal & M32)
    return 0


def per_cpu_ptr(vm: Vm, address: int, cpu: int) -> int:
    cpu &= M32
    if cpu >= vm.world.cpus:
        return 0
    places = vm.world.percpu.get(address)
    return address if places is None else places[cpu]


def this_cpu_ptr(vm: Vm, address: int) -> int:
    return per_cpu_ptr(vm, address, vm.world.cpu)


def jiffies64(vm: Vm) -> int:
    return vm.world.now() // 4_000_000


def _probe(vm: Vm, to: int, size: int, address: int, user: bool) -> int:
    size &= M32
    data = vm.memory.peek(address, size, user) if size else b""
    vm.write(to, bytes(size) if data is None else data)
    return _EFAULT if data is None else 0


def _probe_str(vm: Vm, to: int, size: int, address: int, user: bool) -> int:
    size &= M32
    if not size:
        return 0
    # The whole buffer must be the program's, however short the string.
    vm.memory.find(to, size, write=True)
    found = vm.memory.peek_str(address, size - 1, user)
    vm.write(to, bytes(size) if found is None else found + b"\0")
    return _EFAULT if found is None else len(found) + 1


def copy_from_user_task(vm: Vm, to: int, size: int, address: int, _task: int, flags: int) -> int:
    return _EINVAL if flags else _probe(vm, to, size, address, True)


def probe_write_user(vm: Vm, to: int, data: int, size: int) -> int:
    return 0 if vm.memory.user.write(to, vm.read(data, size & M32)) else _EPERM


HELPER_FN: dict[str, Callable[..., int]] = {
    "map_lookup_elem": maps.map_lookup_elem,
    "map_lookup_percpu_elem": maps.map_lookup_percpu_elem,
    "map_update_elem": maps.map_update_elem,
    "map_delete_elem": maps.map_delete_elem,
    "map_push_elem": maps.map_push_elem,
    "map_pop_elem": maps.map_pop_elem,
    "map_peek_elem": maps.map_peek_elem,
    "for_each_map_elem": maps.for_each_map_elem,
    "loop": maps.loop,
    "task_storage_get": maps.task_storage_get,
    "task_storage_delete": maps.task_storage_delete,
    "cgrp_storage_get": maps.task_storage_get,
    "cgrp_storage_delete": maps.task_storage_delete,
    "ringbuf_reserve": maps.ringbuf_reserve,
    "ringbuf_submit": maps.ringbuf_submit,
    "ringbuf_discard": maps.ringbuf_discard,
    "ringbuf_output": maps.ringbuf_output,
    "ringbuf_query": maps.ringbuf_query,
    "perf_event_output": maps.perf_event_output,
    "ktime_get_ns": lambda vm: vm.world.now(),
    "ktime_get_coarse_ns": lambda vm: vm.world.now(),
    "ktime_get_boot_ns": lambda vm: vm.world.now() + vm.world.boot_offset,
    "ktime_get_tai_ns": lambda vm: vm.world.now() + vm.world.tai_offset,
    "jiffies64": jiffies64,
    "get_prandom_u32": lambda vm: vm.world.next_random(),
    "get_smp_processor_id": lambda vm: vm.world.cpu,
    "get_numa_node_id": lambda vm: vm.world.numa_node,
    "get_current_pid_tgid": lambda vm: vm.world.pid << 32 | vm.world.tid,
    "get_current_uid_gid": lambda vm: vm.world.gid << 32 | vm.world.uid,
    "get_current_comm": get_current_comm,
    "get_current_task": lambda vm: vm.world.task,
    "get_current_task_btf": lambda vm: vm.world.task,
    "task_pt_regs": lambda vm, _task: vm.world.registers,
    "get_current_cgroup_id": lambda vm: vm.world.cgroup_id,
    "get_func_ip": lambda vm, _ctx: vm.world.func_ip,
    "get_attach_cookie": lambda vm, _ctx: vm.world.cookie,
    "get_func_arg": get_func_arg,
    "get_func_ret": get_func_ret,
    "get_func_arg_cnt": lambda vm, _ctx: len(vm.world.func_args),
    "send_signal": send_signal,
    "send_signal_thread": send_signal,
    "per_cpu_ptr": per_cpu_ptr,
    "this_cpu_ptr": this_cpu_ptr,
    "spin_lock": lambda vm, _lock: 0,
    "spin_unlock": lambda vm, _lock: 0,
    "probe_read": lambda vm, to, size, at: _probe(vm, to, size, at, False),
    "probe_read_kernel": lambda vm, to, size, at: _probe(vm, to, size, at, False),
    "probe_read_user": lambda vm, to, size, at: _probe(vm, to, size, at, True),
    "probe_read_str": lambda vm, to, size, at: _probe_str(vm, to, size, at, False),
    "probe_read_kernel_str": lambda vm, to, size, at: _probe_str(vm, to, size, at, False),
    "probe_read_user_str": lambda vm, to, size, at: _probe_str(vm, to, size, at, True),
    "copy_from_user": lambda vm, to, size, at: _probe(vm, to, size, at, True),
    "copy_from_user_task": copy_from_user_task,
    "probe_write_user": probe_write_user,
    "get_stack": maps.get_stack,
    "get_stackid": maps.get_stackid,
    "snprintf": text.snprintf,
    "trace_printk": text.trace_printk,
    "trace_vprintk": text.trace_vprintk,
    "seq_printf": text.seq_printf,
    "seq_write": text.seq_write,
    "strncmp": text.strncmp,
    "strtol": text.strtol,
    "strtoul": text.strtoul,
    "kallsyms_lookup_name": text.kallsyms_lookup_name,
}
