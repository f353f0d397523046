"""Random ways through the types of functions' parameters, in SystemTap's words and in bpftrace's.

    path = random_path(rng, btf, [start(btf, "sk", type, "args.sk", "arg0"), ...])
    path.stp "$sk->a->b[1]"; path.typed "args.sk->a.b[1]"; path.plain "((struct sock *)arg0)->a.b[1]"; path.kind "s4"

`kind` is "string" (a char array), "pointer", "bool", "enum", or u or s and the bytes, "bits" behind it for a bit field.
SystemTap's words are sometimes a longer way to the same: a script variable that keeps a pointer on the way, a cast,
or the address of the place, and what lies there.
"""

from __future__ import annotations

import random

from pystap.btf import Btf, BtfError
from pystap.btf import types as t
from pystap.btf.layout import field_path, members, sizeof

DEEPEST = 4  # members
LONGEST_STRING = 64  # what bpftrace reads of a string
POINTER = "__pointer"  # begins the names of SystemTap's variables
# members that tracing itself changes, or time
_MOVING = """
trace_recursion curr_ret_stack curr_ret_depth ret_stack kretprobe_instances bpf_ctx acct_vm_mem1 acct_rss_mem1 utime
stime acct_timexpd sum_exec_runtime exec_start node_stamp
"""
_OF_TRACING = frozenset(_MOVING.split())
_TRIES = 200
# words of the one language or the other, which their parsers may take for something else behind "->"
_BOTH = """
string long probe global function if else for foreach in limit return delete while break continue next try catch private
offsetof sizeof unroll config let import str struct union enum macro
"""
_WORDS = frozenset(_BOTH.split())


class Path:
    """One way, in both languages. `index`: a divisor d where it has the index `i`, which is the thread's number % d;
    `before`: SystemTap's statements that come first."""

    def __init__(
        self, stp: str, before: str, typed: str, plain: str, kind: str, index: int, size: int
    ) -> None:
        self.stp = stp
        self.before = before
        self.typed = typed
        self.plain = plain
        self.kind = kind
        self.index = index
        self.size = size

    def __repr__(self) -> str:
        return f"{self.before}{self.stp} ({self.kind}) = {self.plain}"


class Start:
    """A parameter: its name, its type, and bpftrace's words where it has types (fentry) and where not (kprobe).

    cast: the words before a member or an element, "" if it can't be followed; whole: the words for the value.
    """

    def __init__(self, name: str, type: t.Type, typed: str, cast: str, whole: str) -> None:
        self.name = name
        self.type = type
        self.typed = typed
        self.cast = cast
        self.whole = whole


def start(btf: Btf, name: str, type: t.Type, typed: str, word: str) -> Start:
    """Return the beginning of paths."""
    here = btf.resolve(type)
    if isinstance(here, t.Ptr):
        target = btf.resolve(here.type)
        inner = btf.resolve(target.type) if isinstance(target, t.Ptr) else target
        stars = "**" if isinstance(target, t.Ptr) else "*"
        spelled = _spelled(inner)
        return Start(name, type, typed, f"(({spelled} {stars}){word})" if spelled else "", word)
    return Start(name, type, typed, "", f"({_spelled(here) or 'uint64'}){word}")


def _spelled(here: t.Type) -> str:
    if isinstance(here, t.Composite):
        return f"{'struct' if isinstance(here, t.Struct) else 'union'} {here.name}" if here.name else ""
    if isinstance(here, (t.Int, t.Enum)):
        return f"{'' if here.signed else 'u'}int{8 * here.size}"
    return ""


class _Way:
    """A way that grows. `type`: of what is here."""

    def __init__(self, rng: random.Random, btf: Btf, start: Start) -> None:
        self.rng = rng
        self.btf = btf
        self.start = start
        self.stp = f"${start.name}"
        self.bt = ""
        self.type = start.type
        self.bits = False
        self.index = 0
        self.fields = 0
        self.before = ""
        self.placed = False  # whether the words end in a member or an element

    def here(self) -> t.Type:
        return self.btf.resolve(self.type)

    def member(self, holder: t.Composite, arrow: bool) -> bool:
        known = [m for m in members(holder) if m.name not in _WORDS and m.name not in _OF_TRACING]
        if not known:
            return False
        leading = [m for m in known if not isinstance(self.btf.resolve(m.type), (t.Int, t.Enum))]
        name = self.rng.choice(leading if leading and self.rng.random() < 0.5 else known).name
        try:
            found = field_path(self.btf, holder, (name,))
        except BtfError:
            return False
        self.stp += f"->{name}"
        self.bt += f"{'->' if arrow else '.'}{name}"
        self.type = found.type
        self.bits = bool(found.bit_size)
        self.fields += 1
        self.placed = True
        return True

    def element(self, count: int, target: t.Type) -> bool:
        try:
            if not sizeof(self.btf.resolve(target)):
                return False
        except BtfError:
            return False
        if count > 1 and not self.index and self.rng.random() < 0.4:
            self.index = min(count, 7)
            self.stp += "[i]"
            self.bt += "[$i]"
        else:
            index = self.rng.randrange(min(count, 64))
            self.stp += f"[{index}]"
            self.bt += f"[{index}]"
        self.type = target
        self.placed = True
        return True

    def text(self, here: t.Array) -> str:
        """Return the type of an array's bytes, "" for others: bpftrace takes some of them for strings."""
        inner = self.btf.resolve(here.type)
        return inner.name if isinstance(inner, t.Int) and inner.size == 1 and not inner.is_bool else ""

    def detour(self, target: t.Composite) -> None:
        """Keep the pointer that is here in a script variable, or cast it to what it is, at times."""
        chance = self.rng.random()
        if chance < 0.15:
            number = self.before.count(";")
            self.before += f"{POINTER}{number} = {self.stp}; "
            self.stp = f"{POINTER}{number}"
            self.placed = False
        elif chance < 0.3 and isinstance(target, t.Struct) and target.name:
            self.stp = f'@cast({self.stp}, "{target.name}")'
            self.placed = False

    def step(self) -> bool:
        """Go on by a member or an element; say whether that was possible."""
        here = self.here()
        if self.bits:
            return False
        if isinstance(here, t.Ptr) and (self.bt or self.start.cast):
            target = self.btf.resolve(here.type)
            if isinstance(target, t.Composite):
                if self.fields < DEEPEST:
                    self.detour(target)
                return self.fields < DEEPEST and self.member(target, True)
            if isinstance(target, (t.Int, t.Ptr, t.Enum)) and getattr(target, "size", 8) > 1:
                return self.element(1, here.type)
            return False
        if isinstance(here, t.Composite):
            return self.fields < DEEPEST and self.member(here, False)
        if isinstance(here, t.Array) and here.count and not self.text(here):
            return self.element(here.count, here.type)
        return False

    def _read(self, size: int) -> str:
        """Return the words of an unsigned value: what lies at the address of the place, at times."""
        if self.placed and self.rng.random() < 0.15:
            return f"@kderef({size}, &{self.stp})"
        return self.stp

    def bpftrace(self) -> tuple[str, str]:
        """Return bpftrace's words."""
        return self.start.typed + self.bt, (self.start.cast if self.bt else self.start.whole) + self.bt

    def end(self) -> Path | None:
        """Return the finished path, None where its end is no value that both languages show."""
        here = self.here()
        size = getattr(here, "size", 8)
        if isinstance(here, t.Array):
            if self.text(here) == "char" and 1 < here.count <= LONGEST_STRING:
                return Path(self.stp, self.before, *self.bpftrace(), "string", self.index, here.count)
            return None
        if isinstance(here, t.Ptr):
            return Path(self._read(8), self.before, *self.bpftrace(), "pointer", self.index, 8)
        if isinstance(here, t.Enum) and not self.bits:
            return Path(self.stp, self.before, *self.bpftrace(), "enum", self.index, size)
        if isinstance(here, t.Int) and size <= 8:
            kind = "bool" if here.is_bool else f"{'s' if here.signed else 'u'}{size}"
            stp = self.stp if self.bits or here.signed else self._read(size)
            return Path(
                stp, self.before, *self.bpftrace(), kind + (" bits" if self.bits else ""), self.index, size
            )
        return None


def random_path(rng: random.Random, btf: Btf, starts: list[Start]) -> Path | None:
    """Return a path from one of the parameters; None if it finds none."""
    for _ in range(_TRIES):
        way = _Way(rng, btf, rng.choice(starts))
        steps = rng.randint(1, DEEPEST + 3)
        while steps and way.step():
            steps -= 1
        while not (found := way.end()) and way.step():
            pass
        if found is not None and (way.fields or rng.random() < 0.1):
            return found
    return None
