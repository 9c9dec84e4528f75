"""Tool: where the load is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.cluster.prometheus import Sample
from kubemend.kube.quantity import parse
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Node, Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.performance.loads import imbalance, share
from kubemend.tools.usage import OF_NODES, OF_PODS, PodKey, Used, asked, by_pod, metered, metered_nodes

NETWORK = (
    "topk({top}, sum by (namespace, pod) (rate(container_network_receive_bytes_total[5m]) + "
    "rate(container_network_transmit_bytes_total[5m])))"
)
DISK = (
    "topk({top}, sum by (namespace, pod) (rate(container_fs_reads_bytes_total[5m]) + "
    "rate(container_fs_writes_bytes_total[5m])))"
)
"""Bytes a second over five minutes, by cAdvisor's counters."""


class HotNode(Struct, frozen=True):
    """One node. percent: of what it can allocate."""

    name: str
    used: float
    percent: float | None


class HotPod(Struct, frozen=True):
    """One pod. used: cores, bytes, or bytes a second, by the list it is in."""

    namespace: str
    name: str
    node: str
    used: float


class Hotspots(Struct, frozen=True):
    """The hottest first; None where nobody measures (see `incomplete`).

    *_imbalance: standard deviation over mean of the nodes' shares: 0 when all are loaded alike.
    """

    check_time: datetime
    top: int
    nodes_by_cpu: tuple[HotNode, ...] | None
    nodes_by_memory: tuple[HotNode, ...] | None
    pods_by_cpu: tuple[HotPod, ...] | None
    pods_by_memory: tuple[HotPod, ...] | None
    pods_by_network: tuple[HotPod, ...] | None
    pods_by_disk: tuple[HotPod, ...] | None
    cpu_imbalance: float | None
    memory_imbalance: float | None


@tool(
    risk=Risk.READ,
    needs={Access("list", "nodes"), Access("list", "pods"), OF_PODS, OF_NODES},
    examples=({"top": 5},),
)
async def identify_resource_hotspots(
    cluster: Look, *, top: Annotated[int, Meta(description="How many of each to show.", ge=1, le=100)] = 10
) -> Hotspots:
    """Find the nodes and pods that use most CPU and memory, and with Prometheus most network and disk.

    And how unevenly nodes are loaded: the standard deviation of their shares over the mean.
    """
    nodes, pods = await cluster.list(Node), await cluster.list(Pod)
    on_nodes, using = await metered_nodes(cluster), await metered(cluster, None)
    of_pods = None if using is None else by_pod(using)
    places = {(p.namespace, p.name): p.spec.node_name for p in pods}
    cpu, memory = _nodes(nodes, on_nodes, "cpu"), _nodes(nodes, on_nodes, "memory")
    return Hotspots(
        check_time=datetime.now(UTC),
        top=top,
        nodes_by_cpu=None if cpu is None else cpu[:top],
        nodes_by_memory=None if memory is None else memory[:top],
        pods_by_cpu=_pods(of_pods, places, "cpu", top),
        pods_by_memory=_pods(of_pods, places, "memory", top),
        pods_by_network=_rates(await asked(cluster, NETWORK.format(top=top), what="network"), places),
        pods_by_disk=_rates(await asked(cluster, DISK.format(top=top), what="disk"), places),
        cpu_imbalance=_imbalance(cpu),
        memory_imbalance=_imbalance(memory),
    )


def _of(used: Used, resource: str) -> Decimal:
    return used.cores if resource == "cpu" else Decimal(used.bytes)


def _nodes(nodes: Iterable[Node], using: Mapping[str, Used] | None, resource: str) -> tuple[HotNode, ...] | None:
    if using is None:
        return None
    rows = [
        HotNode(n.name, float(part), share(part, parse(n.status.allocatable.get(resource, 0))))
        for n in nodes
        if n.name in using
        for part in (_of(using[n.name], resource),)
    ]
    return tuple(sorted(rows, key=lambda r: (-(r.percent or 0.0), r.name)))


def _imbalance(rows: tuple[HotNode, ...] | None) -> float | None:
    return imbalance([r.percent for r in rows or () if r.percent is not None])


def _pods(
    using: Mapping[PodKey, Used] | None, places: Mapping[PodKey, str], resource: str, top: int
) -> tuple[HotPod, ...] | None:
    if using is None:
        return None
    rows = sorted(using.items(), key=lambda u: (-_of(u[1], resource), u[0]))
    return tuple(HotPod(*key, places.get(key, ""), float(_of(used, resource))) for key, used in rows[:top])


def _rates(found: tuple[Sample, ...] | None, places: Mapping[PodKey, str]) -> tuple[HotPod, ...] | None:
    if found is None:
        return None
    keys = ((s, (s.labels.get("namespace", ""), s.labels.get("pod", ""))) for s in found)
    rows = (HotPod(*key, places.get(key, ""), round(s.value, 1)) for s, key in keys if key[1])
    return tuple(sorted(rows, key=lambda r: (-r.used, r.namespace, r.name)))
