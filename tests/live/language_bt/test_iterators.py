"""iter: probes: what they show is what /proc and this process know, and a script of iterators alone ends by itself."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.live.tracer import run


def traced(text: str, *args: str) -> list[str]:
    """The lines that a script printed; nothing went wrong."""
    done = run("--lang", "bt", "-q", "-e", text, *args)
    assert (done.status, done.err) == (0, ""), done.err
    return [line for line in done.out.split("\n") if line]


def test_a_script_of_iterators_ends_behind_the_last_object() -> None:
    out = traced(
        'BEGIN { printf("first\\n"); } iter:task { @n = count(); } END { printf("last\\n"); print(@n); clear(@n); }'
    )
    assert out[:2] == ["first", "last"]
    assert int(out[2].removeprefix("@n: ")) > 1


def test_with_a_timer_the_run_goes_on() -> None:
    out = traced("iter:task { @n = count(); } interval:ms:10 { if (@n > 0) { print(1); exit(); } }")
    assert out[0] == "1"


def test_tasks_are_those_of_this_process() -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        text = 'iter:task /ctx->task->tgid == $1/ { printf("%d %s\\n", ctx->task->pid, ctx.task->comm); }'
        out = traced(text, str(os.getpid()))
        wanted = {int(name) for name in os.listdir("/proc/self/task")}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {
        int(line.split()[0]) for line in out
    } >= wanted  # those that read the tracer's output are there, too
    name = Path("/proc/self/comm").read_text().strip()
    assert {line.split(" ", 1)[1] for line in out} == {name}


def test_files_are_those_of_this_process(tmp_path: Path) -> None:
    with (tmp_path / "marked").open("w") as file:
        text = (
            "iter:task_file /ctx->task->pid == $1/ {"
            ' printf("%d %s\\n", ctx->fd, str(ctx->file->f_path.dentry->d_name.name)); }'
        )
        out = traced(text, str(os.getpid()))
        assert f"{file.fileno()} marked" in out
        still = {int(name) for name in os.listdir("/proc/self/fd")}
    seen = {int(line.split()[0]) for line in out}
    assert len(seen) == len(out)
    assert len(seen & still) >= len(still) - 1  # listing the folder takes one


def test_files_have_their_whole_names(tmp_path: Path) -> None:
    with (tmp_path / "marked").open("w") as file:
        text = "iter:task_file /ctx->task->pid == $1 && ctx->fd == $2/ { print(path(ctx->file->f_path)); }"
        assert traced(text, str(os.getpid()), str(file.fileno())) == [str(tmp_path / "marked")]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_sockets_are_those_of_this_namespace(kind: str) -> None:
    with socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        if kind == "tcp":
            one.listen()
        port = one.getsockname()[1]
        common = "ctx->sk_common" if kind == "tcp" else "((struct sock_common *)ctx->udp_sk)"
        text = (
            f"iter:{kind} /{common}->skc_num == $1/"
            f' {{ printf("%s %d %d\\n", ntop({common}->skc_rcv_saddr), {common}->skc_state, ctx->uid); }}'
        )
        out = traced(text, str(port))
    assert out == [f"127.0.0.1 {10 if kind == 'tcp' else 7} {os.getuid()}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("iter:tasks { }", "no iterator 'tasks'"),
        ("iter:task:/x { }", "pinning an iterator"),
        ("iter:bpf_map_elem { }", "over the elements of one map"),
        ("iter:task { print(ctx->tsk); }", "ctx of iter:task has no 'tsk'"),
        ("iter:task { print(args.x); }", "iter:task has no arguments"),
    ],
)
def test_what_there_isnt_is_said(text: str, words: str) -> None:
    done = run("--lang", "bt", "-e", text)
    assert done.status == 1
    assert words in done.err
