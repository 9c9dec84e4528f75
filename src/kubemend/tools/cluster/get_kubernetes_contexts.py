"""Tool: the clusters there are to choose from."""

from __future__ import annotations

from msgspec import Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import ContextRow, Look


class Contexts(Struct, frozen=True):
    """The contexts of the kubeconfig, and the one in use."""

    current_context: str
    available_contexts: tuple[ContextRow, ...]


@tool(risk=Risk.READ, needs=set(), examples=({},))
async def get_kubernetes_contexts(cluster: Look) -> Contexts:
    """List the contexts of the kubeconfig: cluster, user, namespace. Credentials are never shown."""
    return Contexts(cluster.place.context, cluster.place.contexts)
