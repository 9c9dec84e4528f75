"""KM205: only a cordon keeps the pod from a node."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Cite, Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import CORDON, each, said, search


@rule(
    "KM205",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
    whole=True,
)
def nodes_cordoned(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod has no place because the nodes with room are cordoned.

    ## What it means
    At least one node would take the pod, but it is marked unschedulable (`kubectl cordon`), and no open node
    has room for it. A cordoned node for which no pod is waiting isn't reported.

    ## Why it matters
    The pod stays Pending, and every further pod that needs the room will too.

    ## What to do
    Find out why the node was cordoned. If the maintenance is over, or never began, `kubectl uncordon` it.
    """
    found = search(snapshot)
    for pods, verdict in found.ended("cordon"):
        node = verdict.nodes[0]
        names = ", ".join(n.name for n in verdict.nodes[:3]) + (" …" if len(verdict.nodes) > 3 else "")
        seen = Observation(
            about=pods[0].ref,
            says=f"pod would fit, but for their cordon, on {len(verdict.nodes)} of {len(found.nodes)} nodes ({names})",
            evidence=(said(pods[0]), _cordon(node)),
            target=node.ref,
            # Where other namespaces' pods weren't read, the room on the node may be taken.
            confidence=0.6 if found.partial else 0.9,
            facts={"node": node.name, "cordoned": tuple(n.name for n in verdict.nodes)},
            depends=verdict.depends,
        )
        yield from each(pods, seen)


def _cordon(node: Node) -> Cite:
    if node.spec.unschedulable:
        return cite(node, "spec", "unschedulable")
    at = next(i for i, t in enumerate(node.spec.taints) if t.key == CORDON)
    return cite(node, "spec", "taints", at, "key")
