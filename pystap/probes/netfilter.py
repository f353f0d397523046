"""netfilter.hook("HOOK").pf("FAMILY")[.priority(N)]: packets at the hooks of the network's filter.

IPv4 and IPv6 by links of BPF programs, which let every packet go on; where the kernel has none, by the functions that
packets come by (`standins/hooks.py`). A BPF program can't be a hook for ARP: there tracepoints stand in.
"""

from __future__ import annotations

from ..diag import did_you_mean, fail
from ..ir.nodes import Event
from ..node import Node
from .base import HIDDEN, Context, Env, Resolved, Variable, bare, point_text, unknown, wrong_argument
from .standins import StandIn
from .standins.hooks import WAYS
from .standins.resolve import local_of, nf_arguments
from .standins.resolve import resolve as stand_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..source import Span
    from .base import Part
    from .standins.hooks import Way

LISTING = ('netfilter.hook("NF_INET_...").pf("NFPROTO_...")[.priority("n")]',)
_PLACES = ("PRE_ROUTING", "LOCAL_IN", "FORWARD", "LOCAL_OUT", "POST_ROUTING")
FAMILIES = {"NFPROTO_IPV4": 2, "NFPROTO_IPV6": 10, "NFPROTO_ARP": 3, "NFPROTO_BRIDGE": 7}
SHORT = {f"PF_{name}": FAMILIES[f"NFPROTO_{full}"] for name, full in (("INET", "IPV4"), ("INET6", "IPV6"))}
ARP, BRIDGE = 3, 7
_ARP_HOOKS = ("NF_ARP_IN", "NF_ARP_OUT", "NF_ARP_FORWARD")
_FIRST, _LAST = -(1 << 31) + 1, (1 << 31) - 2

# What the ARP protocol gets from its devices: not what is for other hosts, nor what this one sent itself.
_ARP_IN = StandIn(
    "NF_ARP_IN",
    "netif_receive_skb",
    (("skb", 0),),
    guards=(("skb", ("protocol",), (0x0608,)),),
    guard="$__0->pkt_type != 3 && $__0->pkt_type != 5",
    differs="packets that a bridge, another device or an ARP filter before it takes are seen too",
)
_ARP_OUT = StandIn(
    "NF_ARP_OUT",
    "net_dev_queue",
    (("skb", 0),),
    guards=(("skb", ("protocol",), (0x0608,)),),
    differs="packets are seen when they go to the device: not those that a filter drops, but bridged ones too",
)


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`netfilter . hook("H") . pf("P") [ . priority("N") ]`."""
    bare(parts[0])
    if len(parts) == 3 and parts[1].name in ("__ipv4", "__ipv6") and parts[2].name.upper() in _PLACES:
        family = 2 if parts[1].name == "__ipv4" else 10
        return _at(family, _PLACES.index(parts[2].name.upper()), _FIRST, env, point_text(parts))
    words: dict[str, Part] = {}
    for at, part in enumerate(parts[1:], 1):
        if part.name not in ("hook", "pf", "priority"):
            raise unknown(parts, ("hook", "pf", "priority"), at)
        words[part.name] = part
    if "hook" not in words or "pf" not in words:
        raise fail("E302", 'netfilter probes need both: netfilter.hook("NF_...").pf("NFPROTO_...")', env.span)
    family = _family(words["pf"])
    text = point_text(parts)
    if family == ARP:
        return [_arp(words["hook"], env, text)]
    if family == BRIDGE:
        raise fail("E309", "this kernel has no BPF programs at the hooks of bridges", words["pf"].span)
    hook = _hook(words["hook"])
    priority = _priority(words["priority"]) if "priority" in words else 0
    return _at(family, hook, priority, env, text)


def _at(family: int, hook: int, priority: int, env: Env, text: str) -> list[Resolved]:
    features = env.target.features
    if features is not None and not features("netfilter"):
        return _by_functions(family, hook, env, text)
    variables = [Variable(f"__{v.name}", v.op, v.attr, v.type) for v in nf_arguments(env.target.btf)]
    variables += [v.replace(name="skb") for v in variables if v.name == "__skb"]
    values = {"__in": "$__state->in", "__out": "$__state->out"}
    variables += [local_of(env.target.btf, "", name, "=net_device") for name in values]
    name = f"NF_INET_{_PLACES[hook]}"
    context = Context("netfilter hook", variables, name=name, provider="kernel")
    event = Event("netfilter", name, {"hooks": [(family, hook)], "priority": priority})
    return [Resolved(event, text, context, "netfilter", _values(values))]


def _values(values: dict[str, str], guard: str = "") -> Callable[[set[str]], str]:
    """Return what makes the statements: the guard, and the values that the handler reads."""

    def prologue(used: set[str]) -> str:
        made = [f"{HIDDEN}{name} = {text}\n" for name, text in values.items() if f"${name}" in used]
        return (f"if (!({guard})) next\n" if guard else "") + "".join(made)

    return prologue


def _by_functions(family: int, hook: int, env: Env, text: str) -> list[Resolved]:
    """Return the events of the functions by which packets come to a hook."""
    from .functions import can_probe

    ways = WAYS[family, hook]
    lacks = "this kernel has no BPF programs at netfilter hooks"
    if not can_probe(env):
        raise fail("E309", f"{lacks}, and can't probe functions", env.span, "Linux 6.4 and later have")
    names = " and ".join([f"'{way.function}'" for way in ways])
    if not env.standins:
        words = f"{lacks}, and stand-ins are switched off (--no-standins)"
        raise fail("E304", words, env.span, f"the functions {names} could stand in")
    words = f"{lacks}: the packets of this one are seen in {names} instead"
    note = ("W301", words, f"what differs: {ways[-1].differs}")
    return [one for way in ways for one in _of(way, f"NF_INET_{_PLACES[hook]}", env, text, note)]


def _of(way: Way, name: str, env: Env, text: str, note: tuple[str, str, str]) -> list[Resolved]:
    """Return the events of one function, as those of a hook."""
    from .functions import resolve as functions

    words: list[Part] = [_Word(env.span, "kernel", None), _Word(env.span, "function", way.function)]
    if way.returns:
        words.append(_Word(env.span, "return", None))
    values = {"__skb": way.skb, "__in": way.into, "__out": way.out}
    if way.returns:
        values["skb"] = way.skb
    given = [
        local_of(env.target.btf, "", n, "=sk_buff" if n.endswith("skb") else "=net_device") for n in values
    ]

    def as_hook(one: Resolved) -> Resolved:
        own = one.context.variables.get(way.skb[1:])
        if own is None and one.split is None:
            raise fail(
                "E309", f"this kernel says no types of '{way.function}', by which hooks are seen", env.span
            )
        variables = [*([own] if own is not None else []), *given]
        one.context = Context("netfilter hook", variables, name=name, provider="kernel")
        one.text, one.type, one.notes = text, "netfilter", (note,)
        one.prologue = _values(values, way.guard)
        split = one.split
        if split is not None:
            one.split = lambda used: [as_hook(part) for part in split({*used, way.skb})]
        return one

    return [as_hook(one) for one in functions(words, env, "")]


class _Word(Node):
    """A component of a probe point of our own making."""

    span: Span
    name: str
    arg: int | str | None


def _text(part: Part) -> str:
    if not isinstance(part.arg, str):
        raise wrong_argument(part, f'needs a name: {part.name}("...")')
    return part.arg


def _family(part: Part) -> int:
    word = _text(part)
    found = FAMILIES.get(word) or SHORT.get(word)
    if found is None:
        near = did_you_mean(word, FAMILIES)
        hints = (f"did you mean '{near}'?",) if near else (f"there are {', '.join(FAMILIES)}",)
        raise fail("E302", f"there is no protocol family '{word}'", part.span, *hints)
    return found


def _hook(part: Part) -> int:
    word = _text(part)
    for prefix in ("NF_INET_", "NF_IP_", "NF_IP6_"):
        if word.startswith(prefix) and word[len(prefix) :] in _PLACES:
            return _PLACES.index(word[len(prefix) :])
    near = did_you_mean(word, [f"NF_INET_{name}" for name in _PLACES])
    raise fail(
        "E302", f"there is no hook '{word}'", part.span, *([f"did you mean '{near}'?"] if near else [])
    )


def _priority(part: Part) -> int:
    try:
        number = (
            int(part.arg if part.arg is not None else "", 0)
            if isinstance(part.arg, str)
            else int(part.arg or 0)
        )
    except ValueError:
        raise wrong_argument(part, "needs a number") from None
    return max(_FIRST, min(_LAST, number))


def _arp(part: Part, env: Env, text: str) -> Resolved:
    word = _text(part)
    if word not in _ARP_HOOKS:
        near = did_you_mean(word, _ARP_HOOKS)
        raise fail(
            "E302",
            f"there is no hook '{word}' of ARP",
            part.span,
            *([f"did you mean '{near}'?"] if near else []),
        )
    if word == "NF_ARP_FORWARD":
        raise fail("E309", "nothing stands in for the hook NF_ARP_FORWARD", part.span)
    one = _ARP_IN if word == "NF_ARP_IN" else _ARP_OUT
    if not env.standins:
        words = "a BPF program can't be a hook for ARP, and stand-ins are switched off (--no-standins)"
        raise fail("E304", words, part.span, f"'{word}' could be probed by {one.words}")
    made = stand_in(one, env, text)
    code, _, hint = made.notes[0]
    note = (code, f"a BPF program can't be a hook for ARP: '{word}' is probed by {one.words} instead", hint)
    made.notes = (note,)
    return made
