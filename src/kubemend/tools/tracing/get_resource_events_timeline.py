"""Tool: what happened to an object, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from kubemend.cluster.decoding import convert
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Job, Obj, Pod, ReplicaSet
from kubemend.model.ref import Ref
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.tracing.moments import Moment, of_containers, of_events, of_object, of_raw
from kubemend.tools.words import Hours, Kind, Name, Scope

CHILDREN: tuple[type[Obj], ...] = (ReplicaSet, Job, Pod)
"""Kinds that are looked at when the object owns them, in the order in which they own one another."""


class Timeline(Struct, frozen=True):
    """The newest first. objects: the object and what it owns. earliest_event: the server forgets older ones."""

    resource_type: str
    resource_name: str
    namespace: str
    time_range_hours: int
    objects: tuple[str, ...]
    total_events: int
    event_summary: dict[str, int]
    earliest_event: datetime | None
    timeline: tuple[Moment, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "deployments", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "jobs", "batch"),
        Access("list", "pods"),
        Access("list", "events"),
    },
    examples=({"resource_type": "deployment", "resource_name": "web", "namespace": "shop", "hours": 1},),
)
async def get_resource_events_timeline(
    cluster: Look, *, resource_type: Kind, resource_name: Name, namespace: Scope = None, hours: Hours = 24
) -> Timeline:
    """Put in order what happened to an object and what it owns: events, conditions, rollouts, ends, writes.

    Any kind. Events are kept for an hour by most API servers; conditions, ends of containers and writes stay longer.
    """
    resource = await cluster.reader.resource(resource_type)
    place = (namespace or cluster.place.namespace) if resource.namespaced else ""
    raw = await cluster.raw(Ref(resource.kind, place, resource_name, resource.group))
    owned = await _owned(cluster, place, raw["metadata"]["uid"]) if place else ()
    events = await cluster.beside(Event, place or None)
    title = f"{resource.kind}/{resource_name}"
    found = [*_own(title, resource.kind, raw), *(m for o in owned for m in of_object(o))]
    found += of_events(_about(events or (), raw, resource.kind, owned))
    since = datetime.now(UTC) - timedelta(hours=hours)
    timeline = sorted((m for m in found if m.timestamp >= since), key=lambda m: m.timestamp, reverse=True)
    return Timeline(
        resource_type=resource.kind,
        resource_name=resource_name,
        namespace=place,
        time_range_hours=hours,
        objects=(title, *(f"{o.ref.kind}/{o.name}" for o in owned)),
        total_events=len(timeline),
        event_summary={t: sum(m.type == t for m in timeline) for t in ("Normal", "Warning", "Error")},
        earliest_event=min((m.timestamp for m in timeline if m.source == "event"), default=None),
        timeline=tuple(timeline),
    )


async def _owned(cluster: Look, namespace: str, uid: str) -> tuple[Obj, ...]:
    """What the object owns, and what that owns, as far as these kinds go."""
    owners, found = {uid}, list[Obj]()
    for kind in CHILDREN:
        for child in await cluster.beside(kind, namespace) or ():
            if any(o.uid in owners for o in child.metadata.owner_references):
                owners.add(child.metadata.uid)
                found.append(child)
    return tuple(found)


def _own(title: str, kind: str, raw: Mapping[str, Any]) -> Iterator[Moment]:
    """The object's own moments; of a pod those of its containers too."""
    yield from of_raw(title, raw)
    pod = convert(Pod, raw) if kind == "Pod" else None
    if isinstance(pod, Pod):
        yield from of_containers(title, pod)


def _about(events: Iterable[Event], raw: Mapping[str, Any], kind: str, owned: Sequence[Obj]) -> Iterator[Event]:
    """Events about any of the objects, and about pods that are gone but bear the name of one of its ReplicaSets."""
    meta = raw["metadata"]
    # A node's events carry its name in place of its uid.
    uids = {meta["uid"], *(o.metadata.uid for o in owned)}
    prefixes = tuple(f"{o.name}-" for o in owned if not isinstance(o, Pod))
    for event in events:
        about = event.involved_object
        named = about.kind == kind and about.name == meta["name"]
        gone = about.kind == "Pod" and bool(prefixes) and about.name.startswith(prefixes)
        if about.uid in uids or named or gone:
            yield event
