"""The compiler's and the runtime's tables of system calls say the same; neither may import the other's."""

from __future__ import annotations

from pystap.probes.syscall_numbers import X86_64
from pystap.runtime.functions import syscall_names_gen


def test_names_and_numbers_agree() -> None:
    names = syscall_names_gen.NAMES["x86_64"]
    assert names[0] == "read" and X86_64["execve"] == 59
    assert {number: name for name, number in X86_64.items()} == names
