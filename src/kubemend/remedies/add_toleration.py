"""The toleration that all else in the namespace has."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.rollout import active
from kubemend.kube.scheduling import tolerates
from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.node import Taint
from kubemend.model.objects.pod import Toleration
from kubemend.model.plan import Declined
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.room import places
from kubemend.remedies.template import put, shape
from kubemend.remedies.workload import PLACED, Choice, as_json, cited, proposed, workload

CONFIDENCE = 0.6
"""What the neighbours do is a hint, not a permission: below the floor of what goes without asking."""

KEPT = ("node-role.kubernetes.io/", "node.kubernetes.io/")
"""Taints of the control plane and of a node's condition: no workload is moved there by us."""


@strategy(cures=("KM203",), risk=Risk.MEDIUM, reads=(Pod, Node), needs=PLACED, order=70)
def add_toleration(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload the toleration with which every other workload of its namespace runs on the tainted nodes.

    ## Safety
    Offered only when all other running pods of the namespace are on nodes with that very taint and tolerate it
    by name, in the same words. Its confidence stays below what a policy lets go unattended, so a person decides.
    No taint is ever removed, and those of the control plane or of a node's condition are never tolerated.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, _ = found
    facts = diagnosis.root.facts
    taint = Taint(key=str(facts["key"]), value=str(facts.get("value") or ""), effect=str(facts["effect"]))
    if taint.key.startswith(KEPT):
        return Declined(f"the taint {taint.key} isn't one that a workload may be made to tolerate")
    now = held.template.spec.tolerations
    if tolerates(now, taint):
        return Declined(f"{held.obj.ref} tolerates the taint {taint.key} already")
    siblings = set(_siblings(held.obj.ref, snapshot, taint))
    if len(siblings) != 1 or None in siblings:
        return Declined(
            f"not all other pods of {held.obj.namespace} run on such nodes by one toleration of {taint.key}"
        )
    wanted = put(shape(held.template), ("tolerations",), as_json((*now, *siblings)))
    if not places(wanted, held.obj.namespace, snapshot):
        return Declined(f"even with a toleration of {taint.key} no node would take a pod")
    choice = Choice(wanted, f"every other workload of {held.obj.namespace} tolerates the taint {taint.key}", CONFIDENCE)
    requires = tuple(cited(held, "tolerations", i, "key") for i in range(len(now)))
    return proposed(held, diagnosis, snapshot, choice, requires)


def _siblings(target: Ref, snapshot: Snapshot, taint: Taint) -> Iterator[Toleration | None]:
    """For each other running pod of the namespace the toleration that lets it run on its node; None if it isn't so."""
    for pod in snapshot.all(Pod, target.namespace):
        if active(pod) and pod.spec.node_name and snapshot.top(pod).ref != target:
            node = snapshot.get(Node, "", pod.spec.node_name)
            there = node is not None and any((t.key, t.value) == (taint.key, taint.value) for t in node.spec.taints)
            mine = [t for t in pod.spec.tolerations if t.key == taint.key and tolerates((t,), taint)]
            yield mine[0] if there and mine else None
