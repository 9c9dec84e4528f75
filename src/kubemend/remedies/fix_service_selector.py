"""The selector that finds the pods."""

from __future__ import annotations

from typing import Any

from kubemend.kube.rollout import progress
from kubemend.kube.selectors import subset
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import DaemonSet, Deployment, ReplicaSet, Service, StatefulSet
from kubemend.model.plan import Declined, Patch, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy

Runner = Deployment | StatefulSet | DaemonSet | ReplicaSet


@strategy(
    cures=("KM501",),
    risk=Risk.MEDIUM,
    reads=(Service, Deployment, StatefulSet, DaemonSet, ReplicaSet),
    needs={Access("patch", "services")},
    order=30,
)
def fix_service_selector(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Correct the one label of a Service's selector that keeps it from its pods.

    ## Safety
    Planned only if exactly one workload comes into question and the corrected selector selects that one alone.
    Every other label of the selector stays; the last one is never taken away. The workload must be well first,
    for its endpoints are what proves the repair.
    """
    service, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(service, Service):
        return Declined(f"{diagnosis.target} is no longer there")
    key, meant = str(facts["key"]), facts.get("near")
    if service.spec.selector.get(key) != facts["value"]:
        return Declined(f"the selector no longer asks for {key}={facts['value']}")
    if not meant:
        return Declined(f"several workloads come into question: {facts.get('candidates')}")
    change: dict[str, Any] = {key: None}
    if facts.get("near_key"):
        change[str(facts["near_key"])] = facts["near_value"]
    wanted = {k: v for k, v in {**service.spec.selector, **change}.items() if v is not None}
    chosen = [r for r in _runners(snapshot, service.namespace) if subset(wanted, r.spec.template.metadata.labels)]
    if not wanted or [r.name for r in chosen] != [meant]:
        return Declined(f"the corrected selector would select {len(chosen)} workloads, not {meant} alone")
    if not (state := progress(chosen[0])).complete:
        return Declined(f"its endpoints must prove it, and {chosen[0].ref} isn't well yet: {state.why}")
    shown = ", ".join(f"{k}={v}" for k, v in sorted(wanted.items()))
    return Proposal(
        changes=(
            Patch(target=service.ref, uid=service.metadata.uid, body={"spec": {"selector": change}}, kind="merge"),
        ),
        reason=f"{shown} selects the pods of {chosen[0].ref}, and of nothing else",
        confidence=0.85,
        verify=Verify(healthy=(service.ref,)),
        requires=(cite(service, "spec", "selector", key),),
    )


def _runners(snapshot: Snapshot, namespace: str) -> list[Runner]:
    found: list[Runner] = [*snapshot.all(Deployment, namespace), *snapshot.all(StatefulSet, namespace)]
    found += [*snapshot.all(DaemonSet, namespace), *snapshot.all(ReplicaSet, namespace)]
    return [r for r in found if r.metadata.controller is None]
