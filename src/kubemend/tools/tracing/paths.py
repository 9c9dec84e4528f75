"""Paths from pods to ports of pods, judged by network policy and told in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from msgspec import Struct

from kubemend.kube.networkpolicy import PORTS, End, Grant, Miss, Side, judge, open_ports
from kubemend.model.objects import NetworkPolicy
from kubemend.model.ref import Ref
from kubemend.tools.tracing.ends import alike

NAMES = 5
"""Pods that are named of a group that is judged alike."""
PAIRS = 1000
"""Pairs of source and door that are judged at most."""


class SideRow(Struct, frozen=True):
    """What one end's policies say. isolated_by: those that select it; none leaves it open.

    allowed_by: the rules that let it through. not_by: the rules that don't, and what of them would fit.
    """

    allowed: bool
    isolated_by: tuple[str, ...]
    allowed_by: tuple[str, ...]
    not_by: tuple[str, ...]


class PathRow(Struct, frozen=True):
    """Pods that are judged alike, at both ends. open_ports: the target's ports that may be reached, as ranges.

    port: None when none was asked for and the target declares none; then `allowed` means that any port is open.
    """

    sources: tuple[str, ...]
    source_count: int
    targets: tuple[str, ...]
    target_count: int
    port: int | None
    protocol: str
    allowed: bool
    egress: SideRow
    ingress: SideRow
    open_ports: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Door:
    """A port of a target."""

    end: End
    port: int | None
    protocol: str


def path_rows(
    sources: Iterable[End], doors: Sequence[Door], policies: Sequence[NetworkPolicy]
) -> tuple[list[PathRow], int]:
    """Every kind of source with every kind of door, the blocked ones first; and how many were not judged.

    Pods that no policy can tell apart are one kind, so that few are left out, unless policies go by address.
    """
    by_port: dict[tuple[int | None, str], list[End]] = {}
    for door in doors:
        by_port.setdefault((door.port, door.protocol), []).append(door.end)
    targets = [(t, *at) for at, ends in by_port.items() for t in alike(ends, policies)]
    groups = alike(sources, policies)
    pairs = ((group, *target) for group in groups for target in targets)
    rows = [_row(*pair, policies) for pair in islice(pairs, PAIRS)]
    rows.sort(key=lambda r: (r.allowed, r.sources, r.targets, r.port or 0, r.protocol))
    return rows, max(0, len(groups) * len(targets) - PAIRS)


def _row(
    sources: list[End], targets: list[End], port: int | None, protocol: str, policies: Sequence[NetworkPolicy]
) -> PathRow:
    source, target = _two(sources, targets)
    ranges = open_ports(policies, source, target, protocol)
    verdict = judge(policies, source, target, port or (ranges[0][0] if ranges else PORTS[0]), protocol)
    return PathRow(
        sources=_names(sources),
        source_count=len(sources),
        targets=_names(targets),
        target_count=len(targets),
        port=port,
        protocol=protocol,
        allowed=verdict.allowed,
        egress=side_row(verdict.egress, port, protocol),
        ingress=side_row(verdict.ingress, port, protocol),
        open_ports=tuple(map(_range, ranges)),
        notes=verdict.notes,
    )


def _two(sources: list[End], targets: list[End]) -> tuple[End, End]:
    """One of each, not the same pod if there is a choice: a pod always reaches itself."""
    pairs = ((s, t) for s in sources[:2] for t in targets[:2] if (s.namespace, s.name) != (t.namespace, t.name))
    return next(pairs, (sources[0], targets[0]))


def _names(ends: list[End]) -> tuple[str, ...]:
    return tuple(sorted(e.name or ", ".join(e.addresses) for e in ends)[:NAMES])


def _range(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def side_row(side: Side, port: int | None, protocol: str) -> SideRow:
    """One side in words."""
    asked = f"port {port}/{protocol}" if port else f"any {protocol} port"
    return SideRow(
        allowed=side.allowed,
        isolated_by=tuple(map(called, side.isolated_by)),
        allowed_by=tuple(_grant(g) for g in side.grants),
        not_by=() if side.grants else tuple(_miss(m, asked) for m in side.misses),
    )


def called(policy: Ref) -> str:
    """A policy as `namespace/name`."""
    return f"{policy.namespace}/{policy.name}"


def _grant(grant: Grant) -> str:
    peer = "any peer" if grant.peer is None else f"peer {grant.peer}"
    port = "any port" if grant.port is None else f"port entry {grant.port}"
    return f"{called(grant.policy)} rule {grant.rule} ({peer}, {port})"


def _miss(miss: Miss, asked: str) -> str:
    told = {
        "peer": f"allows this peer, but not {asked}",
        "port": f"allows {asked}, but not for this peer",
        "nothing": f"allows neither this peer nor {asked}",
    }
    return f"{called(miss.policy)} rule {miss.rule} {told[miss.fits]}"


def blocking(verdicts: Iterable[PathRow]) -> Iterator[tuple[str, str, str]]:
    """(policy, "Egress" or "Ingress", why) of every policy that closes a blocked path, each once."""
    seen = set()
    for row in verdicts:
        for direction, side in (("Egress", row.egress), ("Ingress", row.ingress)):
            if side.allowed:
                continue
            for name in side.isolated_by:
                why = "; ".join(n.removeprefix(f"{name} ") for n in side.not_by if n.startswith(f"{name} "))
                if (name, direction) not in seen:
                    seen.add((name, direction))
                    yield name, direction, why or f"selects it and has no {direction.lower()} rule: allows nothing"


def overall(rows: Sequence[PathRow]) -> str:
    """ "allowed", "blocked", "partly" (some of the paths are open) or "unknown" (there is no path to judge)."""
    if not rows:
        return "unknown"
    open_ = sum(r.allowed for r in rows)
    return "allowed" if open_ == len(rows) else "partly" if open_ else "blocked"
