"""The machine as gdb sees it: its remote protocol over standard input and output. `monitor go SEED PC` moves it."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import NAMES, memory, registers


class Machine:
    """Answers packets."""

    def __init__(self) -> None:
        self.seed = 0
        self.pc = 0

    def answer(self, packet: str) -> str:
        """Return the answer to a packet, "" for what isn't known."""
        if packet == "?":
            return "S05"
        if packet == "g":
            values = registers(self.seed)
            words = [*(values[name] for name in NAMES), self.pc]
            return "".join(word.to_bytes(8, "little").hex() for word in words) + "00" * 4 * 7
        if packet.startswith("m"):
            at, size = (int(word, 16) for word in packet[1:].split(","))
            return memory(self.seed, at, size).hex()
        if packet.startswith("qRcmd,"):
            _, seed, pc = bytes.fromhex(packet[6:]).decode().split()
            self.seed, self.pc = int(seed), int(pc)
            return "OK"
        return {"qAttached": "1", "qC": "QC1", "qfThreadInfo": "m1", "qsThreadInfo": "l"}.get(packet, "")


def serve() -> None:
    """Answer until gdb goes."""
    machine = Machine()
    read = sys.stdin.buffer.read
    while byte := read(1):
        if byte != b"$":
            continue  # acknowledgements, interrupts
        packet = b""
        while (byte := read(1)) not in (b"#", b""):
            packet += byte
        read(2)
        text = packet.decode("latin-1")
        if text[:1] in ("k", "D"):
            sys.stdout.buffer.write(b"+$OK#9a")
            return
        answer = machine.answer(text)
        sys.stdout.buffer.write(f"+${answer}#{sum(answer.encode()) & 255:02x}".encode())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()
