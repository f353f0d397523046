"""What the kernel refused, as a diagnostic at the line of the script that it speaks of."""

from __future__ import annotations

from errno import E2BIG, EILSEQ, EINVAL, EMFILE, ENOENT, ENOMEM, ENOSPC

from ..diag import Diagnostic
from ..source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..compiler import Compilation

_SHOWN = 8  # lines of the verifier's log
_STATISTICS = ("processed ", "verification time", "stack depth", "peak_states")


def refusal(c: Compilation, error: Exception) -> Diagnostic:
    """Return the diagnostic of a KernelError or VerifierError."""
    log = str(getattr(error, "log", ""))
    what = f"{getattr(error, 'what', error)}: {getattr(error, 'strerror', '')}"
    lines = [line for line in log.split("\n") if line and not line.startswith(_STATISTICS)]
    file, line = getattr(error, "place", ("", 0))
    span = _line(c, line) if line and file == c.source.name else None
    if type(error).__name__ == "NoneAttached":
        if getattr(error, "errno", 0) == EILSEQ:
            words = f"{getattr(error, 'what', '')}: no instruction begins at that offset"
            return Diagnostic("E309", words, span)
        hint = "the kernel keeps tracing out of some of its functions (notrace)"
        return Diagnostic("E309", what, span, hints=(hint,))
    if not lines:
        return Diagnostic("E320", f"the kernel refused: {what}", span, hints=_remedies(error))
    return Diagnostic(
        "E322",
        f"the kernel's verifier refused: {lines[-1]}",
        place(c, lines),
        notes=tuple((line, None) for line in lines[-_SHOWN:]),
        hints=("this is a bug in pystap, not in the script; --stage=mirror may get around it",),
    )


def _remedies(error: Exception) -> tuple[str, ...]:
    """Return what to do about what the kernel refused, where that is known."""
    number, what = getattr(error, "errno", 0), str(getattr(error, "what", ""))
    if number == EMFILE:
        return ("the limit of open files is too low: ulimit -n 4096",)
    if number == E2BIG and what.startswith("making map"):
        return (
            "an element takes more than the 32 KiB that kernels allow: fewer buckets of @hist_linear, shorter strings",
        )
    if number in (ENOMEM, ENOSPC):
        return ("-s MB makes smaller buffers, -D MAXMAPENTRIES=N smaller arrays",)
    if what.startswith("opening ") and " on CPU " in what:
        if number == ENOENT:
            return (
                "this machine has no such counter, as most virtual ones; 'pystap doctor' says what there is",
            )
        if number == EINVAL:
            return (f"{_RATE} is the highest rate of samples that the kernel allows: sysctl {_RATE}",)
    return ()


_RATE = "kernel.perf_event_max_sample_rate"


def place(c: Compilation, log: list[str]) -> Span | None:
    """Return the line of the script that a verifier's log names last ("; text @ file:line"), if it names one.

    Kernels before 6.10 name no line but give its text.
    """
    for line in reversed(log):
        if line.startswith("; "):
            _, at, where = line[2:].rpartition(" @ ")
            name, _, number = where.rpartition(":")
            if at and number.isdecimal():
                if name == c.source.name.rpartition("/")[2] or name == c.source.name:
                    return _line(c, int(number))
                continue
            found = c.source.text.find(line[2:].strip()) if not at else -1
            if found >= 0:
                return _line(c, c.source.position(found)[0])
    return None


def _line(c: Compilation, number: int) -> Span | None:
    text = c.source.line(number)
    if not text.strip():
        return None
    start = 0
    for _ in range(number - 1):
        start = c.source.text.index("\n", start) + 1
    return Span(c.source, start + len(text) - len(text.lstrip()), start + len(text.rstrip()))
