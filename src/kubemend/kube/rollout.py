"""Is it rolled out? The judgement of `kubectl rollout status`, and which revision to go back to."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import msgspec

from kubemend.model.objects import (
    ControllerRevision,
    DaemonSet,
    Deployment,
    Job,
    Obj,
    Pod,
    PodTemplate,
    ReplicaSet,
    Revision,
    StatefulSet,
)
from kubemend.model.objects.meta import condition
from kubemend.model.snapshot import Snapshot, revision_of

HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"
"""The label by which a StatefulSet (a revision's name) and a DaemonSet (its hash) know the template of a pod."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The template's annotation by which `kubectl rollout restart` makes a workload roll."""


def restarting(when: str) -> dict[str, Any]:
    """The patch that makes a Deployment, StatefulSet or DaemonSet replace its pods, and nothing else."""
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: when}}}}}


@dataclass(frozen=True)
class Progress:
    """Whether a workload is where its spec wants it, and why (not). `failed`: waiting longer won't help."""

    complete: bool
    why: str
    failed: bool = False


def ready(pod: Pod) -> bool:
    """Whether the pod's condition Ready is true."""
    return _true(pod, "Ready")


def active(pod: Pod) -> bool:
    """Whether the pod still counts for its controller (`controller.IsPodActive`): not finished, not being deleted."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is None


def restarts(pod: Pod) -> int:
    """Restarts of all containers and init containers together, so that any new restart shows as a higher number."""
    return sum(s.restart_count for s in (*pod.status.init_container_statuses, *pod.status.container_statuses))


@singledispatch
def _judge(workload: Obj) -> Progress:
    raise TypeError(f"{type(workload).__name__} has no rollout")


def progress(workload: Deployment | StatefulSet | DaemonSet | ReplicaSet | Job | Pod) -> Progress:
    """How far a workload's rollout is.

    Deployment, StatefulSet and DaemonSet: as `kubectl rollout status` (kubectl `polymorphichelpers`,
    `rollout_status.go`), which also wants the newest generation observed; where kubectl declines to judge
    (update strategy OnDelete), readiness alone decides. ReplicaSet: all replicas available. Job: condition
    Complete. Pod: Ready, or Succeeded. Raises `TypeError` for any other kind.
    """
    return _judge(workload)


@_judge.register
def _deployment(workload: Deployment) -> Progress:
    status, wanted = workload.status, workload.spec.replicas
    if workload.metadata.generation > status.observed_generation:
        return _unobserved(workload)
    moving = condition(status.conditions, "Progressing")
    if moving is not None and moving.reason == "ProgressDeadlineExceeded":
        return Progress(False, "the progress deadline is exceeded", failed=True)
    if status.updated_replicas < wanted:
        return Progress(False, f"{status.updated_replicas} of {wanted} new replicas are updated")
    if (old := status.replicas - status.updated_replicas) > 0:
        return Progress(False, f"{old} old replicas are pending termination")
    if status.available_replicas < status.updated_replicas:
        return Progress(False, f"{status.available_replicas} of {status.updated_replicas} replicas are available")
    return Progress(True, f"all {wanted} replicas are updated and available")


@_judge.register
def _stateful_set(workload: StatefulSet) -> Progress:
    status, wanted = workload.status, workload.spec.replicas
    if not status.observed_generation or workload.metadata.generation > status.observed_generation:
        return _unobserved(workload)
    if status.ready_replicas < wanted:
        return Progress(False, f"{status.ready_replicas} of {wanted} replicas are ready")
    strategy = workload.spec.update_strategy
    if strategy.type == "OnDelete":
        return Progress(True, f"all {wanted} replicas are ready; updates wait for pods to be deleted")
    if strategy.rolling_update is not None:
        due = wanted - strategy.rolling_update.partition
        if status.updated_replicas < due:
            return Progress(False, f"{status.updated_replicas} of {due} replicas above the partition are updated")
    elif status.update_revision != status.current_revision:
        return Progress(False, f"{status.updated_replicas} of {wanted} replicas are at {status.update_revision}")
    return Progress(True, f"all {wanted} replicas are ready and {status.updated_replicas} are updated")


@_judge.register
def _daemon_set(workload: DaemonSet) -> Progress:
    status, wanted = workload.status, workload.status.desired_number_scheduled
    if workload.metadata.generation > status.observed_generation:
        return _unobserved(workload)
    rolling = workload.spec.update_strategy.type != "OnDelete"
    if rolling and status.updated_number_scheduled < wanted:
        return Progress(False, f"{status.updated_number_scheduled} of {wanted} pods are updated")
    if status.number_available < wanted:
        return Progress(False, f"{status.number_available} of {wanted} pods are available")
    return Progress(True, f"all {wanted} pods are available")


@_judge.register
def _replica_set(workload: ReplicaSet) -> Progress:
    status, wanted = workload.status, workload.spec.replicas
    if workload.metadata.generation > status.observed_generation:
        return _unobserved(workload)
    if status.replicas != wanted:
        return Progress(False, f"{status.replicas} of {wanted} replicas exist")
    if status.available_replicas < wanted:
        return Progress(False, f"{status.available_replicas} of {wanted} replicas are available")
    return Progress(True, f"all {wanted} replicas are available")


@_judge.register
def _job(workload: Job) -> Progress:
    if _true(workload, "Complete"):
        return Progress(True, f"complete with {workload.status.succeeded} succeeded pods")
    failure = condition(workload.status.conditions, "Failed")
    if failure is not None and failure.status == "True":
        return Progress(False, f"failed: {failure.reason or 'no reason given'}", failed=True)
    if workload.spec.suspend:
        return Progress(False, "the job is suspended")
    return Progress(False, f"{workload.status.succeeded} of {_completions(workload)} pods have succeeded")


def _completions(job: Job) -> int:
    return job.spec.completions if job.spec.completions is not None else 1


@_judge.register
def _pod(workload: Pod) -> Progress:
    phase = workload.status.phase
    if phase == "Succeeded":
        return Progress(True, "the pod has succeeded")
    if phase == "Failed":
        return Progress(False, f"the pod has failed: {workload.status.reason or 'no reason given'}", failed=True)
    if workload.metadata.deletion_timestamp is not None:
        return Progress(False, "the pod is being deleted", failed=True)
    if ready(workload):
        return Progress(True, "the pod is ready")
    return Progress(False, f"the pod is {phase or 'without a phase'} and not ready")


def _unobserved(workload: Obj) -> Progress:
    return Progress(False, f"generation {workload.metadata.generation} isn't observed by its controller yet")


def _true(workload: Pod | Job, type_: str) -> bool:
    found = condition(workload.status.conditions, type_)
    return found is not None and found.status == "True"


def last_stable(revisions: Sequence[ReplicaSet], current: ReplicaSet | None) -> ReplicaSet | None:
    """The revision of a Deployment to go back to from `current`, or None when there is none.

    A ReplicaSet scaled to zero keeps no trace of having been ready once. So: the newest other revision with
    available replicas, else with ready ones, both of which are proof; else merely the newest one older than
    `current`, which is a guess, to be trusted less. The controller keeps one ReplicaSet per template, so
    another ReplicaSet is another template. `current` None stands for a newest revision that is gone.
    """
    others = sorted((r for r in revisions if current is None or r.name != current.name), key=revision_of, reverse=True)
    older = [r for r in others if current is None or revision_of(r) < revision_of(current)]
    proofs = ([r for r in others if r.status.available_replicas], [r for r in others if r.status.ready_replicas])
    return next((found[0] for found in (*proofs, older) if found), None)


def last_good(workload: Deployment | StatefulSet | DaemonSet, snapshot: Snapshot) -> tuple[Revision, bool] | None:
    """The revision of a workload to go back to, and whether it is proven: pods of it are ready at this moment.

    None when there is none, or none that could be read.
    """
    if not isinstance(workload, Deployment):
        return _last_good_of_set(workload, snapshot.revisions(workload), snapshot.pods(workload))
    revisions = snapshot.revisions(workload)
    stable = last_stable(revisions, revisions[0]) if revisions else None
    if stable is None:
        return None
    return stable, bool(stable.status.ready_replicas or stable.status.available_replicas)


def is_of_revision(pod: Pod, revision: Revision, snapshot: Snapshot) -> bool:
    """Whether a pod was made from this revision of its workload."""
    if isinstance(revision, ControllerRevision):
        return _names(revision, {pod.metadata.labels.get(REVISION_LABEL, "")})
    owner = snapshot.owner(pod)
    return owner is not None and owner.name == revision.name


def _last_good_of_set(
    workload: StatefulSet | DaemonSet, revisions: Sequence[ControllerRevision], pods: Iterable[Pod]
) -> tuple[ControllerRevision, bool] | None:
    """The revision of a StatefulSet or DaemonSet to go back to, and whether pods of it are ready now, which is proof.

    revisions: newest first. Without proof it is the last one that a StatefulSet was ever wholly at (its
    `status.currentRevision`), else the newest of the earlier ones. None when there is none, and while the newest
    isn't the workload's present template, for then its controller has yet to see a change.
    """
    if not revisions or not template_equal(revisions[0].template, workload.spec.template):
        return None
    older = revisions[1:]
    running = {p.metadata.labels.get(REVISION_LABEL, "") for p in pods if ready(p)}
    proven = [r for r in older if _names(r, running)]
    at = workload.status.current_revision if isinstance(workload, StatefulSet) else ""
    chosen = next(iter((*proven, *(r for r in older if r.name == at), *older)), None)
    return None if chosen is None else (chosen, bool(proven))


def _names(revision: ControllerRevision, labels: Container[str]) -> bool:
    """Whether one of these values of `controller-revision-hash` stands for this revision."""
    return revision.name in labels or revision.metadata.labels.get(REVISION_LABEL, "-") in labels


def template_equal(a: PodTemplate, b: PodTemplate) -> bool:
    """Whether two pod templates are equal but for the label `pod-template-hash`, as a Deployment compares them.

    Only what the Structs hold is compared: literal values of environment variables aren't among it.
    """
    return _without_hash(a) == _without_hash(b)


def _without_hash(template: PodTemplate) -> PodTemplate:
    labels = {k: v for k, v in template.metadata.labels.items() if k != HASH_LABEL}
    return msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))


def margins(workload: Deployment | StatefulSet | DaemonSet, replicas: int) -> tuple[int, int]:
    """How many pods more, and how many fewer, than `replicas` a rolling update may have at a time.

    Per cents of a surge are rounded up, those of what may be missing down, and when both come to 0 one may be missing
    (`deployment/util.ResolveFenceposts`); 25 % each are a Deployment's defaults. Recreate takes all away first.
    A StatefulSet replaces one pod at a time.
    """
    if isinstance(workload, StatefulSet):
        rolling = workload.spec.update_strategy.rolling_update
        missing = None if rolling is None else rolling.max_unavailable
        return 0, max(1, _amount(1 if missing is None else missing, replicas, math.floor))
    update = workload.spec.strategy if isinstance(workload, Deployment) else workload.spec.update_strategy
    if update.type == "Recreate":
        return 0, replicas
    rolling = update.rolling_update
    usual: tuple[str | int, str | int] = ("25%", "25%") if isinstance(workload, Deployment) else (0, 1)
    more = usual[0] if rolling is None or rolling.max_surge is None else rolling.max_surge
    fewer = usual[1] if rolling is None or rolling.max_unavailable is None else rolling.max_unavailable
    surge, missing_ = _amount(more, replicas, math.ceil), _amount(fewer, replicas, math.floor)
    return surge, missing_ if surge or missing_ else 1


def _amount(written: int | str, replicas: int, rounded: Callable[[float], int]) -> int:
    if isinstance(written, int):
        return written
    return rounded(replicas * int(written.rstrip("%")) / 100)
