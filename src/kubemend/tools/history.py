"""What containers used over two weeks, asked of Prometheus as KRR asks it, and brought together by workload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kubemend.cluster.prometheus import Sample
from kubemend.kube.quantity import parse
from kubemend.model.objects import Pod
from kubemend.model.snapshot import Snapshot
from kubemend.tools.look import Look
from kubemend.tools.sizing import History
from kubemend.tools.usage import asked, within
from kubemend.tools.workloads import Workload

RANGE, STEP = "14d", "1m"
"""KRR's `history_duration` of 336 h; and its `timeframe_duration` of 1.25 minutes, which it sends as whole minutes."""

BY = "by (namespace, container, pod, job)"

OwnerKey = tuple[str, str, str]
"""(namespace, kind, name) of a workload."""


@dataclass(frozen=True)
class Queries:
    """The five questions, over the containers that `scope` matches."""

    scope: str

    @property
    def cpu(self) -> str:
        """The 95th percentile of each pod's CPU."""
        return f"quantile_over_time(0.95, max(rate({self._cpu}[{STEP}])) {BY} [{RANGE}:{STEP}])"

    @property
    def cpu_points(self) -> str:
        """How many values of CPU there are."""
        return f"count_over_time(max({self._cpu}) {BY} [{RANGE}:{STEP}])"

    @property
    def memory(self) -> str:
        """The peak of each pod's working set."""
        return f"max_over_time(max({self._memory}) {BY} [{RANGE}:{STEP}])"

    @property
    def memory_points(self) -> str:
        """How many values of memory there are."""
        return f"count_over_time(max({self._memory}) {BY} [{RANGE}:{STEP}])"

    @property
    def killed(self) -> str:
        """The largest memory limit at which a container was killed for memory (kube-state-metrics)."""
        limits = f'max(kube_pod_container_resource_limits{{resource="memory", {self.scope}}}) {BY}'
        kills = f'kube_pod_container_status_last_terminated_reason{{reason="OOMKilled", {self.scope}}}'
        on = "on (namespace, pod, container, job) group_left (reason)"
        return f"max_over_time(max({limits} * {on} max({kills}) {BY[:-1]}, reason)) {BY} [{RANGE}:{STEP}])"

    @property
    def _cpu(self) -> str:
        return f"container_cpu_usage_seconds_total{{{self.scope}}}"

    @property
    def _memory(self) -> str:
        return f"container_memory_working_set_bytes{{{self.scope}}}"


async def histories(
    cluster: Look, snapshot: Snapshot, found: Sequence[Workload], namespace: str | None
) -> dict[tuple[OwnerKey, str], History] | None:
    """The history of each container of these workloads, by (workload, container); None without a Prometheus.

    Pods that are gone count too, where kube-state-metrics told whose they were. Kills for memory are also read from
    the pods that are there.
    """
    scope = ", ".join(filter(None, (within(namespace), 'container!=""', 'container!="POD"')))
    queries = Queries(scope)
    read = [await asked(cluster, q, what="use over time") for q in _all(queries)]
    if read[0] is None or read[2] is None:
        return None
    owners = await _owners(cluster, snapshot, namespace)
    cpu, cpu_points, memory, memory_points, killed = (_by_owner(s or (), owners) for s in read)
    here = killed_here(snapshot, found)
    keys = {(owner_key(w), c.name) for w in found for c in w.spec.template.spec.containers}
    return {
        k: History(
            cores_p95=_most(cpu.get(k)),
            bytes_max=_most(memory.get(k)),
            cpu_points=int(sum(cpu_points.get(k, ()))),
            memory_points=int(sum(memory_points.get(k, ()))),
            oom_limit_bytes=_most([*killed.get(k, ()), *here.get(k, ())]),
        )
        for k in keys
    }


def _all(queries: Queries) -> tuple[str, ...]:
    return queries.cpu, queries.cpu_points, queries.memory, queries.memory_points, queries.killed


def _most(values: Sequence[Decimal] | None) -> Decimal | None:
    return max(values, default=None) if values else None


def owner_key(workload: Workload) -> OwnerKey:
    """The key of a workload."""
    return workload.namespace, workload.ref.kind, workload.name


def _by_owner(
    samples: Iterable[Sample], owners: Mapping[tuple[str, str], OwnerKey]
) -> dict[tuple[OwnerKey, str], list[Decimal]]:
    """One value of each pod: of several jobs the kubelet's, else the alphabetically first (KRR `FilterJobsMixin`)."""
    chosen: dict[tuple[str, str, str], Sample] = {}
    for sample in sorted(samples, key=lambda s: (s.labels.get("job") != "kubelet", s.labels.get("job", ""))):
        labels = sample.labels
        pod = (labels.get("namespace", ""), labels.get("pod", ""), labels.get("container", ""))
        chosen.setdefault(pod, sample)
    found: defaultdict[tuple[OwnerKey, str], list[Decimal]] = defaultdict(list)
    for (namespace, name, container), sample in chosen.items():
        if (owner := owners.get((namespace, name))) is not None:
            found[owner, container].append(Decimal(repr(sample.value)))
    return found


async def _owners(cluster: Look, snapshot: Snapshot, namespace: str | None) -> dict[tuple[str, str], OwnerKey]:
    """Whose each pod is or was, by (namespace, pod): by kube-state-metrics, and for those that are there by the API."""
    sets = await asked(cluster, _last("kube_replicaset_owner", "replicaset", namespace), what="owners")
    pods = await asked(cluster, _last("kube_pod_owner", "pod", namespace), what="owners")
    above = {(s.labels.get("namespace", ""), s.labels.get("replicaset", "")): _told(s) for s in sets or ()}
    found: dict[tuple[str, str], OwnerKey] = {}
    for sample in pods or ():
        owner = _told(sample)
        if owner[1] == "ReplicaSet":
            owner = above.get((owner[0], owner[2]), owner)
        found[owner[0], sample.labels.get("pod", "")] = owner
    for pod in snapshot.all(Pod):
        top = snapshot.top(pod)
        found[pod.namespace, pod.name] = (top.namespace, top.ref.kind, top.name)
    return found


def _last(metric: str, what: str, namespace: str | None) -> str:
    by = f"by (namespace, {what}, owner_kind, owner_name)"
    return f"max {by} (last_over_time({metric}{{{within(namespace)}}}[{RANGE}]))"


def _told(sample: Sample) -> OwnerKey:
    labels = sample.labels
    return labels.get("namespace", ""), labels.get("owner_kind", ""), labels.get("owner_name", "")


def killed_here(snapshot: Snapshot, found: Sequence[Workload]) -> dict[tuple[OwnerKey, str], list[Decimal]]:
    """Memory limits at which containers of the pods that are there were killed."""
    limits: defaultdict[tuple[OwnerKey, str], list[Decimal]] = defaultdict(list)
    for workload in found:
        for pod in snapshot.pods(workload):
            for status in pod.status.container_statuses:
                ends = (status.state.terminated, status.last_state.terminated)
                container = pod.spec.container(status.name)
                limit = None if container is None else container.resources.limits.get("memory")
                if limit is not None and any(e is not None and e.reason == "OOMKilled" for e in ends):
                    limits[owner_key(workload), status.name].append(parse(limit))
    return limits
