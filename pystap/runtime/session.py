"""`Session`: one run of a program, from making its maps to the last line.

    session = Session(program, Door(btf), sink, options, child)
    session.prepare()      # maps, programs, the generated code; KernelError or VerifierError if refused
    status = session.run() # begin handlers, attach, the loop, end handlers, displays; everything is closed then

Order (R6, R7): begin handlers run in the state STARTING; then the programs are attached, the state becomes
RUNNING and the command of -c is let go. Records run in the order of their numbers over all CPUs; a timer's handler runs
after every record that was numbered before its tick. exit() takes effect when its handler has ended: called in a record's
handler nothing numbered behind it runs; called by the kernel stage, what was numbered until all programs have left does.
Called in a timer's handler, what programs did until the state word was changed has happened: if that was more than
to make records (RecordSpec.changes), these run, too. So it is with the error that ends the run, wherever it comes from: what
is counted is printed. Errors behind it are only counted.
"""

from __future__ import annotations

from time import sleep

from ..program import STATE_RUNNING
from .context import Context
from .decode import Dispatcher, Strings
from .env import load_source
from .errors import Quit, ScriptError, too_deep
from .records import NAP, Records
from .signals import Signals
from .state import State
from .timers import Timers, now
from .watch import RING, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..kernel.process import HeldCommand
    from ..options import Options
    from ..program import Program
    from ..sinks.base import Sink
    from .decode import Record
    from .door import Door

STDOUT = 1
CHECK = 0.1  # how often the control block is looked at when no record comes


class Session:
    """One run."""

    def __init__(
        self,
        program: Program,
        door: Door,
        sink: Sink,
        options: Options,
        child: HeldCommand | None = None,
    ) -> None:
        self.program = program
        self.door = door
        self.sink = sink
        self.options = options
        self.child = child
        self.context = Context(program, door, sink, options)
        self.strings = Strings(sink.terminal)
        self.state = State(self.context)
        self.records = Records(door, program.records, self._run_records, self._over)
        self.timers = Timers(program.timers)
        asked = {"SIGUSR1": ""} if program.lang == "bt" else {}  # bpftrace's wish for its maps
        self.signals = Signals({**asked, **dict(program.signals)})
        self.dispatcher: Dispatcher | None = None
        self.errors = 0
        self._forgiven = 0  # of the kernel stage, without a record
        self.failed = False
        self.stopping = False
        self._unread = False  # nobody reads the output any more
        self._command_failed = False
        self._changes = any(spec.changes for spec in program.records)  # runs do more than to make records
        self._dropping = True  # after exit() no record runs
        self._watch: Watch | None = None
        self._prepared = False
        self._deadline: int | None = None
        # called when events are traced, before -c's command goes
        self.on_start: Callable[[], None] | None = None

    # -- before

    def prepare(self) -> None:
        """Make the maps, load the programs, load the generated code."""
        program, door, context = self.program, self.door, self.context
        self._prepared = True
        try:
            door.make_maps(program)
            door.load(program)
            names = load_source(context)
            self.state.connect(self.strings)
            if program.records:
                self.dispatcher = Dispatcher(
                    *(program, context.namespace, self.strings, context.exiting, self._kernel_error),
                    can_exit="_exit" in names,
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Detach and free everything."""
        self.context.close()
        self.state.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self.door.close()

    # -- the run

    def run(self) -> int:
        """Run to the end and return the exit status."""
        import gc

        if not self._prepared:
            self.prepare()
        collecting = gc.isenabled()
        gc.disable()  # batches of records are many young tuples and no cycles
        try:
            self.signals.install()
            self._whole()
        except BrokenPipeError:  # in the end handlers, say
            self._end_unread()
        except Quit:
            self.failed = True
            self._say_interrupted()
        except Exception:  # what was printed until then isn't lost with it
            try:
                self.sink.flush()
            except OSError:  # it was this
                pass
            raise
        finally:
            self.signals.restore()
            self.close()
            if collecting:
                gc.enable()
        if self.failed or self._unread or self._command_failed:
            return 1
        return self.context.exiting[0] & 255 if self.context.exiting else 0

    def _say_interrupted(self) -> None:
        """Say that the end was asked for twice."""
        try:
            self.sink.message("WARNING: interrupted a second time: the rest of the run was left out\n")
        except (OSError, Quit):  # nobody takes output, which may be why
            pass

    def _whole(self) -> None:
        try:
            self._trace()
        except BrokenPipeError:
            self._end_unread()
        self._finish()

    def _trace(self) -> None:
        """Run the begin handlers, and trace until something ends that."""
        self._handlers(self.program.begin)
        if self._over() and not self.failed:
            self._say_attached()
        if self._over() or not self.sink.structured:  # lines of JSON come behind the one of what is attached
            self.sink.flush()
        if not self._over():
            self._start()
            self.sink.flush()
            self._loop()

    def _end_unread(self) -> None:
        """Nobody reads the output any more: end as if asked to, but for the status."""
        self._unread = True
        self.sink.abandon()
        self.stopping = True

    def _over(self) -> bool:
        """Whether the run is to end: exit() was called, or something else ends it."""
        return self.stopping or bool(self.context.exiting)

    def _start(self) -> None:
        door = self.door
        door.set_clock()
        door.unwanted = lambda: self.signals.ending
        for warning in door.attach():
            self.sink.message(f"WARNING: {warning}\n")
        if self.signals.ending:  # before anything was traced: nor does the command of -c run
            self.stopping = True
            return
        self._say_attached()
        self._watch = self._open_watch()
        start = now()
        self.timers.start(start)
        self._deadline = start + int(self.options.timeout * 1e9) if self.options.timeout else None
        door.go()
        self._iterate()
        if self.on_start is not None:
            self.on_start()
        if self.child is not None and not self.context.exiting:
            self.child.release()

    def _iterate(self) -> None:
        """Have the iterators' programs see all objects; their records are taken meanwhile."""
        passes = self.door.iterate()
        while passes is not None and not passes.done:
            sleep(NAP)
            if self.signals.ending:
                self.door.stop()
            if not self.context.exiting:
                self.records.take()
        if passes is not None and passes.error is not None:
            raise passes.error
        if passes is not None and self._only_iterators():
            self.stopping = True

    def _only_iterators(self) -> bool:
        """Whether no event can come any more: bpftrace's scripts of iterators end with them."""
        others = self.program.timers or self.program.signals or self.options.timeout
        kinds = {one.kind for one in self.door.attachments}
        return self.program.lang == "bt" and not others and kinds == {"iter"}

    def _say_attached(self) -> None:
        """bpftrace's line of how many probes there are."""
        program = self.program
        if program.lang != "bt" or self.options.quiet:
            return
        count = len(program.begin) + len(program.end) + len(program.timers) + len(program.signals)
        count += sum([max(1, len(p.handlers)) for p in program.progs])
        if self.sink.structured:
            self.sink.first("attached_probes", {"probes": count})
        else:
            self.sink.message(f"Attached {count} probe{'s' if count != 1 else ''}\n")

    def _open_watch(self) -> Watch:
        watch = Watch([ring.fd for ring in self.door.rings])
        watch.add(self.signals.fd, "signal")
        if self.sink.fd == STDOUT:
            watch.add_reader(STDOUT, "unread")
        if self.door.modules is not None and self.door.modules.watch is not None:
            watch.add(self.door.modules.watch.fd, "modules")
        if self.child is not None:
            watch.add(self.child.pidfd, "process")
        elif self.options.target_pid:
            try:
                watch.add_process(self.options.target_pid, "process")
            except OSError:
                self.stopping = True  # it has ended already
        return watch

    def _loop(self) -> None:
        """Until something ends the run."""
        has_programs = bool(self.door.loaded)
        while not self._over():
            woken = self._wait(has_programs)
            if has_programs:
                if woken:
                    sleep(NAP)  # so that one batch is worth its while
                self.records.take()
                self._check_control()
                self.door.refresh()
            self._tick()
            self._take_signals()
            self.sink.flush()

    def _wait(self, has_programs: bool) -> bool:
        """Sleep until there is something to do; whether records have come."""
        if self.records.missing:
            sleep(NAP)
            return False
        wake = self.timers.next()
        if self._deadline is not None and (wake is None or self._deadline < wake):
            wake = self._deadline
        timeout = -1.0 if wake is None else max(0.0, (wake - now()) / 1e9)
        if has_programs and not 0 <= timeout < CHECK:
            timeout = CHECK
        assert self._watch is not None
        reasons = self._watch.wait(timeout)
        if "modules" in reasons and self.door.modules is not None:
            for warning in self.door.modules.changed():
                self.sink.message(f"WARNING: {warning}\n")
        if "unread" in reasons and not self.signals.ending:  # Ctrl-C ends `| cat`, too
            self._end_unread()
        if "process" in reasons:
            self.stopping = True
        return RING in reasons

    def _check_control(self) -> None:
        """See whether the kernel stage has ended the run, by exit() or an error."""
        if self.door.state != STATE_RUNNING:
            self.stopping = True
        if self.options.maxerrors:
            self._forgive()

    def _tick(self) -> None:
        """Run the timers that are due."""
        at = now()
        if self._deadline is not None and at >= self._deadline:
            self.stopping = True
        while not self._over():
            function = self.timers.due(at)
            if function is None:
                return
            self._user(function)

    def _take_signals(self) -> None:
        for function in self.signals.take():
            if function is None:
                self.stopping = True
            elif self.context.exiting or self.stopping:
                continue
            elif function:
                self._user(function)
            else:
                self.records.take_before(self.door.sequence)
                self._displays(ending=False)

    # -- user handlers

    def _handlers(self, names: Iterable[str], *, ending: bool = False) -> None:
        """Run handlers one after the other, until one asks for the end."""
        for name in names:
            if self.context.exiting and not ending:
                return
            self._user(name, ending=ending)
            if self.failed and not ending:
                return

    def _user(self, name: str, *, ending: bool = False) -> None:
        """Run one user handler on an up-to-date state."""
        namespace = self.context.namespace
        wanted = namespace["_SYNC"].get(name, ())
        generation = None
        try:
            if wanted and self.door.loaded and self.state.flips(wanted):
                generation = self.state.flip()
            if not ending:
                self.records.take_before(self.door.sequence)
                if self._over():
                    if generation is not None:
                        self.state.sync((), generation)
                    return
            if wanted and self.door.loaded:
                self.state.sync(wanted, generation)
            try:
                namespace[name]()
            finally:
                self._dropping = not (self.context.exiting and self._changes)
        except (ScriptError, RecursionError) as error:
            self._script_error(error)

    def _script_error(self, error: ScriptError | RecursionError, *, told: bool = True) -> None:
        """Report a run-time error, or just count it; the run ends when there are too many."""
        if isinstance(error, RecursionError):
            error = too_deep(error, self.program.source)
        if told:
            self.sink.message(f"ERROR: {error}\n")
        self._count_errors(1)

    def _count_errors(self, count: int) -> None:
        self.errors += count
        if self.errors > self.options.maxerrors:
            self.failed = True
            self.stopping = True
            self.door.stop()

    def _forgive(self) -> None:
        """Report errors of the kernel stage that end their run alone and have no record: one of them, and the number."""
        found = self.door.error()
        if found is not None:
            self.door.clear_error()
            self._forgiven += 1
            self._script_error(self.context.site_error(*found), told=not self.failed)
        more = self.door.errors() - self._forgiven
        if more > 0:
            self._forgiven += more
            self._count_errors(more)

    def _kernel_error(self, flags: int) -> None:
        """Raise what the kernel stage reported with a record. It keeps only one error of those that end the run together."""
        if flags > 1:
            raise self.context.site_error((flags >> 1) - 1, 0)
        found = self.door.error()
        if found is None:
            raise ScriptError("a run-time error at the same time as another")
        self.door.clear_error()
        raise self.context.site_error(*found)

    def _run_records(self, ready: list[Record]) -> None:
        """Run a batch of records, each with its own error.

        Behind the error that ends the run they happen only if they have already, in part (`_changes`).
        """
        dispatcher = self.dispatcher
        assert dispatcher is not None
        dispatcher.take(ready)
        while True:
            try:
                dispatcher.run()
                return
            except (ScriptError, RecursionError) as error:
                self._script_error(error, told=not self.failed)
            if self.context.exiting or (self.failed and not self._changes):
                return

    # -- after

    def _finish(self) -> None:
        """Drain, the end (or error) handlers, displays, what was lost."""
        door = self.door
        door.stop()
        door.quiesce()
        self._drain_rest()
        if self.options.maxerrors:
            self._forgive()
        elif not self.failed and door.error() is not None:
            try:
                self._kernel_error(0)
            except ScriptError as error:
                self._script_error(error)
        door.detach()
        self._settle()
        self._handlers(self.program.error if self.failed else self.program.end, ending=True)
        self._displays()
        from .report import losses

        for line in losses(self.context, self.errors):
            self.sink.message(line)
        if self.child is not None:
            self._reap(self.child)
        self.sink.flush()

    def _drain_rest(self) -> None:
        """Run the records of all that happened before the end; the exit code, if the kernel stage has one."""
        exiting = self.context.exiting
        code, stopping = exiting[:], self.stopping
        dropping = self._dropping if exiting else self.failed and not self._changes
        if self.door.rings and not dropping:
            exiting.clear()
            self.stopping = False
            self.records.take(gaps=True)
            self.stopping = stopping or self.stopping
        found = self.door.exit_code()
        if code:
            exiting[:] = code
        elif found is not None and not exiting:
            exiting.append(found)

    def _settle(self) -> None:
        """Merge what may be too much: an array that is full fails the run before its end handlers, read or not."""
        try:
            wanted = self.state.limited() if self.door.loaded and not self.failed else []
            if wanted:
                self.state.sync(wanted, self.state.flip())
        except ScriptError as error:
            self._script_error(error)

    def _displays(self, *, ending: bool = True) -> None:
        """Print the globals that the language prints by itself."""
        if not self.options.display_globals:
            return
        shown = [spec for spec in self.program.globals if spec.display]
        if not shown or (self.failed and self.program.lang == "stp"):
            return
        wanted = [spec.index for spec in shown]
        try:
            if self.door.maps:
                generation = self.state.flip() if self.state.flips(wanted) else None
                self.state.sync(wanted, generation)
        except ScriptError as error:
            self._script_error(error)
        from .printing import Printing

        Printing(self.context).display(shown, self.state, ending=ending)

    def _reap(self, child: HeldCommand) -> None:
        """Say how the command of -c ended, if it did badly: then the run has failed (error::pass5 of stap's manual)."""
        status = child.poll()
        if status and self.program.lang == "stp":
            self.context.warn_once("command", f"the command ended with status {status}")
            self._command_failed = not self.signals.ending  # Ctrl-C is the command's, too
