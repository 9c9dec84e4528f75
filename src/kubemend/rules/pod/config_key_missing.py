"""KM107: a ConfigMap without a key that is wanted."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import ConfigMap, Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.lack import keyless
from kubemend.rules.pod.seen import CONTROLLERS


@rule(
    "KM107",
    severity=Severity.ERROR,
    reads=(Pod,),
    uses=(ConfigMap, Event, *CONTROLLERS),
    explains=("KM401", "KM405", "KM503"),
)
def config_key_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod waits for a key that its ConfigMap doesn't have.

    ## What it means
    The ConfigMap exists, but an environment variable or an item of a volume asks for a key that isn't among
    its data, and the reference isn't marked optional.

    ## Why it matters
    The kubelet won't start the container until the key is there.

    ## What to do
    Correct the key in the pod template, or add it to the ConfigMap if it was left out.
    """
    for lack in keyless(snapshot, "ConfigMap"):
        yield Observation(
            about=lack.pod.ref,
            says=f"{lack.title} needs key {lack.key!r} of ConfigMap {lack.reference.name!r}, which lacks it",
            evidence=lack.evidence,
            confidence=lack.confidence,
            facts=lack.facts,
        )
