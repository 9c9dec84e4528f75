"""Where the pods of a workload are, and where they could be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from kubemend.kube.scheduling import selects, tolerates
from kubemend.model.objects import Node, PodSpec
from kubemend.model.objects.meta import condition
from kubemend.tools.workloads import ZONE


def open_to(spec: PodSpec, nodes: Iterable[Node]) -> list[Node]:
    """The nodes that a pod may be on at all: ready, not cordoned, chosen by its selectors, their taints tolerated."""
    return [n for n in nodes if usable(n) and selects(spec, n) and _welcome(spec, n)]


@dataclass(frozen=True)
class Open:
    """The nodes that a pod may be on, by name, and their zones."""

    nodes: frozenset[str]
    zones: frozenset[str]


class Ground:
    """All nodes, and which of them are open: found out once for all workloads that choose alike."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = {n.name: n for n in nodes}
        self._open: dict[bytes, Open] = {}

    def zone(self, node: str) -> str:
        """The zone of a node; "" when it names none, or isn't there."""
        return zone_of(self._nodes.get(node))

    def open_to(self, spec: PodSpec) -> Open:
        """As `open_to`, which reads nothing else of a spec than what is looked up by here."""
        affinity = None if spec.affinity is None else spec.affinity.node_affinity
        key = msgspec.json.encode((spec.node_selector, affinity, spec.tolerations))
        if key not in self._open:
            found = open_to(spec, self._nodes.values())
            self._open[key] = Open(frozenset(n.name for n in found), frozenset(map(zone_of, found)) - {""})
        return self._open[key]


def usable(node: Node) -> bool:
    """Ready, and not cordoned."""
    state = condition(node.status.conditions, "Ready")
    return not node.spec.unschedulable and (state is None or state.status == "True")


def _welcome(spec: PodSpec, node: Node) -> bool:
    hard = [t for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute")]
    return all(tolerates(spec.tolerations, t) for t in hard)


def counted(places: Iterable[str], known: Iterable[str]) -> dict[str, int]:
    """How often each place occurs; those that are known to be possible are there with 0. "" is no place."""
    found = Counter(p for p in places if p)
    return {name: found[name] for name in sorted({*found, *known} - {""})}


def zone_of(node: Node | None) -> str:
    """The zone that a node's label names; "" when it names none."""
    return "" if node is None else node.metadata.labels.get(ZONE, "")


def skew(counts: Iterable[int]) -> int:
    """How many pods the fullest place has more than the emptiest; 0 without places (topology spread's own measure)."""
    found = list(counts)
    return max(found) - min(found) if found else 0
