"""Whether pods of a template would find a place: asked before a repair is offered, and again by the guard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from kubemend.kube.scheduling import affinity_misfit, free, misfit, requests
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.model.objects.meta import condition
from kubemend.model.objects.pod import PodTemplate
from kubemend.model.snapshot import Snapshot


def typed(template: dict[str, Any]) -> PodTemplate:
    """A template in its JSON form (see `template.shape`) as the Struct again."""
    return msgspec.convert(template, type=PodTemplate)


def places(
    template: PodTemplate, namespace: str, snapshot: Snapshot, *, wanted: int = 1, without: Collection[str] = ()
) -> int:
    """How many of `wanted` pods of the template the ready nodes would take, one after the other.

    without: uids of pods that will be gone by then. What other pods' affinities say is asked for the first pod
    only, since the next would have to be imagined in its place.
    """
    pods = [p for p in snapshot.all(Pod) if p.metadata.uid not in without]
    held: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        held[pod.spec.node_name].append(pod)
    nodes = snapshot.all(Node)
    spec, labels = template.spec, template.metadata.labels
    left = {n.name: free(n, held.get(n.name, ())) for n in nodes if _ready(n)}
    welcome = [n for n in nodes if n.name in left and not misfit(spec, labels, n, left[n.name])]
    welcome = [n for n in welcome if not affinity_misfit(spec, namespace, labels, n, nodes, pods)]
    placed = 0
    while placed < wanted and (node := _first(spec, labels, welcome, left)) is not None:
        placed += 1
        for name, amount in {**requests(spec), "pods": Decimal(1)}.items():
            left[node.name][name] = left[node.name].get(name, Decimal()) - amount
    return placed


def _first(
    spec: PodSpec, labels: dict[str, str], nodes: list[Node], left: dict[str, dict[str, Decimal]]
) -> Node | None:
    return next((n for n in nodes if not misfit(spec, labels, n, left[n.name])), None)


def _ready(node: Node) -> bool:
    state = condition(node.status.conditions, "Ready")
    return state is None or state.status == "True"
