"""KM101: killed for memory."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.quantity import format_bytes, to_bytes
from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import Pod
from kubemend.model.objects.pod import Terminated
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS, Seen, containers, ongoing


@rule(
    "KM101",
    severity=Severity.ERROR,
    reads=(Pod,),
    uses=CONTROLLERS,
    explains=("KM102", "KM110", "KM111", "KM112", "KM401", "KM405", "KM503"),
)
def container_oom_killed(snapshot: Snapshot) -> Iterator[Observation]:
    """A container was killed for using more memory than it may.

    ## What it means
    The kernel killed a process of the container because the container's memory reached its limit; without a
    limit, because the node itself ran out. The exit code is often 137, but may be any other when only a child
    process was killed, so the reason `OOMKilled` decides. A kill more than ten minutes ago, after which the
    container has been running, isn't reported.

    ## Why it matters
    The container loses its work and starts again. If the work truly needs the memory it will be killed again,
    and each restart waits longer than the one before.

    ## What to do
    Raise the memory limit if the load is real. Look for a leak if memory only ever grows, for then a higher
    limit merely delays the next kill.
    """
    for seen in containers(snapshot):
        if (kill := _kill(seen)) is not None and ongoing(seen, snapshot):
            yield _observation(seen, *kill)


def _kill(seen: Seen) -> tuple[Terminated, str] | None:
    ends = ((seen.status.state.terminated, "state"), (seen.status.last_state.terminated, "lastState"))
    if seen.init and ends[0][0] is not None and ends[0][0].exit_code == 0:
        return None  # an init container that made it in the end
    return next(((end, field) for end, field in ends if end is not None and end.reason == "OOMKilled"), None)


def _observation(seen: Seen, end: Terminated, field: str) -> Observation:
    limit = seen.spec.resources.limits.get("memory") if seen.spec else None
    evidence = [seen.cite(field, "terminated", "reason"), seen.cite("restartCount")]
    if limit is not None:
        evidence.append(seen.cite_spec("resources", "limits", "memory"))
    size = to_bytes(limit) if limit is not None else None
    bound = f"its limit of {format_bytes(size)}" if size is not None else "what its node had left (it has no limit)"
    return Observation(
        about=seen.pod.ref,
        says=f"{seen.title} was killed for using more memory than {bound} ({seen.restarts})",
        evidence=tuple(evidence),
        confidence=0.97 if limit is not None else 0.7,
        facts={**seen.facts, "limit_bytes": size, "exit_code": end.exit_code},
    )
