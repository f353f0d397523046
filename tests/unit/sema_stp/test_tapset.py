"""The tapset: its index is current, and everything in it compiles to well-formed IR on the fixture's kernel."""

from __future__ import annotations

import importlib.util

import pytest

from pystap.lang.stp import ast
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.probes.syscall_args import ARGS, RENAMED
from pystap.probes.syscall_numbers import X86_64
from pystap.sema.stp.macros import MACROS
from pystap.source import Source
from pystap.tapset.index_gen import ALIASES, FILES, FUNCTIONS

from .tools import BTF, ROOT, Bag, attempt, module

TAPSET = ROOT / "pystap" / "tapset"


def generator() -> object:
    """Return the script that makes the index, as a module."""
    spec = importlib.util.spec_from_file_location("gen_index", ROOT / "scripts" / "gen_tapset_index.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_index_is_current() -> None:
    assert (TAPSET / "index_gen.py").read_text() == generator().make()


def trees() -> dict[str, ast.File]:
    """Return the trees of all files."""
    out = {}
    for name in FILES:
        bag = Bag()
        env = PreprocEnv(macros=MACROS)
        out[name] = parse(Source(name, (TAPSET / name).read_text()), env, bag, library=True)
        assert not bag.items
    return out


TREES = trees()
FUNCTION_LIST = [
    (f.name, tuple(p.type for p in f.params), f.type, any(isinstance(n, ast.Return) for n in ast.walk(f)))
    for tree in TREES.values()
    for f in tree.functions
]
FILE_OF = {f.name: name for name, tree in TREES.items() for f in tree.functions}
# What needs types that the fixture lacks: tests/live/variables/test_tapset.py compiles all on a whole kernel.
OF_FULL_KERNEL = (
    *("__ns_id", "__ns_uid_map", "__ns_gid_map", "task_ns_uid", "task_ns_euid", "task_ns_gid"),
    *("addr_to_node", "__folio_index", "__tty_name_of", "__tty_driver_of", "__tty_module"),
    *("__rq_elevator", "real_mount", "__tty_name", "__tty_driver"),
    *("task_ns_egid", "ns_uid", "ns_euid", "ns_gid", "ns_egid"),
)
# Only where the event has registers, arguments or a returned value.
OF_CALLS = (
    "register",
    "_arg",
    "returnval",
    "returnstr",
    "print_regs",
    "stack_used",
    "stack_unused",
    "printk",
    "raise",
    "dump_stack",
)
# Of modules, which may not be there: the types of these files' functions.
OF_MODULES = {
    "sunrpc_functions.stp": "sunrpc",
    "sunrpc_svc.stp": "sunrpc",
    "nfs_words.stp": "nfs",
    "nfsd.stp": "nfsd",
    "scsi.stp": "scsi_mod",
    "netfilter_bridge.stp": "bridge",
}
NEEDS = {
    "netdev.rx": "netif_rx",
    "scheduler.wait_task": "sched_wait_task",
    "scheduler.kthread_stop": "sched_kthread_stop",
    "scheduler.kthread_stop.return": "sched_kthread_stop_ret",
}


@pytest.mark.parametrize("name, params, result, returns", FUNCTION_LIST, ids=lambda v: str(v))
def test_function(name: str, params: tuple[str, ...], result: str | None, returns: bool) -> None:
    """Parameters and results have types, so that a script's mistake is named where it is."""
    assert None not in params
    assert (result is not None) == returns
    if name.endswith(OF_CALLS):
        return  # test_registers
    if name in OF_FULL_KERNEL:
        return
    args = ", ".join('"a"' if p == "string" else "$next" for p in params)
    call = f"{name}({args})"
    if FILE_OF[name] in OF_MODULES:
        text = f'probe kernel.trace("sched_switch") {{ {f"println({call})" if result else call} }}'
        made, bag = attempt(text)
        assert made is not None or {d.code for d in bag.errors} <= {"E237"}, bag.errors
        return
    module(f'probe kernel.trace("sched_switch") {{ {f"println({call})" if result else call} }}')
    plain = args.replace("$next", "1")
    call = f"{name}({plain})"
    module(f"probe begin {{ {f'println({call})' if result else call} }}")


def assigned(alias: ast.Alias) -> list[str]:
    """Return the variables that an alias sets."""
    block = alias.prologue
    assert block is not None
    out = []
    for stmt in block.body:
        if isinstance(stmt, ast.If):
            continue  # a guard
        assert isinstance(stmt, ast.ExprStmt) and isinstance(stmt.expr, ast.Assign)
        assert isinstance(stmt.expr.target, ast.Name)
        out.append(stmt.expr.target.name)
    return out


ALIAS_LIST = [
    (".".join(c.name for c in name.components), alias)
    for tree in TREES.values()
    for alias in tree.aliases
    for name in alias.names
]


# On functions, most of which nothing stands in for: tests/live/variables/test_tapset.py compiles them.
OF_FUNCTIONS = (
    *("vfs.", "socket.", "tcpmib.", "linuxmib.", "ipmib.", "netdev.", "kprocess.start", "scheduler.cpu_on"),
    *(
        "scheduler.tick",
        "signal.",
        "vm.",
        "tty.",
        "ioscheduler",
        "__owner.",
        "socket_owner.",
        "tcp_connection.",
        "sunrpc.",
        "nfsd.",
        "scsi.",
        "__bridge.",
        "netfilter.bridge.",
        "netfilter.arp.forward",
        "scheduler.",
        "tcp.receive.return",
        "ioblock_trace.bounce",
    ),
    "tcp_connection.there",
)
LACKING = {"E231", "E237", "E303", "E304", "E307"}
# On functions that nothing stands in for.
WITHOUT = {"tcp.disconnect", "udp.disconnect"}


@pytest.mark.parametrize("dotted, alias", ALIAS_LIST, ids=[a[0] for a in ALIAS_LIST])
def test_alias(dotted: str, alias: ast.Alias) -> None:
    if dotted in NEEDS and BTF.find_tracepoint(NEEDS[dotted]) is None:
        pytest.skip("not in the fixture's kernel")
    if dotted == "__netfilter_bridge":
        pytest.skip("netfilter.bridge.* are made of it")
    if dotted.startswith("__netfilter"):  # only with the hook behind it
        dotted += ".local_in"
    if dotted.partition(".return")[0] in WITHOUT:
        assert attempt(f"probe {dotted} {{ }}")[1].errors[0].code == "E304"
        return
    names = assigned(alias)
    reads = " ".join(f"println({name})" for name in names)
    made, bag = attempt(f"probe {dotted} {{ {reads} }}")
    if made is None and {d.code for d in bag.errors} <= LACKING and dotted.startswith(OF_FUNCTIONS):
        pytest.skip("on a function or type that the fixture's kernel lacks")
    if dotted == "vm.kmem_cache_alloc":  # the fixture doesn't know what is in a kmem_cache
        names = [n for n in names if not n.startswith("bytes")]
    prints = " ".join(f"println({name})" for name in names)
    module(f"probe {dotted} {{ {prints} }}")
    # nothing of it is kept when nothing is read
    bare = module(f"probe {dotted} {{ }}").handlers[0]
    assert alias.prologue is not None
    guarded = any(isinstance(s, ast.If) for s in alias.prologue.body)
    guarded = guarded or any(d.code == "W301" for d in attempt(f"probe {dotted} {{ }}")[1].items)
    if (
        alias.epilogue is None
        and dotted not in ("tcp.set_state", "ioblock.end", "socket_owner.known", "socket_owner.known_flows")
        and not guarded
    ):
        assert bare.body == []


def test_index_names_everything() -> None:
    assert set(FUNCTIONS) == {f[0] for f in FUNCTION_LIST}
    assert set(ALIASES) == {a[0] for a in ALIAS_LIST}


@pytest.mark.parametrize(
    "name", ["choose_defined", "container_of", "offsetof", "type_defined", "cast_sizeof", "task"]
)
def test_macro(name: str) -> None:
    use = {
        "choose_defined": ("@choose_defined($nothing, 5)", "5"),
        "container_of": ('@container_of(1000, "struct bio_vec", bv_len)', None),
        "offsetof": ('@offsetof("struct bio_vec", bv_len)', "8"),
        "type_defined": ('@type_defined("struct bio_vec", "kernel")', "1"),
        "cast_sizeof": ('@cast_sizeof("struct bio_vec")', "16"),
        "task": ("@task(5)->pid", None),
    }[name]
    made = module(f"probe begin {{ println({use[0]}) }}")
    if use[1] is not None:
        printed = made.handlers[0].body[-1]
        assert printed.args[0].value == int(use[1])  # type: ignore[attr-defined]


def test_system_calls() -> None:
    assert set(ARGS) <= set(X86_64)
    assert all(n in X86_64 for names in RENAMED.values() for n in names)
    for name, words in ARGS.items():
        names = [w.partition(":")[0] for w in words.split()]
        assert len(names) <= 6 and all(":" in w for w in words.split())
        reads = " ".join(f"println({n})" for n in [*names, "name", "argstr"])
        made = module(f"probe syscall.{name} {{ {reads} }} probe syscall.{name}.return {{ println(retstr) }}")
        numbers = [X86_64[n] for n in RENAMED.get(name, (name,))]
        assert [h.event.args["numbers"] for h in made.handlers] == [numbers] * 2
