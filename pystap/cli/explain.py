"""`pystap explain SCRIPT`: the script with the stage of each line, the home of each global, and why.

The margin of a line says who runs it: K the kernel, U the user stage, M the user stage although it stands in an
event handler (mirrored), KU both (computed in the kernel, rendered in the user stage).
"""

from __future__ import annotations

import sys

from ..diag import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from ..compiler import Compilation
    from ..program import GlobalSpec, MapSpec

_HOMES = {
    "user": "user stage",
    "delta": "kernel, per CPU; merged when it is read",
    "shared": "kernel, shared by all CPUs",
}
_WORDS = {"mirror": "mirrored", "late": "late read", "lock": "locked", "log": "loop"}


def explain(c: Compilation, out: TextIO | None = None) -> None:
    """Print the explanation of a compiled script."""
    write = (out or sys.stdout).write
    assert c.staged is not None and c.module is not None and c.program is not None
    marks = _marks(c)
    lines = c.source.text.splitlines()
    width = len(str(len(lines)))
    for number, line in enumerate(lines, 1):
        write(f"{marks.get(number, ''):>2} {number:{width}} | {escape(line)}\n".rstrip() + "\n")
    write("\nhandlers:\n")
    for number, handler in enumerate(c.module.handlers):
        write(f"  {handler.probe}: {_stage(c, number)}\n")
        for note in c.staged.notes:
            if note.handler == number and note.kind in _WORDS:
                place = f"line {note.span.line}: " if note.span.source is c.source else ""
                write(f"      {_WORDS[note.kind]}: {place}{note.text}\n")
    _globals(c, write)
    _maps(c, write)


def _stage(c: Compilation, number: int) -> str:
    assert c.module is not None and c.staged is not None
    handler = c.module.handlers[number]
    if handler.event.user:
        return "user stage"
    kinds = {note.kind for note in c.staged.notes if note.handler == number}
    if "empty" in kinds:
        return "does nothing that could be seen, so it is not attached"
    method = _method(handler.event.kind, handler.event.name)
    record = next((r for r in c.staged.records if r.handler == number), None)
    size = f"; one record of {record.size} bytes a run" if record else ""
    if "mirror" in kinds:
        return f"mirrored, by {method}{size}"
    return f"kernel stage, by {method}{size}"


def _method(kind: str, name: str) -> str:
    words = {
        "tp_btf": f"BTF tracepoint {name}",
        "sys_enter": "BTF tracepoint sys_enter",
        "sys_exit": "BTF tracepoint sys_exit",
        "perf": "perf event",
    }
    return words.get(kind, f"{kind} {name}".strip())


def _marks(c: Compilation) -> dict[int, str]:
    """Return the margin of each line of the script."""
    from ..ir.walk import statements

    assert c.staged is not None
    marks: dict[int, set[str]] = {}

    def mark(span: object, letter: str) -> None:
        if getattr(span, "source", None) is c.source:
            marks.setdefault(span.line, set()).add(letter)  # type: ignore[attr-defined]

    for program in c.staged.kernel:
        for stmt in statements(program.body):
            mark(getattr(stmt, "span", None), "K")
    for function in c.staged.user:
        for stmt in statements(function.body):
            mark(getattr(stmt, "span", None), "U")
    for note in c.staged.notes:
        if note.kind == "mirror":
            mark(note.span, "M")
    return {line: "M" if "M" in kinds else "".join(sorted(kinds)) for line, kinds in marks.items()}


def _globals(c: Compilation, write: object) -> None:
    assert c.program is not None and c.staged is not None
    put = write if callable(write) else print
    if c.program.globals:
        put("\nglobals:\n")
    why = {
        note.text.split("'")[1]: note.text.split(": ", 1)[-1]
        for note in c.staged.notes
        if note.kind == "global"
    }
    for spec in c.program.globals:
        reason = f" ({why[spec.name]})" if spec.home == "user" and spec.name in why else ""
        put(f"  {spec.name}{_key(spec)}: {_HOMES[spec.home]}{reason}\n")


def _key(spec: GlobalSpec) -> str:
    if not spec.keys:
        return ""
    if not spec.key:
        return f"[{', '.join(spec.keys)}]"
    parts = [f"{p.size} bytes" if p.type != "i64" else "8 bytes" for p in spec.key]
    rendered = [p.render for p in spec.key if p.render]
    return f"[{', '.join(parts)}{'; rendered when read' if rendered else ''}]"


def _maps(c: Compilation, write: object) -> None:
    assert c.program is not None
    put = write if callable(write) else print
    put("\nmaps:\n")
    for spec in c.program.maps:
        put(f"  {spec.name}: {_map(spec)}\n")


def _map(spec: MapSpec) -> str:
    if spec.inner is not None:
        return f"{spec.type} of {spec.inner.type}, {spec.inner.max_entries} bytes for each CPU"
    return f"{spec.type}, {spec.max_entries} x ({spec.key_size} + {spec.value_size} bytes)"
