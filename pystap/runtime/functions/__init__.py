"""The builtins' bodies in the user stage, by area; `body(name, context)` finds one.

A module has its pure bodies in PURE (name -> function), and in `bind(context)` those that need the run: a dict
of the same kind. MODULES says which module has a name; a test compares it with `builtins.TABLE`.
Bodies of builtins that may fault take one argument more, the place for the error.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context

_AREAS: dict[str, str] = {
    "strings": (
        "strlen substr stringat isinstr str_find str_replace strtol text_str text_strn json_text toupper tolower buf_str "
        "text_of_int struct_text address_of args_text str_trailer text_bytes text_room buf_cut strncmp buf_quoted wide_text "
        "word_at env_text buf_part buf_word word_bytes"
    ),
    "matching": "tokenize str_match matched match_groups",
    "clock": "ktime_ns boottime_ns realtime_ns tai_ns jiffies cycles random_u32 ctime tz_ctime strftime strftime_boot "
    "tz_gmtoff tz_name",
    "net": "bswap16 bswap32 bswap64 ntohs ntohl ntohll htons htonl htonll ip4_text ip6_text mac_text macaddr_text",
    "names": (
        "errno_str errno_name strerror signal_name enum_name enum_text user_name cgroup_path syscall_name syscall_num "
        "syscall_tracepoint gfp_flags rwbs_text function_name function_place"
    ),
    "stacks": (
        "symname symdata ksym usym_text stack_text kstack_text ustack_text stack_len print_backtrace_text kernel_addr "
        "stack_frame ustack_brief usym_part print_ubacktrace_text user_module "
        "user_build_id user_module_place kernel_module"
    ),
    "indentation": "thread_indent indent",
    "process": (
        "pid tid ppid uid euid gid egid pgrp sid cpu numa_node ns_pid execname pexecname task_current cgroup_id user_mode "
        "register is_return probe_number frame_address is_running kernel_stack user_stack pid2task ncpus comm_of "
        "socket_cookie tracer_pid tracer_uid load_average user_registers"
    ),
    "floats": "fp fp_text fp_value",
    "actions": "switch_file system send_signal ftrace printk cat_file begin_event end_event",
}
MODULES: dict[str, str] = {name: area for area, names in _AREAS.items() for name in names.split()}


def body(name: str, context: Context) -> Callable[..., Any]:
    """The body of a builtin for one run."""
    area = MODULES[name]
    module = __import__(f"{__package__}.{area}", None, None, ("PURE",))
    pure = module.PURE.get(name)
    if pure is not None:
        return pure  # type: ignore[no-any-return]
    bound = context.bodies.get(area)
    if bound is None:
        bound = context.bodies[area] = module.bind(context)
    return bound[name]  # type: ignore[no-any-return]
