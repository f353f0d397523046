"""`pystap`: what each form of the command does. Statuses: 0 all went well, 1 not, 130 interrupted before the run."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from ..diag import WARNING, Bag, CompileError, Diagnostic, fail, render
from ..source import Source
from .arguments import COMMANDS, Arguments, parse

LARGEST = 4 << 20  # bytes of a script
_UNWRITABLE = (5, 9, 27, 28, 122)  # EIO EBADF EFBIG ENOSPC EDQUOT: output that can't be written


def main(argv: list[str] | None = None) -> int:
    """Run the command; never raises, never shows a traceback (PYSTAP_DEBUG=1 does)."""
    words = sys.argv[1:] if argv is None else argv
    try:
        _take_interrupts()
        _open_closed()
        status = _main(words)
        sys.stdout.flush()
        return status
    except CompileError as error:
        show(error.diagnostic)
    except BrokenPipeError:
        pass  # who read the output has had enough
    except KeyboardInterrupt:
        _drop_stdout()
        return 130
    except OSError as error:
        if error.errno not in _UNWRITABLE or type(error) is not OSError:
            return _bug(error)
        show(unwritable("standard output", error))
    except Exception as error:
        return _bug(error)
    _drop_stdout()
    return 1


def unwritable(what: str, error: OSError) -> Diagnostic:
    """Return the diagnostic of output that couldn't be written."""
    return Diagnostic("E922", f"{what} can't be written: {error.strerror}")


def _bug(error: Exception) -> int:
    """Report an exception that should not be."""
    if os.environ.get("PYSTAP_DEBUG"):
        raise error
    where = ""
    trace = error.__traceback__
    while trace is not None:
        path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        where = f"{os.path.basename(os.path.dirname(path))}/{os.path.basename(path)}:{line}"
        trace = trace.tb_next
    message = f"this is a bug in pystap: {type(error).__name__}: {error} ({where})"
    show(Diagnostic("E999", message, hints=("PYSTAP_DEBUG=1 shows where it comes from",)))
    _drop_stdout()
    return 1


def _take_interrupts() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again: `__main__` had it end the process."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def main_and_leave() -> None:
    """Run the command and leave the process at once: tearing down the interpreter takes 10 ms.

    No garbage is collected until events are traced (`Driver` turns that on): a compilation makes hardly any.
    """
    import gc

    status = 130
    try:
        gc.disable()
        status = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 1
    except KeyboardInterrupt:  # in the last moment, or the first
        pass
    os._exit(status)


def show(diagnostic: Diagnostic) -> None:
    """Print a diagnostic on standard error."""
    try:
        sys.stderr.write(render(diagnostic, colour=_colour()))
        sys.stderr.flush()
    except OSError:
        pass


def _colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _open_closed() -> None:
    """Give descriptors 0 to 2 something harmless where the caller closed them, before a map becomes one of them."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        for fd in range(3):
            try:
                os.fstat(fd)
            except OSError:  # writing to a standard output that was closed goes on failing
                os.open(os.devnull, os.O_RDONLY if fd == 1 else os.O_RDWR)
        sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
        sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
        sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    elif sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _drop_stdout() -> None:
    """Have what is left in the buffer written to nowhere, so that Python says nothing of it at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        except OSError:
            pass


def _main(words: list[str]) -> int:
    if len(words) > 1 and words[0][:1] == "-" and " " in words[0]:
        words = _of_first_line(words)
    word = words[0] if words else ""
    if word == "bpftrace":  # its command line, as the shim has it
        from .bpftrace import translate

        words = translate(words[1:])
        word = words[0]
    args = parse(words[1:] if word in COMMANDS else words)
    if word not in COMMANDS and args.file in COMMANDS and not os.path.exists(args.file):
        word = args.file  # options stood before it
        rest = args.options.args
        args.file = rest[0] if rest else None
        args.options = args.options.replace(args=rest[1:])
    return _run(word, args)


def _run(word: str, args: Arguments) -> int:
    """Do what a command says; without one, run a script or list probe points."""
    if args.action in ("version", "help"):
        from .help import VERSION, text

        sys.stdout.write(VERSION if args.action == "version" else text(args))
        return 0
    if word == "doctor":
        return _doctor(args)
    if word == "shim":
        return _shim(args)
    if args.folders:
        from .tapsets import read

        args.options = args.options.replace(tapsets=read(args.folders))
    if args.listing:
        from .listings import run

        return run(args)
    source, lang = read_script(args)
    if lang == "bt" and (args.folders or args.options.scripts):
        raise fail("E901", f"{'-I' if args.folders else '-E'} is for SystemTap's language")
    if lang == "bt":
        from .bpftrace import settings

        args.options = args.options.replace(settings=settings())
    from .drive import Driver

    driver = Driver(args, source, lang)
    return driver.explain() if word == "explain" else driver.run()


def _of_first_line(words: list[str]) -> list[str]:
    """Split the options of a script's first line (`#!/usr/bin/stap -v -g`), which the kernel hands over as one word."""
    try:
        with open(words[1], "rb") as file:
            first = os.fsdecode(file.readline(4096)).split(None, 1)
    except OSError:
        return words
    ours = len(first) == 2 and first[0].startswith("#!") and first[1].strip() == words[0].strip()
    return [*words[0].split(), *words[1:]] if ours else words


def _doctor(args: Arguments) -> int:
    if args.file is not None or args.script is not None:
        raise fail("E901", "pystap doctor takes no script")
    from .doctor import doctor

    return doctor()


def _shim(args: Arguments) -> int:
    if args.file is None or args.options.args:
        raise fail("E901", "pystap shim takes one folder", None, "pystap shim ~/bin")
    from .shim import shim

    return shim(args.file)


def read_script(args: Arguments) -> tuple[Source, str]:
    """Return the script and its language; CompileError (E91x) when it can't be had."""
    if args.script is not None:
        text = args.script
        if not text.isascii():
            text = _decoded(os.fsencode(text))
        return Source("<input>", text), args.options.lang or language("", text)
    if args.file is None:
        raise fail("E910", "no script given", None, "pystap SCRIPT, pystap -e TEXT, or pystap --help")
    name, data = ("<stdin>", _read_stdin()) if args.file == "-" else _read_file(args.file)
    if len(data) > LARGEST:
        raise fail("E911", f"{name} is too large for a script: more than {LARGEST} bytes")
    for start, words in _FOREIGN:
        if data.startswith(start):
            raise fail("E911", f"{name} is no script: {words}")
    text = _decoded(data)
    return Source(name, text), args.options.lang or language(name, text)


# What files begin with that are given by mistake.
_FOREIGN = (
    (b"\x7fELF", "it is a program, or a library (ELF)"),
    (b"\x1f\x8b", "it is compressed (gzip)"),
    (b"\xff\xfe", "it is text in UTF-16; scripts are UTF-8"),
    (b"\xfe\xff", "it is text in UTF-16; scripts are UTF-8"),
)


def _decoded(data: bytes) -> str:
    """Return the text of a script: UTF-8; bytes that aren't (old comments, say) stay what they are."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _read_stdin() -> bytes:
    try:
        return sys.stdin.buffer.read(LARGEST + 1)
    except OSError as error:
        raise fail("E911", f"standard input: {error.strerror}") from None


def _read_file(path: str) -> tuple[str, bytes]:
    from .toolbox import tool

    path = tool(path) or path
    try:
        with open(path, "rb") as file:
            return path, file.read(LARGEST + 1)
    except OSError as error:
        hints = _nearby(path) if error.errno == 2 else ()
        raise fail("E911", f"{path or repr(path)}: {error.strerror}", None, *hints) from None
    except ValueError as error:  # a null byte in the name
        raise fail("E911", f"{path!r}: {error}") from None


def _nearby(path: str) -> tuple[str, ...]:
    from ..diag import did_you_mean
    from .toolbox import names

    folder, name = os.path.split(path)
    try:
        known = os.listdir(folder or ".") + ([] if folder else names())
    except OSError:
        return ()
    near = did_you_mean(
        name, [one for one in known if one != name]
    )  # a link that leads nowhere has that name
    return (f"did you mean '{os.path.join(folder, near)}'?",) if near else ()


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
