"""KM110: what must run first doesn't succeed."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Pod
from kubemend.model.objects.pod import Terminated
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS, Seen, containers, ended_twice, ongoing


@rule("KM110", severity=Severity.ERROR, reads=(Pod,), uses=CONTROLLERS, explains=("KM401", "KM405", "KM503"))
def init_container_failing(snapshot: Snapshot) -> Iterator[Observation]:
    """An init container fails, so the pod's own containers never start.

    ## What it means
    Init containers run one after the other before the others, each to its successful end. This one ends with
    an error; the kubelet repeats it (or gives the pod up, with restart policy `Never`). A single failure
    while a dependency comes up isn't reported.

    ## Why it matters
    The pod stays in `Init` and serves nothing.

    ## What to do
    Read the init container's log (`kubectl logs POD -c NAME --previous`). If it began with a new revision, go
    back to the one before; if it waits for another service, look there.
    """
    for seen in containers(snapshot):
        if seen.init and not seen.sidecar and seen.ended is not None and _fails(snapshot, seen, seen.ended[0]):
            yield _observation(seen, *seen.ended)


def _fails(snapshot: Snapshot, seen: Seen, end: Terminated) -> bool:
    if end.exit_code == 0 and end.signal == 0:
        return False
    if seen.waiting == "CrashLoopBackOff" or seen.pod.status.phase == "Failed":
        return True
    return ended_twice(seen) or (seen.status.restart_count >= 2 and ongoing(seen, snapshot))


def _observation(seen: Seen, end: Terminated, field: str) -> Observation:
    return Observation(
        about=seen.pod.ref,
        says=f"{seen.title} fails (exit code {end.exit_code}, {seen.restarts})",
        evidence=(seen.cite("restartCount"), seen.cite(field, "terminated", "exitCode")),
        confidence=0.92,
        facts={**seen.facts, "exit_code": end.exit_code, "restarts": seen.status.restart_count},
    )
