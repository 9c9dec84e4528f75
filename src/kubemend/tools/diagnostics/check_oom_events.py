"""Tool: containers that the kernel killed for memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from kubemend.kube.quantity import to_bytes
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Pod
from kubemend.model.objects.pod import ContainerStatus, Terminated
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH
from kubemend.tools.words import Hours, Scope

REASONS = ("OOMKilling", "OOMKilled", "SystemOOM")
"""Reasons of events: the first and last are of nodes (node-problem-detector, kubelet)."""


class OomEvent(Struct, frozen=True):
    """An event that tells of one."""

    timestamp: datetime | None
    namespace: str
    pod_name: str
    reason: str
    message: str
    count: int


class OomPod(Struct, frozen=True):
    """A container that was killed. memory_limit_bytes: None without a limit: then the node ran out."""

    namespace: str
    pod_name: str
    container_name: str
    restart_count: int
    memory_limit: str | None
    memory_limit_bytes: int | None
    memory_request: str | None
    memory_request_bytes: int | None
    last_oom_time: datetime | None
    exit_code: int
    running_again: bool


class OomReport(Struct, frozen=True):
    """What was killed for memory within the time."""

    check_time: datetime
    time_range_hours: int
    namespace: str
    total_oom_events: int
    total_oom_pods: int
    oom_events: tuple[OomEvent, ...]
    oom_pods: tuple[OomPod, ...]
    recommendations: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("list", "events")},
    examples=({"namespace": "shop", "hours": 24},),
)
async def check_oom_events(cluster: Look, *, namespace: Scope = None, hours: Hours = 24) -> OomReport:
    """Find containers that were killed for memory, by their state and last state, with limit and request.

    The exit code doesn't tell: a program whose child was killed may exit with another one than 137. The reason does.
    """
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    pods = [o for p in await cluster.list(Pod, namespace) for o in _killed(p, since)]
    events = [
        OomEvent(e.last_seen, e.namespace, e.involved_object.name, e.reason, e.message, e.count)
        for e in await _events(cluster, namespace)
        if (e.last_seen or EPOCH) >= since
    ]
    return OomReport(
        check_time=now,
        time_range_hours=hours,
        namespace=namespace or "all",
        total_oom_events=len(events),
        total_oom_pods=len(pods),
        oom_events=tuple(events),
        oom_pods=tuple(pods),
        recommendations=tuple(_advice(pods)),
    )


async def _events(cluster: Look, namespace: str | None) -> list[Event]:
    """Events of these reasons alone: a cluster has thousands of others. Selectors know no "or"."""
    found: list[Event] = []
    for reason in REASONS:
        told = await cluster.beside(Event, namespace, fields=f"reason={reason}")
        if told is None:
            break
        found += told
    return sorted(found, key=lambda e: (e.namespace, e.name))


def _killed(pod: Pod, since: datetime) -> Iterator[OomPod]:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = _oom(status)
        if ended is None or (ended.finished_at is not None and ended.finished_at < since):
            continue
        container = pod.spec.container(status.name)
        limit = None if container is None else container.resources.limits.get("memory")
        request = None if container is None else container.resources.requests.get("memory", limit)
        yield OomPod(
            namespace=pod.namespace,
            pod_name=pod.name,
            container_name=status.name,
            restart_count=status.restart_count,
            memory_limit=None if limit is None else str(limit),
            memory_limit_bytes=None if limit is None else to_bytes(limit),
            memory_request=None if request is None else str(request),
            memory_request_bytes=None if request is None else to_bytes(request),
            last_oom_time=ended.finished_at,
            exit_code=ended.exit_code,
            running_again=status.state.running is not None,
        )


def _oom(status: ContainerStatus) -> Terminated | None:
    """The newest end of a container that was a kill for memory."""
    ends = (status.state.terminated, status.last_state.terminated)
    return next((e for e in ends if e is not None and e.reason == "OOMKilled"), None)


def _advice(pods: list[OomPod]) -> Iterator[str]:
    if not pods:
        return
    if any(p.memory_limit is None for p in pods):
        yield "containers without a limit were killed because their node ran out: set limits, or look at the node"
    if any(p.memory_limit is not None for p in pods):
        yield "recommend_resource_limits tells a limit from what was used; propose_repair raises it as far as it may"
