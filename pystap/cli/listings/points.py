"""-l and -L: probe points of SystemTap that a pattern matches, with their variables.

`listing(pattern, target, systems, variables)` returns lines. Functions come from the kernel's symbols (from BTF, where
they are hidden), tracepoints from BTF, whether or not this kernel lets them be probed; aliases are listed where what they
stand for is there.
"""

from __future__ import annotations

from ...btf import types as t
from ...diag import Bag, CompileError, fail
from ...lang.stp.parser import parse
from ...lang.stp.preprocess import PreprocEnv
from ...options import Options
from ...probes.base import Env, has_glob, point_text, resolve
from ...probes.functions import INSIDE, wanted_of
from ...probes.functions.files import place
from ...probes.functions.files import text as function_text
from ...probes.functions.inlined import InlinedOnly
from ...probes.functions.names import find, matching, proto_of, require_module
from ...probes.kernel import of_owner
from ...probes.syscall_args import RENAMED
from ...probes.syscall_numbers import X86_64
from ...sema.stp import added, check, collect, points
from ...sema.stp.library import ALIASES
from ...sema.stp.macros import MACROS
from ...sema.stp.symbols import FileScope
from ...sema.stp.unit import Unit
from ...source import Source
from .spelling import type_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...lang.stp import ast
    from ...probes.base import Variable
    from ...probes.functions import Wanted
    from ...probes.functions.names import Function
    from ...sema.stp.symbols import Derived
    from ...sema.target import Target

    Parts = Sequence[ast.Component]

MOST_PLACES = 1 << 16
MOST_LINES = 1000  # functions whose lines are looked up in debug information
SYSCALLS = ("syscall", "nd_syscall")
_SIMPLE = ("begin", "end", "error", "never", "syscall_any", "syscall_any.return", "timer.profile")


class Lister:
    """Lists for one kernel."""

    def __init__(
        self, target: Target, systems: Mapping[str, str], variables: bool, options: Options | None = None
    ) -> None:
        self.target = target
        self.options = options or Options()
        self.systems = systems
        self.variables = variables

    # ------------------------------------------------------------------ patterns

    def lines(self, pattern: str) -> list[str]:
        """Return the lines for a list of probe points."""
        out: dict[str, None] = {}
        for point in self._parse(pattern).points:
            try:
                found = self.point(point.components)
            except CompileError:
                if point.optional:
                    continue
                raise
            out.update(dict.fromkeys(sorted(found)))
        return list(out)

    def _parse(self, pattern: str) -> ast.Probe:
        bag = Bag()
        source = Source("<pattern>", f"probe {pattern} {{}}\n")
        tree = parse(source, PreprocEnv(macros=MACROS, kernel_v=self.target.release or "0"), bag)
        if bag.errors:
            raise CompileError(bag.errors[0])
        if len(tree.probes) != 1:
            raise fail("E301", f"'{pattern}' is not a probe point")
        return tree.probes[0]

    def point(self, parts: Parts) -> list[str]:
        """Return the lines for one probe point."""
        first = parts[0].name
        if first == "kernel" and len(parts) > 1:
            known = _KERNEL.get(parts[1].name)
            if known is not None:
                return known(self, parts)
        if first in ("module", "kprobe") and len(parts) > 1:
            return self._code(parts)
        if first in SYSCALLS and len(parts) > 1:
            return self._syscalls(parts)
        if has_glob(first):
            return self._anything(parts)
        dotted = ".".join(p.name for p in parts)
        if all(p.arg is None for p in parts):
            found = self._aliases(dotted)
            if found:
                return found
        return self._one(f"{point_text(parts)}", point_text(parts), False)

    def _anything(self, parts: Parts) -> list[str]:
        """A pattern whose first word is one."""
        dotted = ".".join(p.name for p in parts)
        out = self._aliases(dotted)
        out += [line for word in _SIMPLE if matches(word, dotted) for line in self._one(word, word, False)]
        if self.target.arch == "x86_64":
            names = [n for n in X86_64 if matches(f"syscall.{n}", dotted)]
            out += [self._syscall("syscall", n, False) for n in names]
        trace = (
            len(parts) == 2 and parts[1].name in ("trace", "function") and matches("kernel", parts[0].name)
        )
        if trace:
            return out + _KERNEL[parts[1].name](self, parts)
        if dotted == "**":
            out += self._named_traces("*")
        return out

    # ------------------------------------------------------------------ aliases and single points

    def _aliases(self, dotted: str) -> list[str]:
        out: list[str] = []
        for alias in (*ALIASES, *self._added()):
            if (alias.startswith("_") and not dotted.startswith("_")) or not matches(alias, dotted):
                continue
            out += self._one(alias, alias, True)
        return out

    def _added(self) -> list[str]:
        """Return the names of the aliases of the user's own tapset."""
        if not self.options.tapsets:
            return []
        bag = Bag()
        unit = Unit(
            parse(Source("<none>", "probe never {}\n"), PreprocEnv(), bag), self.target, self.options, bag
        )
        added.run(unit)
        return list(unit.added.names())

    def _one(self, point: str, shown: str, quiet: bool) -> list[str]:
        """Return the line of one point, () where it isn't there (or CompileError, unless quiet)."""
        bag = Bag()
        tree = parse(Source("<pattern>", f"probe {point} {{}}\n"), PreprocEnv(macros=MACROS), bag)
        unit = Unit(tree, self.target, self.options, bag)
        try:
            collect.run(unit)
            added.run(unit)
            points.run(unit)
        except CompileError as error:
            bag.add(error.diagnostic)
        if bag.errors or not unit.probes:
            if quiet:
                return []
            raise CompileError(bag.errors[0])
        return [shown + (self._variables(unit) if self.variables else "")]

    def _variables(self, unit: Unit) -> str:
        derived = unit.probes[0]
        script = _script_variables(unit, derived)
        context = [
            f"${v.name}:{self._type(v)}"
            for v in derived.resolved.context.variables.values()
            if not _positional(v.name)
        ]
        return "".join(f" {word}" for word in (*script, *context))

    def _type(self, variable: Variable) -> str:
        return type_text(variable.type) if variable.type is not None else "long"

    # ------------------------------------------------------------------ kernel.trace, kernel.function

    def traces(self, parts: Parts) -> list[str]:
        """`kernel.trace("pattern")`."""
        pattern = parts[1].arg
        if not isinstance(pattern, str) or len(parts) > 2:
            raise fail("E302", 'write kernel.trace("pattern")', parts[1].span)
        return self._named_traces(pattern)

    def _named_traces(self, pattern: str) -> list[str]:
        btf = self.target.btf
        wanted_system, colon, wanted = pattern.rpartition(":")
        out = []
        names = btf.tracepoints() if not self.target.untyped else sorted(self.systems)
        for name in names:
            system = self.systems.get(name, "")
            if not matches(name, wanted) or (colon and self.systems and not matches(system, wanted_system)):
                continue
            line = f'kernel.trace("{system}:{name}")' if system else f'kernel.trace("{name}")'
            if self.variables:
                line += self._params(name)
            out.append(line)
        return out

    def _params(self, name: str) -> str:
        point = self.target.btf.find_tracepoint(name)
        if point is None:
            return ""
        return "".join(f" ${p.name or f'arg{n}'}:{type_text(p.type)}" for n, p in enumerate(point.params, 1))

    def _code(self, parts: Parts) -> list[str]:
        """`(kernel | module("m") | kprobe[.module("m")]) . (function | statement) (...) { . suffix }`."""
        owner, module = of_owner(parts)
        word = owner[1] if len(owner) > 1 else owner[0]
        plain = word.name == "function" and isinstance(word.arg, str)
        if not plain or any(part.name in INSIDE for part in owner[2:]):
            return self._places(parts)  # which says also what is wrong
        env = Env(self.target, word.span)
        wanted = wanted_of(owner, env, module)
        if wanted.line:
            return self._places(parts)
        try:
            found = functions_listed(wanted, env)
        except InlinedOnly:
            return self._places(parts)
        return [self._function(wanted, env, f, len(found) <= MOST_LINES) for f in found]

    def _places(self, parts: Parts) -> list[str]:
        """Points that debug information tells: each place is a line."""
        env = Env(self.target, parts[0].span)
        env.most = MOST_PLACES
        out = []
        for made in resolve(parts, env):
            shown = made.context.place() if made.context.place is not None else made.text
            if self.variables:
                known = (v for v in made.context.variables.values() if not _positional(v.name))
                shown += "".join(f" ${v.name}:{self._type(v)}" for v in known)
            out.append(shown)
        return out

    def _function(self, wanted: Wanted, env: Env, function: Function, line: bool) -> str:
        if wanted.text.startswith("kprobe."):  # as it is written, without a file
            owner = f'kprobe.module("{function.module}")' if function.module else "kprobe"
            shown = f'{owner}.function("{function.name}"){wanted.suffix()}'
        else:
            where = place(env, function.name, function.module, wanted.file, line)
            shown = function_text(function.name, where, function.module, wanted.suffix())
        proto = proto_of(env, function) if self.variables else None
        return shown + (self._arguments(proto, wanted.returns) if proto is not None else "")

    def _arguments(self, proto: t.FuncProto, returns: bool) -> str:
        out = []
        if returns and not isinstance(self.target.btf.resolve(proto.type), t.Void):
            out.append(f" $return:{type_text(proto.type)}")
        out += [f" ${p.name or f'arg{n}'}:{type_text(p.type)}" for n, p in enumerate(proto.params, 1)]
        return "".join(out)

    # ------------------------------------------------------------------ system calls

    def _syscalls(self, parts: Parts) -> list[str]:
        pattern = parts[1].name
        returns = len(parts) == 3 and parts[2].name == "return"
        if len(parts) > 2 and not returns:
            raise fail("E301", f"'{parts[2].name}' can't follow a system call", parts[2].span)
        known = sorted({*X86_64, *RENAMED})
        names = [n for n in known if matches(n, pattern)]
        return [self._syscall(parts[0].name, n, returns) for n in names]

    def _syscall(self, family: str, name: str, returns: bool) -> str:
        shown = f"{family}.{name}{'.return' if returns else ''}"
        if not self.variables:
            return shown
        (line,) = self._one(shown, shown, False)
        return line


_KERNEL: dict[str, Callable[[Lister, Parts], list[str]]] = {
    "trace": Lister.traces,
    "function": Lister._code,
    "statement": Lister._code,
}


def matches(name: str, pattern: str) -> bool:
    """Whether a dotted name matches a pattern; `*` stays within a word, `**` doesn't."""
    if name == pattern:
        return True
    if not has_glob(pattern):
        return False
    from fnmatch import fnmatchcase

    if "**" in pattern:
        return fnmatchcase(name, pattern.replace("**", "*"))
    words, wanted = name.split("."), pattern.split(".")
    return len(words) == len(wanted) and all(map(fnmatchcase, words, wanted))


def functions_listed(wanted: Wanted, env: Env) -> list[Function]:
    """Return the functions that a pattern matches, or one that is named; CompileError says what there is instead."""
    if has_glob(wanted.name) or has_glob(wanted.module):
        if wanted.module:
            known = env.target.functions
            if known is None:
                return []
            require_module(wanted.module, known, wanted)
        return matching(wanted, env)
    return find(wanted, env)[0]


def _positional(name: str) -> bool:
    return name == "id" or name.startswith("__") or (name.startswith("arg") and name[3:].isdecimal())


def _script_variables(unit: Unit, derived: Derived) -> list[str]:
    """Return name:type of the variables that a probe's alias, or its kind, gives to handlers."""
    provides = derived.resolved.provides
    if derived.resolved.prologue is not None:
        text = derived.resolved.prologue(set(provides))
        if text:
            source = Source(f"<{derived.resolved.text}>", f"probe begin {{\n{text}}}\n")
            tree = parse(source, PreprocEnv(), Bag(), library=True)
            derived.parts.insert(0, (FileScope(tree, True), tree.probes[0].body))
    check.run(unit)
    names = {
        name: var.type.find().kind
        for name, var in derived.body.vars.items()
        if var.assigned and not name.startswith("__")
    }
    order = [n for n in provides if n in names] + [n for n in names if n not in provides]
    return [f"{name}:{names[name] or 'unknown'}" for name in order]


def listing(
    pattern: str,
    target: Target,
    systems: Mapping[str, str],
    variables: bool,
    options: Options | None = None,
) -> list[str]:
    """Return the lines of -l (or, with variables, -L)."""
    return Lister(target, systems, variables, options).lines(pattern)
