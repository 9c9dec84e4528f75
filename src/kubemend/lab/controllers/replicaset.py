"""ReplicaSet: as many pods as asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller, World
from kubemend.lab.controllers.ownership import claim
from kubemend.lab.controllers.template import pod_from
from kubemend.lab.fields import (
    Key,
    active,
    annotated,
    condition,
    deleting,
    holds,
    key,
    labels,
    name,
    namespace,
    ready,
    spec,
    status,
    with_condition,
)
from kubemend.model.errors import KubemendError

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_POLICIES = ("ResourceQuota", "LimitRange", "ServiceAccount")
"""Kinds whose change may let a pod be created that was refused before."""


class ReplicaSetController(Controller):
    """Creates and deletes pods until there are `spec.replicas`."""

    kind = "ReplicaSet"
    sees = ("Pod", *_POLICIES)
    component = "replicaset-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Also the sets that may adopt an orphan, and those held up by a policy that changed."""
        yield from super().affected(obj, before)
        if obj["kind"] == "Pod":
            yield from self.selecting(obj)
        elif obj["kind"] in _POLICIES:
            for held_up in self.seen.all(self.kind, namespace(obj)):
                if holds(held_up, "ReplicaFailure"):
                    yield key(held_up)

    async def reconcile(self, obj: Object) -> float | None:
        """Bring the number of active pods to the number wanted, then tell in the status how it stands."""
        pods = [p for p in await claim(self.seen, obj, "Pod") if active(p)]
        failure: KubemendError | None = None
        if not deleting(obj):
            failure = await self._fill(obj, pods)
        pods = [p for p in self.seen.owned(obj, "Pod") if active(p)]
        await self._report(obj, pods, failure)
        if failure is not None:
            raise failure
        return self.world.until_available(pods, spec(obj).get("minReadySeconds", 0))

    async def _fill(self, obj: Object, pods: list[Object]) -> KubemendError | None:
        """Create what is missing or delete what is too much. Returns the refusal that stopped it, if any."""
        missing = wanted(obj) - len(pods)
        for _ in range(missing):
            try:
                made = await self.seen.create(pod_from(spec(obj)["template"], obj))
            except KubemendError as refused:
                await self.recorder.warning(obj, "FailedCreate", f"Error creating: {refused.message}")
                return refused
            await self.recorder.normal(obj, "SuccessfulCreate", f"Created pod: {name(made)}")
        if missing >= 0:
            return None
        for pod in sorted(pods, key=lambda p: _worth(self.world, p))[:-missing]:
            await self.seen.delete(pod)
            await self.recorder.normal(obj, "SuccessfulDelete", f"Deleted pod: {name(pod)}")
        return None

    async def _report(self, obj: Object, pods: list[Object], failure: KubemendError | None) -> None:
        min_ready = spec(obj).get("minReadySeconds", 0)
        template_labels = labels(spec(obj)["template"]).items()
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(template_labels <= labels(p).items() for p in pods),
            "readyReplicas": sum(map(ready, pods)),
            "availableReplicas": sum(self.world.available(p, min_ready) for p in pods),
        }
        new: dict[str, Any] = {k: v for k, v in counts.items() if v or k == "replicas"}
        new["observedGeneration"] = obj["metadata"].get("generation", 0)
        if conditions := _conditions(obj, failure):
            new["conditions"] = conditions
        await self.tell(obj, new)


def wanted(obj: Object) -> int:
    """`spec.replicas`, which is 1 when absent."""
    found = spec(obj).get("replicas")
    return 1 if found is None else int(found)


def _conditions(obj: Object, failure: KubemendError | None) -> list[dict[str, Any]]:
    old = status(obj).get("conditions") or []
    if failure is None:
        return [c for c in old if c["type"] != "ReplicaFailure"]
    if condition(obj, "ReplicaFailure"):
        return list(old)
    new = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure.message}
    return with_condition(old, new)


def _worth(world: World, pod: Object) -> tuple[Any, ...]:
    """Least worth keeping first (`controller.ActivePods`): unbound, not running, not ready, cheap, young, restarted."""
    told = status(pod)
    restarts = sum(c.get("restartCount", 0) for c in told.get("containerStatuses") or ())
    return (
        bool(spec(pod).get("nodeName")),
        {"Pending": 0, "Unknown": 1}.get(told.get("phase", "Pending"), 2),
        ready(pod),
        _cost(pod),
        -world.ready_at(pod),
        -restarts,
        _reversed(pod["metadata"].get("creationTimestamp", "")),
        name(pod),
    )


def _cost(pod: Object) -> int:
    text = annotated(pod).get(DELETION_COST, "0")
    return int(text) if text.lstrip("-").isdigit() else 0


def _reversed(timestamp: str) -> tuple[int, ...]:
    """Sorts newer timestamps first."""
    return tuple(-ord(c) for c in timestamp)
