"""How well a workload stands the loss of a pod, a node or a zone: gaps, and a score made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import Struct

from kubemend.kube.rollout import margins, ready
from kubemend.model.objects import (
    DaemonSet,
    Deployment,
    HorizontalPodAutoscaler,
    Pod,
    PodDisruptionBudget,
)
from kubemend.tools.optimization.placing import Ground
from kubemend.tools.workloads import Workload, replicas_of, spreads, template_of


class Gap(Struct, frozen=True):
    """One way in which it can go down. costs: points of the score."""

    code: str
    severity: str
    message: str
    fix: str
    costs: int


@dataclass(frozen=True)
class Setting:
    """A workload with what stands around it; None for what could not be read."""

    workload: Workload
    pods: Sequence[Pod]
    nodes: Ground | None
    budgets: Sequence[PodDisruptionBudget] | None
    autoscaler: HorizontalPodAutoscaler | None


def score(gaps: Sequence[Gap]) -> int:
    """100 less what each gap costs, at least 0."""
    return max(0, 100 - sum(g.costs for g in gaps))


def gaps(setting: Setting) -> Iterator[Gap]:
    """Every gap of a workload, the worst kinds first. Of a DaemonSet, one pod a node only the rest counts."""
    workload = setting.workload
    replicas = replicas_of(workload)
    if not replicas:
        return
    if not isinstance(workload, DaemonSet):
        yield from _replicas(setting, replicas)
        if replicas > 1:
            yield from _places(setting, replicas)
            yield from _budgets(setting)
    yield from _rollout(workload, replicas)
    yield from _containers(workload)


def _replicas(setting: Setting, replicas: int) -> Iterator[Gap]:
    if replicas == 1:
        fix = "run two or more replicas, if the program allows it"
        yield Gap("one-replica", "high", "one replica: any restart, drain or node failure is an outage", fix, 40)
    elif (up := sum(map(ready, setting.pods))) < 2:
        yield Gap("one-left", "high", f"{up} of {replicas} replicas are ready", "diagnose_cluster tells why", 30)
    scaler = setting.autoscaler
    if replicas > 1 and scaler is not None and scaler.spec.min_replicas < 2:
        message = f"HorizontalPodAutoscaler {scaler.name} may go down to {scaler.spec.min_replicas}"
        yield Gap("autoscaled-to-one", "medium", message, "set minReplicas: 2", 10)


def _places(setting: Setting, replicas: int) -> Iterator[Gap]:
    spec = template_of(setting.workload).spec
    if setting.nodes is not None:
        usable, hosts = setting.nodes.open_to(spec), [p.spec.node_name for p in setting.pods]
        yield from _single(hosts, usable.nodes, "node", 25)
        yield from _single([setting.nodes.zone(h) for h in hosts], usable.zones, "zone", 10)
        if len(usable.nodes) == 1:
            yield Gap("one-node", "high", "only one node may take its pods", "loosen its selectors, or add nodes", 20)
    if not any(spreads(template_of(setting.workload))):
        message = f"nothing of its own keeps its {replicas} pods apart: the scheduler may put them together"
        yield Gap("not-spread", "medium", message, "recommend_anti_affinity gives a patch", 5)


def _single(places: Sequence[str], known: frozenset[str], word: str, costs: int) -> Iterator[Gap]:
    """Of the places of pods, and those they might be in: all in one, though there are others. "" is no place."""
    total = len(places)
    if total > 1 and len(set(places)) == 1 and places[0] and len(known | {places[0]}) > 1:
        fix = "recommend_anti_affinity gives a patch; new pods then go elsewhere"
        yield Gap(f"all-on-one-{word}", "high", f"all {total} pods are on {word} {places[0]}", fix, costs)


def _budgets(setting: Setting) -> Iterator[Gap]:
    if setting.budgets is None:
        return
    if not setting.budgets:
        message = "no PodDisruptionBudget: a drain may take all pods at once"
        yield Gap("no-budget", "medium", message, "add one with maxUnavailable: 1", 10)
    for budget in setting.budgets:
        if budget.status.desired_healthy >= budget.status.expected_pods > 0:
            message = f"PodDisruptionBudget {budget.name} never lets a pod go: drains and upgrades will hang"
            yield Gap("budget-too-strict", "medium", message, "use maxUnavailable: 1", 5)
    if len(setting.budgets) > 1:
        names = ", ".join(b.name for b in setting.budgets)
        message = f"several budgets select its pods ({names}): evictions are refused"
        yield Gap("budgets-overlap", "high", message, "keep one", 10)


def _rollout(workload: Workload, replicas: int) -> Iterator[Gap]:
    if isinstance(workload, Deployment) and workload.spec.strategy.type == "Recreate":
        message = "strategy Recreate: each rollout is an outage"
        yield Gap("recreate", "medium", message, "use RollingUpdate if two versions may run side by side", 10)
    elif replicas > 1 and margins(workload, replicas)[1] >= replicas:
        message = "a rolling update may take all replicas away at once"
        yield Gap("all-unavailable", "high", message, "lower maxUnavailable", 10)
    if isinstance(workload, Deployment) and workload.spec.paused:
        yield Gap("paused", "low", "its rollouts are paused", "kubectl rollout resume", 0)


def _containers(workload: Workload) -> Iterator[Gap]:
    containers = template_of(workload).spec.containers
    if bare := [c.name for c in containers if c.readiness_probe is None]:
        message = f"no readiness probe: {', '.join(bare)}"
        yield Gap("no-readiness", "high", message, "add one: a rollout goes on over pods that can't serve", 15)
    if bare := [c.name for c in containers if c.liveness_probe is None and c.startup_probe is None]:
        yield Gap("no-liveness", "low", f"no liveness probe: {', '.join(bare)}", "add one if it can hang", 3)
    if bare := [c.name for c in containers if not c.resources.requests and not c.resources.limits]:
        message = f"no requests: {', '.join(bare)}; BestEffort pods are evicted first"
        yield Gap("no-requests", "medium", message, "recommend_resource_limits tells them from its use", 5)
