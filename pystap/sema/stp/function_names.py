"""Functions of SystemTap's library that ours doesn't have: what each would need."""

from __future__ import annotations

# names, why they can't be there, what would do instead
_NEVER: tuple[tuple[str, str, str], ...] = (
    ("mdelay udelay", "a BPF program can't wait, and must not hold up the kernel", ""),
    ("panic", "a BPF program can't stop the kernel", 'system("echo c > /proc/sysrq-trigger") with -g does'),
    (
        "set_kernel_char set_kernel_int set_kernel_long set_kernel_pointer set_kernel_short set_kernel_string "
        "set_kernel_string_n",
        "the kernel lets no BPF program write to its memory: that takes a kernel module",
        "",
    ),
    (
        "set_int_arg set_long_arg set_longlong_arg set_pointer_arg set_s32_arg set_s64_arg set_u32_arg set_u64_arg "
        "set_uint_arg set_ulong_arg set_ulonglong_arg",
        "a BPF program can't change the arguments of what it probes: that takes a kernel module",
        "",
    ),
    (
        "print_java_backtrace sprint_java_backtrace",
        "it needs an agent in the Java machine, which comes with SystemTap",
        "print_ubacktrace() shows the machine's own frames",
    ),
    (
        "json_add_array json_add_array_numeric_metric json_add_array_string_metric json_add_numeric_metric "
        "json_add_string_metric json_set_prefix",
        "the metrics are read through procfs probes, and a file of /proc takes a kernel module",
        "print them from a timer: -f json makes JSON lines of all output",
    ),
    (
        "cve_count_metric cve_record_metric cve_tmpdisable",
        "the metrics are read, and the script is switched, through procfs probes, and a file of /proc takes a kernel "
        "module",
        "count in a global: what it holds is printed at the end",
    ),
)
NOT_YET = (
    "set_user_char set_user_int set_user_long set_user_pointer set_user_short set_user_string set_user_string_arg "
    "set_user_string_n"
)


def why_not(name: str) -> tuple[str, str, str] | None:
    """Return (code, words, hint) for a function of SystemTap's that is not there, or None for an unknown name."""
    for names, why, hint in _NEVER:
        if name in names.split():
            return "E406", f"{name}() can't be done here: {why}", hint
    if name in NOT_YET.split():
        return "E405", f"not supported yet: the function '{name}'", ""
    return None
