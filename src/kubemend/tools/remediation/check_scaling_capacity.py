"""Tool: would they fit?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.scheduling import Room, Storage, requests
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Namespace, Node, Pod, PodTemplate, ResourceQuota
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.capacity import (
    NodeRoom,
    QuotaRoom,
    advice,
    quota_rooms,
    rows,
    storage_of,
    template_of,
    unchecked,
)
from kubemend.tools.words import Name
from kubemend.tools.words import Namespace as NamespaceName

MOST = 10_000
"""Pods that are tried at most, beyond which it doesn't matter here how many more would fit."""
MOST_TRIED = 500
"""The same where pods mind one another, so that each has to be tried."""


class Capacity(Struct, frozen=True):
    """max_replicas: how many would fit, beside what is there; a lower bound when it equals the number tried.

    refusals: for the first pod that finds no place, how many nodes have which reason. not_checked: what is unknown.
    """

    namespace: str
    requested_replicas: int
    resource_requirements_per_pod: dict[str, str]
    can_scale: bool
    fits_on_nodes: int
    max_replicas: int
    quota_allows: int | None
    node_capacity: tuple[NodeRoom, ...]
    total_nodes: int
    quotas: tuple[QuotaRoom, ...]
    refusals: dict[str, int]
    recommendations: tuple[str, ...]
    not_checked: tuple[str, ...]
    check_time: datetime


@dataclass(frozen=True)
class _Scene:
    """Where the pods are to go; None for what could not be read."""

    namespace: str
    nodes: Sequence[Node]
    pods: Sequence[Pod]
    spaces: Sequence[Namespace] | None
    storage: Storage | None
    quotas: Sequence[ResourceQuota] | None


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "nodes"),
        Access("list", "pods"),
        Access("list", "namespaces"),
        Access("list", "resourcequotas"),
        Access("list", "persistentvolumeclaims"),
        Access("list", "persistentvolumes"),
        Access("list", "storageclasses", "storage.k8s.io"),
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
    },
    examples=(
        {"namespace": "shop", "replicas": 5, "resource_requirements": {"cpu": "250m", "memory": "256Mi"}},
        {"namespace": "shop", "replicas": 2, "workload": "store"},
    ),
)
async def check_scaling_capacity(
    cluster: Look,
    *,
    namespace: NamespaceName,
    replicas: Annotated[int, Meta(description="How many pods more.", ge=1, le=MOST)],
    resource_requirements: Annotated[
        dict[str, str] | None, Meta(description='What each asks for, such as {"cpu": "500m", "memory": "1Gi"}.')
    ] = None,
    workload: Annotated[
        Name | None, Meta(description="Deployment or StatefulSet whose pods they are like, in all that decides.")
    ] = None,
) -> Capacity:
    """Tell how many more pods would fit, node by node and by quota, and what keeps the rest out.

    Asked are the scheduler's own hard filters: requests, taints, cordons, node and pod affinity, topology spread,
    host ports, volumes. With a `workload` its pods' own wishes count; without, only the requests.
    """
    template = await template_of(cluster, namespace, workload, resource_requirements or {})
    nodes, pods = await cluster.list(Node), await cluster.list(Pod)
    spaces, storage = await cluster.beside(Namespace), await storage_of(cluster, namespace)
    scene = _Scene(namespace, nodes, pods, spaces, storage, await cluster.beside(ResourceQuota, namespace))
    # In a thread: while pods are tried on a thousand nodes, other calls go on.
    return await asyncio.to_thread(_capacity, template, replicas, scene)


def _capacity(template: PodTemplate, replicas: int, scene: _Scene) -> Capacity:
    spec, namespace, nodes = template.spec, scene.namespace, scene.nodes
    spaces, storage, held = scene.spaces, scene.storage, scene.quotas
    known = {n.name: n.metadata.labels for n in spaces or ()}
    room = Room(spec, namespace, template.metadata.labels, nodes, scene.pods, storage=storage, namespaces=known)
    fits = room.fill(replicas)
    shown = tuple(rows(room, spec, scene.pods))
    most = room.fill(max(replicas, MOST_TRIED if room.minds else MOST))
    refusals = Counter[str](kind for n in nodes for kind in {m.kind for m in room.misfits(n)})
    quotas = tuple(quota_rooms(spec, held or ()))
    allows = min((q.allows for q in quotas), default=None)
    return Capacity(
        namespace=namespace,
        requested_replicas=replicas,
        resource_requirements_per_pod={k: f"{v.normalize():f}" for k, v in sorted(requests(spec).items())},
        can_scale=fits >= replicas and (allows is None or allows >= replicas),
        fits_on_nodes=fits,
        max_replicas=most if allows is None else min(most, allows),
        quota_allows=allows,
        node_capacity=shown,
        total_nodes=len(nodes),
        quotas=quotas,
        refusals=dict(refusals),
        recommendations=tuple(advice(fits, replicas, shown, refusals, allows)),
        not_checked=tuple(
            unchecked(spec, spaces=spaces is not None, storage=storage is not None, quotas=held is not None)
        ),
        check_time=datetime.now(UTC),
    )
