"""What a pod template lacks that a workload in use should have, apart from anything being broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from kubemend.model.objects import Container, PodDisruptionBudget, PodSpec
from kubemend.tools.workloads import Workload, budgets_of, replicas_of, spreads, template_of


class Concern(Struct, frozen=True):
    """One thing to better. code: stable, kebab-case; container: empty for what is about the whole workload."""

    code: str
    severity: str
    issue: str
    recommendation: str
    container: str = ""


def concerns(workload: Workload, budgets: Sequence[PodDisruptionBudget] | None) -> Iterator[Concern]:
    """Every concern about a workload, its own first.

    budgets: of its namespace; None when they are not known: then none is missed.
    """
    template, replicas = template_of(workload), replicas_of(workload)
    if replicas == 1:
        yield Concern(
            "one-replica",
            "medium",
            "one replica: each restart or drain is an outage",
            "run two or more replicas if the program can",
        )
    if replicas > 1 and not any(spreads(template)):
        yield Concern(
            "not-spread",
            "low",
            "nothing of its own keeps its replicas apart",
            "recommend_anti_affinity gives a patch that would schedule today",
        )
    if replicas > 1 and budgets is not None and not budgets_of(workload, budgets):
        yield Concern(
            "no-disruption-budget",
            "low",
            "no PodDisruptionBudget: a drain may take all replicas at once",
            "add one with maxUnavailable: 1",
        )
    for container in template.spec.containers:
        yield from _container(container, template.spec)


def _container(container: Container, spec: PodSpec) -> Iterator[Concern]:
    def found(code: str, severity: str, issue: str, recommendation: str) -> Concern:
        return Concern(code, severity, issue, recommendation, container.name)

    requests, limits = container.resources.requests, container.resources.limits
    if lacking := [r for r in ("cpu", "memory") if r not in requests and r not in limits]:
        said = " and ".join(lacking)
        yield found("no-requests", "medium", f"no {said} request", "recommend_resource_limits tells them from its use")
    if "memory" not in limits:
        yield found("no-memory-limit", "medium", "no memory limit", "set one: without it a leak takes the node along")
    if container.readiness_probe is None:
        yield found("no-readiness-probe", "medium", "no readiness probe", "add one: traffic comes before it can serve")
    if container.liveness_probe is None:
        yield found("no-liveness-probe", "low", "no liveness probe", "add one if the program can hang")
    if floating(container.image):
        yield found("floating-tag", "medium", "its image has no fixed tag", "name a version or a digest")
    if may_be_root(container, spec):
        yield found("may-run-as-root", "low", "it may run as root", "set runAsNonRoot: true")


def floating(image: str) -> bool:
    """Whether the image's name means another image tomorrow: no tag, or `latest`, and no digest."""
    if "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"


def may_be_root(container: Container, spec: PodSpec) -> bool:
    """Whether nothing forbids it: `runAsNonRoot`, or a user other than 0, of the container before that of the pod."""
    own, pod = container.security_context, spec.security_context
    non_root = own.run_as_non_root if own is not None else None
    user = own.run_as_user if own is not None else None
    if non_root is None and pod is not None:
        non_root = pod.run_as_non_root
    if user is None and pod is not None:
        user = pod.run_as_user
    return non_root is not True and user in (None, 0)
