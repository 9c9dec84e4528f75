"""Tool: what a container said before it ended last."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.get_kubernetes_pod_logs import Container, Lines, Log, log_of
from kubemend.tools.words import Name, Namespace


@tool(
    risk=Risk.READ,
    needs={Access("get", "pods"), Access("get", "pods/log")},
    examples=({"namespace": "shop", "pod_name": "crasher"},),
)
async def get_kubernetes_previous_pod_logs(
    cluster: Look,
    *,
    namespace: Namespace,
    pod_name: Name,
    container: Container = None,
    lines: Lines = 100,
    tail: Annotated[bool, Meta(description="The last lines; false for the first ones.")] = True,
) -> Log:
    """Show the log of a container's run before this one: what it said when it crashed."""
    return await log_of(cluster, namespace, pod_name, container, lines=lines, tail=tail, previous=True)
