"""KM105: an image name no runtime accepts."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS, containers


@rule("KM105", severity=Severity.ERROR, reads=(Pod,), uses=CONTROLLERS, explains=("KM401", "KM405", "KM503"))
def image_name_invalid(snapshot: Snapshot) -> Iterator[Observation]:
    """An image name can't be parsed.

    ## What it means
    The name isn't an image reference: an upper-case letter in the repository, a space, a doubled colon, an
    empty tag. The API server doesn't check this; the kubelet does, and doesn't even try to pull.

    ## Why it matters
    The container can't start until the name is put right.

    ## What to do
    Correct the name, or go back to the revision before it was changed.
    """
    for seen in containers(snapshot):
        if seen.waiting == "InvalidImageName" and seen.spec is not None:
            yield Observation(
                about=seen.pod.ref,
                says=f"{seen.title} names image {seen.spec.image!r}, which is no valid image reference",
                evidence=(seen.cite("state", "waiting", "reason"), seen.cite_spec("image")),
                confidence=0.98,
                facts={**seen.facts, "image": seen.spec.image},
            )
