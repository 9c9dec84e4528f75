"""KM402: the namespace's quota refuses pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from kubemend.kube.quantity import format_bytes, format_cores, parse
from kubemend.kube.scheduling import requests
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import DaemonSet, Deployment, Event, Job, PodSpec, ReplicaSet, ResourceQuota, StatefulSet
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.creation import Lack, named, refused
from kubemend.rules.workload.history import Earlier, fewer
from kubemend.rules.workload.words import count


@dataclass(frozen=True)
class Overrun:
    """A resource of a quota that one more pod would exceed."""

    quota: ResourceQuota
    resource: str
    each: Decimal
    used: Decimal
    hard: Decimal


@rule(
    "KM402",
    severity=Severity.ERROR,
    reads=(ReplicaSet, StatefulSet, DaemonSet, Job, ResourceQuota),
    uses=(Event, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def quota_exceeded(snapshot: Snapshot) -> Iterator[Observation]:
    """A workload's pods are refused because they would exceed the namespace's quota.

    ## What it means
    The controller asked the API server for pods and was told that a ResourceQuota is exceeded; and with the
    quota's own figures one more pod is indeed too much. A refusal that the figures no longer bear out isn't
    reported, for the controller will try again by itself.

    ## Why it matters
    The workload runs with fewer replicas than it should, and a rollout of it can't go on.

    ## What to do
    If the newest change asked for more replicas or more resources than before, take it back. Else free some
    of the quota, or have it raised.
    """
    for lack in refused(snapshot):
        if "exceeded quota" in lack.text:
            for overrun in _overruns(snapshot, lack)[:1]:
                yield _observation(lack, overrun, _before(snapshot, lack))


def _overruns(snapshot: Snapshot, lack: Lack) -> list[Overrun]:
    """What one more pod would exceed, in the order of quotas and resources."""
    charge = _charge(lack.template.spec)
    found = []
    for quota in snapshot.all(ResourceQuota, lack.maker.namespace):
        for name, limit in sorted(quota.status.hard.items()):
            used, hard = parse(quota.status.used.get(name, 0)), parse(limit)
            if name in charge and used + charge[name] > hard:
                found.append(Overrun(quota, name, charge[name], used, hard))
    return found


def _charge(spec: PodSpec) -> dict[str, Decimal]:
    """What one pod counts against a quota, by the quota's resource names (`pkg/quota/v1/evaluator/core/pods.go`)."""
    charge = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, amount in requests(spec).items():
        charge[name] = charge[f"requests.{name}"] = amount
    for container in spec.containers:
        for name, limit in container.resources.limits.items():
            charge[f"limits.{name}"] = charge.get(f"limits.{name}", Decimal()) + parse(limit)
    return charge


def _before(snapshot: Snapshot, lack: Lack) -> Earlier | None:
    """The replicas that the workload was raised from, if it was."""
    top = snapshot.top(lack.maker)
    return fewer(snapshot, top) if isinstance(top, Deployment | StatefulSet) else None


def _observation(lack: Lack, over: Overrun, before: Earlier | None) -> Observation:
    each, used, hard = (_shown(over.resource, v) for v in (over.each, over.used, over.hard))
    quota = over.quota
    cites = [cite(quota, "status", "hard", over.resource)]
    if over.resource in quota.status.used:
        cites.append(cite(quota, "status", "used", over.resource))
    if before is not None:
        cites.append(before.at)
    return Observation(
        about=lack.maker.ref,
        says=f"{named(lack.maker)} lacks {count(lack.missing, 'pod')}: each takes {each} of {over.resource}, and quota "
        f"{quota.name!r} has {used} of {hard} in use",
        evidence=(*lack.cites, *cites),
        confidence=0.95,
        facts={
            "quota": quota.name,
            "resource": over.resource,
            "each": each,
            "used": used,
            "hard": hard,
            "missing": lack.missing,
            "before": before.replicas if before else None,
        },
    )


def _shown(name: str, amount: Decimal) -> str:
    if name.endswith("cpu"):
        return format_cores(amount)
    return format_bytes(int(amount)) if name.endswith(("memory", "storage")) else f"{amount.normalize():f}"
