"""KM403: the pods' service account isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import DaemonSet, Event, Job, ReplicaSet, ServiceAccount, StatefulSet
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.creation import lacking, named
from kubemend.rules.workload.words import count


@rule(
    "KM403",
    severity=Severity.ERROR,
    reads=(ReplicaSet, StatefulSet, DaemonSet, Job, ServiceAccount),
    uses=(Event, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def service_account_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """A workload's pods can't be made because their ServiceAccount doesn't exist.

    ## What it means
    The pod template names a ServiceAccount that its namespace doesn't hold, and pods of the workload are
    lacking. The API server refuses every pod of it; nothing but an event or the ReplicaSet's status says so.

    ## Why it matters
    No new pod of the workload can be made: a rollout stands still, and a lost pod isn't replaced.

    ## What to do
    Correct the name in the pod template, or create the ServiceAccount with the roles that it needs.
    """
    for lack in lacking(snapshot):
        name, namespace = lack.template.spec.service_account_name, lack.maker.namespace
        if not name or not snapshot.was_read(ServiceAccount, namespace):
            continue
        if snapshot.get(ServiceAccount, namespace, name) is not None:
            continue
        meant = near(name, [a.name for a in snapshot.all(ServiceAccount, namespace)])
        hint = f" (did you mean {meant!r}?)" if meant else ""
        yield Observation(
            about=lack.maker.ref,
            says=f"{named(lack.maker)} lacks {count(lack.missing, 'pod')}: service account {name!r} is missing{hint}",
            evidence=(cite(lack.maker, "spec", "template", "spec", "serviceAccountName"), *lack.cites),
            confidence=0.95 if lack.text else 0.85,
            facts={"name": name, "near": meant},
        )
