"""KM401: a rollout that doesn't come through."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.rollout import active, ready
from kubemend.model.finding import Cite, Fact, Observation, Severity, cite
from kubemend.model.objects import ContainerStatus, Deployment, Pod, ReplicaSet, StatefulSet
from kubemend.model.objects.meta import condition
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot, revision_of
from kubemend.rules.scheduling.search import older
from kubemend.rules.workload.words import count

FAILING = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "RunContainerError",
    }
)
"""Reasons for a container's waiting that say it has failed, not that it is on its way."""

HASH = "controller-revision-hash"
"""The label that says of which revision of its StatefulSet a pod is."""


@rule("KM401", severity=Severity.ERROR, reads=(Deployment, ReplicaSet, StatefulSet, Pod), explains=("KM503",))
def rollout_stuck(snapshot: Snapshot) -> Iterator[Observation]:
    """A rollout is stuck: the new revision doesn't come up.

    ## What it means
    Either the Deployment has made no progress within its deadline (`progressDeadlineSeconds`, ten minutes by
    default); or pods of the new revision are failing while an older revision is kept alive to do the work. A
    rollout that is merely under way, or paused, isn't reported.

    ## Why it matters
    The change isn't live, and until it is (or is taken back) fewer replicas than wanted may be serving.

    ## What to do
    Look at the findings about the new pods first: they say why these don't come up. If the cause is the new
    revision itself, roll it back.
    """
    for deployment in snapshot.all(Deployment):
        if not deployment.spec.paused and deployment.spec.replicas and not deployment.metadata.deletion_timestamp:
            yield from _deployment(snapshot, deployment)
    for stateful in snapshot.all(StatefulSet):
        if stateful.status.update_revision not in ("", stateful.status.current_revision):
            yield from _stateful_set(snapshot, stateful)


def _deployment(snapshot: Snapshot, deployment: Deployment) -> Iterator[Observation]:
    revisions = snapshot.revisions(deployment)
    facts: dict[str, Fact] = {"revision": revision_of(revisions[0])} if revisions else {}
    status = deployment.status
    moving = condition(status.conditions, "Progressing")
    seen = deployment.metadata.generation <= status.observed_generation
    if seen and moving is not None and moving.reason == "ProgressDeadlineExceeded":
        at = status.conditions.index(moving)
        seconds = deployment.spec.progress_deadline_seconds
        yield Observation(
            about=deployment.ref,
            says=f"rollout has made no progress for {seconds} s: {status.updated_replicas} of "
            f"{deployment.spec.replicas} replicas are updated, {status.available_replicas} are available",
            evidence=(cite(deployment, "status", "conditions", at, "reason"),),
            facts=facts,
        )
    elif failing := _failing_beside_old(snapshot, revisions):
        yield Observation(
            about=deployment.ref,
            says=f"{count(len(failing), 'pod')} of the new revision failing, while an older one is kept alive",
            evidence=tuple(failing[:3]),
            confidence=0.85,
            facts=facts,
        )


def _failing_beside_old(snapshot: Snapshot, revisions: list[ReplicaSet]) -> list[Cite]:
    if not revisions or not any(r.spec.replicas and r.status.ready_replicas for r in revisions[1:]):
        return []
    return [why for pod in snapshot.owned(revisions[0], Pod) if (why := _failure(snapshot, pod)) is not None]


def _stateful_set(snapshot: Snapshot, stateful: StatefulSet) -> Iterator[Observation]:
    newest = stateful.status.update_revision
    pods = [p for p in snapshot.owned(stateful, Pod) if p.metadata.labels.get(HASH) == newest]
    if failing := [why for pod in pods if (why := _failure(snapshot, pod)) is not None]:
        status = stateful.status
        yield Observation(
            about=stateful.ref,
            says=f"{count(len(failing), 'pod')} of the new revision failing; {status.updated_replicas} of "
            f"{stateful.spec.replicas} replicas are updated",
            evidence=(cite(stateful, "status", "updateRevision"), *failing[:3]),
            confidence=0.85,
            facts={"revision": newest},
        )


def _failure(snapshot: Snapshot, pod: Pod) -> Cite | None:
    """Where it stands that a pod which should run has failed; None when it is ready, or only on its way.

    A pod without a node is given a minute: a rollout that swaps pods one by one has to wait for room.
    """
    if not active(pod) or ready(pod):
        return None
    groups = (("initContainerStatuses", pod.status.init_container_statuses),)
    for field, statuses in (*groups, ("containerStatuses", pod.status.container_statuses)):
        for i, status in enumerate(statuses):
            if (steps := _broken(status)) is not None:
                return cite(pod, "status", field, i, *steps)
    placed = condition(pod.status.conditions, "PodScheduled")
    if placed is not None and placed.reason == "Unschedulable" and older(pod, snapshot):
        return cite(pod, "status", "conditions", pod.status.conditions.index(placed), "reason")
    return None


def _broken(status: ContainerStatus) -> tuple[str, ...] | None:
    waiting, ended = status.state.waiting, status.state.terminated
    if waiting is not None and waiting.reason in FAILING:
        return ("state", "waiting", "reason")
    if ended is not None and ended.exit_code and status.restart_count:  # one crash may be chance
        return ("state", "terminated", "exitCode")
    return None
