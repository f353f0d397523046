"""A workload's own capture: what an AF_PACKET socket sees of the packets that devices take in."""

from __future__ import annotations

# Python code for the workload: opens the socket at once; `incoming()` gives the packets since, without duplicates.
CAPTURE = """
import socket, struct
_tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
_tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
_tap.setblocking(False)

def incoming(kinds=(0,)):
    found = []
    while True:
        try:
            data, place = _tap.recvfrom(65536)
        except BlockingIOError:
            return found
        if place[2] in kinds:
            found.append((place[1], data))

def segment(protocol, data):
    "[source, destination, ports, URG ACK PSH RST SYN FIN] of a TCP segment, None for other packets"
    if protocol == 0x0800:
        if data[9] != 6:
            return None
        ends = [socket.inet_ntop(socket.AF_INET, data[n:n + 4]) for n in (12, 16)]
        tcp = data[(data[0] & 15) * 4:]
    elif protocol == 0x86DD:
        if data[6] != 6:
            return None
        ends = [socket.inet_ntop(socket.AF_INET6, data[n:n + 16]) for n in (8, 24)]
        tcp = data[40:]
    else:
        return None
    flags = [tcp[13] >> bit & 1 for bit in (5, 4, 3, 2, 1, 0)]
    return [*ends, *struct.unpack(">HH", tcp[:4]), *flags]
"""
