"""The pod that a controller made in the place of one we evicted, when it must go because the template went back.

A StatefulSet in order never replaces a pod that isn't ready (kubernetes/kubernetes#67250), and update strategy OnDelete
replaces none at all: a repair evicts the pods that would stay as they were, and so must its undoing.
"""

from __future__ import annotations

import time
from typing import Any

from kubemend.engine.guard.errors import Stopped
from kubemend.engine.guard.means import Means
from kubemend.engine.guard.witness import leaving
from kubemend.model.objects import Pod
from kubemend.model.plan import Evict, Patch, Plan, RollBack
from kubemend.model.ref import Ref

Object = dict[str, Any]

REVISION = "controller-revision-hash"
"""The label by which StatefulSets and DaemonSets know the template of a pod."""

OBSERVED_S = 30.0
"""Seconds a controller may take to notice its own object's change."""


async def successor(change: Evict, before: Object | None, plan: Plan, means: Means) -> Object | None:
    """The pod to evict now so that its place is as before the repair; None when there is none.

    It is of a template that has been taken back, and its controller would leave it as it is. Returns only once that
    controller has seen its template put back, for else it would make the next pod from the same wrong one.
    """
    owner = _owner(before)
    if before is None or owner is None or not any(_templates(c) == owner for c in plan.changes):
        return None
    workload = await means.hands.live(owner)
    if workload is None:
        return None
    pod = await _standing(change, owner, workload, before, means)
    if pod is None or _revision(pod) == _revision(before):
        return None
    on_delete = (workload["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and _is_ready(pod):
        return None
    await _until_observed(owner, means)
    return pod


def _templates(change: object) -> Ref | None:
    return change.target if isinstance(change, (Patch, RollBack)) else None


def _owner(before: Object | None) -> Ref | None:
    """The StatefulSet or DaemonSet that controls the pod."""
    if before is None:
        return None
    for owner in before["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] in ("StatefulSet", "DaemonSet"):
            return Ref(owner["kind"], before["metadata"]["namespace"], owner["name"], "apps")
    return None


async def _standing(change: Evict, owner: Ref, workload: Object, before: Object, means: Means) -> Object | None:
    """The other pod that stands in the evicted one's place: of its name, or for a DaemonSet on its node."""
    target = change.target
    if owner.kind == "DaemonSet":
        uid, node = workload["metadata"]["uid"], before["spec"].get("nodeName")
        pods = means.sight.snapshot().all(Pod, target.namespace)
        held = [p for p in pods if p.metadata.controller and p.metadata.controller.uid == uid]
        there = next((p for p in held if p.spec.node_name == node and p.metadata.deletion_timestamp is None), None)
        if there is None:
            return None
        target = there.ref
    live = await means.hands.live(target)
    if live is None or leaving(live) or live["metadata"]["uid"] == change.uid:
        return None
    return live


def _revision(pod: Object) -> str:
    found: str = (pod["metadata"].get("labels") or {}).get(REVISION, "")
    return found


def _is_ready(pod: Object) -> bool:
    held = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in held)


async def _until_observed(owner: Ref, means: Means) -> None:
    deadline = time.monotonic() + OBSERVED_S
    while (live := await means.hands.live(owner)) is not None:
        if (live.get("status") or {}).get("observedGeneration", 0) >= live["metadata"].get("generation", 0):
            return
        if time.monotonic() > deadline:
            raise Stopped(f"the controller of {owner} has not seen in {OBSERVED_S:g} s that its template is back")
        await means.sight.changed(1.0)
