"""A node selector that some node has the labels for."""

from __future__ import annotations

import dataclasses

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import DaemonSet, Deployment, Node, Pod, ReplicaSet, StatefulSet
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.room import places, typed
from kubemend.remedies.site import Site, before, proposal, required, site, verified
from kubemend.remedies.template import Json, put, shape

NEAR = 0.8
"""Confidence in a selector that a node label corrects by a letter or two."""


@strategy(
    cures=("KM202",),
    risk=Risk.MEDIUM,
    reads=(Deployment, ReplicaSet, StatefulSet, DaemonSet, Pod, Node),
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("create", "pods/eviction"),
    },
    order=30,
)
def fix_node_selector(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload a node selector that a node matches: its earlier one, or the near match.

    The node selector of the revision that worked comes first, if it differs; else the one label of the nodes
    that the selector looks misspelt for. Either only if a pod would then fit on a node.

    ## Safety
    Nothing but the node selector is changed. A selector is never simply dropped: it goes only if the earlier
    revision had none.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    wanted, why, confidence = _wanted(diagnosis, snapshot, found)
    if wanted is None:
        return Declined(why)
    if not places(typed(wanted), found.obj.namespace, snapshot):
        return Declined(f"even so ({why}) no node would take a pod")
    made = proposal(found, snapshot, wanted, why, confidence, verified(found, diagnosis, snapshot))
    if isinstance(made, Declined):
        return made
    key = str(diagnosis.root.facts["key"])
    return dataclasses.replace(made, requires=(found.cite_spec("nodeSelector", key),))


def _wanted(diagnosis: Diagnosis, snapshot: Snapshot, found: Site) -> tuple[Json | None, str, float]:
    """The template to have, why, and how sure that is."""
    facts, now = diagnosis.root.facts, found.template.spec.node_selector
    stable = before(found, snapshot)
    earlier = stable.replica_set.spec.template.spec.node_selector if stable else now
    if stable is not None and earlier != now:
        wanted = put(shape(found.template), ("nodeSelector",), dict(earlier) or None)
        return wanted, f"{stable.title} had the node selector {_shown(earlier)}", stable.confidence
    key, near_key, value = facts.get("key"), facts.get("near_key"), facts.get("near_value")
    if not near_key or key not in now:
        return None, "no earlier revision had another node selector, and no node label is a near match", 0.0
    fixed = {k: v for k, v in now.items() if k != key} | {str(near_key): str(value)}
    wanted = put(shape(found.template), ("nodeSelector",), fixed)
    return wanted, f"{near_key}={value} is the one node label that {key}={now[str(key)]} is a slip for", NEAR


def _shown(selector: dict[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(selector.items())) or "(none)"
