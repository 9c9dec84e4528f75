"""What pods and nodes really use: just now by metrics.k8s.io, and over time by Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from kubemend.cluster.errors import ClusterError
from kubemend.cluster.prometheus import Sample
from kubemend.cluster.resource import Resource
from kubemend.kube.quantity import parse
from kubemend.model.access import Access
from kubemend.model.answer import Gap
from kubemend.tools.look import Look
from kubemend.tools.raws import Raw, key, raws_beside

POD_METRICS = Resource("PodMetrics", "pods", "metrics.k8s.io", "v1beta1")
NODE_METRICS = Resource("NodeMetrics", "nodes", "metrics.k8s.io", "v1beta1", namespaced=False)
OF_PODS, OF_NODES = Access("list", "pods", "metrics.k8s.io"), Access("list", "nodes", "metrics.k8s.io")

PROMETHEUS = "Prometheus"
NONE = (
    "no Prometheus was named (--prometheus-url, or $KUBEMEND_PROMETHEUS_URL: a URL, NAMESPACE/SERVICE of the cluster, "
    "or auto to look for one)"
)

PodKey = tuple[str, str]
"""(namespace, pod)"""
ContainerKey = tuple[str, str, str]
"""(namespace, pod, container)"""


class Used(Struct, frozen=True):
    """CPU in cores and memory (the working set) in bytes, at a moment or summed up."""

    cores: Decimal = Decimal()
    bytes: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(self.cores + other.cores, self.bytes + other.bytes)


class Fill(Struct, frozen=True):
    """How full a volume is."""

    used_bytes: int
    percent: float
    inodes_percent: float | None


async def metered(cluster: Look, namespace: str | None) -> dict[ContainerKey, Used] | None:
    """What each container uses now (metrics.k8s.io); None, and a gap, when nobody tells."""
    found = await raws_beside(cluster, POD_METRICS, namespace)
    if found is None:
        return None
    return {(*key(p), c["name"]): _used(c["usage"]) for p in found for c in p.get("containers") or ()}


async def metered_nodes(cluster: Look) -> dict[str, Used] | None:
    """What each node uses now, the system's own processes included; None, and a gap, when nobody tells."""
    found = await raws_beside(cluster, NODE_METRICS)
    return None if found is None else {key(n)[1]: _used(n["usage"]) for n in found}


def _used(usage: Raw) -> Used:
    return Used(parse(usage.get("cpu", 0)), int(parse(usage.get("memory", 0))))


def by_pod(containers: Mapping[ContainerKey, Used]) -> dict[PodKey, Used]:
    """The sum of each pod's containers."""
    total: dict[PodKey, Used] = {}
    for (namespace, pod, _), used in containers.items():
        total[namespace, pod] = total.get((namespace, pod), Used()) + used
    return total


async def asked(cluster: Look, query: str, *, what: str = "") -> tuple[Sample, ...] | None:
    """What Prometheus answers to a query; None, and a gap, when there is no Prometheus or no answer."""
    if cluster.prometheus is None:
        _told_once(cluster, PROMETHEUS, NONE)
        return None
    try:
        return await cluster.prometheus.query(query)
    except ClusterError as error:
        why = f"{error.message}; {error.hint}" if error.hint else error.message
        _told_once(cluster, f"{PROMETHEUS}{f': {what}' if what else ''}", why)
        return None


def _told_once(cluster: Look, what: str, why: str) -> None:
    """Several questions have one cause."""
    if Gap(what, why) not in cluster.gaps:
        cluster.missing(what, why)


async def fills(cluster: Look, namespace: str | None) -> dict[PodKey, Fill] | None:
    """How full each claim's volume is, by (namespace, claim): the kubelet's own volume metrics."""
    by = f"max by (namespace, persistentvolumeclaim) (%s{{{within(namespace)}}})"
    read = {
        name: await asked(cluster, by % f"kubelet_volume_stats_{name}", what="volumes")
        for name in ("used_bytes", "capacity_bytes", "inodes_used", "inodes")
    }
    tables = {name: _table(samples) for name, samples in read.items() if samples is not None}
    if "used_bytes" not in tables or "capacity_bytes" not in tables:
        return None
    sizes, files, most = tables["capacity_bytes"], tables.get("inodes_used", {}), tables.get("inodes", {})
    return {
        claim: Fill(int(used), round(100 * used / sizes[claim], 1), _share(files.get(claim), most.get(claim)))
        for claim, used in tables["used_bytes"].items()
        if sizes.get(claim)
    }


def _table(samples: tuple[Sample, ...]) -> dict[PodKey, float]:
    return {(s.labels.get("namespace", ""), s.labels.get("persistentvolumeclaim", "")): s.value for s in samples}


def _share(part: float | None, whole: float | None) -> float | None:
    return round(100 * part / whole, 1) if part is not None and whole else None


def within(namespace: str | None) -> str:
    """The label matcher of PromQL for one namespace; empty for all."""
    return "" if namespace is None else f'namespace="{namespace}"'
