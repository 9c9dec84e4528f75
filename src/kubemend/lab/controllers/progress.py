"""A Deployment's status: its counts, and whether it moves, has arrived, or is stuck."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import World
from kubemend.lab.controllers.replicaset import wanted
from kubemend.lab.controllers.rolling import limits
from kubemend.lab.fields import Key, condition, deleting, difference, key, name, now, spec, status, uid

DEADLINE_S = 600
"""`progressDeadlineSeconds` when absent (the API's default)."""

_ARRIVED, _MOVING, _STUCK, _PAUSED = (
    "NewReplicaSetAvailable",
    "ReplicaSetUpdated",
    "ProgressDeadlineExceeded",
    "DeploymentPaused",
)

SLOWEST_PACE = 0.2
"""Deadlines don't run faster than this, so that on a fast cluster too whoever watches has seen the cause before."""

Conditions = list[dict[str, Any]]


class Note(NamedTuple):
    """What a step of the rollout says about condition Progressing."""

    status: str
    reason: str
    message: str


class DeploymentStatus:
    """Writes the status, and remembers when each Deployment last moved (timestamps are too coarse at a fast pace)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moved: dict[Key, float] = {}

    def forget(self, gone: Key) -> None:
        """Drop what was remembered."""
        self._moved.pop(gone, None)

    async def tell(self, obj: Object, sets: list[Object], current: Object | None, note: Note | None) -> float | None:
        """Write the status where it differs. Returns real seconds until the progress deadline, if one runs."""
        fresh = self._world.seen.find("Deployment", *key(obj)) or obj
        counts = _counts(obj, sets, current)
        conditions = _set(list(status(fresh).get("conditions") or []), "Available", _availability(obj, counts))
        conditions = _failure(conditions, sets, current)
        conditions = self._progress(obj, fresh, conditions, note or self._judge(obj, fresh, counts, current))
        new: dict[str, Any] = {k: v for k, v in counts.items() if v}
        new["observedGeneration"] = obj["metadata"].get("generation", 0)
        new["conditions"] = conditions
        if "collisionCount" in status(fresh):
            new["collisionCount"] = status(fresh)["collisionCount"]
        if patch := difference(status(fresh), new):
            await self._world.seen.patch(fresh, {"metadata": {"uid": uid(obj)}, "status": patch}, subresource="status")
        return self._due(obj, conditions)

    def _progress(self, obj: Object, fresh: Object, conditions: Conditions, found: Note | None) -> Conditions:
        if found is None:
            return conditions
        old = condition(fresh, "Progressing")
        same = old is not None and (old["status"], old["reason"]) == (found.status, found.reason)
        if same and found.reason in (_ARRIVED, _STUCK, _PAUSED):
            return conditions
        self._moved[key(obj)] = self._world.time()
        return _set(conditions, "Progressing", found, touch=True)

    def _judge(self, obj: Object, fresh: Object, counts: dict[str, int], current: Object | None) -> Note | None:
        """As `syncRolloutStatus`: arrived, moving, or out of time; None when there is nothing new to say."""
        old = condition(fresh, "Progressing")
        reason = old["reason"] if old else ""
        if spec(obj).get("paused"):
            return None if reason == _STUCK else Note("Unknown", _PAUSED, "Deployment is paused")
        if reason == _PAUSED:
            return Note("Unknown", "DeploymentResumed", "Deployment is resumed")
        subject = f'ReplicaSet "{name(current)}"' if current else f'Deployment "{name(obj)}"'
        if counts["replicas"] == counts["updatedReplicas"] and reason == _ARRIVED:
            return None
        if _complete(obj, counts):
            return Note("True", _ARRIVED, f"{subject} has successfully progressed.")
        if _moves(status(fresh), counts):
            return Note("True", _MOVING, f"{subject} is progressing.")
        if old is not None and reason != _ARRIVED and (reason == _STUCK or self._left(obj) <= 0):
            return Note("False", _STUCK, f"{subject} has timed out progressing.")
        return None

    def _left(self, obj: Object) -> float:
        """Real seconds until the progress deadline."""
        deadline = spec(obj).get("progressDeadlineSeconds") or DEADLINE_S
        spent = self._world.time() - self._moved.setdefault(key(obj), self._world.time())
        return float(deadline * max(self._world.pace, SLOWEST_PACE) - spent * self._world.pace)

    def _due(self, obj: Object, conditions: Conditions) -> float | None:
        moving = next((c for c in conditions if c["type"] == "Progressing"), None)
        if moving is None or moving["reason"] in (_ARRIVED, _STUCK, _PAUSED) or deleting(obj):
            return None
        return max(0.0, self._left(obj))


def _counts(obj: Object, sets: list[Object], current: Object | None) -> dict[str, int]:
    """The status' numbers, summed over the ReplicaSets."""

    def total(field: str) -> int:
        return sum(status(s).get(field, 0) for s in sets)

    available = total("availableReplicas")
    return {
        "replicas": total("replicas"),
        "updatedReplicas": status(current).get("replicas", 0) if current else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(wanted, sets)) - available),
    }


def _complete(obj: Object, counts: dict[str, int]) -> bool:
    return {counts["updatedReplicas"], counts["replicas"], counts["availableReplicas"]} == {wanted(obj)}


def _moves(old: dict[str, Any], counts: dict[str, int]) -> bool:
    """Whether more pods are new, ready or available than before, or fewer are old."""
    grew = any(counts[f] > old.get(f, 0) for f in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    was_old = old.get("replicas", 0) - old.get("updatedReplicas", 0)
    return grew or counts["replicas"] - counts["updatedReplicas"] < was_old


def _availability(obj: Object, counts: dict[str, int]) -> Note:
    if counts["availableReplicas"] >= limits(obj).fewest_available:
        return Note("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return Note("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def _failure(conditions: Conditions, sets: list[Object], current: Object | None) -> Conditions:
    """Carry over that pods can't be created: from the current ReplicaSet, else from another."""
    ordered = [*([current] if current else []), *sets]
    found = next((c for s in ordered if (c := condition(s, "ReplicaFailure")) and c["status"] == "True"), None)
    if found is None:
        return [c for c in conditions if c["type"] != "ReplicaFailure"]
    return _set(conditions, "ReplicaFailure", Note("True", found["reason"], found["message"]))


def _set(conditions: Conditions, type_: str, note: Note, *, touch: bool = False) -> Conditions:
    """Put a condition in; unless `touch`, one of the same status and reason stays as it is."""
    old = next((c for c in conditions if c["type"] == type_), None)
    if old is not None and not touch and (old["status"], old["reason"]) == (note.status, note.reason):
        return conditions
    moved = old["lastTransitionTime"] if old is not None and old["status"] == note.status else now()
    new = {"type": type_, **note._asdict(), "lastUpdateTime": now(), "lastTransitionTime": moved}
    return [*(c for c in conditions if c["type"] != type_), new]
