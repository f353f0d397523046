"""What every probe kind hands back, and the choice of the kind."""

from __future__ import annotations

from ..diag import CompileError, did_you_mean, fail
from ..ir.nodes import Event
from ..node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Protocol

    from ..source import Span

    class Part(Protocol):
        """A component of a probe point: `name("arg")`."""

        span: Span
        name: str
        arg: int | str | None


# A variable of the event that a kind's prologue works out is the script variable of this prefix and its name.
HIDDEN = "__of_"


class Variable(Node):
    """A value of the event: `$name`. `op` (with `attr`) is the IR operation that reads it; op "local": it is what the
    prologue has assigned to the script variable `attr`. Names that begin with `__` are for the library alone.

    type: its BTF type or None; bits, signed: the width that the operation's result is cut to (64: nothing to do).
    """

    name: str
    op: str
    attr: Any = None
    type: Any = None
    bits: int = 64
    signed: bool = True


class Context:
    """The variables of an event. `kind` is the word for messages ("tracepoint kfree_skb")."""

    __slots__ = (
        *(
            "copy_in",
            "entered",
            "function",
            "kind",
            "locals",
            "missing",
            "module",
            "name",
            "of_call",
            "of_function",
        ),
        *("elsewhere", "provider"),
        *("place", "places", "returns", "untyped", "variables"),
    )

    def __init__(
        self,
        kind: str,
        variables: Iterable[Variable] = (),
        *,
        name: str = "",
        function: str = "",
        provider: str = "",
        module: str = "kernel",
        returns: bool = False,
        of_call: dict[str, tuple[str, str]] | None = None,
        of_function: dict[str, tuple[str, str]] | None = None,
    ) -> None:
        self.kind = kind
        self.variables = {v.name: v for v in variables}
        # pp() where finding it takes time, and of an event that is many functions: (probe_number, what pp() gives).
        self.place: Callable[[], str] | None = None
        self.places: Callable[[], tuple[tuple[int, str], ...]] | None = None
        self.untyped = ""  # why nothing is known of its variables
        self.missing: dict[str, str] = {}  # names of variables that can't be read here -> why
        self.locals: frozenset[str] = frozenset()  # names that are no parameters
        # name -> where else in the function a variable can be read, as words for a hint, "" for none
        self.elsewhere: Callable[[str], str] = lambda name: ""
        # of a place in a function: the event of its entry, and where on the stack the call began (an expression over
        # registers, as variables that are "located" have them), for variables that take what registers held then
        self.entered: Callable[[], tuple[Event, Any]] | None = None
        self.copy_in = ""  # of a copy of a function that is inlined: the function that it is part of
        self.name = name  # $$name
        self.function = function  # ppfunc(), probefunc()
        self.provider = provider  # $$system, $$provider
        self.module = module  # probemod()
        self.returns = returns  # is_return()
        # Words of the probe ("pp", "ppfunc") that the system call's name is part of: what stands before and behind.
        self.of_call = of_call or {}
        # The same of an event that is many functions: words that the function's name ("pp", "ppfunc", "name"), or its
        # module's ("probemod"), is part of.
        self.of_function = of_function or {}

    def lists(self, list: str, name: str) -> bool:
        """Say whether `$$parms` or its like has a variable of the event."""
        if name.startswith("__") or (list == "$$locals" and name not in self.locals):
            return False
        if list == "$$parms" and name in self.locals:
            return False
        return (name == "return") == (list == "$$return")


class Resolved(Node):
    """One event that a probe point names.

    text: what pp() gives; type: what probe_type() gives; prologue: None, or what takes the set of names that
    the handler reads (`$x` and `$$x` of the event among them) and gives SystemTap statements that assign them;
    notes: (code, words, hint) of warnings, each given once; split: of an event that is many functions, what takes the
    names that the handler reads and gives the events that have them: the functions that have the same ones together.
    """

    event: Event
    text: str
    context: Context
    type: str = ""
    prologue: Callable[[set[str]], str] | None = None
    provides: tuple[str, ...] = ()
    notes: tuple[tuple[str, str, str], ...] = ()
    split: Callable[[set[str]], list[Resolved]] | None = None


MOST_PLACES = 64  # in functions, of one probe point: each is a program of its own


class Env:
    """What a kind may know: the target (sema.target.Target), the place of the probe point, whether stand-ins are
    allowed, whether the script shows stacks, the rung of the ladder that is forced ("": the best), how many places
    in functions one probe point may be, and whether a function with code of its own has its inlined copies, too."""

    __slots__ = ("attach", "copies", "most", "span", "stacks", "standins", "target")

    def __init__(
        self,
        target: Any,
        span: Span,
        standins: bool = True,
        stacks: Callable[[], bool] = lambda: False,
        attach: str = "",
    ) -> None:
        self.target = target
        self.span = span
        self.standins = standins
        self.stacks = stacks
        self.attach = attach
        self.most = MOST_PLACES
        self.copies = True


# First word -> module of this package. Imported when used.
KINDS: dict[str, str] = {
    "begin": "user",
    "end": "user",
    "error": "user",
    "never": "user",
    "timer": "timer",
    "kernel": "kernel",
    "module": "kernel",
    "kprobe": "kernel",
    "syscall": "syscall",
    "nd_syscall": "syscall",
    "dw_syscall": "syscall",
    "tp_syscall": "syscall",
    "syscall_any": "syscall",
    "perf": "perf",
    "process": "later",
    "netfilter": "netfilter",
    "__iter": "iter",
    "__socket_calls": "socket_calls",
    "procfs": "later",
    "json_data": "later",
    "prometheus": "later",
    "input": "later",
    "java": "later",
    "python3": "later",
    "debuginfod": "later",
}


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """Return the events that the components name; raise CompileError when there is none."""
    first = parts[0]
    module = KINDS.get(first.name)
    if module is None:
        raise unknown(parts, KINDS)
    return kind_of(module).resolve(parts, env)  # type: ignore[no-any-return]


def kind_of(module: str) -> Any:
    """Return the module of a kind of probe points: a value of KINDS."""
    return __import__(f"{__package__}.{module}", None, None, ("resolve",))


def point_text(parts: Sequence[Part]) -> str:
    """Return `a.b("c")` for components."""
    out = []
    for part in parts:
        if part.arg is None:
            out.append(part.name)
        elif isinstance(part.arg, str):
            out.append(f'{part.name}("{part.arg}")')
        else:
            address = part.name in ("data", "function", "statement")
            out.append(f"{part.name}({part.arg % (1 << 64):#x})" if address else f"{part.name}({part.arg})")
    return ".".join(out)


def _forms(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return hints: the forms that points with these words have."""
    module = KINDS.get(parts[0].name)
    listed = getattr(kind_of(module), "LISTING", ()) if module is not None else ()
    forms = [one for one in listed if one.startswith(parts[0].name)]
    forms = [one for one in forms if one.startswith(point_text(parts))] or forms
    if not forms:
        return ()
    return (f"the forms are {', '.join(forms[:3])}{' and others' if len(forms) > 3 else ''}",)


def unknown(parts: Sequence[Part], known: Iterable[str], at: int = 0) -> Exception:
    """Return the error for a component that no kind knows."""
    name = parts[at].name
    near = did_you_mean(name, known)
    if (at == 0 and name in KINDS) or near == name:  # it is known, but what must follow is missing
        return fail("E301", f"'{point_text(parts)}' alone is no probe point", parts[at].span, *_forms(parts))
    hints = (f"did you mean '{near}'?",) if near else ()
    words = f"unknown probe point '{point_text(parts)}'"
    if at:
        words += f": '{name}' can't follow '{point_text(parts[:at])}'"
        there = [word for word in known if all(word != part.name for part in parts)]
        if there and not near:
            hints = (f"what can: {', '.join(there)}",)
    return fail("E301", words, parts[at].span, *hints)


WITHOUT_TYPES = (
    "without it there are begin, end, timers, profiling, system calls, and tracepoints and functions but for their"
    " variables ('pystap doctor' says more)"
)


def untyped(target: Any, what: str, span: Span | None) -> CompileError:
    """Return the error for what needs types on a kernel that tells none (`target.untyped`)."""
    words = f"{what} needs the kernel's type information (BTF), which this kernel lacks ({target.untyped})"
    return fail("E310", words, span, "a kernel built with CONFIG_DEBUG_INFO_BTF=y has it", WITHOUT_TYPES)


def wrong_argument(part: Part, wanted: str) -> Exception:
    """Return the error for a component's argument that is missing, too much or of the wrong type."""
    return fail("E302", f"'{part.name}' {wanted}", part.span)


def number_of(part: Part, low: int = 1) -> int:
    """Return the component's number; raise unless it has one of at least `low`."""
    if not isinstance(part.arg, int) or part.arg < low:
        raise wrong_argument(part, f"needs a number of at least {low}: {part.name}({max(low, 1)})")
    return part.arg


def bare(part: Part) -> None:
    """Raise if the component has an argument."""
    if part.arg is not None:
        raise wrong_argument(part, "takes no argument")


def has_glob(text: str) -> bool:
    """Whether the text is a pattern."""
    return "*" in text or "?" in text or "[" in text


def glob_filter(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that a shell pattern (`*`, `?`, `[..]`) matches, in their order."""
    from fnmatch import fnmatchcase

    return [n for n in names if fnmatchcase(n, pattern)]
