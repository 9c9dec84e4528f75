"""KM203: every node the pod could use is tainted against it."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.objects.node import Taint
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import CONDITIONS, Search, repelling, said

_ROLE = "node-role.kubernetes.io/"


@rule(
    "KM203",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
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
    for pod, verdict in Search(snapshot).ended("taint"):
        held = [(node, taint) for node in verdict.nodes for taint in repelling(pod, node)]
        if not held:
            continue
        node, taint = _speaking(held)
        at = node.spec.taints.index(taint)
        value = f"={taint.value}" if taint.value else ""
        yield Observation(
            about=pod.ref,
            says=f"pod doesn't tolerate the taint {taint.key}{value}:{taint.effect}; all {len(verdict.nodes)} nodes it "
            "could use are tainted against it",
            evidence=(said(pod), cite(node, "spec", "taints", at, "key"), cite(node, "spec", "taints", at, "effect")),
            confidence=0.95,
            facts={"key": taint.key, "value": taint.value, "effect": taint.effect, "node": node.name},
            depends=tuple(n.ref for n, t in held if t.key.startswith(CONDITIONS)),
        )


def _speaking(held: list[tuple[Node, Taint]]) -> tuple[Node, Taint]:
    """The taint to name: a control plane's is the last to be meant, the most frequent the first."""
    count = [(t.key, t.value, t.effect) for _, t in held]
    return min(held, key=lambda nt: (nt[1].key.startswith(_ROLE), -count.count((nt[1].key, nt[1].value, nt[1].effect))))
