"""KM203: every node the pod could use is tainted against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.objects.node import Taint
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import CONDITIONS, each, repelling, said, search
from kubemend.rules.workload.words import count

_ROLE = "node-role.kubernetes.io/"


@rule(
    "KM203",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
    whole=True,
)
def taint_not_tolerated(snapshot: Snapshot) -> Iterator[Observation]:
    """Every node that a pod's selectors allow has a taint that the pod doesn't tolerate.

    ## What it means
    Nodes match the pod's node selector and affinity, but each carries a taint (`NoSchedule` or `NoExecute`)
    for which the pod has no toleration. The finding names the taint that stands on the most of them.

    ## Why it matters
    The pod stays Pending until a node loses the taint or the pod gains the toleration.

    ## What to do
    Taints are set on purpose: find out what the nodes are kept for before changing anything. If an earlier
    revision tolerated the taint, the toleration was lost and belongs back.
    """
    for pods, verdict in search(snapshot).ended("taint"):
        pod = pods[0]
        held = [(node, taint) for node in verdict.nodes for taint in repelling(pod, node)]
        if not held:
            continue
        node, taint = _speaking(held)
        at = node.spec.taints.index(taint)
        value = f"={taint.value}" if taint.value else ""
        seen = Observation(
            about=pod.ref,
            says=f"pod doesn't tolerate the taint {taint.key}{value}:{taint.effect}; what it could "
            f"use ({count(len(verdict.nodes), 'node')}) is tainted against it",
            evidence=(said(pod), cite(node, "spec", "taints", at, "key"), cite(node, "spec", "taints", at, "effect")),
            confidence=0.95,
            facts={"key": taint.key, "value": taint.value, "effect": taint.effect, "node": node.name},
            depends=tuple(n.ref for n, t in held if t.key.startswith(CONDITIONS)),
        )
        yield from each(pods, seen)


def _speaking(held: list[tuple[Node, Taint]]) -> tuple[Node, Taint]:
    """The taint to name: a control plane's is the last to be meant, the most frequent the first."""
    held_by = Counter(_name(t) for _, t in held)
    return min(held, key=lambda nt: (nt[1].key.startswith(_ROLE), -held_by[_name(nt[1])]))


def _name(taint: Taint) -> tuple[str, str, str]:
    return taint.key, taint.value, taint.effect
