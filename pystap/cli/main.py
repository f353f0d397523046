"""`pystap`: what each form of the command does. Statuses: 0 all went well, 1 not."""

from __future__ import annotations

import os
import sys

from ..diag import WARNING, Bag, CompileError, Diagnostic, fail, render
from ..source import Source
from .arguments import Arguments, parse


LARGEST = 4 << 20  # bytes of a script


def main(argv: list[str] | None = None) -> int:
    """Run the command; never raises, never shows a traceback (PYSTAP_DEBUG=1 does)."""
    words = sys.argv[1:] if argv is None else argv
    try:
        return _main(words)
    except CompileError as error:
        show(error.diagnostic)
        return 1
    except BrokenPipeError:
        _drop_stdout()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("PYSTAP_DEBUG"):
            raise
        where = ""
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            where = f"{os.path.basename(os.path.dirname(code.co_filename))}/{os.path.basename(code.co_filename)}"
            where += f":{trace.tb_lineno}"
            trace = trace.tb_next
        show(
            Diagnostic(
                "E999",
                f"this is a bug in pystap: {type(error).__name__}: {error} ({where})",
                hints=("PYSTAP_DEBUG=1 shows where it comes from",),
            )
        )
        return 1


def show(diagnostic: Diagnostic) -> None:
    """Print a diagnostic on standard error."""
    try:
        sys.stderr.write(render(diagnostic, colour=_colour()))
    except OSError:
        pass


def _colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _drop_stdout() -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        pass


def _main(words: list[str]) -> int:
    explaining = bool(words) and words[0] == "explain"
    if words and words[0] == "doctor":
        from .doctor import doctor

        return doctor()
    args = parse(words[1:] if explaining else words)
    if args.action == "version":
        print("pystap 0.1.0 (SystemTap 5.6 and bpftrace scripts, compiled to eBPF)")
        return 0
    if args.action == "help":
        from .help import HELP

        sys.stdout.write(HELP)
        return 0
    source, lang = read_script(args)
    from .drive import Driver

    driver = Driver(args, source, lang)
    return driver.explain() if explaining else driver.run()


def read_script(args: Arguments) -> tuple[Source, str]:
    """Return the script and its language; CompileError (E91x) when it can't be had."""
    if args.script is not None:
        text = args.script.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Source("<input>", text), args.options.lang or "stp"
    if args.file is None:
        raise fail("E910", "no script given", None, "pystap SCRIPT, pystap -e TEXT, or pystap --help")
    name, data = ("<stdin>", _read_stdin()) if args.file == "-" else _read_file(args)
    if len(data) > LARGEST:
        raise fail("E911", f"{name} has {len(data)} bytes; a script has at most {LARGEST}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail("E912", f"{name}:{line}: this is not UTF-8 text (byte {error.start})") from None
    return Source(name, text), args.options.lang or language(name, text)


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read(LARGEST + 1)


def _read_file(args: Arguments) -> tuple[str, bytes]:
    path = args.file
    assert path is not None
    tool = os.path.join(os.path.dirname(os.path.dirname(__file__)), "tools", f"{path}.stp")
    if os.sep not in path and not os.path.exists(path) and path.isidentifier() and os.path.exists(tool):
        path = tool
    try:
        with open(path, "rb") as file:
            return path, file.read(LARGEST + 1)
    except OSError as error:
        raise fail("E911", f"{path}: {error.strerror}", None, *_nearby(path)) from None


def _nearby(path: str) -> tuple[str, ...]:
    from ..diag import did_you_mean

    folder = os.path.dirname(path) or "."
    try:
        near = did_you_mean(os.path.basename(path), os.listdir(folder))
    except OSError:
        return ()
    return (f"did you mean '{os.path.join(folder, near) if folder != '.' else near}'?",) if near else ()


def language(name: str, text: str) -> str:
    """Return "stp" or "bt", by suffix, or by the first line."""
    if name.endswith(".bt"):
        return "bt"
    if name.endswith((".stp", ".stpm")):
        return "stp"
    first = text.split("\n", 1)[0]
    return "bt" if first.startswith("#!") and "bpftrace" in first else "stp"


def report(bag: Bag, warnings: bool) -> None:
    """Print what a compilation found."""
    for diagnostic in bag.items:
        if diagnostic.severity != WARNING or warnings:
            show(diagnostic)


