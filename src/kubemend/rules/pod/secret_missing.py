"""KM108: a Secret, or a key of one, that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.lack import keyless, missing
from kubemend.rules.pod.seen import CONTROLLERS


@rule("KM108", severity=Severity.ERROR, reads=(Pod,), uses=(Event, *CONTROLLERS), explains=("KM401", "KM405", "KM503"))
def secret_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod waits for a Secret, or a key of one, that doesn't exist.

    ## What it means
    The kubelet says that a Secret which the pod's spec names isn't there, or lacks the key that is wanted.
    kubemend doesn't list Secrets; it takes the kubelet's word, and only for a name that the spec really holds.

    ## Why it matters
    The kubelet won't create the container (`CreateContainerConfigError`) or mount the volume
    (`ContainerCreating` for good) until the Secret is there.

    ## What to do
    Create the Secret or add the key, or correct the name if it was misspelt or changed with the newest
    revision. If an operator should have made it (External Secrets, Sealed Secrets), look there.
    """
    for lack in (*missing(snapshot, "Secret"), *keyless(snapshot, "Secret")):
        wanted = f"key {lack.key!r} of Secret" if lack.key else "Secret"
        yield Observation(
            about=lack.pod.ref,
            says=f"{lack.title} needs {wanted} {lack.reference.name!r}, which isn't there",
            evidence=lack.evidence,
            confidence=lack.confidence,
            facts=lack.facts,
        )
