"""`socket_cookie()` gives the number that the socket's owner is told by getsockopt(SO_COOKIE)."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.live.tracer import run

WORK = f"{sys.executable} {Path(__file__).parent / 'workloads' / 'cookies.py'}"


def test_cookies_are_the_sockets() -> None:
    script = """
    rawtracepoint:inet_sock_set_state /pid == cpid/ {
      $sk = args.sk;
      if ($sk->__sk_common.skc_num > 0) { printf("saw %d %d\\n", socket_cookie($sk), socket_cookie(args.sk)); }
    }
    """
    done = run("--lang", "bt", "-q", "-c", WORK, "-e", script)
    assert (done.status, done.err) == (0, "")
    told = {line.split()[1] for line in done.out.split("\n") if line.startswith("is ")}
    seen = [line.split()[1:] for line in done.out.split("\n") if line.startswith("saw ")]
    assert len(told) == 3 and {one for one, _ in seen} == told
    assert all(one == two for one, two in seen)


def test_only_of_what_the_event_has() -> None:
    done = run("--lang", "bt", "-e", "profile:hz:9 { print(socket_cookie(curtask)); }")
    assert done.status == 1 and "has no sockets that the kernel knows as such" in done.err
    script = (
        "rawtracepoint:inet_sock_set_state { $x = (struct sock *)args.oldstate; print(socket_cookie($x)); }"
    )
    done = run("--lang", "bt", "-e", script)
    assert done.status == 1 and "socket_cookie() needs a socket that the event itself has" in done.err
