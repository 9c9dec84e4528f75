"""Tool: everything about one pod."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Pod
from kubemend.model.objects.meta import Condition, Quantities
from kubemend.model.objects.pod import Volume
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_failed_kubernetes_pods import StatusRow, status_row
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH, EventRow, row
from kubemend.tools.words import Name, Namespace

RECENT = 10
"""Events shown."""


class PodIssues(Struct, frozen=True):
    """One pod. recent_events: None when they could not be read."""

    pod_name: str
    namespace: str
    phase: str
    reason: str
    message: str
    node: str
    restart_policy: str
    qos_class: str
    conditions: tuple[Condition, ...]
    containers: tuple[StatusRow, ...]
    init_containers: tuple[StatusRow, ...]
    recent_events: tuple[EventRow, ...] | None
    resource_requests: dict[str, Quantities]
    resource_limits: dict[str, Quantities]
    volumes: tuple[dict[str, Any], ...]


@tool(
    risk=Risk.READ,
    needs={Access("get", "pods"), Access("list", "events")},
    examples=({"namespace": "shop", "pod_name": "store-0"},),
)
async def diagnose_kubernetes_pod_issues(cluster: Look, *, namespace: Namespace, pod_name: Name) -> PodIssues:
    """Show one pod's conditions, containers with their states, requests, limits, volumes and latest events."""
    pod = await cluster.one(Pod, namespace, pod_name)
    seen = await cluster.beside(Event, namespace, fields=f"involvedObject.uid={pod.metadata.uid}")
    latest = None if seen is None else sorted(seen, key=lambda e: e.last_seen or EPOCH, reverse=True)[:RECENT]
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return PodIssues(
        pod_name=pod.name,
        namespace=namespace,
        phase=pod.status.phase,
        reason=pod.status.reason,
        message=pod.status.message,
        node=pod.spec.node_name,
        restart_policy=pod.spec.restart_policy,
        qos_class=pod.status.qos_class,
        conditions=pod.status.conditions,
        containers=tuple(map(status_row, pod.status.container_statuses)),
        init_containers=tuple(map(status_row, pod.status.init_container_statuses)),
        recent_events=None if latest is None else tuple(map(row, latest)),
        resource_requests={c.name: c.resources.requests for c in containers},
        resource_limits={c.name: c.resources.limits for c in containers},
        volumes=tuple(map(_volume, pod.spec.volumes)),
    )


def _volume(volume: Volume) -> dict[str, Any]:
    if volume.persistent_volume_claim is not None:
        return {"name": volume.name, "type": "pvc", "claim": volume.persistent_volume_claim.claim_name}
    if volume.config_map is not None:
        return {"name": volume.name, "type": "configmap", "config_map": volume.config_map.name}
    if volume.secret is not None:
        return {"name": volume.name, "type": "secret", "secret": volume.secret.secret_name}
    return {"name": volume.name, "type": "other"}
