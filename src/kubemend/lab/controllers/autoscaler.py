"""HorizontalPodAutoscaler: keeps replicas between its bounds. It measures nothing, so it never grows with load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.controllers.replicaset import wanted
from kubemend.lab.fields import (
    Key,
    active,
    key,
    labels,
    name,
    namespace,
    now,
    selects,
    spec,
    status,
    uid,
    with_condition,
)

_RESOURCES = {"Deployment": "deployments.apps", "ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps"}

_Told = tuple[str, str, str, str]
"""(condition type, status, reason, message)"""


class AutoscalerController(Controller):
    """Brings the target's replicas within `minReplicas` and `maxReplicas`, and says why it couldn't do more."""

    kind = "HorizontalPodAutoscaler"
    sees = tuple(_RESOURCES)
    component = "horizontal-pod-autoscaler"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Itself, and those whose target changed."""
        if obj["kind"] == self.kind:
            yield key(obj)
        else:
            for found in self.seen.all(self.kind, namespace(obj)):
                target = spec(found)["scaleTargetRef"]
                if (target["kind"], target["name"]) == (obj["kind"], name(obj)):
                    yield key(found)

    async def reconcile(self, obj: Object) -> float | None:
        """Scale the target if it is out of bounds, and say how it stands."""
        ref = spec(obj)["scaleTargetRef"]
        target = self.seen.find(ref["kind"], namespace(obj), ref["name"]) if ref["kind"] in _RESOURCES else None
        if target is None:
            await self._lost(obj, ref)
            return None
        current = wanted(target)
        if current == 0:
            disabled = "scaling is disabled since the replica count of the target is zero"
            await self._report(obj, target, 0, [_FOUND, ("ScalingActive", "False", "ScalingDisabled", disabled)])
            return None
        desired, why = _bounded(obj, current)
        able = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        if desired != current:
            await self.seen.patch(target, {"metadata": {"uid": uid(target)}, "spec": {"replicas": desired}})
            said = f"the HPA controller was able to update the target scale to {desired}"
            able = ("AbleToScale", "True", "SucceededRescale", said)
            await self.recorder.normal(obj, "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        await self._report(obj, target, desired, [able, await self._metric(obj, target), _limited(obj, desired)])
        return None

    async def _lost(self, obj: Object, ref: dict[str, Any]) -> None:
        why = f'{_RESOURCES.get(ref["kind"], ref["kind"].lower() + "s")} "{ref["name"]}" not found'
        await self.recorder.warning(obj, "FailedGetScale", why)
        said = f"the HPA controller was unable to get the target's current scale: {why}"
        await self._report(obj, None, None, [("AbleToScale", "False", "FailedGetScale", said)])

    async def _metric(self, obj: Object, target: Object) -> _Told:
        """Whether the metrics it asks for could be had: a utilisation needs a request to be a part of."""
        for metric in spec(obj).get("metrics") or ():
            resource = metric.get("resource") or {}
            if (resource.get("target") or {}).get("type") != "Utilization":
                continue
            if (lacking := self._lacking(target, resource["name"])) is not None:
                why = f"failed to get {resource['name']} utilization: {lacking}"
                await self.recorder.warning(obj, "FailedGetResourceMetric", why)
                said = f"the HPA was unable to compute the replica count: {why}"
                return "ScalingActive", "False", "FailedGetResourceMetric", said
        said = "the HPA was able to successfully calculate a replica count from the bounds"
        return "ScalingActive", "True", "ValidMetricFound", said

    def _lacking(self, target: Object, resource: str) -> str | None:
        selector = spec(target).get("selector")
        for pod in self.seen.all("Pod", namespace(target)):
            if active(pod) and selects(selector, labels(pod)):
                for container in spec(pod)["containers"]:
                    resources = container.get("resources") or {}
                    if resource not in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}:
                        return f"missing request for {resource} in container {container['name']} of Pod {name(pod)}"
        return None

    async def _report(self, obj: Object, target: Object | None, desired: int | None, told: list[_Told]) -> None:
        conditions = list(status(obj).get("conditions") or [])
        for type_, state, reason, message in told:
            new = {"type": type_, "status": state, "reason": reason, "message": message}
            conditions = with_condition(conditions, new)
        rescaled = any(reason == "SucceededRescale" for _, _, reason, _ in told)
        last = now() if rescaled else status(obj).get("lastScaleTime")
        await self.tell(
            obj,
            {
                "currentReplicas": status(target).get("replicas", 0) if target else 0,
                "desiredReplicas": status(obj).get("desiredReplicas", 0) if desired is None else desired,
                "conditions": conditions,
                **({"lastScaleTime": last} if last else {}),
            },
        )


_FOUND: _Told = (
    "AbleToScale",
    "True",
    "SucceededGetScale",
    "the HPA controller was able to get the target's current scale",
)


def _bounded(obj: Object, current: int) -> tuple[int, str]:
    """The size within the bounds that is nearest, and why it differs from the present one."""
    least, most = spec(obj).get("minReplicas", 1), spec(obj)["maxReplicas"]
    if current > most:
        return most, "Current number of replicas above Spec.MaxReplicas"
    if current < least:
        return least, "Current number of replicas below Spec.MinReplicas"
    return current, ""


def _limited(obj: Object, desired: int) -> _Told:
    if desired == spec(obj)["maxReplicas"]:
        said = "the desired replica count is more than the maximum replica count"
        return "ScalingLimited", "True", "TooManyReplicas", said
    return "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"
