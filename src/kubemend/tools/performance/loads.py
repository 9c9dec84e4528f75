"""What nodes and namespaces have, have promised, and use."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import requests
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.tools.usage import PodKey, Used


class Load(Struct, frozen=True):
    """CPU in cores and memory in bytes. used_*: None where nobody measures. Per cents are of what is allocatable;
    None for a namespace, which has no room of its own."""

    requested_cpu_cores: float
    limited_cpu_cores: float
    used_cpu_cores: float | None
    requested_memory_bytes: int
    limited_memory_bytes: int
    used_memory_bytes: int | None
    cpu_requested_percent: float | None = None
    cpu_used_percent: float | None = None
    memory_requested_percent: float | None = None
    memory_limited_percent: float | None = None
    memory_used_percent: float | None = None


def limits(spec: PodSpec) -> dict[str, Decimal]:
    """The sum of the limits of a pod's containers; one without a limit adds none, though it may use the whole node."""
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for container in spec.containers:
        for name, amount in container.resources.limits.items():
            total[name] += parse(amount)
    return dict(total)


def load(pods: Iterable[Pod], used: Used | None, node: Node | None = None) -> Load:
    """What these pods request, are limited to, and use; and what share of a node that is."""
    asked: defaultdict[str, Decimal] = defaultdict(Decimal)
    capped: defaultdict[str, Decimal] = defaultdict(Decimal)
    for pod in pods:
        for name, amount in requests(pod.spec).items():
            asked[name] += amount
        for name, amount in limits(pod.spec).items():
            capped[name] += amount
    has = {k: parse(v) for k, v in node.status.allocatable.items()} if node is not None else {}
    cpu, memory = has.get("cpu"), has.get("memory")
    return Load(
        requested_cpu_cores=float(asked["cpu"]),
        limited_cpu_cores=float(capped["cpu"]),
        used_cpu_cores=None if used is None else float(used.cores),
        requested_memory_bytes=int(asked["memory"]),
        limited_memory_bytes=int(capped["memory"]),
        used_memory_bytes=None if used is None else used.bytes,
        cpu_requested_percent=share(asked["cpu"], cpu),
        cpu_used_percent=None if used is None else share(used.cores, cpu),
        memory_requested_percent=share(asked["memory"], memory),
        memory_limited_percent=share(capped["memory"], memory),
        memory_used_percent=None if used is None else share(Decimal(used.bytes), memory),
    )


def share(part: Decimal, whole: Decimal | None) -> float | None:
    """Per cent with one digit; None of nothing."""
    return round(float(part / whole * 100), 1) if whole else None


def total(keys: Iterable[PodKey], using: Mapping[PodKey, Used] | None) -> Used | None:
    """What these pods use together; None when nobody measures any of them."""
    if using is None:
        return None
    known = [using[k] for k in keys if k in using]
    return sum(known, Used()) if known else None


def imbalance(values: Sequence[float]) -> float | None:
    """The coefficient of variation: standard deviation over mean, 0 for equal loads. None without any load."""
    mean = sum(values) / len(values) if values else 0.0
    if not mean:
        return None
    return round(statistics.pstdev(values) / mean, 3)
