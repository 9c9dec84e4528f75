"""StatefulSet: pods with a name and a disk of their own, made and replaced in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.controllers.ownership import claim
from kubemend.lab.controllers.replicaset import wanted
from kubemend.lab.controllers.revision import HASH_LABEL, current_revision, forget_old, template_of
from kubemend.lab.controllers.template import pod_from
from kubemend.lab.fields import (
    Key,
    deleting,
    finished,
    labels,
    name,
    namespace,
    ready,
    spec,
    status,
)
from kubemend.model.errors import KubemendError


@dataclass(frozen=True)
class _Plan:
    """What one reconcile works with. current and update: the revisions that pods may be of."""

    obj: Object
    pods: dict[int, Object]
    current: Object
    update: Object

    @property
    def ordinals(self) -> range:
        first = (spec(self.obj).get("ordinals") or {}).get("start", 0)
        return range(first, first + wanted(self.obj))

    @property
    def ordered(self) -> bool:
        return bool(spec(self.obj).get("podManagementPolicy", "OrderedReady") != "Parallel")

    @property
    def rolling(self) -> bool:
        return bool((spec(self.obj).get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")

    @property
    def partition(self) -> int:
        rolling = (spec(self.obj).get("updateStrategy") or {}).get("rollingUpdate") or {}
        return self.ordinals.start + int(rolling.get("partition") or 0)

    def revision(self, ordinal: int) -> Object:
        """The revision a new pod of this ordinal is made of."""
        return self.current if self.rolling and ordinal < self.partition else self.update


class StatefulSetController(Controller):
    """Makes pods from the lowest ordinal up, each when the one before is available, and updates from the top down."""

    kind = "StatefulSet"
    sees = ("Pod", "ControllerRevision", "PersistentVolumeClaim")
    component = "statefulset-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Also the one that may adopt a pod."""
        yield from super().affected(obj, before)
        if obj["kind"] == "Pod":
            yield from self.selecting(obj)

    async def reconcile(self, obj: Object) -> float | None:
        """One step, then the status."""
        found = {o: p for p in await claim(self.seen, obj, "Pod") if (o := _ordinal(obj, p)) is not None}
        update = await current_revision(self.seen, obj)
        held = self.seen.find("ControllerRevision", namespace(obj), status(obj).get("currentRevision", ""))
        plan = _Plan(obj, found, held or update, update)
        failure: KubemendError | None = None
        if not deleting(obj):
            try:
                await self._step(plan)
            except KubemendError as error:
                failure = error
        pods = [p for p in self.seen.owned(obj, "Pod") if _ordinal(obj, p) is not None]
        await self._report(plan, pods)
        await forget_old(self.seen, obj, {name(plan.current), name(update), *map(_revision_of, pods)})
        if failure is not None:
            raise failure
        return self.world.until_available(pods, spec(obj).get("minReadySeconds", 0))

    async def _step(self, plan: _Plan) -> None:
        if await self._fill(plan) and await self._condemn(plan) and plan.rolling:
            await self._update(plan)

    async def _fill(self, plan: _Plan) -> bool:
        """Make the pods that are missing. Whether nothing has to be waited for."""
        settled = True
        for ordinal in plan.ordinals:
            pod = plan.pods.get(ordinal)
            if pod is None:
                await self._create(plan, ordinal)
                settled = False
            elif finished(pod) and not deleting(pod):
                await self._delete(plan, pod)
                settled = False
            elif plan.ordered and (deleting(pod) or not self._available(plan, pod)):
                return False
            if plan.ordered and not settled:
                return False
        return settled

    async def _condemn(self, plan: _Plan) -> bool:
        """Delete the pods beyond the replicas wanted, highest first. Whether there are none."""
        extra = sorted((o for o in plan.pods if o not in plan.ordinals), reverse=True)
        for ordinal in extra:
            pod = plan.pods[ordinal]
            if not deleting(pod):
                await self._delete(plan, pod)
            if plan.ordered:
                break
        return not extra

    async def _update(self, plan: _Plan) -> None:
        """Delete the highest pod that is of an old revision, once all above it are available."""
        for ordinal in reversed(plan.ordinals):
            pod = plan.pods.get(ordinal)
            if ordinal < plan.partition or pod is None:
                return
            if _revision_of(pod) != name(plan.update) and not deleting(pod):
                await self._delete(plan, pod)
                return
            if not self._available(plan, pod):
                return

    def _available(self, plan: _Plan, pod: Object) -> bool:
        return not deleting(pod) and self.world.available(pod, spec(plan.obj).get("minReadySeconds", 0))

    async def _create(self, plan: _Plan, ordinal: int) -> None:
        obj, revision = plan.obj, plan.revision(ordinal)
        pod = _pod(obj, ordinal, revision)
        try:
            for claimed in _claims(obj, ordinal):
                if self.seen.find("PersistentVolumeClaim", namespace(obj), name(claimed)) is None:
                    await self.seen.create(claimed)
                    said = f"create Claim {name(claimed)} Pod {name(pod)} in StatefulSet {name(obj)} success"
                    await self.recorder.normal(obj, "SuccessfulCreate", said)
            await self.seen.create(pod)
        except KubemendError as refused:
            said = f"create Pod {name(pod)} in StatefulSet {name(obj)} failed error: {refused.message}"
            await self.recorder.warning(obj, "FailedCreate", said)
            raise
        said = f"create Pod {name(pod)} in StatefulSet {name(obj)} successful"
        await self.recorder.normal(obj, "SuccessfulCreate", said)

    async def _delete(self, plan: _Plan, pod: Object) -> None:
        await self.seen.delete(pod)
        said = f"delete Pod {name(pod)} in StatefulSet {name(plan.obj)} successful"
        await self.recorder.normal(plan.obj, "SuccessfulDelete", said)

    async def _report(self, plan: _Plan, pods: list[Object]) -> None:
        obj = plan.obj
        alive = [p for p in pods if not deleting(p) and not finished(p)]
        updated = sum(_revision_of(p) == name(plan.update) for p in alive)
        current = sum(_revision_of(p) == name(plan.current) for p in alive)
        available = sum(self._available(plan, p) for p in alive)
        done = updated == available == len(alive) == wanted(obj)
        counts = {
            "readyReplicas": sum(map(ready, alive)),
            "currentReplicas": updated if done else current,
            "updatedReplicas": updated,
        }
        new: dict[str, Any] = {
            **{k: v for k, v in counts.items() if v},
            "replicas": len(pods),
            "availableReplicas": available,
            "currentRevision": name(plan.update if done else plan.current),
            "updateRevision": name(plan.update),
            "observedGeneration": obj["metadata"].get("generation", 0),
            "collisionCount": 0,
        }
        await self.tell(obj, new)


def _ordinal(obj: Object, pod: Object) -> int | None:
    owner, _, number = name(pod).rpartition("-")
    return int(number) if owner == name(obj) and number.isdigit() else None


def _revision_of(pod: Object) -> str:
    return labels(pod).get(HASH_LABEL, "")


def _claims(obj: Object, ordinal: int) -> list[dict[str, Any]]:
    """The claims of one pod: named after template, set and ordinal, and owned by nobody, so that data outlives it."""
    match = (spec(obj).get("selector") or {}).get("matchLabels") or {}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": f"{t['metadata']['name']}-{name(obj)}-{ordinal}",
                "namespace": namespace(obj),
                "labels": {**labels(t), **match},
            },
            "spec": t["spec"],
        }
        for t in spec(obj).get("volumeClaimTemplates") or ()
    ]


def _pod(obj: Object, ordinal: int, revision: Object) -> dict[str, Any]:
    named = f"{name(obj)}-{ordinal}"
    extra = {
        HASH_LABEL: name(revision),
        "statefulset.kubernetes.io/pod-name": named,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    pod = pod_from(template_of(revision), obj, named=named, extra=extra)
    pod["metadata"]["generateName"] = f"{name(obj)}-"
    templates = [t["metadata"]["name"] for t in spec(obj).get("volumeClaimTemplates") or ()]
    own = [v for v in pod["spec"].get("volumes") or () if v["name"] not in templates]
    claimed = [{"name": t, "persistentVolumeClaim": {"claimName": f"{t}-{named}"}} for t in templates]
    pod["spec"] = {
        **pod["spec"],
        "hostname": named,
        **({"subdomain": found} if (found := spec(obj).get("serviceName")) else {}),
        **({"volumes": [*own, *claimed]} if own or claimed else {}),
    }
    return pod
