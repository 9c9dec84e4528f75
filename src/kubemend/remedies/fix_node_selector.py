"""A node selector that some node has the labels for."""

from __future__ import annotations

from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Node, Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.room import places
from kubemend.remedies.site import REVISIONS, Before, Site
from kubemend.remedies.template import put, shape
from kubemend.remedies.workload import PLACED, Choice, cited, proposed, workload

NEAR = 0.8
"""Confidence in a node label that corrects the selector by a letter or two."""


@strategy(cures=("KM202",), risk=Risk.MEDIUM, reads=(Pod, Node), uses=REVISIONS, needs=PLACED, order=30)
def fix_node_selector(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload a node selector that a node matches: its earlier one, or the near match.

    The node selector of the revision to go back to comes first, if it differs; else the one label of the nodes
    that the selector looks misspelt for. Either only if a node would then take a pod.

    ## Safety
    Nothing but the node selector is changed. It is never simply dropped: it goes only if the earlier revision
    had none.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    key = str(diagnosis.root.facts["key"])
    if key not in held.template.spec.node_selector:
        return Declined(f"{held.obj.ref} no longer selects nodes by {key}")
    choice = _earlier(held, stable) or _near(diagnosis, held, key)
    if choice is None:
        return Declined("no earlier revision had another node selector, and no label of a node is a near match")
    if not places(choice.template, held.obj.namespace, snapshot):
        return Declined(f"even then no node would take a pod ({choice.why})")
    return proposed(held, diagnosis, snapshot, choice, (cited(held, "nodeSelector", key),))


def _earlier(held: Site, stable: Before | None) -> Choice | None:
    if stable is None:
        return None
    selector = stable.revision.template.spec.node_selector
    if selector == held.template.spec.node_selector:
        return None
    shown = ", ".join(f"{k}={v}" for k, v in sorted(selector.items())) or "none"
    wanted = put(shape(held.template), ("nodeSelector",), dict(selector) or None)
    return Choice(wanted, f"{stable.title} had the node selector {shown}", stable.confidence)


def _near(diagnosis: Diagnosis, held: Site, key: str) -> Choice | None:
    near_key, value = diagnosis.root.facts.get("near_key"), diagnosis.root.facts.get("near_value")
    if not near_key:
        return None
    selector = held.template.spec.node_selector
    fixed = {k: v for k, v in selector.items() if k != key} | {str(near_key): str(value)}
    why = f"{key}={selector[key]} looks like a slip for the node label {near_key}={value}"
    return Choice(put(shape(held.template), ("nodeSelector",), fixed), why, NEAR)
