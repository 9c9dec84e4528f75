"""How many replicas a workload had before: what is left of that in the objects themselves, and in events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.model.finding import Cite, cite
from kubemend.model.objects import Deployment, Event, ReplicaSet, StatefulSet
from kubemend.model.snapshot import Snapshot

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What `kubectl apply` was last given, as JSON."""

DESIRED = "deployment.kubernetes.io/desired-replicas"
"""The Deployment's replicas when this ReplicaSet was last scaled (`deployment/util`). The newest one follows every
scaling, so only those of older revisions, or one that was left alone, remember."""

_SCALED = re.compile(r"Scaled (?:up|down) replica set (\S+) from (\d{1,5}) to (\d{1,5})")


@dataclass(frozen=True)
class Earlier:
    """A replica count of the past, and where it stands."""

    replicas: int
    at: Cite


def applied(workload: Deployment | StatefulSet) -> Earlier | None:
    """The replicas that the manifest last applied asks for; None when there is none or it leaves them open."""
    text = workload.metadata.annotations.get(APPLIED, "")
    try:
        replicas = json.loads(text)["spec"]["replicas"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        return None
    return Earlier(replicas, cite(workload, "metadata", "annotations", APPLIED))


def earlier(snapshot: Snapshot, workload: Deployment | StatefulSet) -> Earlier | None:
    """The replicas a workload had before it was scaled to zero: as applied, else as its ReplicaSets or events tell."""
    if (told := applied(workload)) is not None:
        return told if told.replicas else None
    if isinstance(workload, Deployment):
        return next((e for e in (*_revisions(snapshot, workload), *_events(snapshot, workload, 0)) if e.replicas), None)
    return None


def _revisions(snapshot: Snapshot, deployment: Deployment) -> Iterator[Earlier]:
    for revision in snapshot.revisions(deployment):
        text = revision.metadata.annotations.get(DESIRED, "")
        if text.isdigit():
            yield Earlier(int(text), cite(revision, "metadata", "annotations", DESIRED))


def fewer(snapshot: Snapshot, workload: Deployment | StatefulSet) -> Earlier | None:
    """The lower replica count that a workload was raised from; None when nothing shows that it was."""
    told = applied(workload)
    events = _events(snapshot, workload, workload.spec.replicas) if isinstance(workload, Deployment) else ()
    known = (*((told,) if told else ()), *events)
    return next((e for e in known if 0 < e.replicas < workload.spec.replicas), None)


def _events(snapshot: Snapshot, deployment: Deployment, to: int) -> Iterator[Earlier]:
    """What the controller said when it scaled a ReplicaSet of this Deployment to so many, newest first."""
    names = {r.name for r in snapshot.owned(deployment, ReplicaSet)}
    said = [
        e
        for e in snapshot.all(Event, deployment.namespace)
        if e.reason == "ScalingReplicaSet" and e.involved_object.uid == deployment.metadata.uid
    ]
    for event in sorted(said, key=lambda e: str(e.last_seen), reverse=True):
        found = _SCALED.match(event.message)
        if found and found[1] in names and int(found[3]) == to:
            yield Earlier(int(found[2]), cite(event, "message"))
