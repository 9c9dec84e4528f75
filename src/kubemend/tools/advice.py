"""Right-sized requests and limits of workloads, container by container, with what they rest on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec import Struct

from kubemend.cluster.resource import resource_of
from kubemend.kube.histogram import Record
from kubemend.model.access import Access
from kubemend.model.objects import (
    Container,
    DaemonSet,
    Deployment,
    HorizontalPodAutoscaler,
    Pod,
    ReplicaSet,
    StatefulSet,
)
from kubemend.model.snapshot import Snapshot
from kubemend.tools import sizing
from kubemend.tools.history import RANGE, STEP, OwnerKey, histories, killed_here, owner_key
from kubemend.tools.look import Look
from kubemend.tools.raws import Raw, raws_beside
from kubemend.tools.sizing import Advice, Amount, History
from kubemend.tools.usage import OF_PODS, ContainerKey, Used, metered
from kubemend.tools.workloads import Workload, gathered, replicas_of, running, template_of, workloads

NEEDS = {
    Access("list", "deployments", "apps"),
    Access("list", "statefulsets", "apps"),
    Access("list", "daemonsets", "apps"),
    Access("list", "replicasets", "apps"),
    Access("list", "pods"),
    Access("list", "horizontalpodautoscalers", "autoscaling"),
    OF_PODS,
}
ContainerId = tuple[str, str, str, str]
"""(namespace, kind, workload, container)"""
GRADES = ("critical", "warning", "ok", "good", "unknown")


class Basis(Struct, frozen=True):
    """What the numbers rest on. source: "prometheus"; "samples", which we took ourselves, kills for memory among them;
    or "none": then there is no advice, only what is used now."""

    source: str
    window: str
    step: str
    strategy: str


class Now(Struct, frozen=True):
    """What a container uses just now: the most and the sum over its pods."""

    pods: int
    cpu_cores_max: float
    cpu_cores_sum: float
    memory_bytes_max: int
    memory_bytes_sum: int


class Sized(Struct, frozen=True):
    """One container of one workload. now: None when metrics.k8s.io tells nothing of it."""

    kind: str
    name: str
    namespace: str
    container: str
    replicas: int
    severity: str
    cpu: Advice
    memory: Advice
    now: Now | None


@dataclass(frozen=True)
class Sizing:
    """Advice for containers, those that differ most first, with what it rests on and what was read for it.

    using: what each container uses just now; None when metrics.k8s.io could not be asked.
    """

    basis: Basis
    rows: list[Sized]
    snapshot: Snapshot
    using: Mapping[ContainerKey, Used] | None


@dataclass(frozen=True)
class _Facts:
    """What is known of all containers: by Prometheus, else by our own records; which are autoscaled; what they use."""

    snapshot: Snapshot
    known: Mapping[tuple[OwnerKey, str], History] | None
    records: Mapping[ContainerId, Record] | None
    scaled: Mapping[OwnerKey, frozenset[str]]
    using: Mapping[ContainerKey, Used] | None


async def scene(cluster: Look, namespace: str | None) -> Snapshot:
    """The workloads with their pods."""
    return await gathered(cluster, namespace, Deployment, StatefulSet, DaemonSet, ReplicaSet, Pod)


async def sized(cluster: Look, namespace: str | None, name: str | None = None) -> Sizing:
    """Advice for every container of the workloads, or of those that the name means."""
    snapshot = await scene(cluster, namespace)
    found = workloads(snapshot, name)
    scaled = autoscaled(await raws_beside(cluster, resource_of(HorizontalPodAutoscaler), namespace) or ())
    using = await metered(cluster, namespace)
    known = await histories(cluster, snapshot, found, namespace)
    records = None if known is not None else await _remembered(cluster, snapshot, found, namespace, using)
    # In a thread: while thousands are reckoned, other calls go on.
    facts = _Facts(snapshot, known, records, scaled, using)
    rows = await asyncio.to_thread(_rows, found, facts)
    told = bool(records) or any(r.cpu.known or r.memory.known for r in rows)
    return Sizing(_basis(prometheus=known is not None, samples=told), rows, snapshot, using)


def _rows(found: Sequence[Workload], facts: _Facts) -> list[Sized]:
    rows = [row for workload in found for row in _of(workload, facts)]
    return sorted(rows, key=lambda r: (GRADES.index(r.severity), r.namespace, r.kind, r.name, r.container))


def _of(workload: Workload, facts: _Facts) -> Iterator[Sized]:
    """The containers of one workload, whose pods are looked for once."""
    pods = running(facts.snapshot, workload)
    killed = killed_here(facts.snapshot, [workload])
    for container in template_of(workload).spec.containers:
        key, using = (owner_key(workload), container.name), now(pods, container.name, facts.using)
        if facts.records is None:
            yield _sized(workload, container, (facts.known or {}).get(key, History()), facts.scaled, using)
        else:
            drives = facts.scaled.get(key[0], frozenset())
            yield _by_samples(workload, container, facts.records, drives=drives, killed=killed.get(key), using=using)


def _basis(*, prometheus: bool, samples: bool) -> Basis:
    if prometheus:
        return Basis("prometheus", RANGE, STEP, "KRR simple")
    return Basis("samples", "8d", "1m", "VPA recommender") if samples else Basis("none", "", "", "")


async def observed(cluster: Look) -> None:
    """Look at what every container uses just now, and remember it. Nothing where metrics or a memory are missing."""
    snapshot = await scene(cluster, None)
    await _remembered(cluster, snapshot, workloads(snapshot), None, await metered(cluster, None))


async def _remembered(
    cluster: Look,
    snapshot: Snapshot,
    found: Sequence[Workload],
    namespace: str | None,
    using: Mapping[ContainerKey, Used] | None,
) -> dict[ContainerId, Record] | None:
    """What we remember of containers' use, this look included; None without a memory."""
    if cluster.memory is None:
        return None
    if using:
        seen = await asyncio.to_thread(_looks, snapshot, found, using)
        await cluster.memory.learn({k: looks for k, looks in seen.items() if looks})
    return await cluster.memory.known(namespace)


def _looks(
    snapshot: Snapshot, found: Sequence[Workload], using: Mapping[ContainerKey, Used]
) -> dict[ContainerId, list[tuple[float, float, float]]]:
    """Cores, bytes and requested cores of each pod's container."""
    seen: dict[ContainerId, list[tuple[float, float, float]]] = {}
    for workload in found:
        pods = running(snapshot, workload)
        for container in template_of(workload).spec.containers:
            asked = sizing.request_of(container, "cpu")
            seen[(*owner_key(workload), container.name)] = [
                (float(u.cores), float(u.bytes), asked.number if asked else 0.0)
                for p in pods
                if (u := using.get((p.namespace, p.name, container.name))) is not None
            ]
    return seen


def _by_samples(
    workload: Workload,
    container: Container,
    records: Mapping[ContainerId, Record],
    *,
    drives: frozenset[str],
    killed: Sequence[Decimal] | None,
    using: Now | None,
) -> Sized:
    record = records.get((*owner_key(workload), container.name), Record())
    shared, most = len(template_of(workload).spec.containers), max(killed, default=None) if killed else None
    cpu, memory = (
        sizing.of_record(r, container, record, containers=shared, killed=most, autoscaled=r in drives)
        for r in ("cpu", "memory")
    )
    return _row(workload, container, cpu, memory, using)


def _sized(
    workload: Workload,
    container: Container,
    history: History,
    scaled: Mapping[OwnerKey, frozenset[str]],
    using: Now | None,
) -> Sized:
    drives = scaled.get(owner_key(workload), frozenset())
    cpu = sizing.cpu(container, history, autoscaled="cpu" in drives)
    memory = sizing.memory(container, history, autoscaled="memory" in drives)
    return _row(workload, container, cpu, memory, using)


def _row(workload: Workload, container: Container, cpu: Advice, memory: Advice, using: Now | None) -> Sized:
    return Sized(
        kind=workload.ref.kind,
        name=workload.name,
        namespace=workload.namespace,
        container=container.name,
        replicas=replicas_of(workload),
        severity=min((cpu.severity, memory.severity), key=GRADES.index),
        cpu=cpu,
        memory=memory,
        now=using,
    )


def autoscaled(found: Sequence[Raw]) -> dict[OwnerKey, frozenset[str]]:
    """The resources by which an autoscaler drives each workload."""
    drives: defaultdict[OwnerKey, set[str]] = defaultdict(set)
    for raw in found:
        spec = raw.get("spec") or {}
        aim = spec.get("scaleTargetRef") or {}
        who = (raw["metadata"].get("namespace", ""), aim.get("kind", ""), aim.get("name", ""))
        for metric in spec.get("metrics") or ():
            told = metric.get("resource") or metric.get("containerResource")
            if told:
                drives[who].add(told.get("name", ""))
    return {who: frozenset(names) for who, names in drives.items()}


def now(pods: Iterable[Pod], container: str, using: Mapping[ContainerKey, Used] | None) -> Now | None:
    """What a container uses just now, over these pods."""
    if using is None:
        return None
    keys = ((p.namespace, p.name, container) for p in pods)
    used = [using[k] for k in keys if k in using]
    if not used:
        return None
    return Now(
        pods=len(used),
        cpu_cores_max=float(max(u.cores for u in used)),
        cpu_cores_sum=float(sum((u.cores for u in used), Decimal())),
        memory_bytes_max=max(u.bytes for u in used),
        memory_bytes_sum=sum(u.bytes for u in used),
    )


def patch(rows: Sequence[Sized]) -> dict[str, Any] | None:
    """A strategic merge patch of one workload with all that is advised; None when nothing is.

    A CPU limit is taken away (null), as the strategy says.
    """
    containers = [{"name": r.container, "resources": made} for r in rows if (made := _resources(r))]
    return {"spec": {"template": {"spec": {"containers": containers}}}} if containers else None


def _resources(row: Sized) -> dict[str, Any]:
    requests, limits = dict[str, Any](), dict[str, Any]()
    for name, advice in (("cpu", row.cpu), ("memory", row.memory)):
        if advice.recommended_request is None or _held(advice):
            continue
        requests[name] = advice.recommended_request.quantity
        if advice.recommended_limit is not None:
            limits[name] = advice.recommended_limit.quantity
        elif advice.current_limit is not None:
            limits[name] = None
    return {k: v for k, v in (("requests", requests), ("limits", limits)) if v}


def _held(told: sizing.Advice) -> bool:
    """Whether the container has what is advised already."""
    pairs = ((told.current_request, told.recommended_request), (told.current_limit, told.recommended_limit))
    return all((a and a.number) == (b and b.number) for a, b in pairs)


def text(amount: Amount | None) -> str:
    """An amount for people; "unset" for none."""
    return "unset" if amount is None else amount.quantity
