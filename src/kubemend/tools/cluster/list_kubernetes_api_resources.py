"""Tool: what the API server serves."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look


class ResourceRow(Struct, frozen=True):
    """One resource type. api_version: "apps/v1", or "v1" for the core group."""

    name: str
    short_names: tuple[str, ...]
    api_version: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]


class Resources(Struct, frozen=True):
    """Resource types, by group and name."""

    api_resources: tuple[ResourceRow, ...]
    total_count: int
    filtered_by: str | None


@tool(risk=Risk.READ, needs=set(), examples=({}, {"api_group": "apps"}))
async def list_kubernetes_api_resources(
    cluster: Look,
    *,
    api_group: Annotated[str | None, Meta(description="Only this group; an empty text is the core group.")] = None,
) -> Resources:
    """List the resource types that the cluster serves, custom ones included, with short names and verbs.

    A group whose own API server doesn't answer is named in `incomplete`.
    """
    found = await cluster.reader.discovery()
    for unread in found.unread:
        cluster.missing(f"API group {unread.kind}", unread.why)
    chosen = [r for r in found.resources if api_group in (None, r.group)]
    rows = tuple(
        ResourceRow(r.plural, r.short_names, r.api_version, r.kind, r.namespaced, tuple(sorted(r.verbs)))
        for r in sorted(chosen, key=lambda r: (r.group, r.plural))
    )
    return Resources(rows, len(rows), api_group)
