"""Moments in the life of an object, from everything that keeps a time: events, conditions, ends, rollouts, writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from kubemend.model.objects import Event, Obj, Pod, ReplicaSet
from kubemend.model.objects.meta import Condition
from kubemend.model.objects.pod import ContainerStatus
from kubemend.model.snapshot import revision_of


class Moment(Struct, frozen=True, kw_only=True):
    """type: "Normal", "Warning" or "Error". source: what kept the time: "event", "condition", "container",
    "rollout", "created", "deleted" or "write" (a field manager's last write). first_seen, count: of repeated events.
    """

    timestamp: datetime
    type: str
    reason: str
    message: str
    object: str
    source: str
    count: int = 1
    first_seen: datetime | None = None
    last_seen: datetime | None = None


def of_events(events: Iterable[Event]) -> Iterator[Moment]:
    """What the cluster reported. An event without any time is left out: there is no place for it."""
    for event in events:
        when = event.last_seen
        if when is not None:
            about = event.involved_object
            yield Moment(
                timestamp=when,
                type="Warning" if event.type == "Warning" else "Normal",
                reason=event.reason,
                message=event.message,
                object=f"{about.kind}/{about.name}",
                source="event",
                count=event.count,
                first_seen=event.first_timestamp or event.event_time or event.metadata.creation_timestamp,
                last_seen=when,
            )


def of_object(obj: Obj) -> Iterator[Moment]:
    """When an owned object was made, and what only its kind tells."""
    title = f"{obj.ref.kind}/{obj.name}"
    if isinstance(obj, ReplicaSet) and obj.metadata.creation_timestamp is not None:
        images = ", ".join(c.image for c in obj.spec.template.spec.containers)
        told, when = f"revision {revision_of(obj)} begins: {images}", obj.metadata.creation_timestamp
        yield Moment(timestamp=when, type="Normal", reason="Rollout", message=told, object=title, source="rollout")
    else:
        yield from _made(title, obj.metadata.creation_timestamp, obj.metadata.deletion_timestamp)
    if isinstance(obj, Pod):
        yield from of_conditions(title, obj.status.conditions)
        yield from of_containers(title, obj)


def _made(title: str, made: datetime | None, gone: datetime | None) -> Iterator[Moment]:
    if made is not None:
        yield Moment(
            timestamp=made, type="Normal", reason="Created", message="was created", object=title, source="created"
        )
    if gone is not None:
        told = "is being deleted: this is when its time to end is over"
        yield Moment(timestamp=gone, type="Normal", reason="Deleting", message=told, object=title, source="deleted")


def of_containers(title: str, pod: Pod) -> Iterator[Moment]:
    """Starts and ends of a pod's containers; of earlier ones only the last end is kept."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        yield from _of_container(title, status)


def of_conditions(title: str, conditions: Iterable[Condition]) -> Iterator[Moment]:
    """The last turn of each condition; what is bad is a matter of its name."""
    for one in conditions:
        if one.last_transition_time is not None:
            told = f"{one.type} became {one.status}" + (f": {one.message or one.reason}" if one.reason else "")
            yield Moment(
                timestamp=one.last_transition_time,
                type="Warning" if is_bad(one) else "Normal",
                reason=one.reason or one.type,
                message=told,
                object=title,
                source="condition",
            )


_BAD_WHEN_TRUE = ("Pressure", "Failure", "Failed", "Unavailable", "Stalled", "Degraded", "DisruptionTarget")
_NEITHER = ("Suspended", "Paused", "SuccessCriteriaMet", "FailureTarget")


def is_bad(one: Condition) -> bool:
    """Whether a condition tells of trouble: True for one that is named after a trouble, else False or Unknown."""
    if one.type in _NEITHER:
        return False
    return (one.status == "True") is one.type.endswith(_BAD_WHEN_TRUE)


def _of_container(title: str, status: ContainerStatus) -> Iterator[Moment]:
    for ended in (status.last_state.terminated, status.state.terminated):
        if ended is not None and ended.finished_at is not None:
            yield Moment(
                timestamp=ended.finished_at,
                type="Error" if ended.exit_code else "Normal",
                reason=ended.reason or "Terminated",
                message=f"container {status.name} ended with exit code {ended.exit_code}",
                object=title,
                source="container",
            )
    if status.state.running is not None and status.state.running.started_at is not None:
        told = f"container {status.name} started" + (
            f" ({status.restart_count} restarts so far)" if status.restart_count else ""
        )
        when = status.state.running.started_at
        yield Moment(timestamp=when, type="Normal", reason="Started", message=told, object=title, source="container")


def of_raw(title: str, raw: Mapping[str, Any]) -> Iterator[Moment]:
    """Of an object of any kind: its making, its conditions, and the last write of every field manager."""
    meta, status = raw["metadata"], raw.get("status")
    yield from _made(title, moment(meta.get("creationTimestamp")), moment(meta.get("deletionTimestamp")))
    for one in status.get("conditions") or () if isinstance(status, Mapping) else ():
        if isinstance(one, Mapping) and (when := moment(one.get("lastTransitionTime"))) is not None:
            texts = {k: str(one.get(k) or "") for k in ("type", "status", "reason", "message")}
            yield from of_conditions(title, [Condition(**texts, last_transition_time=when)])
    for write in meta.get("managedFields") or ():
        if (when := moment(write.get("time"))) is not None:
            part = f" ({write['subresource']})" if write.get("subresource") else ""
            told = f"{write.get('manager', 'somebody')} wrote{part} {', '.join(fields(write.get('fieldsV1') or {}))}"
            yield Moment(
                timestamp=when,
                type="Normal",
                reason=str(write.get("operation", "")),
                message=told,
                object=title,
                source="write",
            )


def fields(owned: Mapping[str, Any], *, depth: int = 3) -> Iterator[str]:
    """The fields of a `fieldsV1` entry in short, as dotted paths no deeper than `depth`."""
    for key, below in owned.items():
        if key.startswith("f:"):
            name, inner = key[2:], list(fields(below, depth=depth - 1)) if depth > 1 else []
            yield from (f"{name}.{i}" for i in inner) if inner else (name,)


def moment(text: Any) -> datetime | None:
    """An RFC 3339 time of the API; None for anything else."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
