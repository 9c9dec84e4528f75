"""KM406: the namespace's LimitRange refuses pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.kube.quantity import parse
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Container, DaemonSet, Event, Job, LimitRange, ReplicaSet, StatefulSet
from kubemend.model.objects.config import LimitRangeItem
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.creation import Lack, lacking, named
from kubemend.rules.workload.words import count

Amount = str | int | float


@dataclass(frozen=True)
class Breach:
    """One bound of a LimitRange that a container doesn't keep. index: the item of the LimitRange."""

    limits: LimitRange
    index: int
    container: str
    resource: str
    bound: str
    allowed: Amount
    asked: Amount


@rule(
    "KM406",
    severity=Severity.ERROR,
    reads=(ReplicaSet, StatefulSet, DaemonSet, Job, LimitRange),
    uses=(Event, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def limit_range_violated(snapshot: Snapshot) -> Iterator[Observation]:
    """A workload's pods are refused because a container is outside the namespace's LimitRange.

    ## What it means
    A LimitRange of the namespace sets the most (or least) that a container may ask for, the pod template asks
    for more (or less), and pods of the workload are lacking. The API server refuses every one of them.

    ## Why it matters
    No new pod of the workload can be made until the template or the LimitRange changes.

    ## What to do
    Bring the container's requests and limits within the range; if the newest revision changed them, take that
    back. A range that is too narrow for real work is for its owner to widen.
    """
    for lack in lacking(snapshot):
        for breach in list(_breaches(snapshot, lack))[:1]:
            yield _observation(lack, breach)


def _breaches(snapshot: Snapshot, lack: Lack) -> Iterator[Breach]:
    spec = lack.template.spec
    for limits in snapshot.all(LimitRange, lack.maker.namespace):
        for index, item in enumerate(limits.spec.limits):
            if item.type == "Container":
                for container in (*spec.init_containers, *spec.containers):
                    for resource, bound, allowed, asked in _outside(item, container):
                        yield Breach(limits, index, container.name, resource, bound, allowed, asked)


def _outside(item: LimitRangeItem, container: Container) -> Iterator[tuple[str, str, Amount, Amount]]:
    """(resource, bound, allowed, asked) for each bound that isn't kept, defaults filled in as admission does."""
    limits = {**item.default, **container.resources.limits}
    asked = {**item.default, **item.default_request, **container.resources.limits, **container.resources.requests}
    for name, most in sorted(item.max.items()):
        if name in limits and parse(limits[name]) > parse(most):
            yield name, "max", most, limits[name]
        elif name in asked and parse(asked[name]) > parse(most):
            yield name, "max", most, asked[name]
    for name, least in sorted(item.min.items()):
        if name in asked and parse(asked[name]) < parse(least):
            yield name, "min", least, asked[name]


def _observation(lack: Lack, breach: Breach) -> Observation:
    most = "at most" if breach.bound == "max" else "at least"
    return Observation(
        about=lack.maker.ref,
        says=f"{named(lack.maker)} lacks {count(lack.missing, 'pod')}: container {breach.container!r} asks for "
        f"{breach.asked} {breach.resource}, LimitRange {breach.limits.name!r} allows {most} {breach.allowed}",
        evidence=(cite(breach.limits, "spec", "limits", breach.index, breach.bound, breach.resource), *lack.cites),
        confidence=0.95 if lack.text else 0.8,
        facts={
            "container": breach.container,
            "limit_range": breach.limits.name,
            "resource": breach.resource,
            "bound": breach.bound,
            "allowed": str(breach.allowed),
            "asked": str(breach.asked),
        },
    )
