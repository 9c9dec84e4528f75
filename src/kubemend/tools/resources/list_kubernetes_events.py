"""Tool: events."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, newest
from kubemend.tools.words import After, Limit, Scope

EPOCH = datetime.fromtimestamp(0, UTC)
"""Stands for a time that an event doesn't tell."""


class EventRow(Struct, frozen=True):
    """One event. object: "Kind/name". count: how often it was seen."""

    type: str
    reason: str
    message: str
    object: str
    namespace: str
    count: int
    first_time: datetime | None
    last_time: datetime | None


@tool(risk=Risk.READ, needs={Access("list", "events")}, examples=({"namespace": "shop"},))
async def list_kubernetes_events(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[EventRow]:
    """List events, the newest first. The API server forgets them after an hour unless it is told otherwise."""
    found = await cluster.list(Event, namespace)
    return newest(
        found, row, when=lambda e: e.last_seen or datetime.min.replace(tzinfo=UTC), limit=limit, after=continue_
    )


def row(event: Event) -> EventRow:
    """An event as every tool shows it."""
    about = event.involved_object
    return EventRow(
        type=event.type,
        reason=event.reason,
        message=event.message,
        object=f"{about.kind}/{about.name}",
        namespace=event.namespace,
        count=event.count,
        first_time=event.first_timestamp or event.event_time or event.metadata.creation_timestamp,
        last_time=event.last_seen,
    )
