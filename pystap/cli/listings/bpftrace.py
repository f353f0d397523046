"""bpftrace's -l and -lv: probes as provider:...:name, with their arguments; structs with their members."""

from __future__ import annotations

from ...btf import types as t
from ...btf.kinds import G_FUNC, G_STRUCT
from ...btf.spelling import declare, type_name
from ...probes.bt_perf import HARDWARE_EVENTS, SOFTWARE_EVENTS
from ...probes.iter import arguments_of
from ...sema.bt.points_many import KERNEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...btf import Btf
    from ...sema.target import Target
    from ..arguments import Arguments

_SHORT = {
    "t": "tracepoint",
    "rt": "rawtracepoint",
    "k": "kprobe",
    "f": "fentry",
    "kfunc": "fentry",
    "kr": "kretprobe",
    "fr": "fexit",
    "kretfunc": "fexit",
    "s": "software",
    "h": "hardware",
    "it": "iter",
}
# Probes of the tracer's own, that are there on any machine, are no part of a listing.
_PROVIDERS = (
    "fentry",
    "fexit",
    "hardware",
    "iter",
    "kprobe",
    "kretprobe",
    "rawtracepoint",
    "software",
    "tracepoint",
)
_WITH_MODULE = {"fentry", "fexit", "kprobe", "kretprobe", "rawtracepoint"}
_ALIKE = {"fexit", "kretprobe"}  # listed when they are asked for by name only


def listing(
    pattern: str, btf: Btf, systems: Mapping[str, str], verbose: bool, target: Target | None = None
) -> list[str]:
    """Return the lines of `-l pattern`; the target tells the functions of loaded modules."""
    word, _, name = pattern.partition(" ")
    if word in ("struct", "union", "enum") and name:
        return _types(btf, word, name.strip(), verbose)
    out: list[str] = []
    seen: set[str] = set()
    for part in pattern.split(","):
        for probe in _probes(part.strip(), btf, systems, target):
            if probe in seen:
                continue
            seen.add(probe)
            out.append(probe)
            if verbose:
                out += [f"    {line}" for line in _arguments(probe, btf, target)]
    return out


def of_script(
    args: Arguments, btf: Btf, systems: Mapping[str, str], target: Target | None = None
) -> list[str] | None:
    """Return the probes of a script that `-l` was given by its text or its file, None for a pattern."""
    import os

    if args.script is None:
        name = args.pattern or args.file
        if not name or not os.path.isfile(name):
            return None
        args.file = name
    from ...diag import Bag, CompileError
    from ...lang.bt.parser import parse
    from ..main import read_script

    bag = Bag()
    tree = parse(read_script(args)[0], list(args.options.args), bag)
    if bag.errors:
        raise CompileError(bag.errors[0])
    out: list[str] = []
    for probe in tree.probes:
        for attach in probe.attach:
            found = [attach.name]
            if attach.provider in _PROVIDERS and attach.provider not in ("software", "hardware"):
                found = listing(attach.name, btf, systems, args.options.verbose > 0, target)
            out += [line for line in found if line not in out or line[:1] == " "]
    return out


def _probes(pattern: str, btf: Btf, systems: Mapping[str, str], target: Target | None) -> Iterator[str]:
    from fnmatch import fnmatchcase

    provider, colon, rest = pattern.partition(":")
    provider = _SHORT.get(provider, provider)
    if not colon and provider not in _PROVIDERS:
        wanted = pattern or "*"
        for one in _PROVIDERS:
            if one not in _ALIKE:
                yield from (p for p in _of(one, btf, systems, target) if fnmatchcase(p, wanted))
        return
    rest = rest or "*"
    for one in _PROVIDERS:
        if one != provider and (one in _ALIKE or not fnmatchcase(one, provider)):
            continue
        for probe in _of(one, btf, systems, target):
            full = probe.partition(":")[2].rstrip(":")
            # without a module all are meant, as when probing: of kprobe:tcp_*, fentry:tcp_reset, rawtracepoint
            short = full.rpartition(":")[2] if one in _WITH_MODULE and ":" not in rest else full
            if fnmatchcase(full, rest) or fnmatchcase(short, rest):
                yield probe
            elif one in _WITH_MODULE and ":" not in full and fnmatchcase(f"{KERNEL}:{full}", rest):
                yield f"{one}:{KERNEL}:{full}"  # where a module is asked for, the kernel is one


def _of(provider: str, btf: Btf, systems: Mapping[str, str], target: Target | None) -> list[str]:
    if provider in ("software", "hardware"):
        events = SOFTWARE_EVENTS if provider == "software" else HARDWARE_EVENTS
        return [f"{provider}:{name}:" for name in sorted(events)]
    if provider == "iter":
        return [f"iter:{name[10:]}" for name in sorted(btf.names(G_STRUCT, "bpf_iter__*"))]
    if provider == "rawtracepoint":
        return [f"rawtracepoint:vmlinux:{name}" for name in btf.tracepoints()]
    if provider == "tracepoint":
        return sorted(f"tracepoint:{system}:{name}" for name, system in _tracepoints(btf, systems).items())
    between = "vmlinux:" if provider in ("fentry", "fexit") else ""
    modules = (
        target.functions.matching("*", "*") if target is not None and target.functions is not None else []
    )
    own = [f"{provider}:{between}{name}" for name in btf.names(G_FUNC, "*")]
    return own + sorted({f"{provider}:{module}:{name}" for module, name, _ in modules if module})


def _tracepoints(btf: Btf, systems: Mapping[str, str]) -> Mapping[str, str]:
    if systems:
        return systems
    from ...probes.tracepoints.subsystems import subsystem_of

    return {name: subsystem_of(name) or "*" for name in btf.tracepoints()}


def _arguments(probe: str, btf: Btf, target: Target | None) -> list[str]:
    """Return the arguments of a probe, one a line."""
    provider, _, rest = probe.partition(":")
    name = rest.rpartition(":")[2]
    if provider == "tracepoint":
        return _fields(rest, btf)
    if provider == "rawtracepoint":
        point = btf.find_tracepoint(name)
        return [] if point is None else [f"{type_name(p.type)} {p.name}" for p in point.params]
    if provider in ("fentry", "fexit"):
        module = rest.partition(":")[0]
        types = target.module(module) if target is not None and target.module and module != "vmlinux" else btf
        func = types.find_func(name) if types is not None else None
        proto = func.type if func is not None else None
        if not isinstance(proto, t.FuncProto):
            return []
        out = [f"{type_name(p.type)} {p.name}" for p in proto.params]
        if provider == "fexit" and not isinstance(btf.resolve(proto.type), t.Void):
            out.append(f"{type_name(proto.type)} retval")
        return out
    if provider == "iter":
        return [f"{type_name(p.type)} {p.name}" for p in arguments_of(btf, name) or ()]
    return []


def _fields(place: str, btf: Btf) -> list[str]:
    """Return the fields of a tracepoint's record, from its format in tracefs, or from the record's type in BTF."""
    from ...kernel.attach.tracepoint_perf import read_tracefs
    from ...kernel.sys import KernelError

    system, _, name = place.partition(":")
    try:
        text = read_tracefs(f"events/{system}/{name}/format")
    except KernelError:
        record = btf.find_struct(f"trace_event_raw_{name}")
        return (
            []
            if record is None
            else [declare(m.type, m.name) for m in record.members if m.name not in ("ent", "__data")]
        )
    out = []
    for line in text.splitlines():
        field = line.strip()
        if field.startswith("field:"):
            words = field[6:].partition(";")[0]
            if not words.startswith(("unsigned short common_", "unsigned char common_", "int common_")):
                out.append(words)
    return out


def _types(btf: Btf, word: str, name: str, verbose: bool) -> list[str]:
    """Return types of a name or pattern; with their members."""
    from ...btf.kinds import G_ENUM, G_UNION

    group = {"struct": G_STRUCT, "union": G_UNION, "enum": G_ENUM}[word]
    out = []
    for one in btf.names(group, name):
        if not verbose:
            out.append(f"{word} {one}")
            continue
        found = btf.find_tagged(word, one)
        if isinstance(found, t.Enum):
            body = [f"        {n} = {v}," for n, v in found.values]
        elif isinstance(found, t.Composite):
            body = _members(btf, found, "        ")
        else:
            continue
        out += [f"{word} {one} {{", *body, "};"]
    return out


def _members(btf: Btf, type: t.Composite, indent: str) -> list[str]:
    out: list[str] = []
    for member in type.members:
        inner = btf.resolve(member.type)
        if not member.name and isinstance(inner, t.Composite):
            word = "struct" if isinstance(inner, t.Struct) else "union"
            out += [f"{indent}{word} {{", *_members(btf, inner, indent + "        "), f"{indent}}};"]
            continue
        bits = f":{member.bit_size}" if member.bit_size else ""
        out.append(f"{indent}{declare(member.type, member.name)}{bits};")
    return out
