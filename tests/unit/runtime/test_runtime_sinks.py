"""Where output goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pystap.options import Options
from pystap.sinks import open_sink
from pystap.sinks.text import SwitchingSink, TextSink


def test_text_goes_to_a_file_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old and longer than what comes")
    sink = open_sink(Options(output=str(path)))
    sink.emit("a\xff")
    sink.emit("\xc3\xa9\n")
    assert path.read_bytes() == b""
    sink.flush()
    assert path.read_bytes() == b"a\xff\xc3\xa9\n"
    sink.close()


def test_messages_come_after_what_was_printed_before(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "both", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sink = TextSink(fd=os.dup(fd), errors=fd)
    sink.emit("one\n")
    sink.message("two\n")
    sink.emit("three\n")
    sink.close()
    os.close(fd)
    assert (tmp_path / "both").read_text() == "one\ntwo\nthree\n"


def test_a_closed_pipe_is_reported_and_can_be_abandoned() -> None:
    read, write = os.pipe()
    os.close(read)
    sink = TextSink(fd=write)
    sink.emit("x")
    with pytest.raises(BrokenPipeError):
        sink.flush()
    sink.emit("y")
    sink.abandon()
    sink.emit("z")
    sink.close()


@pytest.mark.parametrize("waits", [True, False])
def test_a_pipe_that_takes_little_at_a_time_gets_everything(waits: bool) -> None:
    """The process that it is shared with may have made it one that doesn't wait."""
    import threading

    read, write = os.pipe()
    os.set_blocking(write, waits)
    got: list[bytes] = []

    def reader() -> None:
        while part := os.read(read, 1000):
            got.append(part)

    thread = threading.Thread(target=reader)
    thread.start()
    sink = TextSink(fd=write)
    sink.emit("0123456789" * 100000)
    sink.close()
    thread.join()
    os.close(read)
    assert b"".join(got) == b"0123456789" * 100000


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    sink = open_sink(Options(output=str(path), format="json"))
    sink.emit("h\xc3\xa9\n")
    sink.event("map", {"@a": {"k": 1}})
    sink.event("value", (1, "x", b"\1\2"))
    sink.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"type": "printf", "data": "h\u00e9\n"},
        {"type": "map", "data": {"@a": {"k": 1}}},
        {"type": "value", "data": [1, "x", "0102"]},
    ]


def test_json_of_maps_and_histograms(tmp_path: Path) -> None:
    from runtime_kit import glob, program

    from pystap.runtime.context import Context
    from pystap.runtime.door import Door
    from pystap.runtime.printing import Printing
    from pystap.runtime.state import State

    path = tmp_path / "out"
    options = Options(output=str(path), format="json")
    specs = (
        glob("@k", 0, "user", ("i64", "str")),
        glob("@h", 1, "user", (), "stat", stat_kind="hist", hist_log=0),
        glob("@s", 2, "user", ("str",), "stat", stat_kind="stats"),
        glob("@l", 3, "user", (), "stat", stat_kind="lhist", linear=(0, 20, 10)),
    )
    sink = open_sink(options)
    ctx = Context(program("", lang="bt", globals=specs), Door(), sink, options)
    State(ctx)
    ctx.namespace["_g0"].update({(2, "y"): 3, (1, "x"): 5})
    for value in (-3, 5):
        ctx.namespace["_g1"].push(value)
        ctx.namespace["_g3"].push(value)
    ctx.namespace["_g2"]["z"] = ctx.namespace["_new2"]()
    ctx.namespace["_g2"]["z"].push(7)
    for i in range(4):
        Printing(ctx).map(i)
    sink.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"type": "map", "data": {"@k": {"2,y": 3, "1,x": 5}}}
    assert lines[1]["type"] == "hist"
    assert lines[1]["data"]["@h"][0] == {"max": -1, "count": 1}
    assert lines[1]["data"]["@h"][-1] == {"min": 4, "max": 7, "count": 1}
    assert lines[2] == {"type": "stats", "data": {"@s": {"z": {"count": 1, "average": 7, "total": 7}}}}
    assert lines[3] == {
        "type": "hist",
        "data": {"@l": [{"max": -1, "count": 1}, {"min": 0, "max": 9, "count": 1}]},
    }


def test_files_by_turns(tmp_path: Path) -> None:
    """A full file is followed by the next, as is one when that is asked for; the last ones are kept."""
    sink = SwitchingSink(str(tmp_path / "out"), 10, 2)
    for word in ("first", "second", "third", "fourth"):
        sink.emit(word + "\n")
        sink.flush()
    assert sink.switch()
    sink.emit("last\n")
    sink.close()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"out.2": "", "out.3": "last\n"}
    assert not TextSink(str(tmp_path / "one")).switch()
