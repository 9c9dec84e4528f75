"""Tool: pods that restart often."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.words import After, Limit, Scope


class RestartRow(Struct, frozen=True):
    """One container and how it ended last."""

    name: str
    restart_count: int
    ready: bool
    image: str
    last_reason: str
    last_exit_code: int | None
    last_ended: datetime | None


class HighRow(Struct, frozen=True):
    """One pod with a container at or above the threshold."""

    name: str
    namespace: str
    node: str
    containers: tuple[RestartRow, ...]


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({"restart_threshold": 1},))
async def get_high_restart_kubernetes_pods(
    cluster: Look,
    *,
    restart_threshold: Annotated[int, Meta(description="Restarts of one container from which on it counts.", ge=1)] = 5,
    namespace: Scope = None,
    limit: Limit = 50,
    continue_: After = "",
) -> Page[HighRow]:
    """List pods of which a container was restarted at least so often, the most restarts first."""
    found = [p for p in await cluster.list(Pod, namespace) if _most(p) >= restart_threshold]
    ordered = sorted(found, key=_key)
    return paged(ordered, lambda p: _row(p, restart_threshold), key=_key, limit=limit, after=continue_)


def _most(pod: Pod) -> int:
    return max(
        (s.restart_count for s in (*pod.status.init_container_statuses, *pod.status.container_statuses)), default=0
    )


def _key(pod: Pod) -> tuple[str | float, ...]:
    return (-_most(pod), pod.namespace, pod.name)


def _row(pod: Pod, threshold: int) -> HighRow:
    rows = []
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.restart_count < threshold:
            continue
        last = status.last_state.terminated
        rows.append(
            RestartRow(
                status.name,
                status.restart_count,
                status.ready,
                status.image,
                "" if last is None else last.reason,
                None if last is None else last.exit_code,
                None if last is None else last.finished_at,
            )
        )
    return HighRow(pod.name, pod.namespace, pod.spec.node_name, tuple(rows))
