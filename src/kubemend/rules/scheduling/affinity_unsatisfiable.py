"""KM204: the pod's own affinity leaves it no node."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Cite, Fact, Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.objects.pod import NodeSelectorRequirement
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import each, older, said, search
from kubemend.rules.workload.words import count

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_SAYS = {
    "pod-affinity": "wants to be where certain pods are, and none of those runs where it could go",
    "pod-anti-affinity": "is kept away from pods that are everywhere it could go",
    "topology-spread": "would spread the replicas less evenly than it allows wherever it could go",
}


@rule(
    "KM204",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
    whole=True,
)
def affinity_unsatisfiable(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod's required affinity can't be satisfied by any node.

    ## What it means
    Either no node matches the required node affinity; or, on every node with room, required pod affinity,
    anti-affinity or topology spread rules the pod out because of the pods that are (or aren't) there. What
    depends on other pods is reported after a minute, for a rollout may be about to move them.

    ## Why it matters
    The pod stays Pending. Typical is an anti-affinity with more replicas than nodes.

    ## What to do
    Correct the labels the affinity asks for, make it preferred instead of required, or add nodes.
    """
    found = search(snapshot)
    for pods, _ in found.ended("node-affinity"):
        yield from each(pods, _by_nodes(pods[0], found.nodes))
    for pods, verdict in found.ended("other-pods"):
        if late := [p for p in pods if older(p, snapshot)]:
            kind = found.crowd(late[0], verdict.nodes[0])[0]
            yield from each(late, _by_pods(late[0], len(verdict.nodes), kind))


def _by_nodes(pod: Pod, nodes: tuple[Node, ...]) -> Observation:
    facts: dict[str, Fact] = {"kind": "node-affinity"}
    evidence = [said(pod)]
    hint = ""
    for at, wanted in _requirements(pod):
        held = sorted({n.metadata.labels[wanted.key] for n in nodes if wanted.key in n.metadata.labels})
        if wanted.operator == "In" and not set(held) & set(wanted.values):
            meant = near(wanted.values[0], held) if len(wanted.values) == 1 else None
            facts |= {"key": wanted.key, "values": wanted.values, "near": meant}
            evidence.append(at)
            hint = f": no node has {wanted.key}={' or '.join(wanted.values)}"
            break
    return Observation(
        about=pod.ref,
        says=f"pod's required node affinity matches no node of {len(nodes)}{hint}",
        evidence=tuple(evidence),
        confidence=0.95,
        facts=facts,
    )


def _requirements(pod: Pod) -> Iterator[tuple[Cite, NodeSelectorRequirement]]:
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    for i, term in enumerate(required.node_selector_terms if required else ()):
        for j, wanted in enumerate(term.match_expressions):
            path = ("spec", "affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms", i, "matchExpressions", j, "key")
            yield cite(pod, *path), wanted


def _by_pods(pod: Pod, nodes: int, kind: str) -> Observation:
    return Observation(
        about=pod.ref,
        says=f"pod {_SAYS[kind]} ({count(nodes, 'node')} with room)",
        evidence=(said(pod), *_terms(pod, kind)),
        confidence=0.8,
        facts={"kind": kind},
    )


def _terms(pod: Pod, kind: str) -> Iterator[Cite]:
    if kind == "topology-spread":
        yield cite(pod, "spec", "topologySpreadConstraints", 0, "topologyKey")
        return
    field, affinity = ("podAffinity" if kind == "pod-affinity" else "podAntiAffinity"), pod.spec.affinity
    held = None
    if affinity is not None:
        held = affinity.pod_affinity if kind == "pod-affinity" else affinity.pod_anti_affinity
    if held is not None and held.required_during_scheduling_ignored_during_execution:
        yield cite(pod, "spec", "affinity", field, _REQUIRED, 0, "topologyKey")
