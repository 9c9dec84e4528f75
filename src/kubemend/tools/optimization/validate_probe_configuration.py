"""Tool: whether a workload's probes are sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from kubemend.kube.probes import handler, port, window
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Container, Event, Pod, Probe, ReplicaSet
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.optimization.probing import Flaw, flaws
from kubemend.tools.words import Name, Namespace
from kubemend.tools.workloads import Workload, gathered, living, replicated, template_of

UNHEALTHY = "Unhealthy"
"""Reason of the kubelet's event for a probe that failed; its message begins with the probe's kind."""
WEIGHT = {"high": 0, "medium": 1, "low": 2}


class ProbeRow(Struct, frozen=True):
    """One probe, defaults filled in. type: "httpGet", "tcpSocket", "grpc" or "exec". target: "https:8443/healthz".

    window_s: seconds from the container's start within which it must succeed first.
    """

    configured: bool
    type: str = ""
    target: str = ""
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    failure_threshold: int | None = None
    window_s: int | None = None


class ContainerProbes(Struct, frozen=True):
    """One container. slowest_start_s: from its start until its pod was ready; None when no pod has shown it."""

    container_name: str
    liveness_probe: ProbeRow
    readiness_probe: ProbeRow
    startup_probe: ProbeRow
    slowest_start_s: float | None
    flaws: tuple[Flaw, ...]
    issues: tuple[str, ...]
    recommendations: tuple[str, ...]


class ProbeReport(Struct, frozen=True):
    """probe_score: liveness and readiness probes there are, of those there could be.

    overall_status: "good" without issues, "needs_improvement", or "critical" when something breaks or will.
    """

    deployment_name: str
    namespace: str
    total_containers: int
    containers_analysis: tuple[ContainerProbes, ...]
    probe_score: str
    probe_coverage_percent: float
    issues: tuple[str, ...]
    recommendations: tuple[str, ...]
    overall_status: str


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "pods"),
        Access("list", "events"),
    },
    examples=({"deployment_name": "web", "namespace": "shop"}, {"deployment_name": "store", "namespace": "shop"}),
)
async def validate_probe_configuration(cluster: Look, *, deployment_name: Name, namespace: Namespace) -> ProbeReport:
    """Check the probes of a Deployment (or StatefulSet): missing, aimed wrongly, too tight, or doing another's work.

    Ports are held against what the container declares, patience against how long its pods really took to start,
    and the kubelet's events tell which probes fail now. A wrong path shows only in such events.
    """
    workload = await replicated(cluster, namespace, deployment_name)
    snapshot = await gathered(cluster, namespace, beside=(ReplicaSet, Pod))
    pods = [p for p in snapshot.pods(workload) if living(p)]
    events = await cluster.beside(Event, namespace, fields=f"reason={UNHEALTHY}")
    failing = _failing(pods, events or ())
    rows = tuple(_row(c, pods, failing) for c in _probed(workload))
    found = [f for r in rows for f in r.flaws]
    configured = sum(r.liveness_probe.configured + r.readiness_probe.configured for r in rows)
    return ProbeReport(
        deployment_name=workload.name,
        namespace=namespace,
        total_containers=len(rows),
        containers_analysis=rows,
        probe_score=f"{configured}/{2 * len(rows)}",
        probe_coverage_percent=round(100 * configured / (2 * len(rows)), 1) if rows else 0.0,
        issues=tuple(f"{r.container_name}: {f.issue}" for r in rows for f in r.flaws),
        recommendations=tuple(dict.fromkeys(f.recommendation for f in found)),
        overall_status=_status(found),
    )


def _probed(workload: Workload) -> tuple[Container, ...]:
    """Containers that may have probes: sidecars among the init containers too."""
    spec = template_of(workload).spec
    return (*spec.containers, *(c for c in spec.init_containers if c.restart_policy == "Always"))


def _status(found: Sequence[Flaw]) -> str:
    if any(f.severity == "high" for f in found):
        return "critical"
    return "needs_improvement" if found else "good"


def _failing(pods: Iterable[Pod], events: Iterable[Event]) -> dict[str, Counter[str]]:
    """Failed probes by container, then by kind ("liveness")."""
    mine = {p.metadata.uid for p in pods}
    found: dict[str, Counter[str]] = {}
    for event in events:
        about = event.involved_object
        if about.uid not in mine:
            continue
        container = about.field_path.partition("{")[2].rstrip("}")
        kind = event.message.partition(" ")[0].lower()
        found.setdefault(container, Counter())[kind] += max(event.count, 1)
    return found


def _row(container: Container, pods: Sequence[Pod], failing: dict[str, Counter[str]]) -> ContainerProbes:
    slowest = max(_starts(container.name, pods), default=None)
    told = sorted(flaws(container, slowest, failing.get(container.name, Counter())), key=lambda f: WEIGHT[f.severity])
    return ContainerProbes(
        container_name=container.name,
        liveness_probe=_probe(container.liveness_probe),
        readiness_probe=_probe(container.readiness_probe),
        startup_probe=_probe(container.startup_probe),
        slowest_start_s=slowest,
        flaws=tuple(told),
        issues=tuple(f.issue for f in told),
        recommendations=tuple(dict.fromkeys(f.recommendation for f in told)),
    )


def _starts(container: str, pods: Sequence[Pod]) -> Iterator[float]:
    """From the container's start until its pod became ready, of pods where that was the first time it did.

    A container that restarted, or a pod that was ready before (its condition moved long after), tells nothing.
    """
    for pod in pods:
        ready = condition(pod.status.conditions, "ContainersReady")
        status = next((s for s in pod.status.container_statuses if s.name == container), None)
        if (
            status is None
            or status.restart_count
            or status.state.running is None
            or len(pod.status.container_statuses) > 1
        ):
            continue
        began = status.state.running.started_at
        if ready is None or ready.status != "True" or ready.last_transition_time is None or began is None:
            continue
        took = (ready.last_transition_time - began).total_seconds()
        if 0 <= took <= 600:
            yield took


def _probe(probe: Probe | None) -> ProbeRow:
    if probe is None:
        return ProbeRow(configured=False)
    return ProbeRow(
        configured=True,
        type=handler(probe),
        target=_target(probe),
        initial_delay_seconds=probe.initial_delay_seconds,
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
        window_s=window(probe),
    )


def _target(probe: Probe) -> str:
    if probe.http_get is not None:
        return f"{probe.http_get.scheme.lower()}:{probe.http_get.port}{probe.http_get.path}"
    return " ".join(probe.exec.command) if probe.exec is not None else str(port(probe) or "")
