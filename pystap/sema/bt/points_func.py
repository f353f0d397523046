"""kprobe, kretprobe, fentry, fexit: kernel functions, or their stand-ins where the kernel can't probe functions.

Event("function", name, {"module", "ret", "offset"}); arguments are `ctx_arg` (n, nullable) in the order of the
function's prototype, and the return value is the `ctx_arg` behind the last of them, as fexit has it.
"""

from __future__ import annotations

from ...btf.kinds import G_FUNC
from ...btf.layout import argument_words
from ...diag import did_you_mean
from ...ir.nodes import Event
from ...probes.base import glob_filter, has_glob
from .body import error, later
from .points import Point, c_argument, untyped
from .points_many import found
from .points_many import resolve as many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...lang.bt import ast
    from .points import Make
    from .unit import Unit

REGISTERS = 6  # arguments that a kprobe sees
MOST = 64  # programs of one point


def resolve(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """Return the points of a function probe."""
    if attach.address is not None:
        raise later("functions by address", attach.span)
    if attach.target == "bpf":
        raise later("probes on BPF programs", attach.span)
    ret = attach.provider in ("kretprobe", "fexit")
    if not can_probe(unit, attach.provider):
        from .points_standin import resolve as stand_in

        return [stand_in(unit, attach, ret)]
    features = unit.target.features
    if attach.provider in ("kprobe", "kretprobe") and features is not None and features(attach.provider):
        point = many(unit, attach)
        if point is not None:
            return [point]
    if unit.target.functions is not None and unit.target.functions.table is not None:
        return [_function(unit, attach, word, ret, module) for module, word in _typed(unit, attach)]
    if attach.target:
        raise later("functions of modules where the kernel hides its symbols", attach.span)
    return [_function(unit, attach, word, ret) for word in _names(unit, attach)]


def _typed(unit: Unit, attach: ast.AttachPoint) -> list[tuple[str, str]]:
    """Return the (module, function) pairs that have types, which fentry needs."""
    pairs = sorted({(module, name) for module, name, symbol in found(unit, attach) if name == symbol})
    typed = [pair for pair in pairs if _types(unit, pair[0]).find_func(pair[1]) is not None]
    if not typed:
        words = f"fentry needs types, and there are none of '{attach.func}', or it is a copy of the compiler's own"
        raise error("E304", words, attach.span, "kprobe can probe it")
    if len(typed) > MOST:
        words = f"{len(typed)} functions match '{attach.func}': too many programs of their own"
        raise error("E309", words, attach.span, "kprobe takes them all at once")
    return typed


def _types(unit: Unit, module: str) -> Any:
    """Return the types of the kernel, or of a module; the kernel's where that has none."""
    made = unit.target.module(module) if module and unit.target.module is not None else None
    return made if made is not None else unit.btf


def can_probe(unit: Unit, provider: str) -> bool:
    """Whether this kernel can attach to functions, one way or the other."""
    features = unit.target.features
    if features is None:
        return False
    return bool(features("fentry") or features("kprobe"))


def _names(unit: Unit, attach: ast.AttachPoint) -> list[str]:
    btf = unit.btf
    word = attach.func
    if has_glob(word):
        found = btf.names(G_FUNC, word) if word[0] not in "*?[" else glob_filter(word, btf.names(G_FUNC))
        if not found:
            raise error("E304", f"no function of this kernel matches '{word}'", attach.span)
        return list(found)
    if btf.find_func(word) is None and attach.provider in ("fentry", "fexit"):
        raise _unknown(btf, word, attach)
    symbols = unit.target.symbols
    if btf.find_func(word) is None and symbols is not None and symbols.address(word) is None:
        raise _unknown(btf, word, attach)
    return [word]


def _unknown(btf: Any, word: str, attach: ast.AttachPoint) -> Exception:
    near = did_you_mean(word, btf.names(G_FUNC, word[:2] + "*"))
    hint = f"did you mean '{near}'?" if near else ""
    return error("E304", f"this kernel has no function '{word}'", attach.span, hint)


def _function(unit: Unit, attach: ast.AttachPoint, word: str, ret: bool, module: str = "") -> Point:
    args = {"module": module, "ret": ret, "offset": attach.offset}
    before = f"{attach.provider}:{attach.target}:" if attach.target else f"{attach.provider}:"
    text = attach.name if word == attach.func else before + word
    point = Point(attach.provider, text, Event("function", word, args), attach.span, f"function {word}")
    point.function = word
    point.registers = attach.provider in ("kprobe", "kretprobe")
    btf = _types(unit, module)
    func = btf.find_func(word)
    params = func.type.params if func is not None else ()
    words = argument_words(func.type) if func is not None else [0]
    typed = attach.provider in ("fentry", "fexit")
    if not ret or typed:
        makes: list[Make] = []
        first = dict(zip(words, params, strict=False))
        for n in range(words[-1] if typed else min(REGISTERS, words[-1])):
            param = first.get(n)
            made = c_argument(btf, param.type if param is not None else None, n)
            makes.append(made if typed else untyped(made))
            if typed and param is not None and param.name:
                point.fields[param.name] = made
        if func is None:
            makes = [untyped(c_argument(unit.btf, None, n)) for n in range(REGISTERS)]
        point.arguments = makes
    if ret:
        result = func.type.type if func is not None else None
        made = c_argument(btf, result, words[-1])
        point.retval = made if typed else untyped(made)
        if typed:
            point.fields["retval"] = made
    return point
