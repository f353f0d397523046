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
from ...probes.functions.direct import fits
from .body import error, later
from .points import Point, c_argument, too_many, untyped
from .points_many import KERNEL, before_name, found, named
from .points_many import resolve as many
from .points_typed import by_kprobe, fill, result
from .points_typed import resolve as few_programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...lang.bt import ast
    from .unit import Unit

REGISTERS = 6  # arguments that a kprobe sees


def resolve(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """Return the points of a function probe."""
    if attach.target == "bpf":
        raise later("probes on BPF programs", attach.span)
    ret = attach.provider in ("kretprobe", "fexit")
    if not can_probe(unit):
        from .points_standin import resolve as stand_in

        return [stand_in(unit, attach, ret)]
    features = unit.target.features
    if attach.provider in ("kprobe", "kretprobe") and features is not None and features(attach.provider):
        point = many(unit, attach)
        if point is not None:
            return [point]
    if unit.target.functions is not None and unit.target.functions.table is not None:
        typed = _typed(unit, attach)
        together = few_programs(unit, attach, [(module, word, word) for module, word in typed])
        return together or [_one(unit, attach, module, word) for module, word in typed]
    if attach.address is not None:
        words = "the kernel's symbols can't be read, which functions by address need"
        raise error("E304", words, attach.span)
    if attach.target not in ("", KERNEL):
        raise later("functions of modules where the kernel hides its symbols", attach.span)
    return [_function(unit, attach, word, ret) for word in _names(unit, attach)]


def _one(unit: Unit, attach: ast.AttachPoint, module: str, word: str) -> Point:
    """Return the point of one function by fentry or fexit; by a kprobe where this kernel's fentry can't attach to it."""
    known = unit.target.functions
    assert known is not None and known.table is not None
    there = not module or known.loaded(module)
    alone = module or len(known.table.addresses(word)) < 2
    if fits(unit.types_of(module, word)[1], unit.target.features) and there and alone:
        return _function(unit, attach, word, attach.provider == "fexit", module)
    return by_kprobe(unit, attach, [(module, word, word)])


def _typed(unit: Unit, attach: ast.AttachPoint) -> list[tuple[str, str]]:
    """Return the (module, function) pairs that have types, which fentry needs."""
    pairs = sorted({(module, name) for module, name, symbol in found(unit, attach) if name == symbol})
    most = unit.config.max_probes
    if len(pairs) > 4 * most:  # looking for the types of so many takes long
        raise too_many(len(pairs), most, attach.span)
    typed = [pair for pair in pairs if unit.types_of(*pair)[1] is not None]
    if len(typed) > most:
        raise too_many(len(typed), most, attach.span)
    if not typed:
        words = f"fentry needs types, and there are none of '{attach.func}', or it is a copy of the compiler's own"
        raise error("E304", words, attach.span, "kprobe can probe it")
    return typed


def can_probe(unit: Unit) -> bool:
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
    text = before_name(attach, module) + named(attach, word)
    point = Point(attach.provider, text, Event("function", word, args), attach.span, f"function {word}")
    point.function = word
    point.registers = attach.provider in ("kprobe", "kretprobe")
    btf, proto = unit.types_of(module, word)
    typed = attach.provider in ("fentry", "fexit")
    if (not ret or typed) and proto is None:
        point.arguments = [untyped(c_argument(unit.btf, None, n)) for n in range(REGISTERS)]
    elif not ret or typed:
        fill(point, btf, proto, argument_words(proto)[-1] if typed else REGISTERS)
        if not typed:
            point.fields = {}
            point.arguments = [untyped(make) for make in point.arguments or ()]
    if ret:
        at = argument_words(proto)[-1] if proto is not None else 0
        if typed:
            result(point, btf, proto, at)
        else:
            point.retval = untyped(c_argument(btf, proto.type if proto is not None else None, at))
    return point
