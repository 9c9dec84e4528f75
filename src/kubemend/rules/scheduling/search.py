"""The search of a waiting pod for a node, followed filter by filter to where it ends.

Nodes drop out in the order selector, node affinity, taints, cordon, room, other pods, so that each waiting pod has
exactly one stage at which the last node was lost, and so exactly one rule speaks of it. The scheduler's own message
isn't parsed: it counts nodes per reason, but doesn't say which reason to lift.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from kubemend.kube.scheduling import Misfit, affinity_misfit, free, misfit, requests, tolerates
from kubemend.kube.selectors import matches, subset
from kubemend.model.finding import Cite, Observation, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, PodSpec
from kubemend.model.objects.meta import LabelSelector, condition
from kubemend.model.objects.node import Taint
from kubemend.model.objects.pod import Affinity
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import judged, seconds
from kubemend.rules.storage.claims import awaited, claims_of

GRACE_S = 60.0
"""Seconds for which a pod may wait for what other pods, or an autoscaler, may give it by themselves."""

CONDITIONS = "node.kubernetes.io/"
"""Prefix of the taints that the node controller sets for a node's conditions."""

CORDON = f"{CONDITIONS}unschedulable"
"""The one of them that stands for a cordon."""

Stage = Literal["claim", "node-selector", "node-affinity", "taint", "cordon", "resource", "other-pods"]


@dataclass(frozen=True)
class Verdict:
    """Where the search ended.

    nodes: those that came as far as this stage and no further (at "cordon": those that only a cordon closes).
    lost: those with room that drop out because they are themselves at fault.
    """

    stage: Stage
    nodes: tuple[Node, ...] = ()
    lost: tuple[Node, ...] = ()

    @property
    def depends(self) -> tuple[Ref, ...]:
        """Nodes whose own faults would explain this one."""
        return tuple(n.ref for n in self.lost)


@dataclass(frozen=True)
class Search:
    """One snapshot's nodes with what is free on them, and the verdict on each waiting pod."""

    snapshot: Snapshot

    def ended(self, stage: Stage) -> Iterator[tuple[list[Pod], Verdict]]:
        """The waiting pods whose search ended at this stage; those of one controller are alike and come together."""
        alike: dict[str, list[Pod]] = defaultdict(list)
        for pod in waiting(self.snapshot):
            controller = pod.metadata.controller
            alike[pod.metadata.uid if controller is None or claims_of(pod) else controller.uid].append(pod)
        for pods in alike.values():
            verdict = self.verdict(pods[0], stage)
            if verdict is not None and verdict.stage == stage:
                yield pods, verdict

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes that aren't being deleted."""
        return [n for n in self.snapshot.all(Node) if n.metadata.deletion_timestamp is None]

    @cached_property
    def room(self) -> dict[str, dict[str, Decimal]]:
        """What is free on each node once the pods being deleted are gone."""
        held: dict[str, list[Pod]] = defaultdict(list)
        for pod in self._staying:
            held[pod.spec.node_name].append(pod)
        return {n.name: free(n, held.get(n.name, ())) for n in self.nodes}

    @cached_property
    def _staying(self) -> list[Pod]:
        return [p for p in self.snapshot.all(Pod) if p.spec.node_name and p.metadata.deletion_timestamp is None]

    @property
    def partial(self) -> bool:
        """Whether pods of other namespaces weren't read, so that less may be free than it seems."""
        return self.snapshot.namespace is not None or any(u.kind == "Pod" for u in self.snapshot.unread)

    def verdict(self, pod: Pod, until: Stage = "other-pods") -> Verdict | None:
        """Where one pod's search ended; None when some node would take it, or the search went on beyond `until`."""
        spec, labels = pod.spec, pod.metadata.labels
        if _awaits_claim(self.snapshot, pod):
            return Verdict("claim")
        if not self.nodes:
            return Verdict("resource")
        if not (chosen := [n for n in self.nodes if subset(spec.node_selector, n.metadata.labels)]):
            return Verdict("node-selector", tuple(self.nodes))
        if until == "node-selector":
            return None
        if not (liked := [n for n in chosen if not _disliked(misfit(spec, labels, n, {}))]):
            return Verdict("node-affinity", tuple(chosen))
        if until == "node-affinity":
            return None
        well = [n for n in liked if not is_ailing(pod, n)]
        lost = tuple(n for n in liked if n not in well and self.has_room(pod, n))
        if not (welcome := [n for n in well if not repelling(pod, n)]):
            return Verdict("taint", tuple(well or liked), lost)
        return None if until == "taint" else self._place(pod, welcome, lost)

    def _place(self, pod: Pod, nodes: list[Node], lost: tuple[Node, ...]) -> Verdict | None:
        shut = [n for n in nodes if is_cordoned(pod, n)]
        offered = [n for n in nodes if n not in shut]
        roomy = [n for n in offered if self.has_room(pod, n)]
        others = self._concerned(pod)
        if any(not self.crowd(pod, n, others) for n in roomy):
            return None
        if spare := [n for n in shut if self.has_room(pod, n) and not self.crowd(pod, n, others)]:
            return Verdict("cordon", tuple(spare), lost)
        if roomy:
            return Verdict("other-pods", tuple(roomy), lost)
        return Verdict("resource", tuple(offered or shut), lost)

    def has_room(self, pod: Pod, node: Node) -> bool:
        """Whether the node has all that the pod asks for."""
        return not short(pod, self.room[node.name])

    def crowd(self, pod: Pod, node: Node, others: list[Pod] | None = None) -> tuple[str, ...]:
        """Why the pods that are there keep the pod off the node: kinds of misfit. others: those that can matter."""
        held = self._concerned(pod) if others is None else others
        found = affinity_misfit(pod.spec, pod.namespace, pod.metadata.labels, node, self.nodes, held)
        return tuple(m.kind for m in found)

    def _concerned(self, pod: Pod) -> list[Pod]:
        """The placed pods that can matter: those it wants to be with or away from, those that want it away."""
        mine, labels = _wanted(pod.spec), pod.metadata.labels
        return [p for p in self._staying if any(matches(s, p.metadata.labels) for s in mine) or _unwelcome(p, labels)]


def _homeless(pod: Pod) -> bool:
    return not pod.spec.node_name and pod.status.phase == "Pending"


def _disliked(misfits: tuple[Misfit, ...]) -> bool:
    return any(m.kind == "node-affinity" for m in misfits)


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


def waiting(snapshot: Snapshot) -> Iterator[Pod]:
    """The pods that the scheduler said it can't place, or has left without a word for a minute."""
    if not any(_homeless(p) for p in snapshot.all(Pod)):
        return
    for pod in filter(_homeless, judged(snapshot)):
        told = condition(pod.status.conditions, "PodScheduled")
        reason = told.reason if told is not None and told.status == "False" else ""
        if reason == "Unschedulable" or (not reason and older(pod, snapshot)):
            yield pod


def each(pods: list[Pod], first: Observation) -> Iterator[Observation]:
    """What was observed of the first of these pods, said of every one of them; its first citation is the pod's own."""
    for pod in pods:
        yield msgspec.structs.replace(first, about=pod.ref, evidence=(said(pod), *first.evidence[1:]))


def older(pod: Pod, snapshot: Snapshot, than: float = GRACE_S) -> bool:
    """Whether the pod has existed for longer than that many seconds."""
    return seconds(pod.metadata.creation_timestamp, snapshot.taken_at) > than


def said(pod: Pod) -> Cite:
    """Where it stands that the pod has no place."""
    at = next((i for i, c in enumerate(pod.status.conditions) if c.type == "PodScheduled"), None)
    return cite(pod, "status", "phase") if at is None else cite(pod, "status", "conditions", at, "reason")


def is_ailing(pod: Pod, node: Node) -> bool:
    """Whether the node's own condition (not ready, under pressure) keeps the pod off it."""
    ready = condition(node.status.conditions, "Ready")
    if ready is not None and ready.status != "True":
        return not tolerates(pod.spec.tolerations, Taint(key=f"{CONDITIONS}not-ready", effect="NoSchedule"))
    return any(t.key.startswith(CONDITIONS) for t in repelling(pod, node))


def repelling(pod: Pod, node: Node) -> list[Taint]:
    """The node's taints that keep the pod away, but for a cordon's."""
    return [
        t
        for t in node.spec.taints
        if t.effect in ("NoSchedule", "NoExecute") and t.key != CORDON and not tolerates(pod.spec.tolerations, t)
    ]


def is_cordoned(pod: Pod, node: Node) -> bool:
    """Whether a cordon keeps the pod off the node (a DaemonSet's pods tolerate it)."""
    cordon = Taint(key=CORDON, effect="NoSchedule")
    return (node.spec.unschedulable or cordon in node.spec.taints) and not tolerates(pod.spec.tolerations, cordon)


def short(pod: Pod, room: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What the pod asks for beyond what there is, per resource."""
    wanted = {**requests(pod.spec), "pods": Decimal(1)}
    return {name: amount for name, amount in wanted.items() if amount > max(room.get(name, Decimal()), Decimal())}


def _awaits_claim(snapshot: Snapshot, pod: Pod) -> bool:
    for name in claims_of(pod):
        claim = snapshot.get(PersistentVolumeClaim, pod.namespace, name)
        if claim is None:
            return snapshot.was_read(PersistentVolumeClaim, pod.namespace)
        if awaited(snapshot, claim):
            return True
    return False
