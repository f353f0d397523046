"""Takes one script through the passes, as far as asked, and runs it."""

from __future__ import annotations

import os
import sys
from time import perf_counter

from ..compiler import Compilation, run_passes
from ..diag import Bag, CompileError, Diagnostic, fail
from ..source import Source
from .arguments import Arguments
from .main import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.process import HeldCommand
    from ..runtime.session import Session

_LIMITS = {
    "MAXMAPENTRIES": "maxmapentries",
    "MAXSTRINGLEN": "maxstringlen",
    "MAXERRORS": "maxerrors",
    "MAXACTION": "max_action",
    "HIST_WIDTH": "hist_width",
    "HIST_ELISION": "hist_elision",
}


class Driver:
    """One script, from text to exit status."""

    def __init__(self, args: Arguments, source: Source, lang: str) -> None:
        self.args = args
        self.source = source
        self.lang = lang
        self.bag = Bag()
        self.options = _with_limits(args)
        self.child: HeldCommand | None = None
        self._clock = _Clock(self.options.verbose)

    def run(self) -> int:
        """Run the passes and, when asked for the fifth, the program."""
        last = self.args.last_pass
        if last >= 4:
            from .live import require_bpf

            require_bpf()
        try:
            return self._run(last)
        finally:
            if self.child is not None:
                self.child.close()

    def _run(self, last: int) -> int:
        if self.options.command is not None and last >= 5:
            self._hold()
        compilation = self._compile(min(last, 3))
        if compilation is None:
            return 1
        if last <= 3:
            from .listing import show_pass

            if self.args.dump_after is None:
                show_pass(compilation, last)
            return 0
        return self._trace(compilation, last)

    def explain(self) -> int:
        """Print what runs where, and why."""
        compilation = self._compile(3)
        if compilation is None:
            return 1
        from .explain import explain

        explain(compilation)
        return 0

    def _hold(self) -> None:
        """Fork the command of -c, held before its start, so that target() is a constant."""
        from ..kernel.process import hold_command
        from ..kernel.sys import KernelError

        assert self.options.command is not None
        try:
            self.child = hold_command(self.options.command)
        except (KernelError, OSError, ValueError) as error:
            raise fail("E920", f"the command of -c can't be started: {error}") from None
        self.options = self.options.replace(target_pid=self.child.pid)

    def _compile(self, last: int) -> Compilation | None:
        from .live import live_target

        target = live_target()
        compilation = Compilation(self.source, self.lang, target, self.options, self.bag)
        ok = run_passes(compilation, last, self._after_pass(compilation))
        if self.options.warnings_as_errors:
            for diagnostic in self.bag.items:
                diagnostic.severity = "error"
            ok = ok and not self.bag.items
        report(self.bag, self.options.warnings)
        return compilation if ok else None

    def _after_pass(self, compilation: Compilation) -> object:
        wanted = self.args.dump_after

        def after(name: str, number: int) -> None:
            self._clock.passed(number, compilation)
            if name == wanted:
                from .listing import dump

                dump(compilation, name)

        return after

    def _trace(self, compilation: Compilation, last: int) -> int:
        from ..diag import escape
        from ..kernel.sys import KernelError
        from ..runtime.door import Door
        from ..runtime.session import Session
        from ..sinks import open_sink

        program = compilation.program
        assert program is not None
        try:
            sink = open_sink(self.options)
        except OSError as error:
            raise fail("E921", f"{self.options.output}: {error.strerror}") from None
        session = Session(program, Door(compilation.target.btf), sink, self.options, self.child)
        try:
            session.prepare()
            self._clock.passed(4, compilation)
            if last == 4:
                session.close()
                return 0
            return self._session(session, compilation)
        except KernelError as error:
            session.close()
            log = getattr(error, "log", "")
            raise CompileError(
                Diagnostic(
                    "E320",
                    f"the kernel refused: {error}",
                    notes=tuple((escape(line), None) for line in log.splitlines()[-12:]),
                    hints=("a refusal by the verifier is a bug in pystap",) if log else (),
                )
            ) from None

    def _session(self, session: Session, compilation: Compilation) -> int:
        def started() -> None:
            from ..btf.cache import store_index

            self._clock.starting()
            store_index(compilation.target.btf)  # only now: nobody waits for it any more

        session.on_start = started
        status = session.run()
        self._clock.completed()
        return status


def _with_limits(args: Arguments) -> object:
    options = args.options
    changes: dict[str, int] = {}
    for name, value in options.defines:
        field = _LIMITS.get(name)
        if field is None:
            continue
        try:
            number = int(value, 0)
        except ValueError:
            number = -1
        if number < 0:
            raise fail("E903", f"-D {name} takes a number, not '{value}'")
        changes[field] = number
    return options.replace(**changes) if changes else options


class _Clock:
    """The lines of -v."""

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        self.number = 1
        self._start()

    def _start(self) -> None:
        self.real = perf_counter()
        self.times = os.times()

    def _took(self) -> str:
        now = os.times()
        user = round((now.user - self.times.user) * 1000)
        system = round((now.system - self.times.system) * 1000)
        return f"in {user}usr/{system}sys/{round((perf_counter() - self.real) * 1000)}real ms."

    def passed(self, number: int, c: Compilation) -> None:
        """A step of a pass has ended; the pass itself when the step was its last."""
        last = {1: "parse", 2: "sema", 3: "link"}
        if not self.verbose or (number == 3 and c.program is None):
            return
        words = _words(number, c)
        if last.get(number) == "link" or number != 3:
            self._say(f"Pass {number}: {words} {self._took()}")
            self._start()

    def starting(self) -> None:
        """The program runs from here on."""
        if self.verbose:
            self._say("Pass 5: starting run.")
        self._start()

    def completed(self) -> None:
        """The run has ended."""
        if self.verbose:
            self._say(f"Pass 5: run completed {self._took()}")

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _words(number: int, c: Compilation) -> str:
    if number == 1:
        return f"parsed {c.source.name}"
    if number == 2:
        module = c.module
        assert module is not None
        return (
            f"analyzed script: {len(module.handlers)} probes, {len(module.functions)} functions, "
            f"{len(module.globals)} globals"
        )
    assert c.program is not None
    size = sum(len(p.insns) // 8 for p in c.program.progs)
    if number == 3:
        return f"compiled: {len(c.program.progs)} eBPF programs of {size} instructions"
    return f"loaded {len(c.program.progs)} programs, {len(c.program.maps)} kinds of maps"


