"""Tool: pods that have failed."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.objects.pod import ContainerState, ContainerStatus
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope

STUCK = frozenset(
    {
        "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
    }
)  # fmt: skip
"""Waiting reasons of the kubelet that don't end by waiting."""


class StateRow(Struct, frozen=True):
    """A container's state. exit_code and signal: of one that ended."""

    status: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class StatusRow(Struct, frozen=True):
    """One container, init containers included."""

    name: str
    ready: bool
    restart_count: int
    image: str
    state: StateRow
    last_state: StateRow


class FailedRow(Struct, frozen=True):
    """One failed pod."""

    name: str
    namespace: str
    phase: str
    container_statuses: tuple[StatusRow, ...]
    node: str
    message: str
    reason: str
    creation_time: datetime | None


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({},))
async def get_failed_kubernetes_pods(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[FailedRow]:
    """List pods that failed, or whose containers can't start, crash again and again, or ended badly.

    A pod that completed well is not among them, and neither is one that restarted once and runs since.
    """
    found = [p for p in await cluster.list(Pod, namespace) if failed(p)]
    return page(found, _row, limit=limit, after=continue_)


def failed(pod: Pod) -> bool:
    """Phase Failed or Unknown, or a container that is stuck or has ended with an exit code other than 0."""
    if pod.status.phase in ("Failed", "Unknown"):
        return True
    return any(_bad(s.state) for s in (*pod.status.init_container_statuses, *pod.status.container_statuses))


def _bad(state: ContainerState) -> bool:
    if state.waiting is not None:
        return state.waiting.reason in STUCK
    return state.terminated is not None and state.terminated.exit_code != 0


def _row(pod: Pod) -> FailedRow:
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return FailedRow(
        name=pod.name,
        namespace=pod.namespace,
        phase=pod.status.phase,
        container_statuses=tuple(status_row(s) for s in statuses),
        node=pod.spec.node_name,
        message=pod.status.message,
        reason=pod.status.reason,
        creation_time=pod.metadata.creation_timestamp,
    )


def status_row(status: ContainerStatus) -> StatusRow:
    """A container's status as the diagnostics show it."""
    now, before = state_row(status.state), state_row(status.last_state)
    return StatusRow(status.name, status.ready, status.restart_count, status.image, now, before)


def state_row(state: ContainerState) -> StateRow:
    """A container's state as the diagnostics show it; status "none" when there is none."""
    if state.waiting is not None:
        return StateRow("waiting", state.waiting.reason, state.waiting.message)
    if state.running is not None:
        return StateRow("running", started_at=state.running.started_at)
    if (ended := state.terminated) is not None:
        return StateRow(
            "terminated",
            ended.reason,
            ended.message,
            ended.exit_code,
            ended.signal,
            ended.started_at,
            ended.finished_at,
        )
    return StateRow("none")
