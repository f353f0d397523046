"""What -p1, -p2, -p3 and --dump-after print."""

from __future__ import annotations

import sys

from ..diag import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..compiler import Compilation


def show_pass(c: Compilation, last: int) -> None:
    """Print what the last pass of -p N left."""
    dump(c, {1: "parse", 2: "sema", 3: "ebpf"}[last])


def check_name(name: str) -> None:
    """Raise CompileError for a name of --dump-after that is no pass."""
    if name not in _TEXTS:
        raise fail("E904", f"--dump-after: there is no pass '{name}'", None, "passes: " + " ".join(_TEXTS))


def dump(c: Compilation, name: str) -> None:
    """Print what the pass of that name left."""
    sys.stdout.write(_TEXTS[name](c))
    sys.stdout.flush()


def _tree(c: Compilation) -> str:
    if c.lang == "bt":
        from ..lang.bt.printer import print_program

        return print_program(c.tree)
    from ..lang.stp.printer import print_file

    return print_file(c.tree)


def _module(c: Compilation) -> str:
    from ..ir.printer import module_text

    assert c.module is not None
    return module_text(c.module)


def _staged(c: Compilation) -> str:
    from ..ir.printer import body_text

    assert c.staged is not None
    out = [f"kernel {p.name} ({p.event.kind} {p.event.name})\n{body_text(p.body)}" for p in c.staged.kernel]
    for f in c.staged.user:
        params = ", ".join(p.name for p in f.params)
        out.append(f"user {f.kind} {f.name}({params})\n{body_text(f.body)}")
    out += [f"global {s.glob.name}: {s.spec.home} {s.spec.map}\n" for s in c.staged.homes.values()]
    return "\n".join(out)


def _ebpf(c: Compilation) -> str:
    from ..bpf.disasm import disasm_code
    from ..bpf.object import from_prog

    out: list[str] = []
    for prog in c.progs:
        out.append(f"{prog.name}: {prog.kind} {prog.target}, {len(prog.insns) // 8} instructions")
        out += [f"  {line}" for line in disasm_code(from_prog(prog))]
    return "\n".join(out) + ("\n" if out else "")


_TEXTS: dict[str, Callable[[Compilation], str]] = {
    "parse": _tree,
    "sema": _module,
    "optimise": _module,
    "stage": _staged,
    "ebpf": _ebpf,
    "python": lambda c: c.python,
    "link": lambda c: f"{c.program!r}\n",
}
