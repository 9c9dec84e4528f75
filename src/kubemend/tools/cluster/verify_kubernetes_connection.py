"""Tool: is the cluster there, and what may we do in it?"""

from __future__ import annotations

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look

USUAL = ("pods", "services", "events", "nodes", "namespaces", "configmaps")
WORKLOADS = ("deployments", "replicasets", "statefulsets", "daemonsets")


class Verified(Struct, frozen=True):
    """permissions: "list pods" → whether we may, in all namespaces. namespace_access: the same, in ours alone."""

    connection_status: str
    kubernetes_version: str
    api_server: str
    platform: str
    context: str
    namespace: str
    permissions: dict[str, bool]
    namespace_access: dict[str, bool]


@tool(risk=Risk.READ, needs=set(), examples=({},))
async def verify_kubernetes_connection(cluster: Look) -> Verified:
    """Check that the API server answers, and which of the usual things we may read.

    A cluster that can't be reached, or doesn't let us in, is an error with its reason.
    """
    version = await cluster.reader.version()
    everywhere, here = await _reviewed(cluster, ""), await _reviewed(cluster, cluster.place.namespace)
    return Verified(
        connection_status="connected",
        kubernetes_version=version.text,
        api_server=cluster.place.server,
        platform=version.platform,
        context=cluster.place.context,
        namespace=cluster.place.namespace,
        permissions=everywhere,
        namespace_access=here,
    )


async def _reviewed(cluster: Look, namespace: str) -> dict[str, bool]:
    wanted = [Access("list", r) for r in USUAL if not namespace or r not in ("nodes", "namespaces")]
    wanted += [Access("list", r, "apps") for r in WORKLOADS]
    return {f"list {a.resource}": (await cluster.reader.allowed(a, namespace)).allowed for a in wanted}
