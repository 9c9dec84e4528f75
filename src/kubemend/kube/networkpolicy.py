"""May these two talk? Every rule of `networking.k8s.io/v1` NetworkPolicy, and which rule decides.

A pod that no policy selects for a direction is open in that direction; one that any policy selects is closed but for
what a rule of any of them allows (kubernetes.io/docs/concepts/services-networking/network-policies). A connection
needs both: its source must be let out, its target must be let in. Answers to an allowed connection always pass.

Where the API leaves the meaning to the network plugin, this follows what most of them do, and `Verdict.notes` says so:
pods on their node's network count as the node's address, and an ipBlock counts for pods too.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kubemend.kube.selectors import matches
from kubemend.model.errors import InvalidInput
from kubemend.model.objects.network import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from kubemend.model.objects.pod import ContainerPort
from kubemend.model.ref import Ref

Direction = Literal["Ingress", "Egress"]
Fits = Literal["peer", "port", "nothing"]
PORTS = (1, 65535)
_LEADING_ZEROS = re.compile(r"(?<![0-9A-Fa-f:])0+(?=[0-9])")

ON_THE_NODE = (
    "a pod on its node's network counts as the node's address; whether policies apply to it is up to the plugin"
)
BLOCK_OF_PODS = "only an ipBlock allows it, and some network plugins (Cilium) don't apply ipBlocks to pods"


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or, without a namespace, any other address."""

    addresses: tuple[str, ...] = ()
    namespace: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ContainerPort, ...] = ()
    host_network: bool = False
    node: str = ""

    @property
    def selectable(self) -> bool:
        """Whether pod and namespace selectors see it."""
        return bool(self.namespace) and not self.host_network

    def port(self, name: str, protocol: str) -> Iterator[int]:
        """The numbers that its containers give a name to."""
        yield from (p.container_port for p in self.ports if p.name == name and p.protocol == protocol)


@dataclass(frozen=True)
class Grant:
    """A rule that allows: its index, and those of the peer and the port that match (None: the rule names none)."""

    policy: Ref
    rule: int
    peer: int | None
    port: int | None
    by_block: bool


@dataclass(frozen=True)
class Miss:
    """A rule that doesn't allow. fits: what of it does match: "peer", "port" or "nothing"."""

    policy: Ref
    rule: int
    fits: Fits


@dataclass(frozen=True)
class Side:
    """One direction's say. isolated_by: the policies that close it; none leaves it open."""

    direction: Direction
    isolated_by: tuple[Ref, ...] = ()
    grants: tuple[Grant, ...] = ()
    misses: tuple[Miss, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether this side lets it through."""
        return not self.isolated_by or bool(self.grants)


@dataclass(frozen=True)
class Verdict:
    """Whether the connection is allowed, what each side says, and what rests on the network plugin."""

    egress: Side
    ingress: Side
    notes: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Both sides must let it through."""
        return self.egress.allowed and self.ingress.allowed


def directions(policy: NetworkPolicy) -> tuple[str, ...]:
    """The directions a policy closes; without `policyTypes`, Ingress always and Egress when it has egress rules."""
    return policy.spec.policy_types or (("Ingress", "Egress") if policy.spec.egress else ("Ingress",))


def selects(policy: NetworkPolicy, end: End, direction: Direction) -> bool:
    """Whether a policy closes this direction of a pod."""
    return (
        end.selectable
        and policy.namespace == end.namespace
        and direction in directions(policy)
        and matches(policy.spec.pod_selector, end.labels)
    )


def judge(policies: Iterable[NetworkPolicy], source: End, target: End, port: int, protocol: str = "TCP") -> Verdict:
    """Whether `source` may open a connection to a port of `target`.

    policies: at least all of both namespaces. InvalidInput for a CIDR that is none.
    """
    if _same(source, target) or _own_node(source, target):
        return Verdict(Side("Egress"), Side("Ingress"))
    held = tuple(policies)
    door = _Door(target, port, protocol)
    egress = _side(held, "Egress", source, target, door)
    ingress = _side(held, "Ingress", target, source, door)
    return Verdict(egress, ingress, tuple(_notes(source, target, egress, ingress)))


def open_ports(
    policies: Iterable[NetworkPolicy], source: End, target: End, protocol: str = "TCP"
) -> tuple[tuple[int, int], ...]:
    """Every port of `target` that `source` may reach, as ranges (first, last)."""
    held = tuple(policies)
    if _same(source, target) or _own_node(source, target):
        return (PORTS,)
    sides = (_lists(held, "Egress", source, target), _lists(held, "Ingress", target, source))
    starts = sorted({PORTS[0], *(m for m in _marks(held, target) if PORTS[0] <= m <= PORTS[1])})
    ranges: list[tuple[int, int]] = []
    for first, after in zip(starts, [*starts[1:], PORTS[1] + 1], strict=True):
        door = _Door(target, first, protocol)
        if not all(lists is None or any(_port(ports, door) != _NONE for ports in lists) for lists in sides):
            continue
        if ranges and ranges[-1][1] == first - 1:
            ranges[-1] = (ranges[-1][0], after - 1)
        else:
            ranges.append((first, after - 1))
    return tuple(ranges)


def _lists(
    policies: Sequence[NetworkPolicy], direction: Direction, subject: End, peer: End
) -> list[tuple[NetworkPolicyPort, ...]] | None:
    """The ports of every rule that allows the peer; None when nothing closes this side."""
    closing = [p for p in policies if selects(p, subject, direction)]
    if not closing:
        return None
    return [ports for p in closing for peers, ports in _rules(p, direction) if _peer(p, peers, peer) != _NONE]


def _same(source: End, target: End) -> bool:
    """A pod always reaches itself."""
    return bool(source.namespace) and (source.namespace, source.name) == (target.namespace, target.name)


def _own_node(source: End, target: End) -> bool:
    """Traffic from the node that a pod runs on is always let in."""
    return source.host_network and target.selectable and bool(target.node) and source.node == target.node


@dataclass(frozen=True)
class _Door:
    """A port of a target. The names of ports are the target's, whichever side asks."""

    target: End
    port: int
    protocol: str


def _side(policies: Sequence[NetworkPolicy], direction: Direction, subject: End, peer: End, door: _Door) -> Side:
    closing = [p for p in policies if selects(p, subject, direction)]
    grants: list[Grant] = []
    misses: list[Miss] = []
    for policy in closing:
        for index, (peers, ports) in enumerate(_rules(policy, direction)):
            at_peer, at_port = _peer(policy, peers, peer), _port(ports, door)
            if _NONE not in (at_peer, at_port):
                block = at_peer is not None and peers[at_peer].ip_block is not None
                grants.append(Grant(policy.ref, index, at_peer, at_port, block))
            else:
                misses.append(Miss(policy.ref, index, _fits(at_peer, at_port)))
    return Side(direction, tuple(p.ref for p in closing), tuple(grants), tuple(misses))


def _fits(at_peer: int | None, at_port: int | None) -> Fits:
    if at_peer != _NONE:
        return "peer"
    return "port" if at_port != _NONE else "nothing"


_NONE = -1
"""Where nothing of a list matches; None is a list that is empty and so matches everything."""


def _rules(
    policy: NetworkPolicy, direction: Direction
) -> Iterator[tuple[tuple[NetworkPolicyPeer, ...], tuple[NetworkPolicyPort, ...]]]:
    if direction == "Ingress":
        yield from ((r.from_, r.ports) for r in policy.spec.ingress)
    else:
        yield from ((r.to, r.ports) for r in policy.spec.egress)


def _peer(policy: NetworkPolicy, peers: Sequence[NetworkPolicyPeer], end: End) -> int | None:
    """The first peer that is the end; a selector before an ipBlock, for no plugin doubts a selector."""
    if not peers:
        return None
    found = [i for i, peer in enumerate(peers) if _is_peer(policy, peer, end)]
    return min(found, key=lambda i: (peers[i].ip_block is not None, i), default=_NONE)


def _is_peer(policy: NetworkPolicy, peer: NetworkPolicyPeer, end: End) -> bool:
    if peer.ip_block is not None:
        return any(_within(peer.ip_block, a) for a in end.addresses)
    if not end.selectable or (peer.pod_selector is None and peer.namespace_selector is None):
        return False
    if peer.namespace_selector is None:
        here = end.namespace == policy.namespace
    else:
        here = matches(peer.namespace_selector, end.namespace_labels)
    return here and (peer.pod_selector is None or matches(peer.pod_selector, end.labels))


def _within(block: IPBlock, address: str) -> bool:
    return _holds(block.cidr, address) and not any(_holds(e, address) for e in block.except_)


def _holds(cidr: str, address: str) -> bool:
    """Whether a CIDR holds an address. Leading zeros are taken as the API server takes them: as decimal."""
    try:
        return _address(address) in _network(cidr)
    except ValueError as error:
        raise InvalidInput(f"{error}", code="invalid-address") from error


@functools.lru_cache(maxsize=4096)
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr if ":" in cidr else _LEADING_ZEROS.sub("", cidr), strict=False)


@functools.lru_cache(maxsize=65536)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def _port(ports: Sequence[NetworkPolicyPort], door: _Door) -> int | None:
    if not ports:
        return None
    return next((i for i, p in enumerate(ports) if _is_port(p, door)), _NONE)


def _is_port(allowed: NetworkPolicyPort, door: _Door) -> bool:
    if allowed.protocol != door.protocol:
        return False
    if allowed.port is None:
        return True
    if isinstance(allowed.port, str):
        return door.port in door.target.port(allowed.port, door.protocol)
    return allowed.port <= door.port <= (allowed.end_port or allowed.port)


def _marks(policies: Iterable[NetworkPolicy], target: End) -> Iterator[int]:
    """Where an answer may change: the first port of each range that a policy names, and the first one behind it."""
    for policy in policies:
        for _, ports in (*_rules(policy, "Ingress"), *_rules(policy, "Egress")):
            for given in ports:
                if isinstance(given.port, int):
                    yield from (given.port, (given.end_port or given.port) + 1)
                elif given.port is not None:
                    for number in target.port(given.port, given.protocol):
                        yield from (number, number + 1)


def _notes(source: End, target: End, egress: Side, ingress: Side) -> Iterator[str]:
    if (source.namespace and source.host_network) or (target.namespace and target.host_network):
        yield ON_THE_NODE
    if any(_rests_on_block(side, peer) for side, peer in ((egress, target), (ingress, source))):
        yield BLOCK_OF_PODS


def _rests_on_block(side: Side, peer: End) -> bool:
    return peer.selectable and bool(side.grants) and all(g.by_block for g in side.grants)
