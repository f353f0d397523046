"""Insert-if-absent: what is there stays, a value of 0 is as good as none where the script said so, a full map."""

from __future__ import annotations

import struct

import pytest

from tests.kit.ebpf_rig import Const, Global, Op, Rig, Shape, handler, i64

ROOM = 2


def rig(mode, full="error", keys=("i64",)):
    glob = Global("a", keys, "i64", capacity=ROOM, full=full)
    tell = Global("tell", (), "i64")
    k, v, got, new = i64("k"), i64("v"), i64("got"), i64("new")
    body = [
        Op(k, "ctx_arg", (), (0, False)),
        Op(v, "ctx_arg", (), (1, False)),
        Op(got, "insert", (*([k] if keys else []), v), (glob, mode)),
        Op(new, "add", (got, Const(10))),
        Op(None, "set", (new,), tell),
    ]
    shape = Shape()
    shape.kind, shape.size = "i64", 8
    made = Rig(
        [handler(*body)],
        globs=[(glob, "shared", [shape for _ in keys], False), (tell, "shared", [], False)],
    )

    def run(key, value):
        made.run(key, value)
        return made.peek(made.homes[tell].spec.offset, "<q")

    return made, run, made.homes[glob].spec


def elements(made):
    hashed = made.maps["a"]
    return {
        struct.unpack("<q", key)[0]: struct.unpack("<q", hashed.get(key))[0] for key in list(hashed.keys())
    }


@pytest.mark.parametrize(("mode", "second"), [("absent", 10), ("zero", 11)])
def test_an_element(mode, second):
    made, run, _ = rig(mode)
    assert [run(5, 0), run(5, 7), run(5, 9), run(6, -1)] == [11, second, 10, 11]
    assert elements(made) == {5: 7 if mode == "zero" else 0, 6: -1}


def test_a_scalar():
    made, run, spec = rig("zero", keys=())
    assert [run(0, 0), run(0, 7), run(0, 8)] == [11, 11, 10]
    assert made.peek(spec.offset, "<q") == 7


@pytest.mark.parametrize("mode", ["absent", "zero"])
def test_a_full_array_is_an_error(mode):
    made, run, _ = rig(mode)
    for key in range(ROOM):
        run(key, 1)
    assert made.error is None
    run(ROOM, 1)
    assert made.error == ("Array overflow, check MAXMAPENTRIES", 0)


@pytest.mark.parametrize("mode", ["absent", "zero"])
def test_a_full_map_leaves_the_key_out_and_the_script_goes_on(mode):
    made, run, spec = rig(mode, full="warn")
    assert [run(key, 1) for key in range(ROOM + 2)] == [11] * (ROOM + 2)
    assert sorted(elements(made)) == list(range(ROOM))
    assert made.peek(spec.offset) == 1
    assert made.error is None
