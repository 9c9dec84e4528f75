"""Whether pods of a template would find a place: asked before a repair is offered, and again by the guard."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec

from kubemend.kube.scheduling import Neighbours, free, misfit, requests
from kubemend.kube.selectors import matches
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.model.objects.meta import LabelSelector, condition
from kubemend.model.objects.pod import Affinity, PodTemplate
from kubemend.model.snapshot import Snapshot


def places(template: PodTemplate | dict[str, Any], namespace: str, snapshot: Snapshot, *, wanted: int = 1) -> int:
    """How many of `wanted` more pods of the template the ready nodes would take, one after the other.

    template: the Struct, or its JSON form (`template.shape`). What other pods' affinities say is asked of the pods
    that are there, not of those that would be placed before.
    """
    typed = template if isinstance(template, PodTemplate) else msgspec.convert(template, type=PodTemplate)
    room = _Room(typed, namespace, snapshot)
    placed = 0
    while placed < wanted and room.take():
        placed += 1
    return placed


@dataclass(frozen=True)
class _Room:
    """The ready nodes with what is left on them while pods of one template are placed."""

    template: PodTemplate
    namespace: str
    snapshot: Snapshot

    def take(self) -> bool:
        """Place one pod on the first node that will have it; False when none will."""
        spec, labels = self.template.spec, self.template.metadata.labels
        for node in self._nodes:
            if not misfit(spec, labels, node, self._left[node.name]) and self._suits(node):
                left = self._left[node.name]
                for name, amount in {**requests(spec), "pods": Decimal(1)}.items():
                    left[name] = left.get(name, Decimal()) - amount
                return True
        return False

    @cached_property
    def _nodes(self) -> list[Node]:
        return [n for n in self.snapshot.all(Node) if _ready(n) and n.metadata.deletion_timestamp is None]

    @cached_property
    def _left(self) -> dict[str, dict[str, Decimal]]:
        held: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.snapshot.all(Pod):
            held[pod.spec.node_name].append(pod)
        return {n.name: free(n, held.get(n.name, ())) for n in self._nodes}

    @cached_property
    def _concerned(self) -> list[Pod]:
        """The pods that can matter: those the template wants to be with or away from, those that want it away."""
        mine, labels = _wanted(self.template.spec), self.template.metadata.labels
        pods = self.snapshot.all(Pod)
        return [p for p in pods if any(matches(s, p.metadata.labels) for s in mine) or _unwelcome(p, labels)]

    def _suits(self, node: Node) -> bool:
        return not self._neighbours.misfits(node)

    @cached_property
    def _neighbours(self) -> Neighbours:
        spec, labels = self.template.spec, self.template.metadata.labels
        return Neighbours(spec, self.namespace, labels, self.snapshot.all(Node), self._concerned)


def _wanted(spec: PodSpec) -> list[LabelSelector | None]:
    """The labels of other pods that a pod's required terms and hard spread constraints speak of."""
    affinity = spec.affinity or Affinity()
    rules = [a for a in (affinity.pod_affinity, affinity.pod_anti_affinity) if a is not None]
    terms = [t.label_selector for a in rules for t in a.required_during_scheduling_ignored_during_execution]
    return terms + [c.label_selector for c in spec.topology_spread_constraints]


def _unwelcome(pod: Pod, labels: dict[str, str]) -> bool:
    """Whether a pod that is there wants pods with these labels away, in whatever namespace."""
    anti = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    terms = anti.required_during_scheduling_ignored_during_execution if anti else ()
    return any(matches(t.label_selector, labels) for t in terms)


def _ready(node: Node) -> bool:
    state = condition(node.status.conditions, "Ready")
    return state is None or state.status == "True"
