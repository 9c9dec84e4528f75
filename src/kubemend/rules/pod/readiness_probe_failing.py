"""KM112: runs, but never gets traffic."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Container, ControllerRevision, Deployment, Event, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.probing import Flaw, flaw, patience, symptom_of
from kubemend.rules.pod.seen import CONTROLLERS, Seen, clock, containers, previous, seconds

START_S = 120.0
"""Seconds that a program may take to start before silence alone counts: probes say nothing of how long it takes."""


@rule(
    "KM112",
    severity=Severity.ERROR,
    reads=(Pod,),
    uses=(Event, ControllerRevision, *CONTROLLERS),
    explains=("KM401", "KM503"),
)
def readiness_probe_failing(snapshot: Snapshot) -> Iterator[Observation]:
    """A container runs but isn't ready, because its readiness probe fails.

    ## What it means
    The program was given the time its probe allows (`initialDelaySeconds` and `failureThreshold` periods) and
    still doesn't answer it well. The probe may ask at the wrong port or path, or the program may wait for
    something else, such as a database. Where nothing shows that the probe is wrong, a program that has never
    been ready is given two minutes to start, or as long as its Deployment's progress deadline, if that is less.

    ## Why it matters
    No Service sends traffic to the pod, and a rollout waits for it.

    ## What to do
    Compare the probe's port and path with the container's ports and with the last revision that worked. If
    the probe is right, ask the program's log what it waits for.
    """
    events = Events(snapshot)
    for seen in containers(snapshot):
        if seen.spec is not None and (since := _unready(snapshot, seen, seen.spec)) is not None:
            yield from _observations(snapshot, seen, seen.spec, events, since)


def _unready(snapshot: Snapshot, seen: Seen, spec: Container) -> datetime | None:
    """Since when the container runs, or has been ready last, without being ready; None while that can't be asked."""
    probe, running = spec.readiness_probe, seen.status.state.running
    if probe is None or running is None or seen.status.ready or seen.status.started is False:
        return None
    if _was_ready(seen):
        held = condition(seen.pod.status.conditions, "ContainersReady")
        since, allowed = (held.last_transition_time if held else None), 2.0 * probe.period_seconds
    else:
        since, allowed = running.started_at, patience(probe)
    return since if snapshot.has_passed(allowed, since) else None


def _was_ready(seen: Seen) -> bool:
    """Whether the pod has been ready since this container's start: only then does the condition change after it."""
    running, held = seen.status.state.running, condition(seen.pod.status.conditions, "ContainersReady")
    if running is None or running.started_at is None or held is None or held.last_transition_time is None:
        return False
    return seconds(running.started_at, held.last_transition_time) > 1


def _observations(
    snapshot: Snapshot, seen: Seen, spec: Container, events: Events, since: datetime
) -> Iterator[Observation]:
    failed = events.of(seen.pod, "Unhealthy", container=seen.name, says="Readiness probe")[:1]
    symptom = symptom_of(failed[0].message) if failed else "other"
    before = previous(snapshot, seen)
    alive = not events.of(seen.pod, "Unhealthy", container=seen.name, says="Liveness probe")
    found = flaw(spec, "readinessProbe", symptom, before=before[1] if before else None, other=alive)
    lost, overdue = _was_ready(seen), _overdue(snapshot, seen)
    if not (lost or found.expected or symptom == "port" or snapshot.has_passed(START_S, since) or overdue):
        return
    yield Observation(
        about=seen.pod.ref,
        says=f"{seen.title} has been {'unready' if lost else 'running'} since {clock(since)}{_but(found, lost=lost)}",
        evidence=(seen.cite("ready"), seen.cite_spec("readinessProbe"), *(cite(e, "message") for e in failed)),
        confidence=0.92 if failed else 0.75,
        facts={**seen.facts, **found.facts("readinessProbe", symptom), "was_ready": lost, "overdue": overdue},
    )


def _overdue(snapshot: Snapshot, seen: Seen) -> bool:
    """Whether the rollout that made the pod has had all the time its owner allows it."""
    deployment = snapshot.top(seen.pod)
    moving = condition(deployment.status.conditions, "Progressing") if isinstance(deployment, Deployment) else None
    return moving is not None and moving.reason == "ProgressDeadlineExceeded"


def _but(found: Flaw, *, lost: bool) -> str:
    never = " after it had been ready" if lost else " without becoming ready"
    wrong = f"; its probe's {found.kind} is {found.declared!r}" if found.declared else ""
    right = f", expected {found.expected!r}" if found.expected else ""
    return never + wrong + right
