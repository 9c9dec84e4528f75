"""Room for more pods of a kind: the pod that is meant, what each node and each quota would take of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct, structs

from kubemend.cluster.errors import NotFound
from kubemend.kube.quantity import format_bytes, format_cores, parse
from kubemend.kube.scheduling import Room, Storage, free, requests
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import (
    Container,
    Deployment,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodTemplate,
    ResourceQuota,
    StatefulSet,
    StorageClass,
)
from kubemend.model.objects.pod import Resources
from kubemend.tools.look import Look

FULL = 80.0
"""Per cent of a node's CPU or memory beyond which a warning is due."""


class NodeRoom(Struct, frozen=True):
    """One node. would_take: of the pods asked for; reasons: why it takes no more. Numbers are of requests.

    cpu_percent, memory_percent: of what is allocatable, after the pods asked for are there.
    """

    node_name: str
    allocatable: dict[str, str]
    available: dict[str, str]
    available_cpu_cores: float
    available_memory_bytes: int
    utilization: dict[str, float]
    would_take: int
    reasons: tuple[str, ...]


class QuotaRoom(Struct, frozen=True):
    """One resource of a ResourceQuota. allows: how many more such pods."""

    quota: str
    resource: str
    hard: str
    used: str
    allows: int


async def template_of(cluster: Look, namespace: str, workload: str | None, resources: Mapping[str, str]) -> PodTemplate:
    """The pod that is to fit: like a workload's, or a bare one. What is asked for explicitly goes before that."""
    for quantity in resources.values():
        parse(quantity)
    wanted: dict[str, Any] = dict(resources)
    if workload is None:
        if not resources:
            raise InvalidInput("say resource_requirements or a workload", code="invalid-arguments")
        return PodTemplate(spec=PodSpec(containers=(Container("new", resources=Resources(requests=wanted)),)))
    template = (await _workload(cluster, namespace, workload)).spec.template
    if not resources:
        return template
    first, *rest = template.spec.containers
    held = (
        structs.replace(first, resources=Resources(requests=wanted)),
        *(structs.replace(c, resources=Resources()) for c in rest),
    )
    spec = structs.replace(template.spec, containers=held, init_containers=(), resources=None)
    return structs.replace(template, spec=spec)


async def _workload(cluster: Look, namespace: str, name: str) -> Deployment | StatefulSet:
    try:
        return await cluster.one(Deployment, namespace, name)
    except NotFound:
        return await cluster.one(StatefulSet, namespace, name)


async def storage_of(cluster: Look, namespace: str) -> Storage | None:
    """Claims of the namespace, volumes and classes; None, with gaps, when one of them can't be read."""
    claims = await cluster.beside(PersistentVolumeClaim, namespace)
    volumes = await cluster.beside(PersistentVolume)
    classes = await cluster.beside(StorageClass)
    if claims is None or volumes is None or classes is None:
        return None
    return Storage.of(claims, volumes, classes)


def rows(room: Room, spec: PodSpec, pods: Sequence[Pod]) -> Iterator[NodeRoom]:
    """The nodes after all pods have been placed that there was room for."""
    here: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        here[pod.spec.node_name].append(pod)
    for node in room.nodes:
        yield _row(node, here[node.name], room, requests(spec))


def _row(node: Node, pods: Sequence[Pod], room: Room, need: Mapping[str, Decimal]) -> NodeRoom:
    left, has, taken = free(node, pods), free(node, ()), room.placed[node.name]
    cpu, memory = left.get("cpu", Decimal()), left.get("memory", Decimal())
    used = {
        f"{k}_percent": round(float(1 - (left[k] - taken * need.get(k, Decimal())) / has[k]) * 100, 1)
        for k in ("cpu", "memory")
        if has.get(k)
    }
    return NodeRoom(
        node_name=node.name,
        allocatable={k: str(v) for k, v in node.status.allocatable.items()},
        available={"cpu": format_cores(cpu), "memory": format_bytes(int(memory))},
        available_cpu_cores=float(cpu),
        available_memory_bytes=int(memory),
        utilization=used,
        would_take=taken,
        reasons=tuple(f"{m.kind}: {m.detail}" for m in room.misfits(node)),
    )


def quota_rooms(spec: PodSpec, quotas: Sequence[ResourceQuota]) -> Iterator[QuotaRoom]:
    """How many such pods each limit of a quota still allows (`resourcequota`, compute and pod counts)."""
    charge = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, need in requests(spec).items():
        charge[name] = charge[f"requests.{name}"] = need
    for container in spec.containers:
        for name, limit in container.resources.limits.items():
            charge[f"limits.{name}"] = charge.get(f"limits.{name}", Decimal()) + parse(limit)
    for quota in quotas:
        for name, hard in quota.status.hard.items():
            each = charge.get(name, Decimal())
            if each > 0:
                used = quota.status.used.get(name, 0)
                allows = max(0, int((parse(hard) - parse(used)) // each))
                yield QuotaRoom(quota.name, name, str(hard), str(used), allows)


def advice(
    fits: int, wanted: int, nodes: Sequence[NodeRoom], refusals: Mapping[str, int], quota_allows: int | None
) -> Iterator[str]:
    """What to do about it, one sentence each."""
    if fits < wanted:
        why = ", ".join(f"{k} on {n} nodes" for k, n in sorted(refusals.items(), key=lambda r: (-r[1], r[0])))
        yield f"{wanted - fits} of {wanted} pods would stay pending ({why or 'there are no nodes'})"
    if fits < wanted and refusals.keys() & {"cpu", "memory"}:
        yield "add a node, or lower the requests"
    if quota_allows is not None and quota_allows < wanted:
        yield f"the quota allows {quota_allows} more; raise it, or ask for less"
    for node in nodes:
        if node.would_take and max(node.utilization.values(), default=0.0) > FULL:
            yield f"{node.node_name} would be more than {FULL:g} % full"


def unchecked(spec: PodSpec, *, spaces: bool, storage: bool, quotas: bool) -> Iterator[str]:
    """What nothing is known about; True stands for what was read."""
    claimed = any(v.persistent_volume_claim for v in spec.volumes)
    if claimed and not storage:
        yield "volumes: claims, volumes and classes could not all be read"
    if claimed:
        yield "how many volumes each node may attach, and what the provisioner has left"
    if not spaces and spec.affinity is not None:
        yield "affinity to namespaces by their labels"
    if not quotas:
        yield "quota"
