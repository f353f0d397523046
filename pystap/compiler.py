"""`compile_script(source, target, options, bag)`: one text to one `Program`, pass by pass.

The compiler is pure: what it knows of the kernel is in `target`. PASSES is the whole pipeline; what
`--dump-after=NAME` prints is what a pass left behind.
"""

from __future__ import annotations

import sys

from .diag import WARNING, Bag, CompileError, Diagnostic
from .options import STAGE_MIRROR
from .program import VERSION, Program, Timer
from .source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .ir.nodes import Module
    from .lang.stp.ast import File
    from .lang.stp.preprocess import PreprocEnv
    from .options import Options
    from .sema.target import Target
    from .staging.plan import KernelProgram, Staged


class Compilation:
    """What the passes read and add: text, tree, module, staged, progs, source of the user stage, program."""

    def __init__(self, source: Source, lang: str, target: Target, options: Options, bag: Bag) -> None:
        self.source = source
        self.lang = lang
        self.target = target
        self.options = options
        self.bag = bag
        self.tree: Any = None
        self.module: Module | None = None
        self.staged: Staged | None = None
        self.progs: list[Any] = []
        self.python: str = ""
        self.program: Program | None = None


def _parse(c: Compilation) -> None:
    if c.lang == "bt":
        from .lang.bt.parser import parse as parse_bt

        c.tree = parse_bt(c.source, list(c.options.args), c.bag)
        return
    from .lang.stp.parser import parse as parse_stp
    from .lang.stp.preprocess import PreprocEnv
    from .sema.stp.macros import MACROS, with_files, with_macros

    macros = with_macros(c.options.macros) if c.options.macros else MACROS
    env = PreprocEnv(
        args=c.options.args,
        kernel_v=c.target.release or "0",
        arch=c.target.arch,
        config=c.target.config,
        guru=c.options.guru,
        macros=with_files(c.options.tapsets, macros) if c.options.tapsets else macros,
    )
    if c.options.scripts:
        c.tree = _together(c, env)
    else:
        c.tree = parse_stp(c.source, env, c.bag)


def _together(c: Compilation, env: PreprocEnv) -> File:
    """Parse the script and those of -E as one; an argument is one that nobody uses if none of them does."""
    from .lang.stp.ast import File
    from .lang.stp.parser import parse as parse_stp

    sources = [c.source, *[Source(f"<-E {n}>", text) for n, text in enumerate(c.options.scripts, 1)]]
    bags = [Bag() for _ in sources]
    trees = [parse_stp(source, env, bag) for source, bag in zip(sources, bags, strict=True)]
    unused = set.intersection(*({d.message for d in bag.items if d.code == "W101"} for bag in bags))
    told: set[str] = set()
    for bag in bags:
        for diagnostic in bag.items:
            if diagnostic.code != "W101" or (diagnostic.message in unused and diagnostic.message not in told):
                told.add(diagnostic.message)
                c.bag.add(diagnostic)
    return File(trees[0].span, c.source, tuple(decl for tree in trees for decl in tree.decls))


def _sema(c: Compilation) -> None:
    if c.lang == "bt":
        from .sema.bt import analyse as analyse_bt
        from .sema.bt.config import with_settings

        if c.tree.imports:
            from .lang.bt.imports import together

            c.tree = together(c.tree, list(c.options.args), c.bag)
            if c.bag.errors:
                return
        c.options = with_settings(c.options, c.tree)
        c.module = analyse_bt(c.tree, c.target, c.options, c.bag)
        return
    from .sema.stp import analyse as analyse_stp

    c.module = analyse_stp(c.tree, c.target, c.options, c.bag)


def _optimise(c: Compilation) -> None:
    from .opt import optimise

    assert c.module is not None
    optimise(c.module)
    if any(isinstance(h.event.args, dict) and "standin" in h.event.args for h in c.module.handlers):
        from .probes.standins.fixes import mend

        mend(c.module, c.target.btf)


def _stage(c: Compilation) -> None:
    from .staging import stage
    from .staging.compare import Names

    assert c.module is not None
    functions = getattr(c.target.functions, "numbers", {})
    c.staged = stage(
        c.module,
        mirror=c.options.stage == "mirror",
        ring=c.options.buffer,
        log=c.options.max_log,
        first_error_ends=c.options.maxerrors == 0,
        cpus=c.target.cpus,
        names=Names(c.target.arch, functions, c.options.maxstringlen - 1),
    )
    for note in c.staged.notes:
        if note.kind == "late":
            c.bag.warn(
                "W310",
                "this is read late, when the event is over: only the user stage knows the address",
                note.span,
                "what lies there may have changed by then",
            )


def _ebpf(c: Compilation) -> None:
    assert c.staged is not None
    if not c.staged.kernel:
        return
    from .backend.ebpf import TooBig, generate, zero_map
    from .backend.ebpf.target import DEFAULT_FEATURES, from_btf
    from .staging.merge import Users, groups, merge

    features: tuple[str, ...] = DEFAULT_FEATURES
    if c.target.btf.find_func("bpf_rdonly_cast") is not None:
        # The kernels that have this function guard tracing programs against themselves, too.
        features = (*features, "rdonly_cast", "one_run")
    if c.target.preemptible_tracepoints and all(p.event.kind != "perf" for p in c.staged.kernel):
        # no task is preempted in these programs, but a sample that interrupts one is lost
        features = (*features, "perf_calls")
    machine = from_btf(c.target.btf, features, c.target.arch, c.target.module)
    zero = zero_map(c.staged.homes)
    if zero is not None:
        c.staged.maps.append(zero)

    options = c.options
    if options.max_action is None and c.staged.lang == "bt":  # bpftrace has no such limit
        options = options.replace(max_action=_MOST_TURNS)
    users = Users(c.staged.kernel)

    def attempt(group: list[KernelProgram]) -> None:
        assert c.staged is not None
        try:
            own = users.own(group)
            c.progs.append(generate(merge(group), c.staged.homes, c.staged.errors, machine, options, own))
        except TooBig as error:
            if len(group) == 1:
                words = f"the kernel stage can't run this handler: {error.reason}"
                c.bag.error(TOO_BIG, words, error.span)
            for program in group if len(group) > 1 else ():  # too big together; alone they may do
                attempt([program])

    for group in groups(c.staged.kernel):
        attempt(group)


def _python(c: Compilation) -> None:
    from .backend.python import generate

    assert c.staged is not None
    c.python = generate(c.staged, c.options)


def _link(c: Compilation) -> None:
    staged = c.staged
    assert staged is not None
    c.program = Program(
        version=VERSION,
        lang=staged.lang,
        maps=tuple(staged.maps),
        progs=tuple(c.progs),
        globals=tuple(home.spec for home in staged.homes.values()),
        records=tuple(staged.records),
        errors=tuple(staged.errors),
        source=c.python,
        begin=tuple(staged.begin),
        end=tuple(staged.end),
        error=tuple(staged.error),
        timers=tuple(Timer(*timer) for timer in staged.timers),
        signals=tuple(staged.signals),
        options=c.options,
    )


# name, what it does, pass of `stap` whose time it counts to
PASSES: tuple[tuple[str, Callable[[Compilation], None], int], ...] = (
    ("parse", _parse, 1),
    ("sema", _sema, 2),
    ("optimise", _optimise, 3),
    ("stage", _stage, 3),
    ("ebpf", _ebpf, 3),
    ("python", _python, 3),
    ("link", _link, 3),
)


_RECURSION = 12000  # the deepest tree that the parsers let through, some five calls a level
_MOST_TURNS = 1 << 23  # what the kernel's bpf_loop allows
TOO_BIG = "E321"
MIRRORED = "W320"


def run_passes(c: Compilation, last: int, after: Callable[[str, int], None] | None = None) -> bool:
    """Run the passes up to stap's pass `last`; False when a pass found errors (they are in c.bag).

    after(name, number) is called when a pass has ended.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        return _run_passes(c, last, after)
    finally:
        sys.setrecursionlimit(limit)


def _run_passes(c: Compilation, last: int, after: Callable[[str, int], None] | None) -> bool:
    for name, work, number in PASSES:
        if number > last:
            break
        try:
            work(c)
        except CompileError as error:
            c.bag.add(error.diagnostic)
        except RecursionError:
            c.bag.error("E130", "the script is nested too deeply", None, "split it into functions")
        if c.bag.errors:
            return False
        if after is not None:
            after(name, number)
    return True


def mirrored_instead(c: Compilation, refused: Diagnostic | None = None) -> Compilation | None:
    """Return the same script to be compiled again with every handler mirrored, or None when that wouldn't help.

    That is for handlers that the code generator found too big, or that the verifier has refused. The last resort are loops
    that the kernel has no part in.
    """
    options = c.options
    if refused is None and any(d.code != TOO_BIG for d in c.bag.errors):
        return None
    if options.stage != STAGE_MIRROR:
        options = options.replace(stage=STAGE_MIRROR)
    elif refused is None and c.staged is not None and any(note.kind == "log" for note in c.staged.notes):
        options = options.replace(max_log=0)
    else:
        return None
    again = Compilation(c.source, c.lang, c.target, options, Bag())
    for why in [refused] if refused is not None else c.bag.errors:
        notes = (("every handler's body is run in the user stage: slower, and with the same results", None),)
        text = f"mirrored instead: {why.message}"
        again.bag.add(Diagnostic(MIRRORED, text, why.span, severity=WARNING, notes=notes))
    return again


def compile_script(source: Source, lang: str, target: Target, options: Options, bag: Bag) -> Program | None:
    """Return the program of a script, or None with the reasons in the bag."""
    c = Compilation(source, lang, target, options, bag)
    if run_passes(c, 3):
        return c.program
    again = mirrored_instead(c)
    while again is not None:
        if run_passes(again, 3):
            return again.program
        again = mirrored_instead(again)
    return None
