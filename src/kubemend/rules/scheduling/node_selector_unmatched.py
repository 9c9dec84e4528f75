"""KM202: no node has the labels the pod wants."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Fact, Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import each, said, search


@rule(
    "KM202",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
    whole=True,
)
def node_selector_unmatched(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod's node selector matches no node.

    ## What it means
    The pod may only go to a node that carries all labels of its `nodeSelector`, and no node does.

    ## Why it matters
    The pod stays Pending for as long as no node has the labels.

    ## What to do
    Correct the selector (the finding names a near match among the nodes' labels, if there is one), or label
    a node if the selector is right.
    """
    for pods, verdict in search(snapshot).ended("node-selector"):
        pod = pods[0]
        key, value = _unmatched(pod, verdict.nodes)
        meant = _meant(key, value, verdict.nodes)
        hint = f" (did you mean {meant[0]}={meant[1]}?)" if meant else ""
        facts: dict[str, Fact] = {"key": key, "value": value}
        if meant:
            facts |= {"near_key": meant[0], "near_value": meant[1]}
        seen = Observation(
            about=pod.ref,
            says=f"pod wants a node with {key}={value}; no node of {len(verdict.nodes)} qualifies{hint}",
            evidence=(said(pod), cite(pod, "spec", "nodeSelector", key)),
            confidence=0.95,
            facts=facts,
        )
        yield from each(pods, seen)


def _unmatched(pod: Pod, nodes: tuple[Node, ...]) -> tuple[str, str]:
    """The pair of the selector that the fewest nodes have."""
    wanted = sorted(pod.spec.node_selector.items())
    return min(wanted, key=lambda kv: sum(n.metadata.labels.get(kv[0]) == kv[1] for n in nodes))


def _meant(key: str, value: str, nodes: tuple[Node, ...]) -> tuple[str, str] | None:
    """The node label that the pair looks like a slip for: the value of the same key, else the same value's key."""
    values = {n.metadata.labels[key] for n in nodes if key in n.metadata.labels}
    if values:
        found = near(value, sorted(values - {value}))
        return None if found is None else (key, found)
    keys = {k for n in nodes for k, v in n.metadata.labels.items() if v == value}
    found = near(key, sorted(keys))
    return None if found is None else (found, value)
