"""Byte order, and network addresses as text."""

from __future__ import annotations

from sys import byteorder

from ..numbers import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _swap(size: int, swaps: bool = True) -> Callable[[int], int]:
    mask = (1 << (8 * size)) - 1

    def swap(value: int) -> int:
        return wrap(int.from_bytes((value & mask).to_bytes(size, "big"), "little"))

    return swap if swaps else lambda value: wrap(value & mask)


def ip4_text(address: int) -> str:
    """An IPv4 address as it lies in memory."""
    a, b, c, d = (address & 0xFFFFFFFF).to_bytes(4, byteorder)
    return f"{a}.{b}.{c}.{d}"


def ip6_text(address: bytes) -> str:
    """16 bytes in the shortest form."""
    from _socket import AF_INET6, inet_ntop

    return inet_ntop(AF_INET6, address[:16].ljust(16, b"\0"))


def mac_text(address: bytes) -> str:
    """`aa:bb:cc:dd:ee:ff`."""
    return address[:6].hex(":")


def macaddr_text(address: bytes) -> str:
    """bpftrace's form: `AA:BB:CC:DD:EE:FF`."""
    return address[:6].hex(":").upper()


_LITTLE = byteorder == "little"
PURE: dict[str, Callable[..., Any]] = {
    "bswap16": _swap(2),
    "bswap32": _swap(4),
    "bswap64": _swap(8),
    "ntohs": _swap(2, _LITTLE),
    "ntohl": _swap(4, _LITTLE),
    "ntohll": _swap(8, _LITTLE),
    "htons": _swap(2, _LITTLE),
    "htonl": _swap(4, _LITTLE),
    "htonll": _swap(8, _LITTLE),
    "ip4_text": ip4_text,
    "ip6_text": ip6_text,
    "mac_text": mac_text,
    "macaddr_text": macaddr_text,
}
