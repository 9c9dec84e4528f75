"""The search of a waiting pod for a node, followed filter by filter to where it ends.

Nodes drop out in the order selector, node affinity, taints, cordon, room, other pods, so that each waiting pod has
exactly one stage at which the last node was lost, and so exactly one rule speaks of it. The scheduler's own message
isn't parsed: it counts nodes per reason, but doesn't say which reason to lift.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import Neighbours, requests, selects, tolerates
from kubemend.kube.selectors import matches, subset
from kubemend.model.finding import Cite, Observation, cite
from kubemend.model.index import Key
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod
from kubemend.model.objects.meta import LabelSelector, condition
from kubemend.model.objects.node import Taint
from kubemend.model.objects.pod import Affinity, PodAffinityTerm
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import counting
from kubemend.rules.scheduling.room import NOTHING, Needs, Room
from kubemend.rules.storage.claims import awaited, claims_of

GRACE_S = 60.0
"""Seconds for which a pod may wait for what other pods, or an autoscaler, may give it by themselves."""

CONDITIONS = "node.kubernetes.io/"
"""Prefix of the taints that the node controller sets for a node's conditions."""

CORDON = f"{CONDITIONS}unschedulable"
"""The one of them that stands for a cordon."""

Stage = Literal["claim", "node-selector", "node-affinity", "taint", "cordon", "resource", "other-pods"]

State = tuple[str | None, bool, tuple[tuple[str, str, str], ...]]
"""What decides whether a pod tolerates a node: its readiness, cordon and taints (key, effect, value)."""

_ONE = Decimal(1)


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
class Divided:
    """What is left of the nodes at each stage before room is asked for.

    chosen: by the node selector. liked: of these by node affinity. ailing, well: of these by their own condition. shut,
    offered: of the well ones without a taint that isn't tolerated, those cordoned and the others.
    """

    chosen: tuple[Node, ...]
    liked: tuple[Node, ...]
    ailing: tuple[Node, ...]
    well: tuple[Node, ...]
    shut: tuple[Node, ...]
    offered: tuple[Node, ...]


def search(snapshot: Snapshot) -> Search:
    """The search of this snapshot's waiting pods, made once for all rules that ask how it ended."""
    return snapshot.derived(Search)


@dataclass(frozen=True)
class Search:
    """One snapshot's nodes with what is free on them, and the verdict on each waiting pod."""

    snapshot: Snapshot

    def ended(self, stage: Stage) -> Iterator[tuple[list[Pod], Verdict]]:
        """The waiting pods whose search ended at this stage; those of one controller are alike and come together."""
        return ((pods, verdict) for pods, verdict in self._ends if verdict is not None and verdict.stage == stage)

    @cached_property
    def _ends(self) -> list[tuple[list[Pod], Verdict | None]]:
        alike: dict[str, list[Pod]] = defaultdict(list)
        for pod in waiting(self.snapshot):
            controller = pod.metadata.controller
            alike[pod.metadata.uid if controller is None or claims_of(pod) else controller.uid].append(pod)
        return [(pods, self.verdict(pods[0])) for pods in alike.values()]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that aren't being deleted."""
        return tuple(n for n in self.snapshot.all(Node) if n.metadata.deletion_timestamp is None)

    def room(self, nodes: tuple[Node, ...]) -> Room:
        """What is free on these nodes once the pods being deleted are gone."""
        # By identity, for a thousand nodes take long to compare; a Room keeps its nodes, so none takes their place.
        if id(nodes) not in self._rooms:
            self._rooms[id(nodes)] = Room(nodes, self._free)
        return self._rooms[id(nodes)]

    @cached_property
    def _rooms(self) -> dict[int, Room]:
        return {}

    @cached_property
    def _free(self) -> dict[str, dict[str, Decimal]]:
        free: dict[str, dict[str, Decimal]] = {}
        for node in self.nodes:
            left = free[node.name] = {name: parse(q) for name, q in node.status.allocatable.items()}
            for name, taken in self.snapshot.made(Pod, _staying_on, node.name, _reserved).items():
                left[name] = left.get(name, NOTHING) - taken
        return free

    @property
    def partial(self) -> bool:
        """Whether pods of other namespaces weren't read, so that less may be free than it seems."""
        return self.snapshot.namespace is not None or any(u.kind == "Pod" for u in self.snapshot.unread)

    def verdict(self, pod: Pod) -> Verdict | None:
        """Where one pod's search ended; None when some node would take it."""
        if _awaits_claim(self.snapshot, pod):
            return Verdict("claim")
        if not self.nodes:
            return Verdict("resource")
        divided = self._divide(pod)
        if not divided.chosen:
            return Verdict("node-selector", self.nodes)
        if not divided.liked:
            return Verdict("node-affinity", divided.chosen)
        wanted = needs(pod)
        lost = self.room(divided.ailing).fitting(wanted)
        if not divided.offered and not divided.shut:
            return Verdict("taint", divided.well or divided.liked, lost)
        return self._place(pod, wanted, divided, lost)

    def _divide(self, pod: Pod) -> Divided:
        """The nodes as a pod's selectors and tolerations divide them, reckoned once for all pods that have the same."""
        spec = pod.spec
        key = msgspec.json.encode((spec.node_selector, spec.affinity, spec.tolerations))
        if key not in self._divisions:
            chosen = self.nodes
            if spec.node_selector:
                chosen = tuple(n for n in chosen if subset(spec.node_selector, n.metadata.labels))
            liked = chosen if spec.affinity is None else tuple(n for n in chosen if selects(spec, n))
            ailing, well = self._split(liked, pod, is_ailing)
            _, welcome = self._split(well, pod, repelling)
            shut, offered = self._split(welcome, pod, is_cordoned)
            self._divisions[key] = Divided(chosen, liked, ailing, well, shut, offered)
        return self._divisions[key]

    @cached_property
    def _divisions(self) -> dict[bytes, Divided]:
        return {}

    def _place(self, pod: Pod, wanted: Needs, divided: Divided, lost: tuple[Node, ...]) -> Verdict | None:
        shut, offered = divided.shut, divided.offered
        roomy, spare = self.room(offered).fitting(wanted), self.room(shut).fitting(wanted)
        if roomy or spare:
            others = self._neighbours(pod)
            if any(not others.misfits(n) for n in roomy):
                return None
            if free := tuple(n for n in spare if not others.misfits(n)):
                return Verdict("cordon", free, lost)
            return Verdict("other-pods", roomy or spare, lost)
        return Verdict("resource", offered or shut, lost)

    def _split(
        self, nodes: tuple[Node, ...], pod: Pod, ask: Callable[[Pod, Node], object]
    ) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The nodes of which `ask` says yes, and the others; asked once for all whose state and taints are alike."""
        states, examples = self._states
        yes = {state for state, node in enumerate(examples) if ask(pod, node)}
        if not yes:
            return (), nodes
        return (
            tuple(n for n in nodes if states[n.name] in yes),
            tuple(n for n in nodes if states[n.name] not in yes),
        )

    @cached_property
    def _states(self) -> tuple[dict[str, int], list[Node]]:
        """The number of each node's state, and for each number one node that is in it."""
        numbers: dict[State, int] = {}
        states = {n.name: numbers.setdefault(_state(n), len(numbers)) for n in self.nodes}
        examples = {number: n for n in reversed(self.nodes) for number in (states[n.name],)}
        return states, [examples[i] for i in range(len(numbers))]

    def crowd(self, pod: Pod, node: Node) -> tuple[str, ...]:
        """Why the pods that are there keep the pod off the node: kinds of misfit."""
        return tuple(m.kind for m in self._neighbours(pod).misfits(node))

    def _neighbours(self, pod: Pod) -> Neighbours:
        return Neighbours(pod.spec, pod.namespace, pod.metadata.labels, self.nodes, self._concerned(pod))

    def _concerned(self, pod: Pod) -> list[Pod]:
        """The placed pods that can matter: those it wants to be with or away from, those that want it away."""
        found: dict[Key, Pod] = {}
        for selector, namespaces in _wanted(pod):
            around = (
                (p for n in namespaces for p in self.snapshot.all(Pod, n)) if namespaces else self.snapshot.all(Pod)
            )
            found |= {_key(p): p for p in around if _staying_on(p) is not None and matches(selector, p.metadata.labels)}
        shunning = self.snapshot.group(Pod, _shuns, True)
        found |= {_key(p): p for p in shunning if _unwelcome(p, pod.metadata.labels)}
        return list(found.values())


def _homeless(pod: Pod) -> bool | None:
    placed = pod.spec.node_name or pod.status.phase != "Pending" or pod.metadata.deletion_timestamp is not None
    return None if placed else True


def _key(pod: Pod) -> Key:
    return pod.namespace, pod.name


def _wanted(pod: Pod) -> Iterator[tuple[LabelSelector | None, tuple[str, ...]]]:
    """The labels, and the namespaces (none: any), of the other pods that a pod's hard terms speak of."""
    affinity = pod.spec.affinity or Affinity()
    for rules in (affinity.pod_affinity, affinity.pod_anti_affinity):
        for term in rules.required_during_scheduling_ignored_during_execution if rules else ():
            named = term.namespaces or (pod.namespace,)
            yield term.label_selector, (named if term.namespace_selector is None else ())
    for constraint in pod.spec.topology_spread_constraints:
        yield constraint.label_selector, (pod.namespace,)


def _staying_on(pod: Pod) -> str | None:
    """The node that a pod holds a place on, and isn't about to leave."""
    gone = pod.metadata.deletion_timestamp is not None or pod.status.phase in ("Succeeded", "Failed")
    return None if gone else pod.spec.node_name or None


def _reserved(pods: Iterable[Pod]) -> dict[str, Decimal]:
    """What these pods take of their node, their number included."""
    total: dict[str, Decimal] = {}
    for pod in pods:
        for name, amount in needs(pod).items():
            total[name] = total.get(name, NOTHING) + amount
    return total


def needs(pod: Pod) -> Needs:
    """What a pod asks of its node."""
    return {**requests(pod.spec), "pods": _ONE}


def _state(node: Node) -> State:
    ready = condition(node.status.conditions, "Ready")
    taints = tuple((t.key, t.effect, t.value) for t in node.spec.taints)
    return None if ready is None else ready.status, node.spec.unschedulable, taints


def _terms(pod: Pod) -> tuple[PodAffinityTerm, ...]:
    anti = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    return anti.required_during_scheduling_ignored_during_execution if anti else ()


def _shuns(pod: Pod) -> bool | None:
    return True if _staying_on(pod) is not None and _terms(pod) else None


def _unwelcome(pod: Pod, labels: dict[str, str]) -> bool:
    """Whether a pod that is there wants pods with these labels away, in whatever namespace."""
    return any(matches(t.label_selector, labels) for t in _terms(pod))


def waiting(snapshot: Snapshot) -> Iterator[Pod]:
    """The pods that the scheduler said it can't place, or has left without a word for a minute."""
    for pod in counting(snapshot, snapshot.group(Pod, _homeless, True)):
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
    return snapshot.has_passed(than, pod.metadata.creation_timestamp)


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


def _awaits_claim(snapshot: Snapshot, pod: Pod) -> bool:
    for name in claims_of(pod):
        claim = snapshot.get(PersistentVolumeClaim, pod.namespace, name)
        if claim is None:
            return snapshot.was_read(PersistentVolumeClaim, pod.namespace)
        if awaited(snapshot, claim):
            return True
    return False
