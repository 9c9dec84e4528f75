"""KM102: ends again and again."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Pod
from kubemend.model.objects.pod import Terminated
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.probing import KILLED, soonest
from kubemend.rules.pod.seen import CONTROLLERS, Seen, containers, ended_twice, ongoing, outlived, seconds

WORD_S = 30.0
"""Seconds by which the kubelet's events may come later than the status: it sends them one by one, when it has time."""

_KINDS = {0: "completed", 126: "command", 127: "command", 137: "killed", 139: "segfault", 143: "sigterm"}
_MEANINGS = {
    "completed": "ends by itself without an error, though it should keep running",
    "command": "can't execute its command",
    "killed": "is killed (SIGKILL), though not for memory",
    "segfault": "crashes with a segmentation fault",
    "sigterm": "is told to stop (SIGTERM)",
    "error": "fails",
}


@rule("KM102", severity=Severity.ERROR, reads=(Pod,), uses=CONTROLLERS, explains=("KM112", "KM401", "KM405", "KM503"))
def container_crash_looping(snapshot: Snapshot) -> Iterator[Observation]:
    """A container ends again and again, each time soon after its start.

    ## What it means
    The main process of the container doesn't stay up. The kubelet restarts it and waits longer each time
    (`CrashLoopBackOff`, up to five minutes); between two waits the status shows `Error` or even `Running`.
    The exit code says how it ended: 126 and 127 the command can't be run, 137 killed, 139 a segmentation
    fault, 143 asked to stop, 0 finished, anything else is the program's own.

    ## Why it matters
    The replica does no work, and a rollout of it never completes.

    ## What to do
    Read the last words of the container before it ended (`kubectl logs --previous`). If it began with a new
    revision, go back to the one before. If only one replica of several loops, a fresh pod may be enough.
    """
    for seen in containers(snapshot):
        if (not seen.init or seen.sidecar) and seen.ended is not None and _loops(snapshot, seen):
            yield _observation(seen, *seen.ended)


def _loops(snapshot: Snapshot, seen: Seen) -> bool:
    if _word_may_come(seen, snapshot):
        return False
    if seen.waiting == "CrashLoopBackOff" or ended_twice(seen):
        return True
    if seen.status.restart_count < 2 or seen.pod.status.phase == "Failed":
        return False
    return ongoing(seen, snapshot) and not outlived(seen, snapshot)


def _word_may_come(seen: Seen, snapshot: Snapshot) -> bool:
    """Whether it ended as its liveness or startup probe would end it, and an event that says so may be on its way.

    Not after a third end: by then the word of the first would have come.
    """
    if seen.ended is None or seen.spec is None or seen.status.restart_count + (seen.status.state.running is None) > 2:
        return False
    end, sooner = seen.ended[0], soonest(seen.spec)
    if sooner is None or end.exit_code not in KILLED or snapshot.has_passed(WORD_S, end.finished_at):
        return False
    return end.finished_at is not None and seconds(end.started_at, end.finished_at) >= sooner


def _observation(seen: Seen, end: Terminated, field: str) -> Observation:
    kind = "segfault" if end.signal == 11 else _KINDS.get(end.exit_code, "error")
    evidence = [seen.cite("restartCount"), seen.cite(field, "terminated", "exitCode")]
    if seen.waiting:
        evidence.append(seen.cite("state", "waiting", "reason"))
    return Observation(
        about=seen.pod.ref,
        says=f"{seen.title} {_MEANINGS[kind]} (exit code {end.exit_code}, {seen.restarts})",
        evidence=tuple(evidence),
        confidence=0.9 if seen.waiting == "CrashLoopBackOff" else 0.8,
        facts={**seen.facts, "exit_code": end.exit_code, "kind": kind, "restarts": seen.status.restart_count},
    )
