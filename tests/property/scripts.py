"""SystemTap scripts at random: every int operator, strings, control, globals of all homes, output.

Scripts are deterministic in what they print: no clocks, no order that the language leaves open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

EDGES = [0, 1, -1, 2, 3, 7, 63, 64, 255, 1 << 31, (1 << 32) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63)]
NUMBERS = st.one_of(st.integers(-4, 8), st.sampled_from(EDGES), st.integers(-(1 << 63), (1 << 63) - 1))
WORDS = ["", "a", "test", "lseek", "sshd", "a long text of more than sixteen bytes"]
INT_LOCALS = ["x", "y", "z"]
STR_LOCALS = ["s", "t"]
NUMBER_GLOBALS = ["n0", "n1", "n2"]
TABLES = {"t0": "i", "t1": "s", "t2": "is"}  # name -> kinds of the keys
IN_PROCESS = 0x6E0000000000  # where the live process has the bytes that lie SOMEWHERE in the interpreter
SOMEWHERE, NOWHERE = 0xFFFF888000100000, 0xFFFF888000900000
BINARY = ["+", "-", "*", "&", "|", "^", "<<", ">>", ">>>", "/", "%"]
COMPARE = ["==", "!=", "<", "<=", ">", ">="]


def number(value: int) -> str:
    """A literal."""
    if value == -(1 << 63):
        return "(-9223372036854775807 - 1)"
    return str(value) if value >= 0 else f"({value})"


class Maker:
    """Draws one script.

    live: only what is the same on a live kernel; kernel: mostly what the kernel stage can do by itself.
    """

    def __init__(self, draw: Callable[[Any], Any], live: bool = False) -> None:
        self.draw = draw
        self.live = live
        self.space = "user" if live else "kernel"
        self.left = 60
        self.serial = 0
        self.depth = 0
        self.args: list[str] = []
        self.functions: list[str] = []
        self.in_function = False
        self.in_loop = 0
        self.user = False
        self.values: list[str] = []
        self.pointers: list[str] = []  # that loops around carry from turn to turn
        self.may_exit = False
        self.kernel = False
        self.changing = list(TABLES)  # tables that no foreach goes through

    def pick(self, things: list[Any]) -> Any:
        return things[self.draw(st.integers(0, len(things) - 1))]

    def chance(self, of: int) -> bool:
        return bool(self.draw(st.integers(0, of - 1)) == of - 1)

    # -- expressions

    def int(self, depth: int = 2) -> str:
        self.left -= 1
        kinds = ["local", "const", "arg"]
        if self.kernel and depth > 0 and self.left > 0:
            kinds += [
                "binary",
                "binary",
                "compare",
                "unary",
                "logic",
                "ternary",
                "context",
                "context",
                "load",
            ]
            kinds += ["incr", "assign", "comm", "thread", "call"]
        elif depth > 0 and self.left > 0:
            kinds += ["binary", "binary", "compare", "unary", "logic", "ternary", "global", "element"]
            kinds += ["in", "text", "incr", "assign", "strlen", "load", "stat", "call", "context"]
        return str(getattr(self, "_i_" + self.pick(kinds))(depth - 1))

    def _i_local(self, depth: int) -> str:
        return str(self.pick(INT_LOCALS))

    def _i_const(self, depth: int) -> str:
        return number(self.draw(NUMBERS))

    def _i_arg(self, depth: int) -> str:
        return str(self.pick(self.args)) if self.args else self._i_const(depth)

    def _i_binary(self, depth: int) -> str:
        return f"({self.int(depth)} {self.pick(BINARY)} {self.int(depth)})"

    def _i_compare(self, depth: int) -> str:
        return f"({self.int(depth)} {self.pick(COMPARE)} {self.int(depth)})"

    def _i_unary(self, depth: int) -> str:
        return f"({self.pick(['-', '~', '!'])} {self.int(depth)})"

    def _i_logic(self, depth: int) -> str:
        return f"({self.int(depth)} {self.pick(['&&', '||'])} {self.int(depth)})"

    def _i_ternary(self, depth: int) -> str:
        return f"({self.int(depth)} ? {self.int(depth)} : {self.int(depth)})"

    def _i_global(self, depth: int) -> str:
        return str(self.pick([*NUMBER_GLOBALS, "top"]))

    def _i_element(self, depth: int) -> str:
        name = self.pick(list(TABLES))
        return f"{name}[{self.keys(name, depth)}]"

    def _i_in(self, depth: int) -> str:
        name = self.pick(list(TABLES))
        return f"([{self.keys(name, depth)}] in {name})"

    def _i_text(self, depth: int) -> str:
        op = self.pick(["==", "!=", "<", ">="])
        return f"({self.str(depth)} {op} {self.str(depth)})"

    def _i_comm(self, depth: int) -> str:
        if self.user:
            return self._i_const(depth)
        word = self.pick([*WORDS[:5], "a long text of m"])
        return f'(execname() {self.pick(["==", "!="])} "{word}")'

    def _i_thread(self, depth: int) -> str:
        """What belongs to the thread alone is read and written freely; another global once a run."""
        if self.user:
            return self._i_const(depth)
        return str(self.pick(["t0[tid()]", "([tid()] in t0)", "t0[tid()]", "n2++", "++n2", "n2"]))

    def writable(self) -> list[str]:
        return INT_LOCALS if self.kernel else [*INT_LOCALS, *NUMBER_GLOBALS]

    def _i_incr(self, depth: int) -> str:
        name = self.pick(self.writable())
        return str(self.pick([f"{name}++", f"++{name}", f"{name}--", f"(--{name})"]))

    def _i_assign(self, depth: int) -> str:
        name = self.pick(self.writable())
        return f"({name} {self.pick(['=', '+=', '-=', '*=', '|=', '<<='])} {self.int(depth)})"

    def _i_strlen(self, depth: int) -> str:
        return f"strlen({self.str(depth)})"

    def _i_load(self, depth: int) -> str:
        if self.pointers and not self.user:
            return f"{self.space}_{self.pick(['int', 'char', 'uint16'])}({self.pick(self.pointers)})"
        if self.live or self.user:
            return self._i_const(depth)
        where = SOMEWHERE + self.draw(st.integers(0, 48)) if not self.chance(4) else NOWHERE
        return f"{self.pick(['kernel_int', 'kernel_long', 'kernel_char', 'kernel_uint16'])}({where:#x})"

    def _i_stat(self, depth: int) -> str:
        return f"@{self.pick(['count', 'sum'])}({self.pick(['agg', 'aggs[1]'])})"

    def _i_call(self, depth: int) -> str:
        if not self.functions or "t0" not in self.changing:  # functions may change it
            return self._i_const(depth)
        return f"{self.pick(self.functions)}({self.int(depth)}, {self.str(depth)})"

    def _i_context(self, depth: int) -> str:
        if self.user:
            return self._i_const(depth)
        return str(self.pick(["pid()", "tid()", *([] if self.live else ["cpu()", "uid()"])]))

    def str(self, depth: int = 2) -> str:
        self.left -= 1
        kinds = ["const", "local", "context", *(["memory"] * 2 if self.pointers and not self.user else [])]
        if self.kernel:
            kinds += ["ternary"] if depth > 0 and self.left > 0 else []
        elif depth > 0 and self.left > 0:
            kinds += ["concat", "sprintf", "substr", "ternary", "element", "global"]
        return str(getattr(self, "_s_" + self.pick(kinds))(depth - 1))

    def _s_memory(self, depth: int) -> str:
        return self.space + str(self.pick(["_string(%s)", "_string_n(%s, 6)"]) % self.pick(self.pointers))

    def _s_const(self, depth: int) -> str:
        return f'"{self.pick(WORDS)}"'

    def _s_local(self, depth: int) -> str:
        return str(self.pick(STR_LOCALS))

    def _s_context(self, depth: int) -> str:
        return self._s_const(depth) if self.user else str(self.pick(["execname()", "name", "execname()"]))

    def _s_concat(self, depth: int) -> str:
        return f"({self.str(depth)} . {self.str(depth)})"

    def _s_sprintf(self, depth: int) -> str:
        return f'sprintf("%d-%s", {self.int(depth)}, {self.str(depth)})'

    def _s_substr(self, depth: int) -> str:
        start, length = self.draw(st.integers(-1, 5)), self.draw(st.integers(-1, 5))
        return f"substr({self.str(depth)}, {start}, {length})"

    def _s_ternary(self, depth: int) -> str:
        return f"({self.int(depth)} ? {self.str(depth)} : {self.str(depth)})"

    def _s_element(self, depth: int) -> str:
        return f"names[{self.int(depth)}]"

    def _s_global(self, depth: int) -> str:
        return "word"

    def keys(self, name: str, depth: int) -> str:
        small = min(depth, 1)
        return ", ".join(self.int(small) if k == "i" else self.str(small) for k in TABLES[name])

    # -- statements

    def block(self, depth: int, most: int = 4) -> str:
        count = self.draw(st.integers(1, most))
        return "{ " + " ".join(self.statement(depth) for _ in range(count)) + " }"

    def statement(self, depth: int) -> str:
        self.left -= 1
        kinds = ["print", "local", "count", "string", "table", "push"]
        if self.kernel:
            kinds += ["print", "count", "table", "push", "next", "thread"]
            kinds += (
                ["if", "else", "try", "loop", "walk", "walk", "leave"] if depth > 0 and self.left > 0 else []
            )
        elif self.left > 0:
            kinds += ["set", "delete", "names", "print", "count", "wordset", "next"]
            if depth > 0:
                kinds += ["if", "if", "else", "try", "loop", "walk", "foreach", "leave"]
        return str(getattr(self, "_" + self.pick(kinds))(depth - 1))

    def _print(self, depth: int) -> str:
        form = self.pick(["%d", "%x", "%u", "%5d|", "%-4d|"])
        return f'printf("{form} %s\\n", {self.int()}, {self.str(1)});'

    def _local(self, depth: int) -> str:
        op = self.pick(["=", "=", "+=", "^=", ">>=", "/=", "%="])
        return f"{self.pick(INT_LOCALS)} {op} {self.int(3)};"

    def _thread(self, depth: int) -> str:
        if self.user:
            return self._print(depth)
        return str(self.pick([f"t0[tid()] = {self.int(1)};", "delete t0[tid()];", "t0[tid()]++;"]))

    def _string(self, depth: int) -> str:
        if self.kernel:
            return f"{self.pick(STR_LOCALS)} = {self.str(1)};"
        return f"{self.pick(STR_LOCALS)} {self.pick(['=', '=', '.='])} {self.str()};"

    def _count(self, depth: int) -> str:
        name = self.pick(NUMBER_GLOBALS[:2] if self.kernel else NUMBER_GLOBALS)
        return str(self.pick([f"{name}++;", f"{name} += {self.int()};", f"{name}--;"]))

    def _table(self, depth: int) -> str:
        name = self.pick(["t1", "t2"] if self.kernel else self.changing)
        element = f"{name}[{self.keys(name, 1)}]"
        return str(self.pick([f"{element}++;", f"{element} += {self.int(1)};"]))

    def _set(self, depth: int) -> str:
        name = self.pick([*NUMBER_GLOBALS, *self.changing])
        place = f"{name}[{self.keys(name, 1)}]" if name in TABLES else name
        return f"{place} = {self.int()};"

    def _delete(self, depth: int) -> str:
        name = self.pick([*NUMBER_GLOBALS, *self.changing, "agg", "word"])
        keyed = name in TABLES and not self.chance(4)
        return f"delete {name}[{self.keys(name, 1)}];" if keyed else f"delete {name};"

    def _names(self, depth: int) -> str:
        return f"names[{self.int(1)}] = {self.str(1)};"

    def _wordset(self, depth: int) -> str:
        return f"word = {self.str(1)};"

    def _push(self, depth: int) -> str:
        return f"{self.pick(['agg', f'aggs[{self.int(1)}]'])} <<< {self.int()};"

    def _next(self, depth: int) -> str:
        return f"if ({self.int(1)}) {self._gone()}"

    def _gone(self) -> str:
        if self.in_function:
            return f"return {self.int(1)};"
        return str(self.pick(["next;", *(["exit();"] if self.may_exit else [])]))

    def _if(self, depth: int) -> str:
        return f"if ({self.int()}) {self.block(depth)}"

    def _else(self, depth: int) -> str:
        return f"if ({self.int()}) {self.block(depth)} else {self.block(depth)}"

    def _try(self, depth: int) -> str:
        body = self.block(depth)
        return (
            f'try {body} catch (m) {{ printf("caught %s\\n", m) }}'
            if self.chance(2) and not self.kernel
            else f"try {body} catch {{ }}"
        )

    def _loop(self, depth: int) -> str:
        self.serial += 1
        i = f"i{self.serial}"
        self.in_loop += 1
        body = self.block(depth, 3)
        self.in_loop -= 1
        return f"for ({i} = 0; {i} < {self.draw(st.integers(0, 4))}; {i}++) {body}"

    def _walk(self, depth: int) -> str:
        """A loop that goes from one address to the next, which only the memory says."""
        if self.user:
            return self._loop(depth)
        self.serial += 1
        i, p = f"i{self.serial}", f"p{self.serial}"
        base, nowhere = (IN_PROCESS, 16) if self.live else (SOMEWHERE, NOWHERE)
        start = f"{base + self.draw(st.integers(0, 40)):#x}"
        step = f"{base:#x} + ({self.space}_char({p}) & 31) + {self.draw(st.integers(0, 3))}"
        if self.chance(6):
            step = f"({i} == 2 ? {nowhere:#x} : {step})"
        self.pointers.append(p)
        self.in_loop += 1
        body = self.block(depth, 3)
        self.in_loop -= 1
        self.pointers.pop()
        turns = self.draw(st.integers(0, 5))
        step = f"{p} = {step};"
        if self.chance(2):
            return f"{p} = {start}; for ({i} = 0; {i} < {turns}; {i}++) {{ {body[1:-1]} {step} }}"
        return f"{p} = {start}; {i} = 0; while ({p} && {i}++ < {turns}) {{ {step} {body[1:-1]} }}"

    def _foreach(self, depth: int) -> str:
        self.serial += 1
        k = f"k{self.serial}"
        sign = self.pick(["+", "-"])
        limit = self.pick(["", " limit 2"])
        self.in_loop += 1
        before, self.changing = self.changing, [name for name in self.changing if name != "t0"]
        body = self.block(depth, 2)
        self.changing = before
        self.in_loop -= 1
        return f"foreach ({k}{sign} in t0{limit}) {body[:-1]} x += {k} ^ t0[{k}] }}"

    def _leave(self, depth: int) -> str:
        if not self.in_loop:
            return self._next(depth)
        # (with nothing but `continue` at a loop's end nobody uses the condition, nor meets its error)
        return f"if ({self.int(1)}) {{ x++; {self.pick(['break', 'continue'])}; }}"

    # -- the whole

    def function(self) -> str:
        self.serial += 1
        name = f"f{self.serial}"
        self.in_function, self.args, self.user = True, ["a"], True
        body = self.block(2)
        self.in_function, self.args, self.user = False, [], False
        start = 's = b; t = ""; x = a; y = 0; z = 0; name = "f"'
        end = "if ((y ^ z ^ a) == 77777 && s == t) return 1; return x"
        text = f"function {name}:long(a:long, b:string) {{ {start}\n {body[1:-1]} {end} }}"
        self.functions.append(name)
        return text

    def handler(self, point: str, args: list[str], guard: str, several: bool) -> str:
        self.args = args
        self.left = 60
        body = self.block(3, 5)
        if several:  # an error ends the run, and what other handlers did until it was seen is left open
            body = f"{{ try {body} catch {{ }} }}"
        self.args = []
        reset = 's = ""; t = ""; x = 0; y = 0; z = 0;'
        if self.chance(3):
            reset = f"s = execname(); t = name; x = {args[0]}; y = {args[-1]}; z = 0;" if args else reset
        return f"probe {point} {{ {guard}{reset}\n  {body[1:-1]} {USED} }}"

    def user_handler(self, point: str) -> str:
        if self.kernel and not self.chance(4):
            return f"probe {point} {{ {' '.join(self.pick(REPORTS) for _ in range(self.draw(st.integers(1, 4))))} }}"
        self.user, kernel, self.kernel = True, self.kernel, False
        self.left = 30
        body = self.block(2, 3)
        self.user, self.kernel = False, kernel
        used = USED.replace("pid()", "n0")
        return f'probe {point} {{ s = ""; t = ""; x = 0; y = 0; z = 0; name = "u"\n  {body[1:-1]} {used} }}'


# What nobody uses is left out, and the error that it would be with it.
USED = 'if ((x ^ y ^ z ^ pid()) == 77777) printf("%s%s", s, t);'
# What a report does with what was collected
REPORTS = [
    'printf("n0 %d n1 %d\\n", n0, n1);',
    "n0 = 0;",
    "delete agg;",
    'printf("agg %d %d\\n", @count(agg), @sum(agg));',
    'if (@count(agg)) printf("agg %d %d\\n", @min(agg), @max(agg));',
    'foreach (w+ in t1) printf("t1 %s %d\\n", w, t1[w]);',
    "delete t1;",
    'foreach (k- in aggs limit 3) printf("aggs %d %d\\n", k, @count(aggs[k]));',
    "delete aggs;",
    "foreach ([k, w] in t2) { x += t2[k, w] * (k + strlen(w)); } println(x);",
    "delete t2;",
    "delete t0;",
    't1["test"] = 3;',
    'delete t1["sshd"];',
    "n1 += 10;",
]
REPORT = """
probe end, error {
  printf("== %d %d %d %d %s %d %d\\n", n0, n1, n2, top, word, @count(agg), @sum(agg))
  if (@count(agg)) printf("== %d %d %d\\n", @min(agg), @max(agg), @avg(agg))
  foreach (k in t0) printf("== t0 %d %d\\n", k, t0[k])
  foreach (w in t1) printf("== t1 %s %d\\n", w, t1[w])
  foreach ([k, w] in t2) printf("== t2 %d %s %d\\n", k, w, t2[k, w])
  foreach (k in names) printf("== names %d %s\\n", k, names[k])
  foreach (k in aggs) printf("== aggs %d %d %d\\n", k, @count(aggs[k]), @sum(aggs[k]))
}
"""
HEAD = 'global n0, n1 = 5, n2 = -1, top = 3, word = "w"\nglobal t0, t1, t2, names, agg, aggs\n'
GUARD = "if (pid() != target()) next; "


def script(draw: Callable[[Any], Any], live: bool = False, user: bool = True) -> str:
    """Draw a script."""
    maker = Maker(draw, live)
    maker.kernel = not maker.chance(3)
    parts = [HEAD]
    if maker.chance(3):
        parts.append(maker.function())
    several = maker.chance(3)
    maker.may_exit = not several and maker.chance(4)
    guard = GUARD if live or maker.chance(2) else ""
    parts.append(maker.handler("syscall.lseek", ["offset", "whence", "fildes"], guard, several))
    if several:
        kinds = [("syscall.lseek.return", ["retval"]), ("syscall.lseek", ["offset"]), ("syscall.getppid", [])]
        point, args = maker.pick(kinds)
        parts.append(maker.handler(point, args, guard, several))
    if user and maker.chance(3):
        parts.append(maker.user_handler("timer.s(1)"))
    if user and maker.chance(4):
        parts.append(maker.user_handler("begin"))
    return "\n".join(parts) + REPORT
