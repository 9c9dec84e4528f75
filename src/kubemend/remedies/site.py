"""Where a repair of a pod is written: the template of its workload, or the pod itself.

Every strategy that changes a template starts here, so that what can't be changed, or wouldn't take effect, is
declined in one place and in the same words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kubemend.kube.rollout import REVISION_LABEL, active, last_good, ready, restarts
from kubemend.model.finding import Cite, Diagnosis, cite
from kubemend.model.objects import (
    Container,
    ControllerRevision,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    Obj,
    Pod,
    PodTemplate,
    Probe,
    ReplicaSet,
    Revision,
    StatefulSet,
)
from kubemend.model.plan import Change, Declined, Evict, Verify
from kubemend.model.snapshot import Snapshot, revision_of
from kubemend.model.strategy import Proposal, evict, patch, template_of
from kubemend.remedies.template import Json, NotHeld, difference, nested, shape

Workload = Deployment | StatefulSet | DaemonSet

REVISIONS = (ReplicaSet, ControllerRevision)
"""The kinds that hold what earlier revisions of workloads had."""

PROVEN, GUESSED = 0.92, 0.75
"""Confidence in what an earlier revision held: it has ready replicas now; it had its time and left no trace."""

SETTLED_S = 30.0
"""Seconds a pod must have run without a restart to count as proof that its template works."""


@dataclass(frozen=True)
class Site:
    """The object whose template (or, for a pod without controller, whose spec) a repair would change."""

    obj: Workload | Pod
    template: PodTemplate
    container: Container | None
    init: bool

    @property
    def field(self) -> str:
        """The JSON field of the container's list."""
        return "initContainers" if self.init else "containers"

    @property
    def index(self) -> int:
        """The container's place in that list."""
        held = self.template.spec.init_containers if self.init else self.template.spec.containers
        return next((i for i, c in enumerate(held) if self.container and c.name == self.container.name), 0)

    @property
    def steps(self) -> tuple[str | int, ...]:
        """Steps from the pod spec to the container."""
        return (self.field, self.index)

    def cite(self, *steps: str | int) -> Cite:
        """Cite a field of the container where the repair would be written."""
        return self.cite_spec(*self.steps, *steps)

    def cite_spec(self, *steps: str | int) -> Cite:
        """Cite a field of the pod spec where the repair would be written."""
        above = () if isinstance(self.obj, Pod) else template_of(self.obj.ref)
        return cite(self.obj, *above, "spec", *steps)


@dataclass(frozen=True)
class Before:
    """The revision to go back to. `proven`: it has ready replicas at this moment."""

    revision: Revision
    proven: bool

    @property
    def confidence(self) -> float:
        """How far what it held may be trusted to work."""
        return PROVEN if self.proven else GUESSED

    @property
    def title(self) -> str:
        """How a sentence names it."""
        return f"revision {revision_of(self.revision) or '?'}"


def site(diagnosis: Diagnosis, snapshot: Snapshot) -> Site | Declined:
    """Where to repair the diagnosed container, or why its template can't be changed to any effect."""
    obj = snapshot.find(diagnosis.target)
    if obj is None:
        return Declined(f"{diagnosis.target} is no longer there")
    if obj.metadata.deletion_timestamp is not None:
        return Declined(f"{diagnosis.target} is being deleted")
    held_by = _changeable(obj)
    if isinstance(held_by, Declined):
        return held_by
    template = PodTemplate(held_by.metadata, held_by.spec) if isinstance(held_by, Pod) else held_by.spec.template
    name, init = diagnosis.root.facts.get("container"), diagnosis.root.facts.get("init") is True
    held = template.spec.init_containers if init else template.spec.containers
    found = next((c for c in held if c.name == name), None)
    if name and found is None:
        return Declined(f"{diagnosis.target} no longer has a container {name!r}")
    return Site(held_by, template, found, init)


def _changeable(obj: Obj) -> Workload | Pod | Declined:
    """The object, if a change of its template reaches its pods."""
    match obj:
        case Deployment() if obj.spec.paused:
            return Declined("its rollout is paused, so a change would not reach the pods")
        case StatefulSet() if (
            obj.spec.update_strategy.rolling_update and obj.spec.update_strategy.rolling_update.partition
        ):
            return Declined("it is rolled out in stages (partition), which is someone's decision")
        case Deployment() | StatefulSet() | DaemonSet() | Pod():
            return obj
        case Job():
            return Declined("the pod template of a Job can't be changed; the Job has to be made anew")
        case CronJob():
            return Declined("a change of a CronJob takes effect at its next run only, so it couldn't be verified now")
    return Declined(f"the pods of a {type(obj).__name__} are not replaced when its template changes")


def before(site: Site, snapshot: Snapshot) -> Before | None:
    """The revision of the site's workload to go back to, as far as its earlier ones could be read."""
    if isinstance(site.obj, Pod):
        return None
    found = last_good(site.obj, snapshot)
    return None if found is None else Before(*found)


def container_before(site: Site, snapshot: Snapshot) -> tuple[Container, Before] | None:
    """The same container in the revision to go back to."""
    found = before(site, snapshot)
    if found is None or site.container is None:
        return None
    container = found.revision.template.spec.container(site.container.name)
    return None if container is None else (container, found)


def proposal(  # noqa: PLR0917 - what, where, why, how sure, how proven
    site: Site,
    snapshot: Snapshot,
    wanted: Json,
    reason: str,
    confidence: float,
    verify: Verify,
    requires: tuple[Cite, ...] = (),
) -> Proposal | Declined:
    """Propose to make the site's template like `wanted` (see `template.shape`); declined when nothing differs.

    requires: single values the API server keeps as they are written, for they are compared with the whole object.
    """
    try:
        change = difference(shape(site.template), wanted)
    except NotHeld as gap:
        return Declined(str(gap))
    if not change:
        return Declined(f"{site.obj.ref} is already as it should be")
    body = change if isinstance(site.obj, Pod) else nested(site.obj.ref, change)
    changes: tuple[Change, ...] = (patch(site.obj, body), *stragglers(site.obj, snapshot))
    return Proposal(changes, reason, confidence, verify, requires)


def stragglers(obj: Workload | Pod, snapshot: Snapshot) -> tuple[Evict, ...]:
    """The pods that a workload's controller would leave broken under a new template, to be made anew.

    A StatefulSet in order waits for a pod to be ready before it updates it, for ever if need be
    (kubernetes/kubernetes#67250), and update strategy OnDelete replaces nothing by itself.
    """
    if not isinstance(obj, StatefulSet | DaemonSet):
        return ()
    in_order = isinstance(obj, StatefulSet) and obj.spec.pod_management_policy != "Parallel"
    if not in_order and obj.spec.update_strategy.type != "OnDelete":
        return ()
    return tuple(evict(p) for p in snapshot.pods(obj) if active(p) and not ready(p))


def verified(site: Site, diagnosis: Diagnosis, snapshot: Snapshot) -> Verify:
    """Healthy within the time its rollout takes, and steady for longer than the container lived before it failed."""
    return Verify(
        healthy=(site.obj.ref,), within_s=_rollout(site), steady_s=max(3.0, min(60.0, 1.2 * _life(diagnosis, snapshot)))
    )


def _rollout(site: Site) -> float:
    """Seconds a rollout may take: in waves (a Deployment's default surge is a quarter), 120 to 900."""
    obj = site.obj
    if isinstance(obj, Deployment):
        waves = min(obj.spec.replicas, 4)
    elif isinstance(obj, StatefulSet):
        waves = obj.spec.replicas
    else:
        waves = obj.status.desired_number_scheduled if isinstance(obj, DaemonSet) else 1
    return max(120.0, min(900.0, 60.0 + waves * (15.0 + _start_up(site.template))))


def _start_up(template: PodTemplate) -> float:
    probes = [p for c in template.spec.containers for p in (c.startup_probe, c.readiness_probe) if p is not None]
    return math.fsum(sorted((_patience(p) for p in probes), reverse=True)[:2])


def _patience(probe: Probe) -> float:
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold


def _life(diagnosis: Diagnosis, snapshot: Snapshot) -> float:
    """Seconds the diagnosed container ran before its last end; 0 for one that never started."""
    pod = snapshot.find(diagnosis.root.about)
    if not isinstance(pod, Pod):
        return 0.0
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        end = status.state.terminated or status.last_state.terminated
        if status.name == diagnosis.root.facts.get("container") and end and end.started_at and end.finished_at:
            # A start that failed carries Go's zero Unix time as its beginning.
            return (end.finished_at - end.started_at).total_seconds() if end.started_at.year > 1970 else 0.0
    return 0.0


def thriving(pod: Pod, snapshot: Snapshot) -> list[Pod]:
    """Pods of the same controller and revision that are well and have been for a while: the template works."""
    owner = snapshot.owner(pod)
    if owner is None:
        return []
    return [
        p
        for p in snapshot.owned(owner, Pod)
        if p.name != pod.name and _revision(p) == _revision(pod) and ready(p) and _settled(p, snapshot)
    ]


def _revision(pod: Pod) -> str:
    return pod.metadata.labels.get(REVISION_LABEL, "")


def _settled(pod: Pod, snapshot: Snapshot) -> bool:
    since = pod.status.start_time
    long = since is not None and (snapshot.taken_at - since).total_seconds() > SETTLED_S
    return long and restarts(pod) == 0 and active(pod)
