"""`pystap shim DIR`: small executables `stap` and `bpftrace` that run pystap, so that scripts that name them run.

A file that is there already is never overwritten.
"""

from __future__ import annotations

import os
import sys

from ..diag import fail

NAMES = {"stap": "main", "bpftrace": "bpftrace"}  # -> module of this package with main_and_leave()


def shim(folder: str) -> int:
    """Write the executables to a folder, which is made if need be; return 0 if each is there now and ours."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise fail("E924", f"{folder}: {error.strerror}") from None
    status = 0
    for name in NAMES:
        path = os.path.join(folder, name)
        if not _write(path, text(name)):
            status = 1
    if status == 0 and os.path.abspath(folder) not in os.environ.get("PATH", "").split(os.pathsep):
        import shlex

        print(f"to use them: PATH={shlex.quote(os.path.abspath(folder))}:$PATH")
    return status


def text(name: str) -> str:
    """Return the text of the executable of that name."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    start = f"from pystap.cli.{NAMES[name]} import main_and_leave; main_and_leave()"
    if not root.endswith(
        ("site-packages", "dist-packages")
    ):  # the package is no installed one: say where it is
        start = f"import sys; sys.path.insert(0, {root!r}); {start}"
    # -P: files of the current folder are no modules; a PYTHONPATH would be inherited by the command of -c
    command = f'exec {_quoted(sys.executable or "python3")} -P -c {_quoted(start)} "$@"'
    return f"#!/bin/sh\n# Runs pystap under the name of {name}. Made by: pystap shim\n{command}\n"


def _quoted(word: str) -> str:
    """Return a word as the shell takes it."""
    return "'" + word.replace("'", "'\\''") + "'"


def _write(path: str, content: str) -> bool:
    """Write a new file; say what was done, and return whether the file has this content now."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    except FileExistsError:
        if _content(path) == content.encode():
            print(f"{path} is there already")
            return True
        print(f"{path} is there already and is left as it is", file=sys.stderr)
        return False
    except OSError as error:
        raise fail("E924", f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content.encode())
    except OSError as error:
        os.unlink(path)
        raise fail("E924", f"{path}: {error.strerror}") from None
    print(f"wrote {path}")
    return True


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""
