"""__iter("KIND"): every object of a kind that the kernel has when the run begins, as BPF's iterators show them.

For the library: its tables hold what was there before the first event. A handler runs once for each object (and once
more at the end, with null pointers), right after everything is attached; the run isn't called started before.
The variables are the arguments of the kernel's bpf_iter_KIND.
"""

from __future__ import annotations

from ..btf import types as t
from ..diag import did_you_mean, fail
from ..ir.nodes import Event
from .base import Context, Env, Resolved, Variable, point_text, unknown, wrong_argument
from .kernel import value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..btf import Btf
    from .base import Part

PREFIX = "bpf_iter_"


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`__iter("KIND")`."""
    word = parts[0]
    if len(parts) > 1:
        raise unknown(parts, (), 1)
    if not isinstance(word.arg, str):
        raise wrong_argument(word, 'needs a kind of object: __iter("task_file")')
    variables = objects(env.target.btf, word.arg)
    if variables is None:
        near = did_you_mean(word.arg, kinds(env.target.btf))
        hints = (f"did you mean '{near}'?",) if near else ()
        raise fail("E303", f"this kernel has no iterator '{word.arg}'", word.span, *hints)
    context = Context(f"iterator {word.arg}", variables, name=word.arg, provider="kernel")
    return [Resolved(Event("iter", word.arg), point_text(parts), context, "iterator")]


def objects(btf: Btf, kind: str) -> list[Variable] | None:
    """Return what a program of that iterator is given; None if the kernel has no such iterator."""
    params = arguments_of(btf, kind)
    if params is None:
        return None
    return [value_of(p.name or f"arg{n + 1}", n, p.type) for n, p in enumerate(params)]


def arguments_of(btf: Btf, kind: str) -> Sequence[Any] | None:
    """Return the parameters of the kernel's function for that iterator; None if it has no such iterator."""
    func = btf.find_func(PREFIX + kind)
    proto = func.type if func is not None else None
    return proto.params if isinstance(proto, t.FuncProto) else None


def kinds(btf: Btf) -> list[str]:
    """Return the kinds of objects that this kernel iterates over."""
    known = (
        "task",
        "task_file",
        "task_vma",
        "tcp",
        "udp",
        "unix",
        "bpf_map",
        "bpf_prog",
        "bpf_link",
        "cgroup",
    )
    return [kind for kind in known if btf.find_func(PREFIX + kind) is not None]
