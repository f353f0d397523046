"""No statement is left out: what a script does is the same whether its types are told first or have to be found out.

Random scripts count with maps and variables that nothing else gives a type. Before each stands, or doesn't, a branch that
gives every map its type; the IR behind that branch has to be the same. A script may be refused instead, at a place.
"""

from __future__ import annotations

import random

import pytest

from pystap.diag import render
from pystap.ir.nodes import Module
from pystap.ir.printer import module_text

from .tools import attempt, begin, errors, module, unflagged

MAPS = ("@a", "@b", "@c", "@d")


class Script:
    """A random script of statements on integers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.variables: list[str] = []

    def text(self) -> str:
        """A whole script; most assign every map that they read."""
        body = [self.statement() for _ in range(self.random.randrange(2, 9))]
        if self.random.random() < 0.8:
            order = self.random.sample(MAPS, 4)
            body += [f"{m} = {m} {self.random.choice('+-*')} {self.random.choice(MAPS)};" for m in order]
        return " ".join(body)

    def value(self, depth: int = 0) -> str:
        """An expression."""
        pick = self.random.choice
        kind = self.random.randrange(7 if depth < 3 else 3)
        if kind == 0:
            return str(self.random.randrange(9))
        if kind == 1 and self.variables:
            return pick(self.variables)
        if kind <= 3:
            return pick(MAPS)
        if kind == 4:
            return f"({self.value(depth + 1)} ? {self.value(depth + 1)} : {self.value(depth + 1)})"
        if kind == 5:
            return f"(-{self.value(depth + 1)})"
        return (
            f"({self.value(depth + 1)} {pick(('+', '-', '*', '|', '&', '/', '<<'))} {self.value(depth + 1)})"
        )

    def statement(self, depth: int = 0) -> str:
        """A statement; a variable is made at the top only."""
        pick = self.random.choice
        kind = self.random.randrange(7 if depth < 2 else 5)
        if kind == 0:
            return f"{pick(MAPS)} = {self.value()};"
        if kind == 1:
            return f"{pick(MAPS)} {pick(('+=', '-=', '*=', '|='))} {self.value()};"
        if kind == 2:
            return f"@k[{self.value()}] = {self.value()};"
        if kind == 3 and (self.variables or not depth):
            name = pick(["$x", "$y", "$z"] if not depth else self.variables)
            text = f"{name} = {self.value()};"
            if name not in self.variables:
                self.variables.append(name)
            return text
        if kind == 4 and self.variables:
            return f"{pick(self.variables)} += {self.value()};"
        if kind == 5:
            return f"if ({pick(MAPS)}) {{ {self.statement(depth + 1)} {self.statement(depth + 1)} }}"
        if kind == 6:
            return f"while ({pick(MAPS)} < 3) {{ {self.statement(depth + 1)} }}"
        return f"{pick(MAPS)} = {pick(MAPS)};"


def written(made: Module, since: str) -> list[str]:
    """The IR of the handler behind a mark, without the numbers of temporaries."""
    rows = [row.split() for row in unflagged(module_text(made).split("\n"))]
    at = next(n for n, row in enumerate(rows) if since in row)
    names: dict[str, str] = {}
    out = []
    for row in rows[at + 1 :]:
        words = [
            names.setdefault(w, f"n{len(names)}") if w[:1] in "tvcl" and w[1:2].isdigit() else w for w in row
        ]
        out.append(" ".join(words))
    return out


@pytest.mark.parametrize("seed", range(300))
def test_what_is_found_out_is_what_would_be_told(seed: int) -> None:
    script = Script(seed)
    body = script.text()
    told = (
        "if (nsecs == 1) { "
        + " ".join(f"{m} = (int64)cpu;" for m in MAPS)
        + " @k[(int64)cpu] = (int64)cpu; }"
    )
    reference, bag = attempt(f"BEGIN {{ {told} @mark = pid; {body} }}")
    assert reference is not None
    assert not bag.errors, "".join(render(d) for d in bag.items)
    made, bag = attempt(f"BEGIN {{ @mark = pid; {body} }}")
    if bag.errors:
        assert {d.code for d in bag.errors} == {"E205"}, body
        assert all(d.span is not None for d in bag.errors)
        return
    assert made is not None
    assert written(made, "@mark") == written(reference, "@mark"), body


def test_random_scripts_are_mostly_taken() -> None:
    taken = 0
    for seed in range(100):
        script = Script(seed)
        body = script.text()
        taken += not attempt(f"BEGIN {{ {body} }}")[1].errors
    assert taken > 30


def test_what_is_counted_with_is_an_integer() -> None:
    assert begin("@n = @n + 1;") == ["t1 = get @n", "t2 = add t1 1", "set @n t2"]
    assert begin("$x = @n; @n = $x + 1;") == ["x = get @n", "t2 = add x 1", "set @n t2"]
    assert begin("@m += @k; @k += @m;")[-1].startswith("add_to @k")


def test_a_chain_of_any_length_settles() -> None:
    chain = "".join(f"@m{n} = @m{n + 1}; " for n in range(60))
    assert sum(row.startswith("set @m") for row in begin(chain + "@m60 = 7;")) == 61


def test_what_has_no_type_is_an_error_at_its_place() -> None:
    assert errors("BEGIN { @x = @y; @y = @x; }") == [
        ("E205", "nothing says what '@y' holds"),
        ("E205", "nothing says what '@x' holds"),
    ]
    assert errors("BEGIN { let $q; print($q); }") == [("E205", "nothing says what '$q' holds")]
    assert errors("BEGIN { @t = (@t, 1); }") == [("E205", "nothing says what '@t' holds")]


def test_a_tuple_of_what_is_counted_has_a_type() -> None:
    rows = begin("@s = @t; @t = (@n, 1); @n = @n + 1;")
    assert [row.split()[1] for row in rows if row.startswith("set")] == ["@s", "@t", "@n"]


def test_a_mistake_keeps_nothing_from_settling() -> None:
    body = "$t = curtask; $len = $t->no_such_member; $len = $len > 0 ? $len - 1 : 0; @n = $len;"
    assert [code for code, _ in errors(f"BEGIN {{ {body} }}")] == ["E231"]


class Mixed:
    """A random script of statements with one effect each, on values of all sorts."""

    VALUES = (
        *(
            "1",
            "nsecs",
            "comm",
            '"word"',
            "(1, comm)",
            "(pid, (1, 2))",
            "kstack",
            "curtask",
            "str(0)",
            "@i",
            "@s",
            "@t",
        ),
        *(
            "@k[comm]",
            "@h[1, 2]",
            "$i",
            "$s",
            "$t",
            "$t.0",
            "ksym(1)",
            "buf(0, 4)",
            "ntop(1)",
            "strlen(comm)",
            "@i == 1",
        ),
        *(
            "@s == comm",
            "has_key(@k, comm)",
            "len(@k)",
            "(@i ? 1 : 2)",
            "-@i",
            "$kv.0",
            "$n",
            "usym(1)",
            "args.next",
        ),
    )
    EFFECTS = (
        ("@a{n} = {v};", "set"),
        ("@b{n}[{v}] = {w};", "set"),
        ("@c[{v}] = count();", "push"),
        ("@d{n} = sum(@i);", "push"),
        ("@e{n}++;", "add_to"),
        ("@f{n} += @i;", "add_to"),
        ("print({v});", "print"),
        ("print(@k);", "print_map"),
        ('printf("%d %s\\n", @i, {v});', "printf"),
        ("delete(@k, comm);", "delete"),
        ("clear(@k);", "clear"),
        ("@h[1, 2] = @h[2, 1] + @i;", "set"),
    )
    AROUND = (
        "if (@i) {{ {0} }}",
        'if (comm == "x") {{ {0} }} else {{ {0} }}',
        "for ($kv : @k) {{ {0} }}",
        "for ($n : 0..3) {{ {0} }}",
        "while (@i < 2) {{ {0} }}",
        "unroll (2) {{ {0} }}",
        "{{ {0} }}",
    )
    BEFORE = "$i = @i; $s = comm; $t = (1, comm); @s = comm; @t = (1, 2); @k[comm] = @i; @i = @i + 1; "

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.expected: dict[str, int] = {}

    def statements(self, names: tuple[str, ...], depth: int = 0) -> str:
        """Some statements; names: of the loops around them."""
        out = []
        for _ in range(self.random.randrange(1, 4)):
            if depth < 3 and self.random.random() < 0.4:
                shape = self.random.choice(self.AROUND)
                word = next((w for w in ("$kv", "$n") if f"for ({w} " in shape), "")
                if word in names:
                    continue
                parts = [
                    self.statements((*names, word) if word else names, depth + 1)
                    for _ in range(shape.count("{0}"))
                ]
                out.append(shape.replace("{0}", "{}").format(*parts))
                continue
            text, op = self.random.choice(self.EFFECTS)
            self.count += 1
            self.expected[op] = self.expected.get(op, 0) + 1
            out.append(text.format(n=self.count, v=self.value(names), w=self.value(names)))
        return " ".join(out)

    def value(self, names: tuple[str, ...]) -> str:
        """A value that can be had here."""
        return self.random.choice(
            [v for v in self.VALUES if v[:3] not in ("$kv", "$n") or v.split(".")[0] in names]
        )


@pytest.mark.parametrize("seed", range(250))
def test_every_effect_is_in_the_ir(seed: int) -> None:
    script = Mixed(seed)
    text = f"rawtracepoint:sched_switch {{ {Mixed.BEFORE} {script.statements(())} }}"
    made, bag = attempt(text)
    if bag.errors:  # of types that don't go together: at a place
        assert all(d.span is not None and d.code != "E268" for d in bag.errors), "".join(
            map(render, bag.errors)
        )
        return
    assert made is not None
    found: dict[str, int] = {}
    for row in unflagged(module_text(made).split("\n")):
        words = row.split()
        at = words[2] if words[1:2] == ["="] else words[0] if words else ""
        found[at] = found.get(at, 0) + 1
    wanted = dict(script.expected)
    wanted["set"] = wanted.get("set", 0) + 4
    shown = sum(count for op, count in found.items() if op.startswith("print"))
    assert shown >= sum(count for op, count in wanted.items() if op.startswith("print")), (
        text
    )  # an element takes two
    for op in ("set", "push", "add_to", "delete", "clear"):
        assert found.get(op, 0) == wanted.get(op, 0), (op, text, module_text(made))


def test_random_mixed_scripts_are_mostly_taken() -> None:
    taken = 0
    for seed in range(100):
        text = f"rawtracepoint:sched_switch {{ {Mixed.BEFORE} {Mixed(seed).statements(())} }}"
        taken += not attempt(text)[1].errors
    assert taken > 25


def test_a_map_of_a_branch_that_never_runs_is_empty() -> None:
    made = module(
        "#define DEBUG 0\nBEGIN { if (DEBUG) { @x[comm] = count(); $y = no_such_name; } @z = 1; } END { print(@x); }"
    )
    assert any("print_map (@x)" in row for row in module_text(made).split("\n"))
    assert "push" not in module_text(made)
    assert [code for code, _ in errors("BEGIN { if (0) { @x = @y; } print(@x); }")] == ["E205"]


def flags(body: str) -> list[str]:
    """The names of the globals that tell whether a map is set."""
    return [g.name for g in module(f"BEGIN {{ {body} }}").globals if g.display == "flag"]


def test_only_a_map_whose_0_can_mean_two_things_has_a_flag() -> None:
    assert flags('@a = 1; @b++; @c += 2; @d = "x"; @e[1] = cpu; @f = count(); @g = (1, 2); clear(@b);') == []
    assert flags("@a = 0; @b--; @c += cpu; @d = comm; @e = 1; zero(@e); @f = sum(1); zero(@f);") == [
        f"@{word}.set" for word in "abcdef"
    ]


def test_every_write_of_a_flagged_map_sets_its_flag() -> None:
    rows = module_text(module("BEGIN { @a = 1; @a++; @a = cpu; clear(@a); delete(@a); }")).split("\n")
    assert [row.split()[0] for row in rows if row.split()[1:2] == ["@a.set"]] == [
        "set",
        "add_to",
        "set",
        "clear",
        "clear",
    ]
