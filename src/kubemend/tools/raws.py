"""Whole lists of objects as the API has them: for what is shown as it is, and for kinds without a Struct."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from kubemend.cluster import decoding
from kubemend.cluster.errors import Forbidden, Gone, NotServed, ServerError, TimedOut, Unreachable
from kubemend.cluster.reader import PAGE
from kubemend.cluster.resource import Resource
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Unread
from kubemend.tools.look import Look

Raw = dict[str, Any]
T = TypeVar("T", bound=Obj)


async def raws(cluster: Look, resource: Resource, namespace: str | None = None) -> list[Raw]:
    """All objects of a resource, by namespace and name, read page by page; all at once when the pages expire."""
    try:
        found = await _pages(cluster, resource, namespace, PAGE)
    except Gone:
        found = await _pages(cluster, resource, namespace, 0)
    return sorted(found, key=key)


async def raws_beside(cluster: Look, resource: Resource, namespace: str | None = None) -> list[Raw] | None:
    """The same for what only adds to an answer: None, and a gap, when it can't be had.

    A 5xx is among that: an aggregated API (metrics.k8s.io) whose server is away answers 503.
    """
    try:
        return await raws(cluster, resource, namespace)
    except (Forbidden, NotServed, TimedOut, Unreachable, ServerError) as error:
        name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        cluster.missing(f"{name}{f' in {namespace}' if namespace else ''}", error.message)
        return None


async def _pages(cluster: Look, resource: Resource, namespace: str | None, limit: int) -> list[Raw]:
    items: list[Raw] = []
    token = ""
    while True:
        read = await cluster.reader.page(resource, namespace, limit=limit, token=token)
        items += read.get("items") or ()
        token = (read.get("metadata") or {}).get("continue") or ""
        if not token:
            return items


def key(raw: Raw) -> tuple[str, str]:
    """(namespace, name) of an object."""
    return raw["metadata"].get("namespace") or "", raw["metadata"]["name"]


def typed(cluster: Look, kind: type[T], found: Iterable[Raw]) -> Iterator[tuple[T, Raw]]:
    """The Struct of each raw object, with the raw one; what can't be made out is a gap."""
    for raw in found:
        made = decoding.convert(kind, raw)
        if isinstance(made, Unread):
            cluster.missing(f"{made.kind} {made.namespace}".strip(), made.why)
        else:
            yield made, raw
