"""KM206: the pod's volume claim isn't bound, or isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Event, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.search import said, waiting
from kubemend.rules.storage.claims import broken


@rule(
    "KM206",
    severity=Severity.ERROR,
    reads=(Pod, PersistentVolumeClaim),
    uses=(StorageClass, PersistentVolume, Event, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def pod_waits_for_claim(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod waits for a volume claim that isn't bound or doesn't exist.

    ## What it means
    A volume of the pod names a PersistentVolumeClaim that its namespace doesn't hold, or one that can't be
    bound. While a volume is being provisioned in good time nothing is reported.

    ## Why it matters
    The scheduler places no pod whose claims aren't there and bound (or ready to be bound on a node).

    ## What to do
    For a claim that can't be bound, look at the finding about the claim itself. For one that doesn't exist,
    correct the name in the pod template or create the claim.
    """
    for pod in waiting(snapshot):
        for index, volume in enumerate(pod.spec.volumes):
            if volume.persistent_volume_claim is None:
                continue
            name = volume.persistent_volume_claim.claim_name
            claim = snapshot.get(PersistentVolumeClaim, pod.namespace, name)
            if (claim is None and not snapshot.was_read(PersistentVolumeClaim, pod.namespace)) or (
                claim is not None and broken(snapshot, claim) is None
            ):
                continue
            yield _observation(snapshot, pod, index, name, claim)


def _observation(
    snapshot: Snapshot, pod: Pod, index: int, name: str, claim: PersistentVolumeClaim | None
) -> Observation:
    named = cite(pod, "spec", "volumes", index, "persistentVolumeClaim", "claimName")
    if claim is not None:
        return Observation(
            about=pod.ref,
            says=f"pod waits for volume claim {name!r}, which isn't bound",
            evidence=(said(pod), named, cite(claim, "status", "phase")),
            facts={"claim": name, "missing": False},
            depends=(claim.ref,),
        )
    meant = near(name, [c.name for c in snapshot.all(PersistentVolumeClaim, pod.namespace)])
    hint = f" (did you mean {meant!r}?)" if meant else ""
    return Observation(
        about=pod.ref,
        says=f"pod needs volume claim {name!r}, which doesn't exist in {pod.namespace}{hint}",
        evidence=(said(pod), named),
        facts={"claim": name, "missing": True, "near": meant},
    )
