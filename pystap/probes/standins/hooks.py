"""Functions that stand in for hooks of the network's filter, for kernels that have no BPF programs there.

    WAYS[family, hook]    the functions by which packets come to the hook, each packet by one of them

The values that a hook gets are expressions over the function's parameters, or over what it returns.
"""

from __future__ import annotations

from ...node import Node


class Way(Node):
    """One function by which packets come to a hook: `skb` is the packet, `into` and `out` its devices."""

    function: str
    differs: str
    skb: str = "$skb"
    into: str = "0"
    out: str = "0"
    guard: str = ""
    returns: bool = False


_DEV = '@cast({}, "struct sk_buff")->dev'
_ROUTE = '@cast(@cast({}, "struct sk_buff")->_skb_refdst & ~1, "struct dst_entry")->dev'
_FLAGS4, _FLAGS6 = (f'@cast(&$skb->cb, "struct inet{n}_skb_parm")->flags' for n in ("", "6"))
_REROUTED = 16  # IPSKB_REROUTED, IP6SKB_REROUTED
_NO_FRAGMENT = '!(@cast($skb->head + $skb->network_header, "struct iphdr")->frag_off & 0xff3f)'

_FIRST = "packets are seen before all filters of the hook"


def _pre(function: str) -> tuple[Way, ...]:
    return (Way(function, _FIRST, skb="$return", into=_DEV.format("$return"), guard="$return", returns=True),)


def _forward(function: str) -> tuple[Way, ...]:
    differs = "packets that are dropped instead, as too long or with no hops left, are seen too"
    return (Way(function, f"{_FIRST}; {differs}", into=_DEV.format("$skb"), out=_ROUTE.format("$skb")),)


def _post(function: str, flags: str, differs: str = "") -> Way:
    """Packets that have been here before are sent on without the hook."""
    guard = f"!({flags} & {_REROUTED})"
    words = f"{_FIRST}{differs}"
    return Way(function, words, into=_DEV.format("$skb"), out=_ROUTE.format("$skb"), guard=guard)


_COPIES = "; copies of packets to many that go to this host are not"

# (protocol family, hook): NFPROTO_IPV4 is 2, NFPROTO_IPV6 10; hooks are in the order of enum nf_inet_hooks.
WAYS: dict[tuple[int, int], tuple[Way, ...]] = {
    (2, 0): _pre("ip_rcv_core"),
    (2, 1): (
        Way(
            "ip_local_deliver",
            f"{_FIRST}, those in fragments not at all",
            into=_DEV.format("$skb"),
            guard=_NO_FRAGMENT,
        ),
    ),
    (2, 2): _forward("ip_forward"),
    (2, 3): (
        Way(
            "__ip_local_out",
            f"{_FIRST}, with their length not set yet; those with a header that a process wrote are missed",
            out=_ROUTE.format("$skb"),
        ),
    ),
    (2, 4): (_post("ip_output", _FLAGS4), _post("ip_mc_output", _FLAGS4, _COPIES)),
    (10, 0): _pre("ip6_rcv_core"),
    (10, 1): (Way("ip6_input", _FIRST, into=_DEV.format("$skb")),),
    (10, 2): _forward("ip6_forward"),
    (10, 3): (
        Way(
            "ip6_output",
            "packets are seen behind the filters of the hook, just before the next one (POST_ROUTING)",
            out=_ROUTE.format("$skb"),
            guard=f"!$skb->skb_iif && !({_FLAGS6} & {_REROUTED})",  # forwarded ones came by a device
        ),
    ),
    (10, 4): (_post("ip6_output", _FLAGS6, _COPIES),),
}
