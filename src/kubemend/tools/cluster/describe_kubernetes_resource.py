"""Tool: one object in full, with its events."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from kubemend.kube.redaction import redacted
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event
from kubemend.model.ref import Ref
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH, EventRow, row
from kubemend.tools.words import Kind, Name, Scope

HIDDEN = ("apiVersion", "kind", "metadata", "spec", "status")
RECENT = 10
"""Events shown."""


class Description(Struct, frozen=True):
    """One object. rest: what it has beside spec and status (data, rules, subsets …)."""

    name: str
    namespace: str
    resource_type: str
    creation_timestamp: str
    labels: dict[str, str]
    annotations: dict[str, str]
    owners: tuple[str, ...]
    spec: Any
    status: Any
    rest: dict[str, Any]
    events: tuple[EventRow, ...] | None


@tool(
    risk=Risk.READ,
    needs={Access("get", "deployments", "apps"), Access("list", "events")},
    examples=({"resource_type": "deploy", "resource_name": "web", "namespace": "shop"},),
)
async def describe_kubernetes_resource(
    cluster: Look, *, resource_type: Kind, resource_name: Name, namespace: Scope = None
) -> Description:
    """Describe one object of any kind with its latest events, custom resources too. Secret values are redacted.

    Without a namespace the one of the context is meant. It needs the right to get that kind.
    """
    resource = await cluster.reader.resource(resource_type)
    place = (namespace or cluster.place.namespace) if resource.namespaced else ""
    found = redacted(await cluster.raw(Ref(resource.kind, place, resource_name, resource.group)))
    meta = found["metadata"]
    wanted = f"involvedObject.uid={meta['uid']}"
    seen = await cluster.beside(Event, place or None, fields=wanted)
    latest = None if seen is None else sorted(seen, key=lambda e: e.last_seen or EPOCH, reverse=True)[:RECENT]
    return Description(
        name=meta["name"],
        namespace=place,
        resource_type=resource.kind,
        creation_timestamp=meta["creationTimestamp"],
        labels=meta.get("labels", {}),
        annotations=meta.get("annotations", {}),
        owners=tuple(f"{o['kind']}/{o['name']}" for o in meta.get("ownerReferences", ())),
        spec=found.get("spec"),
        status=found.get("status"),
        rest={k: v for k, v in found.items() if k not in HIDDEN},
        events=None if latest is None else tuple(map(row, latest)),
    )
