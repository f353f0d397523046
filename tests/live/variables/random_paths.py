"""Random ways through the types of functions' parameters, in SystemTap's words and in bpftrace's.

    path = random_path(rng, btf, params)      path.stp "$sk->a->b[1]"; path.bt "args.sk->a.b[1]"; path.kind "s4"

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
_TRIES = 200
# words of the one language or the other, which their parsers may take for something else behind "->"
_WORDS = frozenset(
    (
        *(
            "string",
            "long",
            "probe",
            "global",
            "function",
            "if",
            "else",
            "for",
            "foreach",
            "in",
            "limit",
            "return",
        ),
        *(
            "delete",
            "while",
            "break",
            "continue",
            "next",
            "try",
            "catch",
            "private",
            "offsetof",
            "sizeof",
            "unroll",
        ),
        *("config", "let", "import", "str", "struct", "union", "enum", "macro"),
    )
)


class Path:
    """One way, in both languages. `index`: a divisor d where it has the index `i`, which is the thread's number % d;
    `before`: SystemTap's statements that come first."""

    def __init__(self, stp: str, before: str, bt: str, kind: str, index: int, size: int) -> None:
        self.stp = stp
        self.before = before
        self.bt = bt
        self.kind = kind
        self.index = index
        self.size = size

    def __repr__(self) -> str:
        return f"{self.before}{self.stp} ({self.kind}) = {self.bt}"


class _Way:
    """A way that grows. `type`: of what is here."""

    def __init__(self, rng: random.Random, btf: Btf, name: str, type: t.Type, base: str) -> None:
        self.rng = rng
        self.btf = btf
        self.stp = f"${name}"
        self.bt = base
        self.type = type
        self.bits = False
        self.index = 0
        self.fields = 0
        self.before = ""

    def here(self) -> t.Type:
        return self.btf.resolve(self.type)

    def member(self, holder: t.Composite, arrow: bool) -> bool:
        known = [m for m in members(holder) if m.name not in _WORDS]
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
        return True

    def detour(self, target: t.Composite) -> None:
        """Keep the pointer that is here in a script variable, or cast it to what it is, at times."""
        chance = self.rng.random()
        if chance < 0.15:
            number = self.before.count(";")
            self.before += f"p{number} = {self.stp}; "
            self.stp = f"p{number}"
        elif chance < 0.3 and isinstance(target, t.Struct) and target.name:
            self.stp = f'@cast({self.stp}, "{target.name}")'

    def step(self) -> bool:
        """Go on by a member or an element; say whether that was possible."""
        here = self.here()
        if self.bits:
            return False
        if isinstance(here, t.Ptr):
            target = self.btf.resolve(here.type)
            if isinstance(target, t.Composite):
                self.detour(target)
                return self.fields < DEEPEST and self.member(target, True)
            if isinstance(target, (t.Int, t.Ptr, t.Enum)):
                return self.element(1, here.type)
            return False
        if isinstance(here, t.Composite):
            return self.fields < DEEPEST and self.member(here, False)
        if isinstance(here, t.Array) and here.count:
            return self.element(here.count, here.type)
        return False

    def _read(self, size: int) -> str:
        """Return the words of an unsigned value: what lies at the address of the place, at times."""
        if self.fields and self.rng.random() < 0.15:
            return f"@kderef({size}, &{self.stp})"
        return self.stp

    def end(self) -> Path | None:
        """Return the finished path, None where its end is no value that both languages show."""
        here = self.here()
        size = getattr(here, "size", 8)
        if isinstance(here, t.Array):
            inner = self.btf.resolve(here.type)
            if isinstance(inner, t.Int) and inner.name == "char" and 1 < here.count <= LONGEST_STRING:
                return Path(self.stp, self.before, self.bt, "string", self.index, here.count)
            return None
        if isinstance(here, t.Ptr):
            return Path(self._read(8), self.before, self.bt, "pointer", self.index, 8)
        if isinstance(here, t.Enum) and not self.bits:
            return Path(self.stp, self.before, self.bt, "enum", self.index, size)
        if isinstance(here, t.Int) and size <= 8:
            kind = "bool" if here.is_bool else f"{'s' if here.signed else 'u'}{size}"
            stp = self.stp if self.bits or here.signed else self._read(size)
            return Path(stp, self.before, self.bt, kind + (" bits" if self.bits else ""), self.index, size)
        return None


def random_path(rng: random.Random, btf: Btf, params: list[tuple[str, t.Type, str]]) -> Path | None:
    """Return a path from one of the parameters, (name, type, bpftrace's words); None if it finds none."""
    for _ in range(_TRIES):
        way = _Way(rng, btf, *rng.choice(params))
        steps = rng.randint(1, DEEPEST + 3)
        while steps and way.step():
            steps -= 1
        while not (found := way.end()) and way.step():
            pass
        if found is not None and (way.fields or rng.random() < 0.1):
            return found
    return None
