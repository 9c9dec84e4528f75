"""The containers of the pods whose trouble counts, each with what its spec says and what its status shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from kubemend.kube.rollout import is_of_revision, last_good
from kubemend.model.finding import Cite, Fact, cite
from kubemend.model.objects import (
    Container,
    ContainerStatus,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    Obj,
    Pod,
    ReplicaSet,
    Revision,
    StatefulSet,
)
from kubemend.model.objects.meta import condition
from kubemend.model.objects.pod import Terminated
from kubemend.model.snapshot import Snapshot

CONTROLLERS: tuple[type[Obj], ...] = (ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob)
"""Kinds that say whose a pod is and whether it is still wanted; every pod rule uses them."""

RECENT_S = 600.0
"""Seconds for which a restart counts: the kubelet forgets its restart back-off after ten minutes of running."""


@dataclass(frozen=True)
class Seen:
    """One container of one pod: its place in the status, and by name in the spec."""

    pod: Pod
    status: ContainerStatus
    init: bool
    index: int

    @property
    def name(self) -> str:
        """The container's name."""
        return self.status.name

    @property
    def title(self) -> str:
        """How a sentence names it."""
        return f"{'init ' if self.init else ''}container {self.name!r}"

    @property
    def steps(self) -> tuple[str | int, ...]:
        """JSON steps from the pod to this status."""
        return ("status", "initContainerStatuses" if self.init else "containerStatuses", self.index)

    @property
    def spec(self) -> Container | None:
        """The container as specified."""
        return self.pod.spec.container(self.name)

    @property
    def spec_steps(self) -> tuple[str | int, ...]:
        """JSON steps from the pod to the container as specified."""
        field, declared = (
            ("initContainers", self.pod.spec.init_containers) if self.init else ("containers", self.pod.spec.containers)
        )
        return ("spec", field, next((i for i, c in enumerate(declared) if c.name == self.name), 0))

    @property
    def sidecar(self) -> bool:
        """An init container that keeps running beside the others (KEP-753)."""
        return self.init and self.spec is not None and self.spec.restart_policy == "Always"

    @property
    def waiting(self) -> str:
        """Why it waits (CrashLoopBackOff, ErrImagePull …); empty when it doesn't."""
        return self.status.state.waiting.reason if self.status.state.waiting else ""

    @property
    def message(self) -> str:
        """What the kubelet says about the wait."""
        return self.status.state.waiting.message if self.status.state.waiting else ""

    @property
    def ended(self) -> tuple[Terminated, str] | None:
        """Its newest end, and the field that holds it: "state" while it is down, "lastState" afterwards."""
        if self.status.state.terminated is not None:
            return self.status.state.terminated, "state"
        if self.status.last_state.terminated is not None:
            return self.status.last_state.terminated, "lastState"
        return None

    @property
    def restarts(self) -> str:
        """How often it was restarted, for a sentence."""
        times = self.status.restart_count
        return f"{times} restart{'' if times == 1 else 's'}" if times else "no restart yet"

    @property
    def facts(self) -> dict[str, Fact]:
        """The parameters every strategy wants: which container it is."""
        return {"container": self.name, "init": self.init}

    def cite(self, *steps: str | int) -> Cite:
        """Cite a field of the status."""
        return cite(self.pod, *self.steps, *steps)

    def cite_spec(self, *steps: str | int) -> Cite:
        """Cite a field of the specification."""
        return cite(self.pod, *self.spec_steps, *steps)


def seconds(since: datetime | None, until: datetime) -> float:
    """Seconds from one time to another; 0 when the first is unknown, for then nothing can be called old."""
    return (until - since).total_seconds() if since is not None else 0.0


def clock(moment: datetime) -> str:
    """A moment as Kubernetes writes it. Told instead of an age, a sentence stays the same from one look to the next."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def containers(snapshot: Snapshot) -> Iterator[Seen]:
    """Every container of every pod whose trouble counts, init containers first."""
    return (seen for pod in judged(snapshot) for seen in of(pod))


def of(pod: Pod) -> list[Seen]:
    """Every container of one pod that has a status, init containers first."""
    both = ((True, pod.status.init_container_statuses), (False, pod.status.container_statuses))
    return [Seen(pod, status, init, i) for init, held in both for i, status in enumerate(held)]


def judged(snapshot: Snapshot) -> Iterator[Pod]:
    """The pods that may be in trouble, and whose trouble counts.

    Not those that are all well, being deleted or done; not a failed one that its controller has replaced or
    whose job went well in the end; not one of an old revision while the newest is being rolled out.
    """
    return iter(snapshot.derived(_judged))


def _judged(snapshot: Snapshot) -> tuple[Pod, ...]:
    return tuple(counting(snapshot, snapshot.group(Pod, _unwell, True)))  # nearly every pod of a cluster is well


def counting(snapshot: Snapshot, pods: Iterable[Pod]) -> Iterator[Pod]:
    """Those of some ailing pods whose trouble counts: see `judged`."""
    newest: dict[str, str] = {}
    for pod in pods:
        if pod.status.phase == "Failed" and _over(snapshot, pod):
            continue
        if not _outdated(snapshot, pod, newest):
            yield pod


def _unwell(pod: Pod) -> bool | None:
    """True for a pod that may be in trouble; None, which is in no group, for others."""
    if _well(pod) or pod.metadata.deletion_timestamp is not None or pod.status.phase == "Succeeded":
        return None
    return True


def _well(pod: Pod) -> bool:
    """Whether every container is ready and none has ended before."""
    if pod.status.phase != "Running":
        return False
    both = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return bool(pod.status.container_statuses) and all(s.ready and s.last_state.terminated is None for s in both)


def _over(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether a failed pod is history: replaced by its controller, evicted, or of a job that went well in the end."""
    if pod.status.reason in ("Evicted", "Preempting", "Shutdown", "NodeShutdown", "Terminated", "NodeAffinity"):
        return True
    owner = snapshot.owner(pod)
    if owner is None:
        return False
    if not isinstance(owner, Job):
        return True
    ended = condition(owner.status.conditions, "Complete")
    if ended is not None and ended.status == "True":
        return True
    cron = snapshot.owner(owner)
    if not isinstance(cron, CronJob) or cron.status.last_successful_time is None:
        return False
    return seconds(pod.metadata.creation_timestamp, cron.status.last_successful_time) > 0


def _outdated(snapshot: Snapshot, pod: Pod, newest: dict[str, str]) -> bool:
    """Whether a newer revision of the pod's Deployment is on its way to replace it."""
    held = snapshot.owner(pod)
    if not isinstance(held, ReplicaSet):
        return False
    deployment = snapshot.owner(held)
    if not isinstance(deployment, Deployment) or deployment.spec.paused:
        return False
    key = deployment.metadata.uid
    if key not in newest:
        revisions = snapshot.revisions(deployment)
        newest[key] = revisions[0].name if revisions and revisions[0].spec.replicas else ""
    return newest[key] not in ("", held.name)


def previous(snapshot: Snapshot, seen: Seen) -> tuple[Revision, Container] | None:
    """The same container in the revision to go back to, when the pod is of its workload's newest revision."""
    workload = snapshot.top(seen.pod)
    if not isinstance(workload, Deployment | StatefulSet | DaemonSet):
        return None
    newest: list[Revision] = [*snapshot.revisions(workload)[:1]]
    if not newest or not is_of_revision(seen.pod, newest[0], snapshot):
        return None
    if (found := last_good(workload, snapshot)) is None:
        return None
    before = found[0].template.spec.container(seen.name)
    return None if before is None else (found[0], before)


def ongoing(seen: Seen, snapshot: Snapshot) -> bool:
    """Whether the container's newest end is trouble still: it is down, or runs again only since a short time."""
    if seen.ended is None:
        return False
    if seen.status.state.running is None:
        return True
    return not snapshot.has_passed(RECENT_S, seen.ended[0].finished_at)


def ended_twice(seen: Seen) -> bool:
    """Whether the container is down with an error for the second time in ten minutes."""
    now, before = seen.status.state.terminated, seen.status.last_state.terminated
    if now is None or before is None or not now.exit_code or seen.pod.status.phase == "Failed":
        return False
    return now.finished_at is not None and seconds(before.finished_at, now.finished_at) <= RECENT_S


def outlived(seen: Seen, snapshot: Snapshot) -> bool:
    """Whether the container, ready again, has clearly run longer than before its last end, so it isn't looping.

    Clearly: half as long again and ten seconds more, so that a crash at a fixed time after the start can't pass.
    """
    running = seen.status.state.running
    if seen.ended is None or running is None or not seen.status.ready:
        return False
    ended = seen.ended[0]
    life = seconds(ended.started_at, ended.finished_at) if ended.finished_at is not None else 0.0
    return snapshot.has_passed(1.5 * life + 10, running.started_at)
