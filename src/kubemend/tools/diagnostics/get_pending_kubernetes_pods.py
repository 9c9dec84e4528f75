"""Tool: pods that wait."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class PendingRow(Struct, frozen=True):
    """One pending pod: why, in the scheduler's or the kubelet's words. node: empty until it is bound."""

    name: str
    namespace: str
    node: str
    reason: str
    message: str
    creation_time: datetime | None


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({},))
async def get_pending_kubernetes_pods(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[PendingRow]:
    """List pods in phase Pending with the reason: not schedulable, gated, or waiting for a container to start."""
    found = await cluster.list(Pod, namespace, fields="status.phase=Pending")
    return page(found, _row, limit=limit, after=continue_)


def _row(pod: Pod) -> PendingRow:
    reason, message = why(pod)
    return PendingRow(pod.name, pod.namespace, pod.spec.node_name, reason, message, pod.metadata.creation_timestamp)


def why(pod: Pod) -> tuple[str, str]:
    """Reason and message of a pod that does not run."""
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status != "True":
        return scheduled.reason, scheduled.message
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.state.waiting is not None and status.state.waiting.reason:
            return status.state.waiting.reason, f"container {status.name}: {status.state.waiting.message}"
    return pod.status.reason, pod.status.message
