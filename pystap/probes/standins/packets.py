"""Stand-ins of the functions that packets go through: tracepoints of devices, and netfilter hooks.

At `netif_receive_skb` the data begins with the network header, and the transport header isn't known yet: `$__iphdr`
and `$__tcphdr` say where they are.
"""

from __future__ import annotations

from . import StandIn

_SKB = (("skb", 0),)
_IP4, _IP6, _ARP = 0x0008, 0xDD86, 0x0608  # as they lie in memory, on little endian machines
_INPUT = (
    "packets that a filter drops, that are forwarded or that a bridge or another device takes are seen too"
)
_FRAGMENTS = f"{_INPUT}, those that come in fragments are not"
_OUT = "packets are seen behind the device's egress filters"
_HOOK = (
    "not for packets that skip netfilter, nor in the first moments (0.2 s or more) of a new network namespace"
)


def _same(function: str, tracepoint: str, differs: str = "") -> StandIn:
    """The tracepoint is the first thing that the function does."""
    differs = differs or "nothing: the tracepoint is at the beginning of the function"
    return StandIn(function, tracepoint, _SKB, differs=differs)


def _link(function: str, protocol: int, differs: str) -> StandIn:
    """What a protocol gets from its devices."""
    return StandIn(
        function,
        "netif_receive_skb",
        (*_SKB, ("dev", None)),
        guards=(("skb", ("protocol",), (protocol,)),),
        values=(("dev", "$__0->dev", ""),),
        differs=differs,
    )


def _transport4(function: str, protocol: int, most: int) -> StandIn:
    """What a protocol over IPv4 gets. most: largest pkt_type (0 for this host, 1 broadcast, 2 multicast)."""
    return StandIn(
        function,
        "netif_receive_skb",
        _SKB,
        setup="__s_ip = $__0->data\n",
        guard=f"$__0->protocol == {_IP4} && $__0->pkt_type <= {most} && __ip4_carries(__s_ip, {protocol})",
        values=(("__iphdr", "__s_ip", "=iphdr"), ("__tcphdr", "__ip4_payload(__s_ip)", "=tcphdr")),
        differs=_FRAGMENTS,
    )


def _transport6(function: str, protocol: int, most: int) -> StandIn:
    return StandIn(
        function,
        "netif_receive_skb",
        _SKB,
        setup="__s_ip = $__0->data\n",
        guard=f"$__0->protocol == {_IP6} && $__0->pkt_type <= {most} && __ip6_carries(__s_ip, {protocol})",
        values=(("__iphdr", "__s_ip", "=ipv6hdr"), ("__tcphdr", "__s_ip + 40", "=tcphdr")),
        differs=f"{_FRAGMENTS}, nor those with extension headers",
    )


_OF_HOOK = (("net", "$__0->net", ""), ("sk", "$__0->sk", ""))


def _hook(function: str, family: int, hook: int, differs: str, guard: str = "") -> StandIn:
    return StandIn(
        function,
        hooks=((family, hook),),
        params=(("skb", 1),),
        values=_OF_HOOK,
        guard=guard,
        differs=differs,
        stacks=False,
    )


# Routes to broadcast and multicast addresses have another function.
_UNICAST = '!(@cast($__1->_skb_refdst & ~1, "struct rtable")->rt_flags & 0x30000000)'

PACKETS: tuple[StandIn, ...] = (
    _same("__netif_receive_skb_core", "netif_receive_skb"),
    _same("netif_receive_skb", "netif_receive_skb_entry"),
    _same(
        "netif_rx", "netif_rx_entry", "packets that come by __netif_rx, as those of lo and veth, are seen too"
    ),
    _same("netif_rx_internal", "netif_rx"),
    _same("napi_gro_receive", "napi_gro_receive_entry"),
    StandIn("__dev_queue_xmit", "net_dev_queue", _SKB, differs=_OUT),
    StandIn("dev_queue_xmit", "net_dev_queue", _SKB, differs=_OUT),
    StandIn(
        "br_dev_xmit",
        "net_dev_start_xmit",
        (("skb", 0), ("dev", 1)),
        guard='$__1->rtnl_link_ops && kernel_string_n($__1->rtnl_link_ops->kind, 7) == "bridge"',
        differs="nothing: the tracepoint is just before the call",
    ),
    StandIn(
        "br_dev_xmit",
        "net_dev_xmit",
        (("return", 1), ("dev", 2)),
        guard='$__2->rtnl_link_ops && kernel_string_n($__2->rtnl_link_ops->kind, 7) == "bridge"',
        differs="nothing: the tracepoint is just behind the call",
        returns=True,
    ),
    _link("ip_rcv", _IP4, "packets that a bridge, another device or an ingress filter takes are seen too"),
    _link("ipv6_rcv", _IP6, "packets that a bridge, another device or an ingress filter takes are seen too"),
    _link("arp_rcv", _ARP, "packets that a bridge, another device or an ingress filter takes are seen too"),
    _transport4("tcp_v4_rcv", 6, 0),
    _transport6("tcp_v6_rcv", 6, 0),
    _transport4("udp_rcv", 17, 2),
    _transport6("udpv6_rcv", 17, 2),
    _transport4("icmp_rcv", 1, 2),
    _transport6("icmpv6_rcv", 58, 2),
    _hook("ip_output", 2, 4, _HOOK, _UNICAST),
    StandIn(
        "ip_output",
        "net_dev_queue",
        _SKB,
        guards=(("skb", ("protocol",), (_IP4,)),),
        differs="packets are seen when they go to the device, behind filters and fragmentation, by whoever sends them "
        "then; bridged ones too; stacks and caller() are the tracepoint's",
    ),
    _hook("ip6_output", 10, 4, _HOOK),
    _hook("ip_local_deliver", 2, 1, _HOOK),
    _hook("ip6_input", 10, 1, _HOOK),
)
