"""KM111: restarted by its own probe."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import ControllerRevision, Event, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.probing import KILLED, Field, flaw, patience, probe_of, symptom_of
from kubemend.rules.pod.seen import CONTROLLERS, RECENT_S, Seen, containers, outlived, previous

_PROBES: tuple[tuple[str, Field], ...] = (("Liveness", "livenessProbe"), ("Startup", "startupProbe"))


@rule(
    "KM111",
    severity=Severity.ERROR,
    reads=(Pod, Event),
    uses=(ControllerRevision, *CONTROLLERS),
    explains=("KM102", "KM110", "KM112", "KM401", "KM503"),
)
def liveness_probe_failing(snapshot: Snapshot) -> Iterator[Observation]:
    """A container is restarted again and again because its liveness or startup probe fails.

    ## What it means
    The kubelet asks the container whether it is alive, gets no good answer as often as `failureThreshold`
    says, and kills it. Either the program hangs, or the probe is wrong: its port isn't listened on, its path
    doesn't exist, or it asks too early or too impatiently.

    ## Why it matters
    A healthy program is killed over and over, and ends in `CrashLoopBackOff`.

    ## What to do
    Compare the probe's port and path with the container's ports and with the last revision that worked. For
    a program that starts slowly, use a startup probe or a longer `initialDelaySeconds`.
    """
    events = Events(snapshot)
    for seen in containers(snapshot):
        for word, field in _PROBES:
            if (failed := _failed(snapshot, seen, events, word, field)) is not None:
                yield _observation(snapshot, seen, field, failed, events)


def _failed(snapshot: Snapshot, seen: Seen, events: Events, word: str, field: Field) -> Event | None:
    """The newest event of this probe's failure, if the kubelet kills the container for it, still."""
    probe = probe_of(seen.spec, field) if seen.spec else None
    if probe is None:
        return None
    unhealthy = events.of(seen.pod, "Unhealthy", container=seen.name, says=f"{word} probe")
    if not unhealthy or snapshot.has_passed(RECENT_S, unhealthy[0].last_seen):
        return None
    killed = events.of(seen.pod, "Killing", container=seen.name, says=f"failed {word} probe")
    by_probe = seen.ended is not None and seen.ended[0].exit_code in KILLED
    if not killed and not (by_probe and seen.status.restart_count):
        return None
    return None if _recovered(snapshot, seen, unhealthy[0], patience(probe)) else unhealthy[0]


def _recovered(snapshot: Snapshot, seen: Seen, newest: Event, window: float) -> bool:
    """Whether it has been running and ready since its last restart for longer than the probe would let it.

    And clearly longer than the last time: a busy kubelet asks late, and sends its events later than the status.
    """
    running = seen.status.state.running
    if running is None or running.started_at is None or not seen.status.ready:
        return False
    since = newest.last_seen is not None and newest.last_seen > running.started_at
    longer = seen.ended is None or outlived(seen, snapshot)
    return longer and not since and snapshot.has_passed(window, running.started_at)


def _observation(snapshot: Snapshot, seen: Seen, field: Field, failed: Event, events: Events) -> Observation:
    symptom = symptom_of(failed.message)
    before = previous(snapshot, seen)
    unready = events.of(seen.pod, "Unhealthy", container=seen.name, says="Readiness probe")
    found = flaw(seen.spec, field, symptom, before=before[1] if before else None, other=not unready)  # type: ignore[arg-type]
    wrong = f"; its {found.kind} is {found.declared!r}" if found.declared else ""
    right = f", expected {found.expected!r}" if found.expected else ""
    where = (found.handler, found.kind) if found.kind in ("port", "path") and found.handler else ()
    return Observation(
        about=seen.pod.ref,
        says=f"{seen.title} is restarted by its {field} ({seen.restarts}){wrong}{right}",
        evidence=(cite(failed, "message"), seen.cite("restartCount"), seen.cite_spec(field, *where)),
        confidence=0.92,
        facts={**seen.facts, **found.facts(field, symptom)},
    )
