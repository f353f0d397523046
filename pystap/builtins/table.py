"""TABLE: name -> Builtin, built from one small module for each area."""

from __future__ import annotations

from ..node import Node


class Builtin(Node):
    """One builtin.

    args: a letter for each operand (i i64, s str, b buf, a any; a last `*` = any more).
    result: "i", "s", "b" or "" (none).
    place: "k" kernel context only; "ku" both; "u" user stage only.
    effects: "" pure; "ctx" reads the event's context or the current task; "clock"; "state" keeps state in
        the user stage; "output"; "fault" may raise; "danger" needs -g or --unsafe. Several in one string.
    size: for a str result made in the kernel: bytes of its buffer, with the NUL (16 for a command name).
    injective: for a pure function rendered from captured operands: different operands give different
        texts, so that a map keyed by the operands is a map keyed by the text.
    """

    args: str
    result: str
    place: str
    effects: str = ""
    size: int = 0
    injective: bool = False


def _many(names: str, entry: Builtin) -> dict[str, Builtin]:
    return dict.fromkeys(names.split(), entry)


CONTEXT: dict[str, Builtin] = {
    # the current task; in a user handler they describe the tracer itself
    **_many("pid tid ppid uid euid gid egid pgrp sid cpu", Builtin("", "i", "k", "ctx")),
    "ns_pid": Builtin("", "i", "k", "ctx"),
    "execname": Builtin("", "s", "k", "ctx", size=16),
    "pexecname": Builtin("", "s", "k", "ctx", size=16),
    "task_current": Builtin("", "i", "k", "ctx"),
    "cgroup_id": Builtin("", "i", "k", "ctx"),
    "numa_node": Builtin("", "i", "k", "ctx"),
    "user_mode": Builtin("", "i", "k", "ctx"),  # needs registers
    "register": Builtin("s", "i", "k", "ctx fault"),
    "user_registers": Builtin(
        "", "i", "k", "ctx"
    ),  # where the current task's registers of user space are kept
    "is_return": Builtin("", "i", "ku"),
    # of an event that is many functions: the number that stands for the function's name, above it its module's
    "probe_number": Builtin("", "i", "k", "ctx"),
    # of a function's entry and return: the place of the call on the stack; whether the state is RUNNING (staging/early.py)
    "frame_address": Builtin("", "i", "k", "ctx"),
    "is_running": Builtin("", "i", "k", "ctx"),
    # of a socket that is an argument of the event, as the kernel's types say: its number, made if there was none
    "socket_cookie": Builtin("i", "i", "k", "ctx"),
    # stacks: buf of captured frames; rendered by stack_text
    "kernel_stack": Builtin("i", "b", "k", "ctx"),
    "user_stack": Builtin("i", "b", "k", "ctx"),
}

CLOCKS: dict[str, Builtin] = {
    "ktime_ns": Builtin("", "i", "ku", "clock"),  # CLOCK_MONOTONIC
    "boottime_ns": Builtin("", "i", "ku", "clock"),
    "realtime_ns": Builtin("", "i", "ku", "clock"),  # CLOCK_REALTIME
    "tai_ns": Builtin("", "i", "ku", "clock"),
    "jiffies": Builtin("", "i", "ku", "clock"),
    "cycles": Builtin("", "i", "ku", "clock"),
    "random_u32": Builtin("", "i", "ku", "clock"),
}

# pure functions that the kernel stage has code for too
NUMBERS: dict[str, Builtin] = {
    **_many("bswap16 bswap32 bswap64 ntohs ntohl ntohll htons htonl htonll", Builtin("i", "i", "ku")),
}

# rendered in the user stage from what the kernel captured
RENDERED: dict[str, Builtin] = {
    "ip4_text": Builtin("i", "s", "u", injective=True),  # 32 bits as they lie in memory (network order)
    "ip6_text": Builtin("b", "s", "u", injective=True),  # 16 bytes
    "mac_text": Builtin("b", "s", "u", injective=True),  # 6 bytes, aa:bb:cc:dd:ee:ff
    "symname": Builtin("i", "s", "u"),  # kernel symbol of an address, 0x.. when unknown
    "symdata": Builtin("i", "s", "u"),  # name+0xoff/0xsize [module]
    "ksym": Builtin("i", "s", "u"),  # bpftrace's: name, or the address
    "stack_text": Builtin("b*", "s", "u"),  # frames as text; more operands: the form, the traced function
    "syscall_name": Builtin("i", "s", "u", injective=True),  # this ABI's name, "unknown_N" if none
    "function_name": Builtin("i", "s", "u", injective=True),  # what a number of probe_number stands for
    "function_place": Builtin("i", "s", "u", injective=True),  # what pp() gives where probe_number is this
    "errno_str": Builtin("i", "s", "u", injective=True),
    "errno_name": Builtin("i", "s", "u", injective=True),
    "signal_name": Builtin("i", "s", "u", injective=True),
    "enum_name": Builtin("is", "s", "u"),  # value, "enum name": its enumerator, or the number
    "ctime": Builtin("i", "s", "u", injective=True),
    "tz_ctime": Builtin("i", "s", "u"),
    "strftime": Builtin("si", "s", "u"),  # format, ns of CLOCK_REALTIME
    "user_name": Builtin("i", "s", "u"),
    "cgroup_path": Builtin("i", "s", "u"),
    "text_of_int": Builtin("i", "s", "u", injective=True),  # decimal
}

STRINGS: dict[str, Builtin] = {
    "strlen": Builtin("s", "i", "u"),
    "substr": Builtin("sii", "s", "u"),
    "stringat": Builtin("si", "i", "u", "fault"),
    "isinstr": Builtin("ss", "i", "u"),
    "str_find": Builtin("ss", "i", "u"),  # position or -1
    "str_replace": Builtin("sss", "s", "u"),
    "strtol": Builtin("si", "i", "u"),
    "text_str": Builtin("s", "s", "u"),  # escapes as \n, \ooo
    "text_strn": Builtin("sii", "s", "u"),
    "json_text": Builtin("s", "s", "u"),  # a JSON string, with its quotes; what is not UTF-8 is replaced
    "tokenize": Builtin("ss", "s", "u", "state"),
    "str_match": Builtin("ss", "i", "u", "state"),  # =~ with a constant pattern; sets matched()
    "matched": Builtin("i", "s", "u", "state fault"),
    "match_groups": Builtin("", "i", "u", "state fault"),
    "toupper": Builtin("s", "s", "u"),
    "tolower": Builtin("s", "s", "u"),
    "buf_str": Builtin("b", "s", "u"),  # bytes up to the first NUL
    "struct_text": Builtin("bs", "s", "u"),  # memory, and its form as sema.stp.pretty describes it
    "buf_quoted": Builtin("bii", "s", "u"),  # bytes, how many, most of the text: in quotes, with escapes
    # bytes, how many, those behind them, how many, width of a character: UTF-16 or UTF-32 up to a 0, as UTF-8
    "wide_text": Builtin("bibii", "s", "u", "fault"),
    "word_at": Builtin("si", "s", "u"),  # a word among those between blanks, from 0; "" behind the last
}

STATE: dict[str, Builtin] = {
    # operands: delta, tid, comm, microseconds since the thread's first line are kept here
    "thread_indent": Builtin("iisi", "s", "u", "state"),  # delta, tid, execname, now in us
    "indent": Builtin("ii", "s", "u", "state"),  # delta, now in us
    "system": Builtin("s", "", "u", "output danger"),
    "send_signal": Builtin(
        "iii", "", "u", "output danger"
    ),  # to a process, or one thread of it unless that is 0
    "ftrace": Builtin("s", "", "u", "output"),
    "pid2task": Builtin("i", "i", "u", "clock"),
    "kernel_addr": Builtin("s", "i", "u", "fault"),  # address of a kernel symbol (kaddr, @var)
    "print_backtrace_text": Builtin("b*", "", "u", "output"),  # frames, the traced function
    "print_ubacktrace_text": Builtin("bi", "", "u", "output"),  # frames, process id
    # where the words begin and end in the bytes, first and last word, what is put between, the bytes in hexadecimal
    "args_text": Builtin("iiiisss", "s", "u"),
    "address_of": Builtin("s", "i", "u"),  # hexadecimal digits, all 64 bits
    "stack_frame": Builtin(
        "bi*", "i", "u"
    ),  # the address of a frame, 0 where there is none; the traced function
    "ustack_brief": Builtin("bi", "s", "u"),  # frames, process id: a line for each, name+offset or address
    "tracer_pid": Builtin("", "i", "u"),
    "tracer_uid": Builtin("", "i", "u"),
    "syscall_num": Builtin("s", "i", "u"),  # this ABI's number of a system call, -1 if it has none
    "switch_file": Builtin("", "", "u", "output"),  # the output goes on in the next file (-S)
    "printk": Builtin("is", "", "u", "output"),  # level, message: into the kernel's log
    # floating point numbers as their bits: what is done, one or two of them
    "fp": Builtin("sii", "i", "u"),
    "fp_text": Builtin("ii", "s", "u"),  # number, digits behind the point
    "fp_value": Builtin("s", "i", "u"),
    # an address of a process, and its number: the mapped file's name, its build id, the place in it
    "user_module": Builtin("ii", "s", "u", "fault"),
    "user_build_id": Builtin("ii", "s", "u", "fault"),
    "user_module_place": Builtin("ii", "i", "u", "fault"),
    "kernel_module": Builtin("i", "s", "u", "fault"),  # the module that an address is of, or "kernel"
    # the environment's first bytes, how many there are in all, process, name of the variable
    "env_text": Builtin("biis", "s", "u"),
    "load_average": Builtin("i", "i", "u", "clock"),  # of 1, 5, 15 minutes; 11 bits behind the point
    "tz_gmtoff": Builtin("", "i", "u"),  # seconds west of UTC, now
    "tz_name": Builtin("", "s", "u"),
}

TABLE: dict[str, Builtin] = {**CONTEXT, **CLOCKS, **NUMBERS, **RENDERED, **STRINGS, **STATE}

# bpftrace's own
BPFTRACE: dict[str, Builtin] = {
    "ncpus": Builtin("", "i", "u"),  # CPUs of this machine
    "enum_text": Builtin("is", "s", "u"),  # value, "0=A;5=B": the name of the value, else the number
    "cat_file": Builtin("si", "", "u", "output"),  # prints a file's content, so many bytes at most
    # around output that is one event of this kind in JSON
    "begin_event": Builtin("s", "", "u", "output"),
    "end_event": Builtin("", "", "u", "output"),
    # "sys_enter" or "sys_exit", number: tracepoint:syscalls:sys_enter_openat
    "syscall_tracepoint": Builtin("si", "s", "u", injective=True),
    "strncmp": Builtin("ssi", "i", "u"),
    "strerror": Builtin("i", "s", "u", injective=True),
    "strftime_boot": Builtin("si", "s", "u"),  # format, ns since boot
    "macaddr_text": Builtin("b", "s", "u", injective=True),  # 6 bytes, AA:BB:CC:DD:EE:FF
    "usym_part": Builtin("iis", "s", "u"),  # address, process id: its "name", "data" or "file"
    "usym_text": Builtin("ii", "s", "u"),  # address, process id: the symbol, 0x.. when unknown
    "kstack_text": Builtin("bs*", "s", "u"),  # frames, mode (bpftrace perf raw build_id), indent
    "ustack_text": Builtin("bis*", "s", "u"),  # frames, process id, mode, indent
    "text_bytes": Builtin("s", "b", "u"),  # the bytes of a constant
    "text_room": Builtin("si", "b", "u"),  # a string in so many bytes, cut or with zeros behind it
    "buf_cut": Builtin("bi", "b", "u"),  # the first bytes
    "buf_part": Builtin("bii", "b", "u"),  # so many bytes from a place on
    "buf_word": Builtin("bii", "i", "u"),  # an unsigned number at a place, of so many bytes
    "word_bytes": Builtin("ii", "b", "u"),  # the bytes of a number
    "comm_of": Builtin("i", "s", "u", "clock"),  # the name of a process by its id
    # a string, the bytes that it had room for, what is put behind one that fills them
    "str_trailer": Builtin("sis", "s", "u"),
    "stack_len": Builtin("b", "i", "u"),  # how many frames
    # a block request's flags; "18=F|0=R;1=W|11=S": bits before the operation's letters, operations, bits behind
    "rwbs_text": Builtin("is", "s", "u"),
    "gfp_flags": Builtin("i", "s", "u", injective=True),  # GFP_KERNEL|__GFP_ZERO
}
TABLE.update(BPFTRACE)
