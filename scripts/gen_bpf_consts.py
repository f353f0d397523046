#!/usr/bin/env python3
"""Writes `pystap/bpf/consts_gen.py` and `pystap/bpf/helpers_gen.py`.

Numbers come from the enums in the running kernel's BTF; the helpers' parameters
from the prototypes in the comments of `<linux/bpf.h>` (BTF has no prototype for
the helpers that are compiled without BPF_CALL_n); the helpers that the header of
6.1 is too old for are written out in `main`. Run it on the newest kernel at hand.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = Path("/usr/include/linux/bpf.h")
BTF = Path("/sys/kernel/btf/vmlinux")

# Named enums, and for anonymous ones a member that finds them.
NAMED = [
    "bpf_cmd",
    "bpf_map_type",
    "bpf_prog_type",
    "bpf_attach_type",
    "bpf_link_type",
    "bpf_stats_type",
    "bpf_task_fd_type",
    "bpf_perf_event_type",
    "bpf_cgroup_iter_order",
    "bpf_stack_build_id_status",
    "btf_func_linkage",
    "perf_type_id",
    "perf_sw_ids",
    "perf_hw_id",
    "perf_hw_cache_id",
    "perf_hw_cache_op_id",
    "perf_hw_cache_op_result_id",
    "perf_event_sample_format",
    "perf_event_read_format",
    "perf_event_type",
    "perf_callchain_context",
    "perf_event_ioc_flags",
]
BY_MEMBER = [
    "BPF_ANY",
    "BPF_F_NO_PREALLOC",
    "BPF_F_INDEX_MASK",
    "BPF_F_USER_STACK",
    "BPF_RB_NO_WAKEUP",
    "BPF_RB_AVAIL_DATA",
    "BPF_RINGBUF_BUSY_BIT",
    "BPF_LOCAL_STORAGE_GET_F_CREATE",
    "BPF_F_KPROBE_MULTI_RETURN",
    "BPF_F_UPROBE_MULTI_RETURN",
    "BPF_MAX_LOOPS",
    "BTF_KIND_INT",
    "BTF_F_COMPACT",
]

Enums = list[tuple[str, list[tuple[str, int]]]]
Protos = dict[str, tuple[str, list[tuple[str, str]]]]

# Bytes behind the 12-byte header of each BTF kind: (fixed, per member).
SIZES = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12)}
SIZES |= {17: (4, 0), 19: (0, 12)}


def read_enums(data: bytes) -> Enums:
    """Return every enum of a BTF blob with its members."""
    hdr_len, type_off, type_len, str_off, _ = struct.unpack_from("<IIIII", data, 4)
    strings = hdr_len + str_off

    def name(off: int) -> str:
        start = strings + off
        return data[start : data.index(b"\0", start)].decode()

    at, end = hdr_len + type_off, hdr_len + type_off + type_len
    found: Enums = []
    while at < end:
        name_off, info, _ = struct.unpack_from("<III", data, at)
        kind, vlen = info >> 24 & 31, info & 0xFFFF
        at += 12
        fixed, each = SIZES.get(kind, (0, 0))
        if kind == 6:
            form = "<Ii" if info >> 31 else "<II"
            members = [(name(n), v) for n, v in struct.iter_unpack(form, data[at : at + 8 * vlen])]
            found.append((name(name_off), members))
        elif kind == 19:
            raw = struct.iter_unpack("<III", data[at : at + 12 * vlen])
            found.append((name(name_off), [(name(n), lo | hi << 32) for n, lo, hi in raw]))
        at += fixed + each * vlen
    return found


def pick(enums: Enums) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the wanted enums in the order of the lists above."""
    out = [(wanted, next(m for n, m in enums if n == wanted)) for wanted in NAMED]
    for member in BY_MEMBER:
        members = next(m for _, m in enums if any(n == member for n, _ in m))
        out.append((f"with {member}", members))
    return out


def header_protos(text: str) -> Protos:
    """Return {helper: (return type, [(type, name)])} from the comments of the header."""
    joined = re.sub(r"\(([^()]*?)\n \*[ \t]+", r"(\1 ", text)
    protos: Protos = {}
    for ret, name, params in re.findall(r"^ \* ([a-z][\w ]*?[ *]+)bpf_(\w+)\(([^()]*)\)$", joined, re.M):
        if name in protos:
            continue
        parsed = []
        for param in params.split(","):
            param = " ".join(param.split())
            if param in ("void", ""):
                continue
            match = re.fullmatch(r"(.*?[ *])(\w+)", param)
            parsed.append((match[1].strip(), match[2]) if match else (param, ""))
        protos[name] = (ret.strip(), parsed)
    return protos


def kind_of(ctype: str, name: str, before: list[str], helper: str) -> str:
    """Return the short kind of one parameter; `before` has the kinds of those before it."""
    if ctype == "...":
        return "..."
    if "*" not in ctype:
        sized = before and before[-1] in ("mem", "out", "addr", "btf") and re.search(r"si?ze?|len", name)
        return "const" if helper == "ringbuf_reserve" and name == "size" else "size" if sized else "int"
    if "struct bpf_map" in ctype or name == "ringbuf":
        return "map"
    if name in ("ctx", "skops", "skb", "xdp_md", "regs", "msg"):
        return "ctx"
    if name in ("key", "value") and "map" in before and "pop" not in helper and "peek" not in helper:
        return name
    if name.startswith("callback"):
        return "any" if name.endswith("ctx") else "func"
    if name in ("unsafe_ptr", "user_ptr", "percpu_ptr"):
        return "addr"
    if "struct bpf_dynptr" in ctype:
        return "dynptr"
    if re.search(r"struct (task_struct|file|path|inode|socket|sock|cgroup|btf_ptr|seq_file)\b", ctype):
        return "btf"
    if helper in ("ringbuf_submit", "ringbuf_discard"):
        return "record"
    return "mem" if "const" in ctype or name in ("data", "src") else "out"


def signature(helper: str, proto: tuple[str, list[tuple[str, str]]]) -> tuple[tuple[str, ...], str]:
    """Return (parameter kinds, return kind)."""
    ret, params = proto
    kinds: list[str] = []
    for ctype, name in params:
        kinds.append(kind_of(ctype, name, kinds, helper))
    if "*" in ret:
        return tuple(kinds), "ptr"
    return tuple(kinds), {"void": "void", "u64": "u64", "u32": "u32"}.get(ret, "int")


def kernel_release() -> str:
    """Return the version of the running kernel, without its local part."""
    return Path("/proc/sys/kernel/osrelease").read_text().split("-")[0]


def write_consts(chosen: Enums) -> None:
    """Write consts_gen.py."""
    lines = [
        '"""Constants of bpf(2), perf_event_open(2) and BTF.',
        "",
        f"Generated by scripts/gen_bpf_consts.py from the BTF of Linux {kernel_release()}. Do not edit.",
        '"""',
        "",
    ]
    seen: set[str] = set()
    for title, members in chosen:
        lines.append(f"# enum {title}" if " " not in title else f"# the enum {title}")
        for name, value in members:
            if name not in seen and not name.startswith("__"):
                seen.add(name)
                text = f"0x{value:X}" if value > 0xFFFF else str(value)
                lines.append(f"{name} = {text}")
        lines.append("")
    (ROOT / "pystap/bpf/consts_gen.py").write_text("\n".join(lines).rstrip() + "\n")


def write_helpers(ids: list[tuple[str, int]], protos: Protos) -> None:
    """Write helpers_gen.py."""
    lines = [
        '"""The helper functions: {name: (id, kinds of the parameters, kind of the result)}.',
        "",
        f"Generated by scripts/gen_bpf_consts.py: ids from the BTF of Linux {kernel_release()}, parameters",
        "from the prototypes in <linux/bpf.h>. Do not edit. `helpers.py` says what the kinds mean.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "HELPERS: dict[str, tuple[int, tuple[str, ...], str]] = {",
    ]
    for member, number in ids:
        name = member.removeprefix("BPF_FUNC_")
        if name == "unspec" or name.startswith("__"):
            continue
        proto = protos.get(name)
        if proto is None:
            sys.exit(f"no prototype for {name}")
        kinds, ret = signature(name, proto)
        inner = ", ".join(f'"{k}"' for k in kinds) + ("," if len(kinds) == 1 else "")
        lines.append(f'    "{name}": ({number}, ({inner}), "{ret}"),')
    lines.append("}")
    (ROOT / "pystap/bpf/helpers_gen.py").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Generate both files."""
    enums = read_enums(BTF.read_bytes())
    write_consts(pick(enums))
    protos = header_protos(HEADER.read_text())
    storage = [("struct bpf_map *", "map"), ("struct cgroup *", "cgroup")]
    protos.setdefault("cgrp_storage_get", ("void *", [*storage, ("void *", "value"), ("u64", "flags")]))
    protos.setdefault("cgrp_storage_delete", ("long", storage))
    ids = next(m for n, m in enums if n == "bpf_func_id")
    write_helpers(ids, protos)


if __name__ == "__main__":
    main()
