"""Deployment: ReplicaSets by revision, rolled from one to the next, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller, World
from kubemend.lab.controllers.ownership import claim
from kubemend.lab.controllers.progress import DeploymentStatus, Note
from kubemend.lab.controllers.replicaset import wanted
from kubemend.lab.controllers.rolling import Limits, Size, grown, limits, proportional, shrunk
from kubemend.lab.controllers.template import HASH_LABEL, digest, plain
from kubemend.lab.fields import (
    Key,
    active,
    annotated,
    deleting,
    finished,
    key,
    labels,
    name,
    namespace,
    owner_reference,
    spec,
    status,
    uid,
)
from kubemend.model.errors import KubemendError

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"

_OWN = frozenset({REVISION, HISTORY, DESIRED, MOST, "kubectl.kubernetes.io/last-applied-configuration"})
"""Annotations that a ReplicaSet doesn't take over from its Deployment."""


class DeploymentController(Controller):
    """Rolls out: one ReplicaSet per template, the newest grows while the others shrink."""

    kind = "Deployment"
    sees = ("ReplicaSet", "Pod")
    component = "deployment-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._status = DeploymentStatus(world)

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Also the one that may adopt a ReplicaSet; and, for a Recreate rollout, the one whose pod is gone."""
        if obj["kind"] != "Pod":
            yield from super().affected(obj, before)
        if obj["kind"] == "ReplicaSet":
            yield from self.selecting(obj)
        elif obj["kind"] == "Pod" and (finished(obj) or deleting(obj)):
            for found in self.seen.all(self.kind, namespace(obj)):
                if (spec(found).get("strategy") or {}).get("type") == "Recreate":
                    yield key(found)

    async def gone(self, key: Key) -> float | None:
        """Drop what was remembered of its progress."""
        self._status.forget(key)
        return None

    async def reconcile(self, obj: Object) -> float | None:
        """One step of the rollout, then the status."""
        await claim(self.seen, obj, "ReplicaSet")
        note = None if deleting(obj) else await self._step(obj)
        again = await self._status.tell(obj, self._sets(obj), self._current(obj), note)
        if not deleting(obj):
            await self._clean(obj)
        return again

    def _sets(self, obj: Object) -> list[Object]:
        """Its ReplicaSets, oldest first."""
        return sorted(
            self.seen.owned(obj, "ReplicaSet"), key=lambda s: (s["metadata"].get("creationTimestamp", ""), revision(s))
        )

    def _current(self, obj: Object) -> Object | None:
        """The ReplicaSet of the present template; the oldest if there are several."""
        template = plain(spec(obj)["template"])
        return next((s for s in self._sets(obj) if plain(spec(s)["template"]) == template), None)

    async def _step(self, obj: Object) -> Note | None:
        if spec(obj).get("paused") or self._rescaled(obj):
            await self._scale(obj)
            return None
        if (spec(obj).get("strategy") or {}).get("type") == "Recreate" and not await self._cleared(obj):
            return None
        note = await self._ensure_current(obj)
        current = self._current(obj)
        if current is not None:
            await self._roll(obj, current)
        return note

    def _rescaled(self, obj: Object) -> bool:
        """Whether `replicas` changed since the active ReplicaSets were last scaled."""
        return any(
            wanted(s) and annotated(s).get(DESIRED, str(wanted(obj))) != str(wanted(obj)) for s in self._sets(obj)
        )

    async def _scale(self, obj: Object) -> None:
        """Follow a change of `replicas`, in the middle of a rollout in proportion."""
        limit, sets = limits(obj), self._sets(obj)
        running = [s for s in sets if wanted(s)]
        current = self._current(obj)
        if len(running) <= 1:
            only = running[0] if running else current or (sets[-1] if sets else None)
            if only is not None:
                await self._resize(obj, only, limit.replicas)
        elif current is not None and _full(current, limit):
            for s in running:
                await self._resize(obj, s, wanted(s) if uid(s) == uid(current) else 0)
        else:
            sizes = proportional(limit, [_size(s) for s in running])
            for s in running:
                await self._resize(obj, s, sizes.get(name(s), wanted(s)))

    async def _cleared(self, obj: Object) -> bool:
        """Recreate: scale every old ReplicaSet to nothing; whether all their pods are gone."""
        current = self._current(obj)
        old = [s for s in self._sets(obj) if current is None or uid(s) != uid(current)]
        for s in old:
            if wanted(s):
                await self._resize(obj, s, 0)
        return not any(not finished(p) for s in old for p in self.seen.owned(s, "Pod"))

    async def _roll(self, obj: Object, current: Object) -> None:
        """Grow the current ReplicaSet; when it can't grow any more for now, shrink the others."""
        limit = limits(obj)
        sets = self._sets(obj)
        size = grown(limit, wanted(current), sum(map(wanted, sets)))
        if (spec(obj).get("strategy") or {}).get("type") == "Recreate":
            size = limit.replicas
        if size != wanted(current):
            await self._resize(obj, current, size)
            return
        old = [s for s in sets if uid(s) != uid(current)]
        sizes = shrunk(limit, [_size(s) for s in old if wanted(s)], _size(current))
        for s in old:
            if name(s) in sizes:
                await self._resize(obj, s, sizes[name(s)])
        if _annotations_of(obj, limit).items() - annotated(current).items():
            await self._resize(obj, current, wanted(current))

    async def _resize(self, obj: Object, s: Object, size: int) -> None:
        notes = _annotations_of(obj, limits(obj))
        before = wanted(s)
        if size == before and notes.items() <= annotated(s).items():
            return
        await self.seen.patch(s, {"metadata": {"uid": uid(s), "annotations": notes}, "spec": {"replicas": size}})
        if size != before:
            verb = "up" if size > before else "down"
            said = f"Scaled {verb} replica set {name(s)} from {before} to {size}"
            await self.recorder.normal(obj, "ScalingReplicaSet", said)

    async def _ensure_current(self, obj: Object) -> Note | None:
        """The ReplicaSet of the present template, with the highest revision: found or made."""
        current = self._current(obj)
        others = [s for s in self._sets(obj) if current is None or uid(s) != uid(current)]
        newest = max((revision(s) for s in others), default=0) + 1
        note = None
        if current is None:
            note = await self._create(obj, newest)
        else:
            newest = await self._promote(obj, current, newest)
        if note is None or note.status == "True":
            await self._annotate(obj, newest)
        return note

    async def _promote(self, obj: Object, current: Object, newest: int) -> int:
        """Give a ReplicaSet that is current (again) the highest revision, and the Deployment's annotations."""
        was = revision(current)
        notes = {k: v for k, v in annotated(obj).items() if k not in _OWN}
        if was < newest:
            passed = [*filter(None, annotated(current).get(HISTORY, "").split(",")), *([str(was)] if was else [])]
            notes |= {REVISION: str(newest), **({HISTORY: ",".join(passed)} if passed else {})}
        min_ready = spec(obj).get("minReadySeconds", 0)
        if notes.items() - annotated(current).items() or spec(current).get("minReadySeconds", 0) != min_ready:
            body = {"metadata": {"uid": uid(current), "annotations": notes}, "spec": {"minReadySeconds": min_ready}}
            await self.seen.patch(current, body)
        return max(was, newest)

    async def _annotate(self, obj: Object, newest: int) -> None:
        if annotated(obj).get(REVISION) != str(newest):
            # By way of the status, where an annotation makes no new generation.
            body = {"metadata": {"uid": uid(obj), "annotations": {REVISION: str(newest)}}}
            await self.seen.patch(obj, body, subresource="status")

    async def _create(self, obj: Object, newest: int) -> Note | None:
        limit, sets = limits(obj), self._sets(obj)
        recreate = (spec(obj).get("strategy") or {}).get("type") == "Recreate"
        size = limit.replicas if recreate else grown(limit, 0, sum(map(wanted, sets)))
        new = _replica_set(obj, newest, size)
        try:
            await self.seen.create(new)
        except KubemendError as refused:
            if await self.seen.api.get("ReplicaSet", namespace(obj), name(new)) is not None:
                await self._collided(obj)
                return None
            said = f'Failed to create new replica set "{name(new)}": {refused.message}'
            await self.recorder.warning(obj, "ReplicaSetCreateError", said)
            return Note("False", "ReplicaSetCreateError", said)
        if size:
            said = f"Scaled up replica set {name(new)} from 0 to {size}"
            await self.recorder.normal(obj, "ScalingReplicaSet", said)
        return Note("True", "NewReplicaSetCreated", f'Created new replica set "{name(new)}"')

    async def _collided(self, obj: Object) -> None:
        """The name is taken, by one of the same template whose owner is gone, say: count on, for another name."""
        count = status(obj).get("collisionCount", 0) + 1
        body = {"metadata": {"uid": uid(obj)}, "status": {"collisionCount": count}}
        await self.seen.patch(obj, body, subresource="status")

    async def _clean(self, obj: Object) -> None:
        """Delete old, empty ReplicaSets beyond `revisionHistoryLimit`, lowest revision first, once complete."""
        current = self._current(obj)
        if current is None or not _full(current, limits(obj)):
            return
        old = [s for s in self._sets(obj) if uid(s) != uid(current) and not deleting(s)]
        kept = spec(obj).get("revisionHistoryLimit", 10)
        for s in sorted(old, key=revision)[: max(0, len(old) - kept)]:
            empty = not wanted(s) and not status(s).get("replicas", 0)
            if empty and not any(active(p) for p in self.seen.owned(s, "Pod")):
                await self.seen.delete(s)


def revision(obj: Object) -> int:
    """The revision a ReplicaSet carries, or 0."""
    text = annotated(obj).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def _full(s: Object, limit: Limits) -> bool:
    size = _size(s)
    return size.asked == limit.replicas and size.available == limit.replicas


def _size(s: Object) -> Size:
    most = annotated(s).get(MOST, "")
    return Size(name(s), wanted(s), status(s).get("availableReplicas", 0), int(most) if most.isdigit() else 0)


def _annotations_of(obj: Object, limit: Limits) -> dict[str, str]:
    return {DESIRED: str(wanted(obj)), MOST: str(limit.most)}


def _replica_set(obj: Object, newest: int, size: int) -> dict[str, Any]:
    template = spec(obj)["template"]
    hashed = digest(plain(template), status(obj).get("collisionCount", 0))
    marked = {**(template.get("metadata") or {}), "labels": {**labels(template), HASH_LABEL: hashed}}
    selector = spec(obj)["selector"]
    inherited = {k: v for k, v in annotated(obj).items() if k not in _OWN}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(obj)}-{hashed}",
            "namespace": namespace(obj),
            "labels": marked["labels"],
            "annotations": {**inherited, REVISION: str(newest), **_annotations_of(obj, limits(obj))},
            "ownerReferences": [owner_reference(obj)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": spec(obj).get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}},
            "template": {**template, "metadata": marked},
        },
    }
