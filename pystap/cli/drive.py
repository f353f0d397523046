"""Takes one script through the passes, as far as asked, and runs it."""

from __future__ import annotations

import os

from ..compiler import Compilation, mirrored_instead, run_passes
from ..diag import Bag, CompileError, fail
from ..source import Source
from .arguments import Arguments
from .clock import Clock
from .main import report, show, unwritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.process import HeldCommand
    from ..runtime.session import Session
    from ..sinks.base import Sink


class Driver:
    """One script, from text to exit status."""

    def __init__(self, args: Arguments, source: Source, lang: str) -> None:
        self.args = args
        self.source = source
        self.lang = lang
        self.bag = Bag()
        self.options = args.options
        if self.options.defines:
            from .limits import with_limits

            self.options = with_limits(self.options, self.bag)
        if args.dump_after is not None:
            from .listing import check_name

            check_name(args.dump_after)
        self.child: HeldCommand | None = None
        self.fallback = not os.environ.get("PYSTAP_NO_FALLBACK")
        self._clock = Clock(self.options.verbose)

    def run(self) -> int:
        """Run the passes and, when asked for the fifth, the program."""
        last = self.args.last_pass
        if self.args.needless and self.options.warnings:
            _say_needless(self.args.needless)
        if self.args.without_effect and self.options.warnings:
            _say_without_effect(self.args.without_effect)
        if last >= 4:
            from .live import require_bpf

            require_bpf()
        try:
            return self._run(last)
        finally:
            if self.child is not None:
                self.child.close()

    def explain(self) -> int:
        """Print what runs where, and why."""
        compilation = self._compile(3)
        if compilation is None:
            return 1
        from .explain import explain

        explain(compilation)
        return 0

    def _run(self, last: int) -> int:
        if last >= 5:
            if self.options.command is not None:
                self._hold(self.options.command)
            elif self.options.target_pid:
                _require_process(self.options.target_pid)
        compilation = self._compile(min(last, 3))
        if compilation is None:
            return 1
        if last <= 3:
            if self.args.dump_after is None:
                from .listing import show_pass

                show_pass(compilation, last)
            return 0
        return self._trace(compilation, last)

    def _hold(self, line: str) -> None:
        """Fork the command of -c, held before its start, so that target() is a constant."""
        from ..kernel.process import command_argv, hold_command
        from ..kernel.sys import KernelError

        try:
            path = command_argv(line)[0]
            if not os.access(path, os.X_OK) or os.path.isdir(path):
                raise KernelError(13 if os.path.exists(path) else 2, f"executing {path}")
            self.child = hold_command(line)
        except KernelError as error:
            message = f"the command of -c can't be started: {error.what}: {error.strerror}"
            raise fail("E920", message) from None
        except (OSError, ValueError) as error:
            raise fail("E920", f"the command of -c can't be started: {error}") from None
        self.options = self.options.replace(target_pid=self.child.pid)

    # -- compiling

    def _compile(self, last: int) -> Compilation | None:
        """Run the compiler and report what it found; None when that stops the script."""
        from .live import live_target

        target = live_target(types=last > 1)
        c: Compilation | None = Compilation(self.source, self.lang, target, self.options, self.bag)
        assert c is not None
        ok = self._passes(c, last)
        while not ok and self.fallback and c is not None:
            c = mirrored_instead(c)
            ok = c is not None and self._passes(c, last)
        bag = c.bag if c is not None else self.bag
        if self.options.warnings_as_errors:
            for diagnostic in bag.items:
                diagnostic.severity = "error"
            ok = ok and not bag.items
        if target.untyped and not ok:
            _say_untyped(bag, target.untyped)
        report(bag, self.options.warnings)
        return c if ok else None

    def _passes(self, c: Compilation, last: int) -> bool:
        wanted = self.args.dump_after

        def after(name: str, number: int) -> None:
            self._clock.step(name, number, c)
            if name == wanted:
                from .listing import dump

                dump(c, name)

        return run_passes(c, last, after)

    # -- running

    def _trace(self, c: Compilation, last: int) -> int:
        from ..sinks import open_sink

        output = self.options.output if last >= 5 else None
        try:
            sink = open_sink(self.options.replace(output=output))
        except OSError as error:
            raise fail("E921", f"{output or repr(output)}: {error.strerror}") from None
        except ValueError as error:  # a null byte in the name
            raise fail("E921", f"{self.options.output!r}: {error}") from None
        try:
            return self._load_and_run(c, sink, last)
        finally:
            if output is not None:
                sink.close()

    def _load_and_run(self, c: Compilation, sink: Sink, last: int) -> int:
        from ..kernel.prog import VerifierError
        from ..kernel.sys import KernelError

        try:
            try:
                session = self._prepare(c, sink)
            except VerifierError as error:
                session, c = self._prepare_mirrored(c, sink, error)
            self._clock.passed(4, c)
            if last == 4:
                session.close()
                return 0
            return self._session(session, c)
        except KernelError as error:
            from .refusal import refusal

            raise CompileError(refusal(c, error)) from None
        except OSError as error:
            if type(error) is not OSError or error.errno not in (5, 27, 28, 122):
                raise
            what = self.options.output or "standard output"
            sink.abandon()
            raise CompileError(unwritable(what, error)) from None

    def _prepare(self, c: Compilation, sink: Sink) -> Session:
        """Load the program; VerifierError or KernelError when the kernel refuses. It leaves nothing behind then."""
        from ..runtime.door import Door
        from ..runtime.session import Session

        assert c.program is not None
        session = Session(c.program, Door(c.target.btf), sink, c.options, self.child)
        session.prepare()
        return session

    def _prepare_mirrored(self, c: Compilation, sink: Sink, error: Exception) -> tuple[Session, Compilation]:
        """The verifier has refused a handler, by a mistake of ours: run the handlers in the user stage instead."""
        from .refusal import refusal

        again = mirrored_instead(c, refusal(c, error)) if self.fallback else None
        if again is None or not run_passes(again, 3):
            raise error
        report(again.bag, self.options.warnings)
        return self._prepare(again, sink), again

    def _session(self, session: Session, c: Compilation) -> int:
        def started() -> None:
            import gc

            from ..btf.cache import store_index

            self._clock.starting()
            store_index(c.target.btf)  # only now: nobody waits for it any more
            gc.freeze()
            gc.enable()

        session.on_start = started
        status = session.run()
        self._clock.completed()
        return status


def _say_untyped(bag: Bag, why: str) -> None:
    """Say with what failed that the kernel has no types, unless the errors do."""
    if all(one.code == "E310" or one.code[:2] in ("E1", "E4", "E9") for one in bag.errors):
        return
    from ..diag import NOTE, Diagnostic
    from ..probes.base import WITHOUT_TYPES

    words = f"this kernel has no type information (BTF), which may be why: {why}"
    bag.add(Diagnostic("W313", words, severity=NOTE, hints=(WITHOUT_TYPES,)))


def _require_process(pid: int) -> None:
    """Raise CompileError when there is no process of that number to be the target."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        raise fail("E923", f"-x {pid}: there is no such process") from None
    except PermissionError:
        pass  # it is there


def _say_needless(options: list[str]) -> None:
    """Say that symbols of modules, which stap has to be asked for, are there anyhow."""
    from ..diag import NOTE, Diagnostic

    words = "isn't" if len(options) == 1 else "aren't"
    message = f"{', '.join(options)} {words} needed: symbols of the kernel and of all its modules are known"
    show(Diagnostic("W905", message, severity=NOTE))


def _say_without_effect(options: list[tuple[str, str]]) -> None:
    """Say which of stap's options change nothing here."""
    from ..diag import NOTE, Diagnostic

    for option, why in options:
        show(Diagnostic("W905", f"{option}: {why}", severity=NOTE))
