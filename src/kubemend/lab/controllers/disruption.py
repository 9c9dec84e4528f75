"""PodDisruptionBudget: how many more pods may go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.controllers.replicaset import wanted
from kubemend.lab.fields import (
    Key,
    controller,
    deleting,
    finished,
    key,
    labels,
    name,
    namespace,
    ready,
    scaled,
    selects,
    spec,
    status,
    uid,
    with_condition,
)

_SCALED = ("ReplicaSet", "StatefulSet", "Deployment")


class DisruptionController(Controller):
    """Keeps the status that the eviction API goes by."""

    kind = "PodDisruptionBudget"
    sees = ("Pod", *_SCALED)
    component = "controllermanager"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Itself, those that select a pod now or did before, and those of a namespace in which something is scaled."""
        if obj["kind"] == self.kind:
            yield key(obj)
            return
        found = [labels(v) for v in (obj, before) if v is not None]
        scales = obj["kind"] in _SCALED and (before is None or wanted(obj) != wanted(before))
        for budget in self.seen.all(self.kind, namespace(obj)):
            of_pod = obj["kind"] == "Pod" and any(selects(spec(budget).get("selector"), each) for each in found)
            if of_pod or scales:
                yield key(budget)

    async def reconcile(self, obj: Object) -> float | None:
        """Count anew."""
        selector = spec(obj).get("selector")
        pods = [p for p in self.seen.all("Pod", namespace(obj)) if selects(selector, labels(p)) and not finished(p)]
        expected, desired = self._desired(obj, pods)
        there = {name(p) for p in pods if not deleting(p)}
        evicted = {n: at for n, at in (status(obj).get("disruptedPods") or {}).items() if n in there}
        healthy = sum(ready(p) and name(p) in there - evicted.keys() for p in pods)
        allowed = max(0, healthy - desired) if expected else 0
        new: dict[str, Any] = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "observedGeneration": obj["metadata"].get("generation", 0),
            "conditions": with_condition(status(obj).get("conditions") or [], _condition(obj, allowed)),
        }
        await self.tell(obj, {**new, **({"disruptedPods": evicted} if evicted else {})})
        return None

    def _desired(self, obj: Object, pods: list[Object]) -> tuple[int, int]:
        """(pods there should be, pods that must stay healthy).

        A plain number in `minAvailable` counts the pods that are there; otherwise their controllers' replicas count.
        """
        least, most = spec(obj).get("minAvailable"), spec(obj).get("maxUnavailable")
        if isinstance(least, int):
            return len(pods), least
        expected = self._scale(pods)
        if most is not None:
            return expected, max(0, expected - scaled(most, expected, up=True))
        return expected, scaled(least, expected, up=True)

    def _scale(self, pods: list[Object]) -> int:
        """Replicas of the pods' controllers together; a pod that nobody controls counts as one."""
        sizes: dict[str, int] = {}
        for pod in pods:
            top = self._top(pod)
            sizes[uid(top)] = 1 if top is pod else wanted(top)
        return sum(sizes.values())

    def _top(self, obj: Object) -> Object:
        owner = controller(obj)
        if owner is None or owner["kind"] not in _SCALED:
            return obj
        found = self.seen.find(owner["kind"], namespace(obj), owner["name"])
        return obj if found is None else self._top(found)


def _condition(obj: Object, allowed: int) -> dict[str, Any]:
    return {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": obj["metadata"].get("generation", 0),
    }
