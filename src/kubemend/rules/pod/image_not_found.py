"""KM103: an image that can't be had."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.pull import Cause, Failure, failures
from kubemend.rules.pod.seen import CONTROLLERS

_SAYS: dict[Cause, tuple[str, float]] = {
    "not-found": ("its registry has no such image or tag", 0.95),
    "registry": ("its registry can't be reached", 0.75),
    "never-pull": ("its node doesn't have it and may not pull it (imagePullPolicy Never)", 0.9),
    "busy": ("its registry turns requests away for now", 0.6),
    "unknown": ("no reason is given", 0.7),
}


@rule("KM103", severity=Severity.ERROR, reads=(Pod,), uses=(Event, *CONTROLLERS), explains=("KM401", "KM405", "KM503"))
def image_not_found(snapshot: Snapshot) -> Iterator[Observation]:
    """An image can't be pulled: it isn't there, or its registry can't be reached.

    ## What it means
    The container runtime asked the registry for the image and didn't get it: the repository or the tag
    doesn't exist, the registry's host can't be reached, or the pull policy is `Never` and the node doesn't
    hold the image. A registry that is merely busy is told apart, with less confidence.

    ## Why it matters
    The container can't start, and it won't until the image is there or another one is named.

    ## What to do
    Look for a slip in the image's name or tag. If an earlier revision of the workload ran with another image
    of the same repository, go back to that. Push the missing image if the name is right.
    """
    for failure in failures(snapshot):
        if failure.cause != "unauthorized":
            yield _observation(failure)


def _observation(failure: Failure) -> Observation:
    why, confidence = _SAYS[failure.cause]
    return Observation(
        about=failure.seen.pod.ref,
        says=f"{failure.seen.title} can't get image {failure.image!r}: {why}",
        evidence=failure.evidence,
        confidence=confidence,
        facts={**failure.seen.facts, "image": failure.image, "cause": failure.cause},
    )
