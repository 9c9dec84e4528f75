"""KM104: an image the pod has no right to."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.pull import failures
from kubemend.rules.pod.seen import CONTROLLERS


@rule("KM104", severity=Severity.ERROR, reads=(Pod,), uses=(Event, *CONTROLLERS), explains=("KM401", "KM405", "KM503"))
def image_pull_unauthorized(snapshot: Snapshot) -> Iterator[Observation]:
    """A registry refuses to hand out an image without (other) credentials.

    ## What it means
    The registry answered the pull with "unauthorized" or "denied". The pod names no pull secret, names one
    that is missing or out of date, or the account behind it may not read this repository.

    ## Why it matters
    The container can't start, and neither can any new replica on a node that doesn't hold the image yet.

    ## What to do
    Check `imagePullSecrets` of the pod and of its service account, and that the secret holds credentials that
    the registry accepts. kubemend never reads secrets, so it can't do that for you.
    """
    for failure in failures(snapshot):
        if failure.cause != "unauthorized":
            continue
        held = failure.seen.pod.spec.image_pull_secrets
        own = f"its {len(held)} pull secrets" if held else "no pull secret of its own"
        yield Observation(
            about=failure.seen.pod.ref,
            says=f"{failure.seen.title} is refused image {failure.image!r}; the pod has {own}",
            evidence=failure.evidence,
            facts={**failure.seen.facts, "image": failure.image, "pull_secrets": tuple(s.name for s in held)},
        )
