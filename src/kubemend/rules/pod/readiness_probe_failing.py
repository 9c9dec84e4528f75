"""KM112: runs, but never gets traffic."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Container, Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.probing import Flaw, flaw, patience, symptom_of
from kubemend.rules.pod.seen import CONTROLLERS, Seen, containers, previous, seconds


@rule("KM112", severity=Severity.ERROR, reads=(Pod,), uses=(Event, *CONTROLLERS), explains=("KM401", "KM503"))
def readiness_probe_failing(snapshot: Snapshot) -> Iterator[Observation]:
    """A container runs but isn't ready, because its readiness probe fails.

    ## What it means
    The program was given the time its probe allows (`initialDelaySeconds` and `failureThreshold` periods) and
    still doesn't answer it well. The probe may ask at the wrong port or path, or the program may wait for
    something else, such as a database.

    ## Why it matters
    No Service sends traffic to the pod, and a rollout waits for it.

    ## What to do
    Compare the probe's port and path with the container's ports and with the last revision that worked. If
    the probe is right, ask the program's log what it waits for.
    """
    events = Events(snapshot)
    for seen in containers(snapshot):
        if seen.spec is not None and _fails(snapshot, seen, seen.spec):
            yield _observation(snapshot, seen, seen.spec, events)


def _fails(snapshot: Snapshot, seen: Seen, spec: Container) -> bool:
    probe, running = spec.readiness_probe, seen.status.state.running
    if probe is None or running is None or seen.status.ready or seen.status.started is False:
        return False
    return seconds(running.started_at, snapshot.taken_at) > patience(probe)


def _observation(snapshot: Snapshot, seen: Seen, spec: Container, events: Events) -> Observation:
    failed = events.of(seen.pod, "Unhealthy", container=seen.name, says="Readiness probe")[:1]
    symptom = symptom_of(failed[0].message) if failed else "other"
    before = previous(snapshot, seen)
    alive = not events.of(seen.pod, "Unhealthy", container=seen.name, says="Liveness probe")
    found = flaw(spec, "readinessProbe", symptom, before=before[1] if before else None, other=alive)
    return Observation(
        about=seen.pod.ref,
        says=_says(snapshot, seen, found),
        evidence=(seen.cite("ready"), seen.cite_spec("readinessProbe"), *(cite(e, "message") for e in failed)),
        confidence=0.92 if failed else 0.75,
        facts={**seen.facts, **found.facts("readinessProbe", symptom)},
    )


def _says(snapshot: Snapshot, seen: Seen, found: Flaw) -> str:
    running = seen.status.state.running
    since = seconds(running.started_at, snapshot.taken_at) if running else 0.0
    wrong = f"; its probe's {found.kind} is {found.declared!r}" if found.declared else ""
    right = f", expected {found.expected!r}" if found.expected else ""
    return f"{seen.title} has been running for {since:.0f} s without becoming ready{wrong}{right}"
