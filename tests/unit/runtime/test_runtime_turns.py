"""Reading what loops of the kernel logged, and runs that an error ended in one."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from pystap.program import Field, RecordSpec
from pystap.runtime.decode import Strings, make_runner
from pystap.runtime.errors import ScriptError
from pystap.runtime.turns import Exhausted, reader

LOG = struct.pack("<q8s3s5xq", -7, b"comm", b"abc", 5) + b"a long one\0rest1" + struct.pack("<q", 9)
SPEC = RecordSpec(
    *(0, 56, (Field(16, "i64", 8), Field(24, "i64", 8), Field(32, "buf", 24)), "f", 0), inside=1
)


def test_values_come_one_after_the_other() -> None:
    turns = reader(False)(LOG + b"old", len(LOG))
    assert (turns.word(), turns.text(8), turns.data(3), turns.word()) == (-7, "comm", b"abc", 5)
    assert (turns.long_text(), turns.word()) == ("a long one", 9)
    for read in (turns.word, turns.long_text, lambda: turns.text(8), lambda: turns.data(1)):
        with pytest.raises(Exhausted):
            read()


@pytest.mark.parametrize("size", range(18))
def test_a_long_text_takes_whole_words(size: int) -> None:
    text = b"x" * size
    log = text + bytes(8 - size % 8) + struct.pack("<q", size)
    turns = reader(False)(log, len(log))
    assert (turns.long_text(), turns.word()) == (text.decode(), size)


def test_a_terminal_gets_no_control_characters() -> None:
    assert "\x1b" not in reader(True)(b"a\x1b[31m\0\0", 8).long_text()


class Run:
    """Runs records of a function that prints words of its log until there are none; what() goes wrong at 3."""

    def __init__(self, what: Exception | None = None) -> None:
        self.out: list[int] = []
        self.errors = 0

        def function(used: int, inside: int, log: bytes) -> None:
            turns = reader(False)(log, used)
            while (word := turns.word()) != 0:
                if word == 3 and what is not None:
                    raise what
                self.out.append(word)

        def failed(_: int) -> None:
            self.errors += 1
            raise ScriptError("in the kernel")

        self.run = make_runner(SPEC, function, Strings(), None, failed)

    def record(self, flags: int, inside: int, *words: int) -> Any:
        return (1, 0, flags, 8 * len(words), inside, struct.pack("<3q", *[*words, 8, 8, 8][:3]))


def test_a_run_without_an_error() -> None:
    run = Run()
    run.run([run.record(0, 0, 1, 2, 0), run.record(0, 0, 4, 0)])
    assert (run.out, run.errors) == ([1, 2, 4], 0)


def test_an_error_in_a_loop_comes_behind_its_turns() -> None:
    run = Run()
    with pytest.raises(ScriptError, match="in the kernel"):
        run.run([run.record(1, 1, 1, 2), run.record(0, 0, 4, 0)])
    assert (run.out, run.errors) == ([1, 2], 1)


def test_an_error_outside_of_loops_is_all_of_its_run() -> None:
    run = Run()
    with pytest.raises(ScriptError, match="in the kernel"):
        run.run([run.record(1, 0, 1, 2, 0)])
    assert run.out == []


def test_an_error_of_the_user_stage_comes_before_the_kernels() -> None:
    run = Run(ScriptError("of its own"))
    with pytest.raises(ScriptError, match="of its own"):
        run.run([run.record(1, 1, 1, 3)])
    assert (run.out, run.errors) == ([1], 1)  # and the kernel's is taken note of


def test_a_log_that_ends_too_early_is_a_bug() -> None:
    run = Run()
    with pytest.raises(Exhausted):
        run.run([run.record(0, 0, 1, 2)])
