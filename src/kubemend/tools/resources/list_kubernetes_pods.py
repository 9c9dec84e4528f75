"""Tool: pods and their containers."""

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


class ContainerRow(Struct, frozen=True):
    """One container. state: "running", "waiting: CrashLoopBackOff", "terminated: OOMKilled (137)"."""

    name: str
    ready: bool
    restart_count: int
    image: str
    state: str


class PodRow(Struct, frozen=True):
    """One pod."""

    name: str
    namespace: str
    phase: str
    ip: str
    node: str
    containers: tuple[ContainerRow, ...]
    creation_time: datetime | None
    labels: dict[str, str]
    restart_policy: str


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({"namespace": "shop"},))
async def list_kubernetes_pods(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[PodRow]:
    """List pods with phase, node and the state of each container.

    The state of a container says why it waits or how it ended, in the kubelet's own words.
    """
    return page(await cluster.list(Pod, namespace), _row, limit=limit, after=continue_)


def _row(pod: Pod) -> PodRow:
    return PodRow(
        name=pod.name,
        namespace=pod.namespace,
        phase=pod.status.phase,
        ip=pod.status.pod_ip,
        node=pod.spec.node_name,
        containers=tuple(_container(s) for s in pod.status.container_statuses),
        creation_time=pod.metadata.creation_timestamp,
        labels=pod.metadata.labels,
        restart_policy=pod.spec.restart_policy,
    )


def _container(status: ContainerStatus) -> ContainerRow:
    return ContainerRow(status.name, status.ready, status.restart_count, status.image, state_of(status.state))


def state_of(state: ContainerState) -> str:
    """A container's state in a few words; "unknown" when the kubelet has told none."""
    if state.running is not None:
        return "running"
    if state.waiting is not None:
        return f"waiting: {state.waiting.reason}" if state.waiting.reason else "waiting"
    if state.terminated is not None:
        return f"terminated: {state.terminated.reason} ({state.terminated.exit_code})"
    return "unknown"
