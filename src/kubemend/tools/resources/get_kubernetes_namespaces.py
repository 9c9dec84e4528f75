"""Tool: namespaces."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Namespace
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit


class NamespaceRow(Struct, frozen=True):
    """One namespace. status: "Active" or "Terminating"."""

    name: str
    status: str
    creation_time: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]


@tool(risk=Risk.READ, needs={Access("list", "namespaces")}, examples=({},))
async def get_kubernetes_namespaces(cluster: Look, *, limit: Limit = 50, continue_: After = "") -> Page[NamespaceRow]:
    """List the namespaces of the cluster with their phase, labels and annotations."""
    return page(await cluster.list(Namespace), _row, limit=limit, after=continue_)


def _row(found: Namespace) -> NamespaceRow:
    meta = found.metadata
    return NamespaceRow(meta.name, found.status.phase, meta.creation_timestamp, meta.labels, meta.annotations)
