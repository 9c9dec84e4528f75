"""Where the pods of a workload are, and where they could be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kubemend.kube.scheduling import selects, tolerates
from kubemend.model.objects import Node, PodSpec
from kubemend.model.objects.meta import condition
from kubemend.tools.workloads import ZONE


def open_to(spec: PodSpec, nodes: Iterable[Node]) -> list[Node]:
    """The nodes that a pod may be on at all: ready, not cordoned, chosen by its selectors, their taints tolerated."""
    return [n for n in nodes if usable(n) and selects(spec, n) and _welcome(spec, n)]


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
