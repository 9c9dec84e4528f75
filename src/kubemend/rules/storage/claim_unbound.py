"""KM302: a claim that finds no volume."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Event, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.storage.claims import Obstacle, broken, consumers, failures, waiting

_SAYS: dict[Obstacle, str] = {
    "no-default-class": "names no StorageClass and the cluster has no default one",
    "no-volume": "can only be bound to a volume that is there, and no free one suits it",
    "provisioning": "has waited for its provisioner longer than provisioning takes",
}
_CONFIDENCE: dict[Obstacle, float] = {"no-default-class": 0.95, "no-volume": 0.85, "provisioning": 0.7}


@rule(
    "KM302",
    severity=Severity.ERROR,
    reads=(PersistentVolumeClaim, StorageClass, PersistentVolume),
    uses=(Pod, Event, *CONTROLLERS),
    explains=("KM206", "KM401", "KM503"),
)
def claim_unbound(snapshot: Snapshot) -> Iterator[Observation]:
    """A volume claim can't be bound.

    ## What it means
    The claim is Pending for one of three reasons: it names no class where there is no default class; it wants
    a volume that somebody has to make by hand, and no free one has its class, size and access modes; or the
    provisioner of its class hasn't made a volume for five minutes (one minute once it has reported a failure).
    A claim that waits for its first consumer, as its class says it should, isn't reported.

    ## Why it matters
    Every pod that mounts the claim stays Pending.

    ## What to do
    Mark a StorageClass as default or name one in the claim; make a volume that suits it; or look at the
    provisioner and at the claim's events.
    """
    for claim in snapshot.all(PersistentVolumeClaim):
        reason = broken(snapshot, claim)
        if reason is None or reason == "class-missing":
            continue
        evidence = [cite(claim, "status", "phase")]
        if claim.spec.storage_class_name is not None:
            evidence.append(cite(claim, "spec", "storageClassName"))
        evidence += [cite(e, "reason") for e in failures(snapshot, claim)[:1]]
        yield Observation(
            about=claim.ref,
            says=f"claim {_SAYS[reason]}",
            evidence=tuple(evidence),
            confidence=_CONFIDENCE[reason],
            facts={"reason": reason, "storage_class": claim.spec.storage_class_name},
            affects=waiting(snapshot, consumers(snapshot, claim)),
        )
