"""DaemonSet: one pod on every node that will have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from kubemend.kube.scheduling import misfit, tolerates
from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.controllers.ownership import claim
from kubemend.lab.controllers.revision import HASH_LABEL, current_revision, forget_old
from kubemend.lab.controllers.template import pod_from
from kubemend.lab.fields import (
    Key,
    deleting,
    finished,
    key,
    labels,
    name,
    namespace,
    ready,
    scaled,
    spec,
    status,
)
from kubemend.model.errors import KubemendError
from kubemend.model.objects import Node, PodSpec

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
"""What every daemon pod tolerates (Kubernetes docs, DaemonSet, "Taints and tolerations")."""

_OF_ROOM = frozenset({"cpu", "memory", "pods", "resource"})
"""Misfits that are the scheduler's matter, not a reason to have no pod there."""

_Placed = dict[str, list[Object]]
"""Node name → the set's pods there that aren't being deleted."""


class DaemonSetController(Controller):
    """Makes a pod for each eligible node and leaves it to the scheduler to bind it there."""

    kind = "DaemonSet"
    sees = ("Pod", "Node", "ControllerRevision")
    component = "daemonset-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """All of them when a node changes in what decides eligibility."""
        yield from super().affected(obj, before)
        if obj["kind"] == "Pod":
            yield from self.selecting(obj)
        if obj["kind"] == "Node" and (before is None or deleting(obj) or _eligibility(obj) != _eligibility(before)):
            for found in self.seen.all(self.kind):
                yield key(found)

    async def reconcile(self, obj: Object) -> float | None:
        """Missing pods made, misplaced and finished ones deleted, old ones replaced; then the status."""
        pods = await claim(self.seen, obj, "Pod")
        revision = await current_revision(self.seen, obj)
        failure: KubemendError | None = None
        if not deleting(obj):
            try:
                await self._place(obj, pods, revision)
                await self._update(obj, revision)
            except KubemendError as refused:
                failure = refused
        pods = [p for p in self.seen.owned(obj, "Pod") if not deleting(p)]
        await self._report(obj, pods, revision)
        await forget_old(self.seen, obj, {name(revision), *(_named(obj, p) for p in pods)})
        if failure is not None:
            raise failure
        return self.world.until_available(pods, spec(obj).get("minReadySeconds", 0))

    def _eligible(self, obj: Object) -> tuple[set[str], set[str]]:
        """Names of the nodes that should have a pod, and of those that may keep one they have."""
        template = msgspec.convert(_tolerant(spec(obj)["template"]["spec"]), PodSpec)
        should, may = set(), set()
        for raw in self.seen.all("Node"):
            node = msgspec.convert(raw, Node)
            reasons = {m.kind for m in misfit(template, labels(spec(obj)["template"]), node, {})} - _OF_ROOM
            if not reasons:
                should.add(node.name)
            evicts = any(t.effect == "NoExecute" and not tolerates(template.tolerations, t) for t in node.spec.taints)
            if not evicts and not reasons - {"taint", "unschedulable"}:
                may.add(node.name)
        return should, may

    async def _place(self, obj: Object, pods: list[Object], revision: Object) -> None:
        should, may = self._eligible(obj)
        placed: _Placed = defaultdict(list)
        for pod in pods:
            placed[node_of(pod)].append(pod)
        for node, there in placed.items():
            alive = [p for p in there if not deleting(p) and not finished(p)]
            extra = sorted(alive, key=lambda p: p["metadata"].get("creationTimestamp", ""))[1 if node in may else 0 :]
            for pod in [*extra, *(p for p in there if finished(p) and not deleting(p))]:
                await self._delete(obj, pod)
        for node in sorted(should - placed.keys()):
            await self._create(obj, node, revision)

    async def _update(self, obj: Object, revision: Object) -> None:
        """Delete pods of an old template: those not available at once, others as far as `maxUnavailable` allows."""
        strategy = spec(obj).get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        should, _ = self._eligible(obj)
        pods = [p for p in self.seen.owned(obj, "Pod") if not deleting(p) and not finished(p)]
        allowed = scaled((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), len(should), up=True)
        available = [p for p in pods if self._available(obj, p)]
        spare = max(1, allowed) - (len(should) - len({node_of(p) for p in available} & should))
        for pod in sorted(pods, key=name):
            if _named(obj, pod) == name(revision):
                continue
            if pod not in available:
                await self._delete(obj, pod)
            elif spare > 0:
                spare -= 1
                await self._delete(obj, pod)

    def _available(self, obj: Object, pod: Object) -> bool:
        return self.world.available(pod, spec(obj).get("minReadySeconds", 0))

    async def _create(self, obj: Object, node: str, revision: Object) -> None:
        pod = pod_from(spec(obj)["template"], obj, extra={HASH_LABEL: labels(revision)[HASH_LABEL]})
        pod["spec"] = _pinned(_tolerant(pod["spec"]), node)
        try:
            made = await self.seen.create(pod)
        except KubemendError as refused:
            await self.recorder.warning(obj, "FailedCreate", f"Error creating: {refused.message}")
            raise
        await self.recorder.normal(obj, "SuccessfulCreate", f"Created pod: {name(made)}")

    async def _delete(self, obj: Object, pod: Object) -> None:
        if status(pod).get("phase") == "Failed":
            said = f"Found failed daemon pod {namespace(pod)}/{name(pod)} on node {node_of(pod)}, will try to kill it"
            await self.recorder.warning(obj, "FailedDaemonPod", said)
        await self.seen.delete(pod)
        await self.recorder.normal(obj, "SuccessfulDelete", f"Deleted pod: {name(pod)}")

    async def _report(self, obj: Object, pods: list[Object], revision: Object) -> None:
        should, _ = self._eligible(obj)
        first = {node_of(p): p for p in sorted(pods, key=name, reverse=True) if not finished(p)}
        there = [p for node, p in first.items() if node in should]
        available = sum(self._available(obj, p) for p in there)
        optional = {
            "numberAvailable": available,
            "numberUnavailable": len(should) - available,
            "updatedNumberScheduled": sum(_named(obj, p) == name(revision) for p in there),
        }
        new: dict[str, Any] = {
            "desiredNumberScheduled": len(should),
            "currentNumberScheduled": len(there),
            "numberMisscheduled": len(first) - len(there),
            "numberReady": sum(map(ready, there)),
            **{k: v for k, v in optional.items() if v},
            "observedGeneration": obj["metadata"].get("generation", 0),
        }
        await self.tell(obj, new)


def node_of(pod: Object) -> str:
    """The node a daemon pod is on, or is made for."""
    if bound := spec(pod).get("nodeName"):
        return str(bound)
    affinity = ((spec(pod).get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    fields = (f for t in affinity.get("nodeSelectorTerms") or () for f in t.get("matchFields") or ())
    return next((str(f["values"][0]) for f in fields if f["key"] == "metadata.name"), "")


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _named(obj: Object, pod: Object) -> str:
    """The name of the revision a pod is of."""
    return f"{name(obj)}-{labels(pod).get(HASH_LABEL, '')}"


def _eligibility(node: Object) -> tuple[Any, ...]:
    found = spec(node)
    return labels(node), found.get("unschedulable", False), found.get("taints") or []


def _tolerant(pod_spec: dict[str, Any]) -> dict[str, Any]:
    """The pod spec with what every daemon pod tolerates."""
    own = pod_spec.get("tolerations") or []
    added = [{"key": k, "operator": "Exists", "effect": effect} for k, effect in _TOLERATED]
    return {**pod_spec, "tolerations": [*own, *(t for t in added if t not in own)]}


def _pinned(pod_spec: dict[str, Any], node: str) -> dict[str, Any]:
    """The pod spec bound to one node by affinity, in every term of its own affinity."""
    affinity = pod_spec.get("affinity") or {}
    nodes = affinity.get("nodeAffinity") or {}
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    own = (nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    terms = [{**t, "matchFields": [field]} for t in own]
    required = {**nodes, _REQUIRED: {"nodeSelectorTerms": terms}}
    return {**pod_spec, "affinity": {**affinity, "nodeAffinity": required}}
