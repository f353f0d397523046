"""Stand-ins of the functions of sockets: system calls, with the socket found by its descriptor, and tracepoints."""

from __future__ import annotations

from . import StandIn

RECEIVING = ("read", "readv", "recvfrom", "recvmsg", "recvmmsg")
SENDING = ("write", "writev", "sendto", "sendmsg", "sendmmsg")
ACCEPTING = ("accept", "accept4")
# All system calls of net/socket.c, the ones that no kernel of today has too.
CALLS = (
    *("socket", "socketpair", "bind", "listen", *ACCEPTING, "connect", "getsockname", "getpeername"),
    *("sendto", "send", "recvfrom", "recv", "setsockopt", "getsockopt", "shutdown"),
    *("sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "socketcall"),
)

FD = "__builtin_sext(__builtin_sys_arg(0), 32)"
_SETUP = f"__s_socket = __fd_socket({FD})\n__s_sk = __socket_sk(__s_socket)\n"
SIZE = "__socket_io_size(__builtin_sys_nr(), __builtin_sys_arg(1), __builtin_sys_arg(2))"
_INSIDE = "io_uring and users in the kernel are missed, and recvmmsg and sendmmsg are one call each"
_SENT = f"{_INSIDE}; so are sendfile and splice"
_FLAGS = "nothing, but for calls that were under way at the start, and users in the kernel and io_uring on their first"

TCP = "__sk_is(__s_sk, 2, 10, 6)"
UDP4, UDP6 = "__sk_is(__s_sk, 2, 2, 17)", "__sk_is(__s_sk, 10, 10, 17)"
INET4, INET6 = "__sk_is(__s_sk, 2, 2, 0)", "__sk_is(__s_sk, 10, 10, 0)"
_FAMILY = ("__sk_common", "skc_family")


def _entry(function: str, calls: tuple[str, ...], guard: str, size: str, differs: str) -> StandIn:
    """A function that a system call on such a socket enters."""
    return StandIn(
        function,
        calls=calls,
        setup=_SETUP,
        guard=guard,
        values=(("sk", "__s_sk", ""), ("sock", "__s_socket", ""), (size, SIZE, "")),
        differs=differs,
    )


def _return(function: str, sending: bool, families: tuple[int, ...], protocol: int, differs: str) -> StandIn:
    """Its return, told by the tracepoint behind the socket's operation."""
    guards = (("sk", _FAMILY, families), *((("sk", ("sk_protocol",), (protocol,)),) if protocol else ()))
    return StandIn(
        function,
        "sock_send_length" if sending else "sock_recv_length",
        (("return", 1), ("sk", 0), *((("flags", 2),) if not sending else ())),
        guards=guards,
        values=(("sock", "$__0->sk_socket", "inet_sendmsg.sock"),),
        differs=differs,
        returns=True,
        entries=SENDING if sending else RECEIVING,
    )


def _both(
    function: str, sending: bool, families: tuple[int, ...], protocol: int, guard: str
) -> tuple[StandIn, ...]:
    size = {"tcp_sendmsg": "size", "inet_sendmsg": "size", "inet_recvmsg": "size"}.get(function)
    size = size or ("size" if function.startswith("inet") else "len")
    return (
        _entry(function, SENDING if sending else RECEIVING, guard, size, _SENT if sending else _INSIDE),
        _return(function, sending, families, protocol, _FLAGS),
    )


def _call(
    function: str, call: str, guard: str, values: tuple[tuple[str, str, str], ...], returns: bool = False
) -> StandIn:
    """A function that one system call alone enters."""
    return StandIn(
        function,
        calls=(call,),
        setup=_SETUP,
        guard=guard,
        values=(("sk", "__s_sk", ""), ("sock", "__s_socket", ""), *values),
        differs="users in the kernel and io_uring are missed; calls that fail before the function are seen",
        returns=returns,
    )


_OPTION = (
    ("level", "__builtin_sext(__builtin_sys_arg(1), 32)", ""),
    ("optname", "__builtin_sext(__builtin_sys_arg(2), 32)", ""),
    ("optlen", "__builtin_zext(__builtin_sys_arg(4), 32)", ""),
)

RESULT = (("return", "__builtin_sys_ret()", ""),)
# options of SOL_SOCKET don't come to the protocol
_TCP_LEVEL = f"{TCP} && __builtin_sext(__builtin_sys_arg(1), 32) != 1"

SOCKETS: tuple[StandIn, ...] = (
    StandIn(
        "inet_csk_accept",
        calls=ACCEPTING,
        returns=True,
        setup="__s_ret = __builtin_sext(__builtin_sys_ret(), 32)\n"
        f"__s_sk = __socket_sk(__fd_socket(__s_ret < 0 ? {FD} : __s_ret))\n",
        guard=TCP,
        values=(("return", "__s_ret < 0 ? 0 : __s_sk", "inet_csk_accept.sk"),),
        differs="connections that io_uring or the kernel itself accepts are missed",
    ),
    *_both("tcp_recvmsg", False, (2, 10), 6, TCP),
    *_both("tcp_sendmsg", True, (2, 10), 6, TCP),
    *_both("udp_recvmsg", False, (2,), 17, UDP4),
    *_both("udp_sendmsg", True, (2,), 17, UDP4),
    *_both("udpv6_recvmsg", False, (10,), 17, UDP6),
    *_both("udpv6_sendmsg", True, (10,), 17, UDP6),
    *_both("inet_recvmsg", False, (2,), 0, INET4),
    *_both("inet_sendmsg", True, (2,), 0, INET4),
    *_both("inet6_recvmsg", False, (10,), 0, INET6),
    *_both("inet6_sendmsg", True, (10,), 0, INET6),
    _call("tcp_setsockopt", "setsockopt", _TCP_LEVEL, _OPTION),
    _call("tcp_setsockopt", "setsockopt", _TCP_LEVEL, RESULT, returns=True),
    _call("tcp_getsockopt", "getsockopt", _TCP_LEVEL, _OPTION[:2]),
    _call("tcp_getsockopt", "getsockopt", _TCP_LEVEL, RESULT, returns=True),
)
