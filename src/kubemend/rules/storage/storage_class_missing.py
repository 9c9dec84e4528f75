"""KM301: a claim on a class of storage that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Event, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.storage.claims import broken, consumers, waiting


@rule(
    "KM301",
    severity=Severity.ERROR,
    reads=(PersistentVolumeClaim, StorageClass, PersistentVolume),
    uses=(Pod, Event, *CONTROLLERS),
    explains=("KM206", "KM401", "KM503"),
)
def storage_class_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """A volume claim names a StorageClass that doesn't exist.

    ## What it means
    The claim is Pending, no StorageClass has the name it asks for, and no PersistentVolume carries that name as
    a static class either. So nothing will ever make or bind a volume for it.

    ## Why it matters
    Every pod that mounts the claim stays Pending.

    ## What to do
    Correct the class. A claim's class can't be changed, so an unbound claim (it holds no data) is deleted and
    made anew; for a StatefulSet the claim template is what must be corrected. Or create the missing class.
    """
    names = [c.name for c in snapshot.all(StorageClass)]
    default = next((c.name for c in snapshot.all(StorageClass) if c.is_default), None)
    for claim in snapshot.all(PersistentVolumeClaim):
        if broken(snapshot, claim) != "class-missing":
            continue
        wanted = claim.spec.storage_class_name or ""
        meant = near(wanted, names)
        known = f"did you mean {meant!r}?" if meant else f"{len(names)} classes exist"
        yield Observation(
            about=claim.ref,
            says=f"claim asks for StorageClass {wanted!r}, which doesn't exist ({known})",
            evidence=(cite(claim, "spec", "storageClassName"), cite(claim, "status", "phase")),
            confidence=0.95,
            facts={"storage_class": wanted, "near": meant, "default": default},
            affects=waiting(snapshot, consumers(snapshot, claim)),
        )
