"""Macros that scripts use without defining them: those of the kernel's headers and of SystemTap's runtime.

MACROS: name -> (parameters or None, text). EMPTY: words that mean nothing here. INLINE: words for `inline`.
MEMBERS: names that headers define for members of structs; they are looked up behind `->` and `.` only.
"""

from __future__ import annotations

MACROS: dict[str, tuple[tuple[str, ...] | None, str]] = {
    "__attribute__": (("x",), ""),
    "__attribute": (("x",), ""),
    "__aligned": (("x",), ""),
    "likely": (("x",), "(x)"),
    "unlikely": (("x",), "(x)"),
    "__builtin_expect": (("x", "y"), "(x)"),
    "READ_ONCE": (("x",), "(x)"),
    "ACCESS_ONCE": (("x",), "(x)"),
    "rcu_dereference": (("x",), "(x)"),
    "rcu_dereference_raw": (("x",), "(x)"),
    "rcu_dereference_sched": (("x",), "(x)"),
    "rcu_dereference_check": (("x", "..."), "(x)"),
    "rcu_access_pointer": (("x",), "(x)"),
    "min": (("a", "b"), "((a) < (b) ? (a) : (b))"),
    "max": (("a", "b"), "((a) > (b) ? (a) : (b))"),
    "min_t": (("t", "a", "b"), "((t)(a) < (t)(b) ? (t)(a) : (t)(b))"),
    "max_t": (("t", "a", "b"), "((t)(a) > (t)(b) ? (t)(a) : (t)(b))"),
    "abs": (("x",), "((x) < 0 ? -(x) : (x))"),
    "ARRAY_SIZE": (("x",), "(sizeof(x) / sizeof((x)[0]))"),
    "BIT": (("n",), "(1UL << (n))"),
    "GENMASK": (("h", "l"), "(((~0UL) << (l)) & (~0UL >> (63 - (h))))"),
    "DIV_ROUND_UP": (("a", "b"), "(((a) + (b) - 1) / (b))"),
    "container_of": (("p", "t", "m"), "((t *)((char *)(p) - offsetof(t, m)))"),
    "list_entry": (("p", "t", "m"), "((t *)((char *)(p) - offsetof(t, m)))"),
    "hlist_entry": (("p", "t", "m"), "((t *)((char *)(p) - offsetof(t, m)))"),
    "KERNEL_VERSION": (("a", "b", "c"), "(((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))"),
    "IS_ERR": (("p",), "((unsigned long)(p) >= (unsigned long)-4095)"),
    "IS_ERR_VALUE": (("p",), "((unsigned long)(p) >= (unsigned long)-4095)"),
    "IS_ERR_OR_NULL": (("p",), "(!(p) || (unsigned long)(p) >= (unsigned long)-4095)"),
    "PTR_ERR": (("p",), "((long)(p))"),
    "MAJOR": (("d",), "((unsigned int)((d) >> 20))"),
    "MINOR": (("d",), "((unsigned int)((d) & 0xfffff))"),
    "S_ISREG": (("m",), "(((m) & 0xf000) == 0x8000)"),
    "S_ISDIR": (("m",), "(((m) & 0xf000) == 0x4000)"),
    "S_ISLNK": (("m",), "(((m) & 0xf000) == 0xa000)"),
    "S_ISSOCK": (("m",), "(((m) & 0xf000) == 0xc000)"),
    "S_ISCHR": (("m",), "(((m) & 0xf000) == 0x2000)"),
    "S_ISBLK": (("m",), "(((m) & 0xf000) == 0x6000)"),
    "S_ISFIFO": (("m",), "(((m) & 0xf000) == 0x1000)"),
    "current_cred": ((), "(current->cred)"),
    "current_uid": ((), "(current->cred->uid)"),
    "current_gid": ((), "(current->cred->gid)"),
    "current_euid": ((), "(current->cred->euid)"),
    "current_egid": ((), "(current->cred->egid)"),
    "from_kuid": (("ns", "uid"), "((uid).val)"),
    "from_kgid": (("ns", "gid"), "((gid).val)"),
    "from_kuid_munged": (("ns", "uid"), "((uid).val)"),
    "from_kgid_munged": (("ns", "gid"), "((gid).val)"),
    "__kuid_val": (("uid",), "((uid).val)"),
    "__kgid_val": (("gid",), "((gid).val)"),
    "time_after": (("a", "b"), "((long)((b) - (a)) < 0)"),
    "time_before": (("a", "b"), "((long)((a) - (b)) < 0)"),
}

_EMPTY = """
__user __kernel __iomem __rcu __percpu __force __bitwise __maybe_unused __used __unused __read_mostly __init
__exit __cold __hot __must_check __pure noinline notrace asmlinkage __randomize_layout __restrict
"""
EMPTY = frozenset(_EMPTY.split())
INLINE = frozenset(("__inline", "__inline__", "__always_inline"))

_COMMON = "__sk_common."
_COMMON_MEMBERS = (
    "node nulls_node refcnt tx_queue_mapping dontcopy_begin dontcopy_end hash portpair num dport addrpair daddr "
    "rcv_saddr family state reuse reuseport ipv6only net_refcnt bound_dev_if bind_node prot net v6_daddr "
    "v6_rcv_saddr cookie incoming_cpu flags rxhash"
)
MEMBERS: dict[str, str] = {
    **{f"sk_{name}": f"{_COMMON}skc_{name}" for name in _COMMON_MEMBERS.split()},
    "inet_daddr": "sk.__sk_common.skc_daddr",
    "inet_rcv_saddr": "sk.__sk_common.skc_rcv_saddr",
    "inet_dport": "sk.__sk_common.skc_dport",
    "inet_num": "sk.__sk_common.skc_num",
    "s6_addr": "in6_u.u6_addr8",
    "s6_addr16": "in6_u.u6_addr16",
    "s6_addr32": "in6_u.u6_addr32",
    "f_dentry": "f_path.dentry",
    "f_vfsmnt": "f_path.mnt",
}
"""Members that are macros in the kernel's headers, since 2.6.31 and before."""
