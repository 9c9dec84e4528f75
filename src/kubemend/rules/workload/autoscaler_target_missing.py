"""KM408: an autoscaler of nothing."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Deployment, HorizontalPodAutoscaler, Obj, ReplicaSet, StatefulSet
from kubemend.model.objects.meta import condition
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot

GRACE_S = 60.0
"""Seconds for which an autoscaler may be there before what it scales."""

_SCALED: dict[str, type[Obj]] = {k.__name__: k for k in (Deployment, StatefulSet, ReplicaSet)}


@rule("KM408", severity=Severity.ERROR, reads=(HorizontalPodAutoscaler, Deployment, StatefulSet, ReplicaSet))
def autoscaler_target_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """An autoscaler names a workload that doesn't exist.

    ## What it means
    The `scaleTargetRef` of the HorizontalPodAutoscaler names a Deployment, StatefulSet or ReplicaSet that its
    namespace doesn't hold, and its controller has said for a minute that it can't get the scale. Targets of other
    kinds aren't judged.

    ## Why it matters
    Whatever it should scale stays as it is: too small under load, and too large without.

    ## What to do
    Correct the name (the finding gives a near match, if there is one), or delete the autoscaler if its workload is
    gone for good. kubemend doesn't do it: a workload that an autoscaler gets hold of is rescaled at once.
    """
    for scaler in snapshot.all(HorizontalPodAutoscaler):
        aim = scaler.spec.scale_target_ref
        kind = _SCALED.get(aim.kind)
        if kind is None or not snapshot.was_read(kind, scaler.namespace) or scaler.metadata.deletion_timestamp:
            continue
        if snapshot.get(kind, scaler.namespace, aim.name) is None and _told(snapshot, scaler):
            yield _observation(snapshot, scaler, kind)


def _told(snapshot: Snapshot, scaler: HorizontalPodAutoscaler) -> bool:
    """Whether its controller has been saying so for long enough."""
    able = condition(scaler.status.conditions, "AbleToScale")
    if able is None or able.reason != "FailedGetScale":
        return False
    return snapshot.has_passed(GRACE_S, able.last_transition_time)


def _observation(snapshot: Snapshot, scaler: HorizontalPodAutoscaler, kind: type[Obj]) -> Observation:
    aim = scaler.spec.scale_target_ref
    meant = near(aim.name, [w.name for w in snapshot.all(kind, scaler.namespace)])
    hint = f" (did you mean {meant!r}?)" if meant else ""
    at = next(i for i, c in enumerate(scaler.status.conditions) if c.type == "AbleToScale")
    return Observation(
        about=scaler.ref,
        says=f"is to scale {aim.kind} {aim.name}, which doesn't exist{hint}",
        evidence=(cite(scaler, "spec", "scaleTargetRef", "name"), cite(scaler, "status", "conditions", at, "reason")),
        confidence=0.95,
        facts={"kind": aim.kind, "name": aim.name, "near": meant},
    )
