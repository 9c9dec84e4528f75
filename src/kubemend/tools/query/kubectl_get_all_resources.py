"""Tool: what there is in a namespace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from kubemend.cluster.errors import ClusterError
from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Scope

KINDS = {
    "pods": "", "services": "", "configmaps": "", "secrets": "", "persistentvolumeclaims": "",
    "deployments": "apps", "replicasets": "apps", "daemonsets": "apps", "statefulsets": "apps",
    "jobs": "batch", "cronjobs": "batch", "ingresses": "networking.k8s.io",
}  # fmt: skip
"""What people mean by "all", plural → group. `kubectl get all` leaves out configuration and claims."""


class Overview(Struct, frozen=True):
    """resources: plural → {count, items} or, where it could not be read, {error}."""

    namespace: str
    timestamp: datetime
    resources: dict[str, dict[str, Any]]


@tool(
    risk=Risk.READ,
    needs={Access("list", plural, group) for plural, group in KINDS.items()},
    examples=({"namespace": "shop"},),
)
async def kubectl_get_all_resources(
    cluster: Look,
    *,
    namespace: Scope = None,
    limit: Annotated[int, Meta(description="How many names of each kind to show.", ge=1, le=200)] = 20,
) -> Overview:
    """Count and name what there is in a namespace (or in all), kind by kind, configuration and claims included.

    Of Secrets only the names are shown. A kind that can't be read has an error in place of a count.
    """
    counted = await asyncio.gather(*(_counted(cluster, p, g, namespace, limit) for p, g in KINDS.items()))
    found = dict(zip(KINDS, counted, strict=True))
    for plural, told in found.items():
        if "error" in told:
            cluster.missing(plural, told["error"])
    return Overview(namespace or "all", datetime.now(UTC), found)


async def _counted(cluster: Look, plural: str, group: str, namespace: str | None, limit: int) -> dict[str, Any]:
    try:
        resource = await cluster.reader.resource(plural, group)
        answer = await cluster.reader.page(resource, namespace, limit=limit, names=True)
    except ClusterError as error:
        return {"error": error.message}
    metas = [i["metadata"] for i in answer.get("items") or ()]
    names = [m["name"] if namespace else f"{m.get('namespace', '')}/{m['name']}" for m in metas]
    more = int(answer.get("metadata", {}).get("remainingItemCount", 0))
    return {"count": len(names) + more, "items": names}
