"""An image that is known to be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.kube.names import Image, near, split_image
from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import REVISIONS, Site, container_before, proposal, site, verified
from kubemend.remedies.template import put, shape

_FLOATING = ("", "latest")


@dataclass(frozen=True)
class _Candidate:
    image: str
    source: str
    confidence: float


@dataclass(frozen=True)
class _Trust:
    """Confidence in a running image: of a tag that differs by a slip, of the sole tag, of a repository that does."""

    slip: float
    sole: float
    repository: float


_HERE, _ANYWHERE = _Trust(0.8, 0.7, 0.75), _Trust(0.7, 0.6, 0.65)


@strategy(
    cures=("KM103", "KM105"),
    risk=Risk.MEDIUM,
    reads=(Pod,),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("patch", "pods"),
        Access("create", "pods/eviction"),
    },
    order=20,
)
def restore_image_tag(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Name an image that is known to exist in place of one that can't be pulled.

    Candidates, best first: the image of the workload's own last good revision; an image of the same
    repository that runs right now in the namespace, then in the cluster, when there is just one tag or one
    that the wanted tag looks like a slip of; the same tag of a repository whose name is nearly the same and
    that runs right now.

    ## Safety
    Only an image that has run here is ever named. The tag `latest`, or none, is never put in place of
    another, unless the workload's own last good revision had it. Several tags that are equally likely are
    left to a person. Only the image changes; the pods of the last good revision stay until the new ones work.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    image = diagnosis.root.facts.get("image")
    if found.container is None or found.container.image != image:
        return Declined(f"the image is no longer {image!r}")
    if diagnosis.root.facts.get("cause") in ("busy", "never-pull"):
        return Declined("another image wouldn't help: the registry is busy, or pulling is turned off")
    chosen = next(_candidates(found, snapshot, str(image)), None)
    if chosen is None:
        return Declined(f"no image is known that {image!r} could stand for")
    wanted = put(shape(found.template), (*found.steps, "image"), chosen.image)
    reason = f"{chosen.image!r} {chosen.source}; {image!r} can't be had"
    terms = verified(found, diagnosis, snapshot)
    return proposal(found, snapshot, wanted, reason, chosen.confidence, terms, (found.cite("image"),))


def _candidates(found: Site, snapshot: Snapshot, image: str) -> Iterator[_Candidate]:
    if (held := container_before(found, snapshot)) is not None and held[0].image not in ("", image):
        yield _Candidate(held[0].image, f"is what {held[1].title} ran", held[1].confidence)
    near_by = {c for p in snapshot.all(Pod, found.obj.namespace) for c in _running(p)}
    yield from _siblings(image, near_by, "runs in this namespace", _HERE)
    yield from _siblings(image, snapshot.derived(_anywhere), "runs in this cluster", _ANYWHERE)


def _anywhere(snapshot: Snapshot) -> set[str]:
    return {c for p in snapshot.all(Pod) for c in _running(p)}


def _running(pod: Pod) -> Iterator[str]:
    """Images of a ready pod's containers: they exist, and this cluster can pull them."""
    if ready(pod):
        yield from (c.image for c in (*pod.spec.containers, *pod.spec.init_containers))


def _siblings(image: str, running: set[str], where: str, trust: _Trust) -> Iterator[_Candidate]:
    wanted = split_image(image)
    known = {i: split_image(i) for i in sorted(running - {image})}
    pinned = {i: parts for i, parts in known.items() if parts.tag not in _FLOATING}
    same = {parts.tag: i for i, parts in pinned.items() if _name(parts) == _name(wanted)}
    if (meant := near(wanted.tag, same)) is not None:
        yield _Candidate(same[meant], where, trust.slip)
    elif len(same) == 1:
        yield _Candidate(next(iter(same.values())), f"{where}, the only one of its repository", trust.sole)
    alike = {_name(parts): i for i, parts in pinned.items() if parts.tag == wanted.tag}
    if (meant := near(_name(wanted), alike)) is not None:
        yield _Candidate(alike[meant], f"{where} under a name that differs by a slip", trust.repository)


def _name(image: Image) -> str:
    return f"{image.host}/{image.repository.removeprefix('library/')}"
