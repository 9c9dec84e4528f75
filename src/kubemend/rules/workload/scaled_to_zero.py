"""KM404: nothing runs of what is depended on."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.selectors import subset
from kubemend.model.finding import Cite, Fact, Observation, Severity, cite
from kubemend.model.objects import (
    Deployment,
    Event,
    HorizontalPodAutoscaler,
    Ingress,
    ReplicaSet,
    Service,
    StatefulSet,
)
from kubemend.model.objects.network import IngressBackend
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.workload.history import applied, earlier


@rule(
    "KM404",
    severity=Severity.ERROR,
    reads=(Deployment, StatefulSet, HorizontalPodAutoscaler),
    uses=(ReplicaSet, Service, Ingress, Event),
    explains=("KM501", "KM503"),
)
def scaled_to_zero(snapshot: Snapshot) -> Iterator[Observation]:
    """A workload that something depends on is scaled to zero.

    ## What it means
    The workload has no replicas, although an autoscaler wants at least one (it stops scaling a target that
    stands at zero), or although an Ingress sends traffic to its Service and its own history shows that it had
    replicas. A workload at zero that nothing depends on, or that was applied with zero, isn't reported.

    ## Why it matters
    Nothing answers: requests through the Ingress or the Service fail, and the autoscaler won't help.

    ## What to do
    If it wasn't scaled down on purpose, scale it back to what it was, or to the autoscaler's minimum.
    """
    workloads: list[Deployment | StatefulSet] = [*snapshot.all(Deployment), *snapshot.all(StatefulSet)]
    for workload in workloads:
        if workload.spec.replicas == 0 and not workload.metadata.deletion_timestamp:
            yield from _judge(snapshot, workload)


def _judge(snapshot: Snapshot, workload: Deployment | StatefulSet) -> Iterator[Observation]:
    before = earlier(snapshot, workload)
    facts: dict[str, Fact] = {"before": before.replicas} if before else {}
    cites = (cite(workload, "spec", "replicas"), *((before.at,) if before else ()))
    scaler = _scaler(snapshot, workload)
    if scaler is not None and scaler.spec.min_replicas >= 1:
        on_purpose = (told := applied(workload)) is not None and told.replicas == 0
        yield Observation(
            about=workload.ref,
            says=f"has no replicas, though autoscaler {scaler.name} wants {scaler.spec.min_replicas} to "
            f"{scaler.spec.max_replicas}",
            evidence=(*cites, cite(scaler, "spec", "scaleTargetRef", "name")),
            confidence=0.6 if on_purpose else 0.9,
            facts={**facts, "least": scaler.spec.min_replicas, "most": scaler.spec.max_replicas},
        )
    elif before is not None and (at := _published(snapshot, workload)) is not None:
        yield Observation(
            about=workload.ref,
            says=f"has no replicas, though it had {before.replicas} and Ingress {at.ref.name} sends traffic to it",
            evidence=(*cites, at),
            confidence=0.85,
            facts=facts,
        )


def _scaler(snapshot: Snapshot, workload: Deployment | StatefulSet) -> HorizontalPodAutoscaler | None:
    for scaler in snapshot.all(HorizontalPodAutoscaler, workload.namespace):
        aim = scaler.spec.scale_target_ref
        if (aim.kind, aim.name) == (type(workload).__name__, workload.name):
            return scaler
    return None


def _published(snapshot: Snapshot, workload: Deployment | StatefulSet) -> Cite | None:
    """The Ingress backend that is a Service in front of this workload's pods."""
    labels = workload.spec.template.metadata.labels
    chosen = [s for s in snapshot.all(Service, workload.namespace) if s.spec.selector]
    names = {s.name for s in chosen if subset(s.spec.selector, labels)}
    for ingress in snapshot.all(Ingress, workload.namespace):
        for steps, backend in _backends(ingress):
            if backend.service is not None and backend.service.name in names:
                return cite(ingress, *steps, "service", "name")
    return None


def _backends(ingress: Ingress) -> Iterator[tuple[tuple[str | int, ...], IngressBackend]]:
    if ingress.spec.default_backend is not None:
        yield ("spec", "defaultBackend"), ingress.spec.default_backend
    for i, held in enumerate(ingress.spec.rules):
        for j, path in enumerate(held.http.paths if held.http else ()):
            yield ("spec", "rules", i, "http", "paths", j, "backend"), path.backend
