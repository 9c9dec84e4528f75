"""KM407: admission refuses pods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import DaemonSet, Event, Job, ReplicaSet, StatefulSet
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.creation import Lack, named, refused
from kubemend.rules.workload.words import count

Kind = Literal["webhook", "policy", "class"]

# What a denying webhook says in its own words comes after the API server's, so the first of these is looked for first.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("webhook", re.compile(r"failed calling webhook ")),
    ("policy", re.compile(r"admission webhook .* denied the request|violates PodSecurity |AdmissionPolicy .* denied ")),
    ("class", re.compile(r"no PriorityClass with name |RuntimeClass .* not found")),
)
_SAYS: dict[Kind, tuple[str, float]] = {
    "webhook": ("an admission webhook that must be asked can't be reached", 0.95),
    "policy": ("a policy of the namespace or the cluster doesn't allow them", 0.95),
    "class": ("the priority or runtime class that they name doesn't exist", 0.92),
}


@rule(
    "KM407",
    severity=Severity.ERROR,
    reads=(ReplicaSet, StatefulSet, DaemonSet, Job),
    uses=(Event, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def pods_refused(snapshot: Snapshot) -> Iterator[Observation]:
    """A workload's pods are refused by an admission webhook, a policy, or for a class that doesn't exist.

    ## What it means
    The controller asked the API server for pods and was told no: a webhook with `failurePolicy: Fail` doesn't
    answer; a webhook, a ValidatingAdmissionPolicy or the namespace's Pod Security level denies them; or their
    PriorityClass or RuntimeClass isn't there. Quotas, LimitRanges and service accounts have findings of their own.

    ## Why it matters
    No new pod of the workload can be made: a rollout stands still, and a lost pod isn't replaced. A webhook that
    doesn't answer may stop every workload of the cluster in the same way.

    ## What to do
    Read the refusal. Bring back what serves the webhook, or narrow what it is asked about. If the newest revision
    wants what the policy forbids, or misnames a class, take that back.
    """
    for lack in refused(snapshot):
        kind = next((kind for kind, pattern in _KINDS if pattern.search(lack.text)), None)
        if kind is not None:
            yield _observation(lack, kind)


def _observation(lack: Lack, kind: Kind) -> Observation:
    why, confidence = _SAYS[kind]
    return Observation(
        about=lack.maker.ref,
        says=f"{named(lack.maker)} lacks {count(lack.missing, 'pod')}, which the API server refuses: {why}",
        evidence=lack.cites,
        confidence=confidence,
        facts={"kind": kind, "missing": lack.missing},
    )
