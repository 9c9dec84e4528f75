"""KM106: a ConfigMap that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import ConfigMap, Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.lack import missing
from kubemend.rules.pod.seen import CONTROLLERS


@rule(
    "KM106",
    severity=Severity.ERROR,
    reads=(Pod,),
    uses=(ConfigMap, Event, *CONTROLLERS),
    explains=("KM401", "KM405", "KM503"),
)
def config_map_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod waits for a ConfigMap that doesn't exist.

    ## What it means
    An environment variable, `envFrom` or a volume of the pod names a ConfigMap that its namespace doesn't
    hold, and the reference isn't marked optional. References in projected volumes are not looked at.

    ## Why it matters
    The kubelet won't create the container (`CreateContainerConfigError`) or mount the volume
    (`ContainerCreating` for good) until the ConfigMap is there.

    ## What to do
    Create the ConfigMap, or correct the name if it was misspelt or changed with the newest revision.
    """
    for lack in missing(snapshot, "ConfigMap"):
        yield Observation(
            about=lack.pod.ref,
            says=f"{lack.title} needs ConfigMap {lack.reference.name!r}, which doesn't exist in {lack.pod.namespace}",
            evidence=lack.evidence,
            confidence=lack.confidence,
            facts=lack.facts,
        )
