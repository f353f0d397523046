"""Imports go one way only (docs/architecture.md, "Layers"), lazy ones inside functions and type-only ones too."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "pystap"

# Bottom to top. A part may import what stands on a lower line; of its own line only itself.
ORDER: tuple[tuple[str, ...], ...] = (
    ("source", "node"),
    ("diag", "options", "cachefile"),
    ("types", "btf", "bpf", "program", "tapset", "debuginfo", "codeindex"),
    ("lang", "ir"),
    ("probes", "builtins"),
    ("sema", "opt"),
    ("staging",),
    ("backend",),
    ("compiler",),
)
RANK = {part: rank for rank, line in enumerate(ORDER) for part in line}

_MACHINE = {"program", "types", "btf", "bpf", "options", "node", "cachefile"}
# Parts beside the compiler: all that they may import.
BESIDE: dict[str, set[str]] = {
    "kernel": _MACHINE,
    "runtime": _MACHINE | {"kernel", "sinks"},
    "sinks": {"options"},
}
TOP = {"cli", "__init__", "__main__"}  # these see all

# Parts that see one language or one representation too few for their line.
ONLY: dict[str, set[str]] = {
    "lang": {"sema", "compiler", *TOP},  # the compiler calls the parsers
    "tapset": {"sema"},
    "sema": {"compiler", *TOP},
}

# (module, imported part): why it may all the same.
EXCEPTIONS: dict[tuple[str, str], str] = {
    (
        "ir.verify",
        "builtins",
    ): "the verifier of the IR checks calls against the table of builtins, which is data",
    (
        "bpf.object",
        "program",
    ): "only for annotations: a Prog is what the disassembler and the interpreter read",
    ("bpf.vm.machine", "program"): "only for annotations, as bpf.object",
}


def modules() -> list[tuple[str, Path]]:
    """Every module of the package, as a dotted name without the package's own."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found.append((".".join(parts), path))
    return found


def imports(path: Path) -> list[tuple[str, int]]:
    """(name, line) of every import: ".part.module" for the package's own, else the top-level module's name."""
    package = ("pystap", *path.relative_to(PACKAGE).parts[:-1])
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append((node.module or "", node.lineno))
        elif isinstance(node, ast.ImportFrom):
            base = package[1 : len(package) - node.level + 1]
            if node.module:
                found.append(("." + ".".join((*base, node.module)), node.lineno))
            else:
                found += [("." + ".".join((*base, alias.name)), node.lineno) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            asked = node.args[0]
            if isinstance(asked, ast.Constant):
                found.append((str(asked.value), node.lineno))
    return found


def allowed(module: str, part: str, other: str) -> bool:
    """Whether a module of `part` may import the part `other`."""
    if other == part or part in TOP:
        return True
    if (module, other) in EXCEPTIONS:
        return True
    if part in BESIDE:
        return other in BESIDE[part]
    if other in ONLY and part not in ONLY[other]:
        return False
    return other in RANK and RANK[other] < RANK[part]


def offences() -> tuple[list[str], set[tuple[str, str]]]:
    """(imports that break the rule, exceptions that are in use)."""
    wrong, used = [], set()
    for module, path in modules():
        part = module.split(".")[0]
        for name, line in imports(path):
            if name.startswith("."):
                other = name[1:].split(".")[0]
                if (module, other) in EXCEPTIONS:
                    used.add((module, other))
                if not allowed(module, part, other):
                    wrong.append(f"pystap/{path.relative_to(PACKAGE)}:{line}: {part} imports {name[1:]}")
    return wrong, used


def test_every_part_has_a_place() -> None:
    known = {*RANK, *BESIDE, *TOP, "tools"}
    assert {module.split(".")[0] for module, _ in modules()} <= known


def test_imports_go_one_way() -> None:
    wrong, _ = offences()
    assert not wrong, "\n".join(wrong)


def test_no_exception_is_left_over() -> None:
    _, used = offences()
    assert used == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("lang.stp.parser", "ir"),
        ("ir.nodes", "lang"),
        ("staging", "lang"),
        ("runtime.session", "compiler"),
        ("runtime.session", "ir"),
        ("kernel.maps", "sema"),
        ("sinks.text", "program"),
        ("btf.parse", "bpf"),
        ("probes.kernel", "kernel"),
        ("backend.ebpf", "kernel"),
        ("sema.stp", "backend"),
    ],
)
def test_the_rule_refuses(module: str, other: str) -> None:
    """The rule itself: without this a table that allows everything would pass."""
    assert not allowed(module, module.split(".")[0], other)


# (folder, library): why it isn't the standard library's.
LIBRARIES: dict[tuple[str, str], str] = {
    (
        "debuginfo",
        "elftools",
    ): "ELF and DWARF are read by pyelftools, for those who have debug information installed",
    ("lang", "pycparser"): "embedded C is read by pycparser, for those who have such scripts",
    ("kernel", "compression"): "Python's own from 3.14 on, for modules' files in .zst",
}


def test_standard_library_only() -> None:
    foreign = [
        f"pystap/{path.relative_to(PACKAGE)}:{line}: {name}"
        for _, path in modules()
        for name, line in imports(path)
        if not name.startswith(".")
        and name.split(".")[0] not in sys.stdlib_module_names
        and (path.relative_to(PACKAGE).parts[0], name.split(".")[0]) not in LIBRARIES
    ]
    assert not foreign, "\n".join(foreign)


def test_only_the_kernel_part_makes_system_calls() -> None:
    """ctypes is the only way to bpf(2) and perf_event_open(2)."""
    others = [
        f"pystap/{path.relative_to(PACKAGE)}:{line}"
        for module, path in modules()
        for name, line in imports(path)
        if name.split(".")[0] == "ctypes" and not module.startswith("kernel")
    ]
    assert not others, "\n".join(others)
