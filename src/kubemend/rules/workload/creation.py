"""Controllers that can't make their pods, and in whose words they say so.

A ReplicaSet says it in its status. StatefulSets, DaemonSets and Jobs say it in events only, which the API server
forgets after an hour, but which their controllers repeat for as long as they keep trying.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from kubemend.model.finding import Cite, cite
from kubemend.model.objects import DaemonSet, Deployment, Event, Job, Obj, PodTemplate, ReplicaSet, StatefulSet
from kubemend.model.objects.meta import condition
from kubemend.model.snapshot import Snapshot

Maker = ReplicaSet | StatefulSet | DaemonSet | Job

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Lack:
    """A controller with fewer pods than it should make. text: why creation failed, in the API server's words, if known.

    cites: where that stands. missing: how many pods.
    """

    maker: Maker
    missing: int
    text: str = ""
    cites: tuple[Cite, ...] = ()

    @property
    def template(self) -> PodTemplate:
        """The template of the pods that are lacking."""
        return self.maker.spec.template


def lacking(snapshot: Snapshot) -> Iterator[Lack]:
    """Every controller that lacks pods, old revisions of a Deployment left out, with what refused them."""
    events = _failures(snapshot)
    for maker in _makers(snapshot):
        missing = _missing(maker)
        if missing > 0 and maker.metadata.deletion_timestamp is None and not _outdated(snapshot, maker):
            yield _lack(maker, missing, events.get(maker.metadata.uid))


def refused(snapshot: Snapshot) -> Iterator[Lack]:
    """Those of them whose pods the API server was asked for and refused."""
    return (lack for lack in lacking(snapshot) if lack.text)


def _makers(snapshot: Snapshot) -> Iterator[Maker]:
    yield from snapshot.all(ReplicaSet)
    yield from snapshot.all(StatefulSet)
    yield from snapshot.all(DaemonSet)
    yield from snapshot.all(Job)


def _missing(maker: Maker) -> int:
    match maker:
        case ReplicaSet() | StatefulSet():
            return maker.spec.replicas - maker.status.replicas
        case DaemonSet():
            return maker.status.desired_number_scheduled - maker.status.current_number_scheduled
        case Job():
            done = any(condition(maker.status.conditions, c) for c in ("Complete", "Failed", "Suspended"))
            wanted = min(maker.spec.parallelism, (maker.spec.completions or maker.spec.parallelism))
            return 0 if done or maker.spec.suspend else wanted - maker.status.active - maker.status.succeeded


def _outdated(snapshot: Snapshot, maker: Maker) -> bool:
    """Whether a ReplicaSet isn't its Deployment's newest revision any more."""
    deployment = snapshot.owner(maker)
    return isinstance(deployment, Deployment) and snapshot.revisions(deployment)[0].name != maker.name


def _failures(snapshot: Snapshot) -> dict[str, Event]:
    """The newest event of a failed pod creation, by the controller's uid."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in snapshot.all(Event):
        if event.reason == "FailedCreate":
            found[event.involved_object.uid].append(event)
    return {uid: max(held, key=lambda e: (e.last_seen or _NEVER, e.name)) for uid, held in found.items()}


def _lack(maker: Maker, missing: int, event: Event | None) -> Lack:
    if isinstance(maker, ReplicaSet):
        for i, said in enumerate(maker.status.conditions):
            if said.type == "ReplicaFailure" and said.status == "True":
                steps = ("status", "conditions", i)
                return Lack(maker, missing, said.message, (cite(maker, *steps, "message"),))
    if event is not None:
        return Lack(maker, missing, event.message, (cite(event, "message"),))
    return Lack(maker, missing)


def named(maker: Obj) -> str:
    """How a sentence names a controller."""
    return f"{type(maker).__name__} {maker.name}"
