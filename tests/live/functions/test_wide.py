"""A function of seven arguments: kernels differ in whether fentry can take them over."""

from __future__ import annotations

import pytest

from tests.live import probing
from tests.live.network import Namespace, namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import socket
server = socket.socket(socket.AF_INET6)
server.bind(("::1", 3341)); server.listen(1)
client = socket.create_connection(("::1", 3341))
other, _ = server.accept()
for _ in range(10):
    client.sendall(b"x"); other.sendall(other.recv(1)); client.recv(1)
"""


@pytest.fixture
def net():
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    with namespace() as made:
        yield made


def test_a_function_of_seven_arguments(net: Namespace) -> None:
    text = 'probe kernel.function("ip6_xmit") { if ($sk->__sk_common->skc_num == 3341) printf("%d\\n", $skb->len) }'
    with Tracer("-e", text) as tracer:
        net.run(WORKLOAD)
    # ten answers of one byte behind a header of 32, and acknowledgements without
    sizes = tracer.clean().split()
    assert sizes.count("33") == 10 and set(sizes) <= {"33", "32", "40"}, sizes
