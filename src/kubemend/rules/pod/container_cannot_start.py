"""KM109: the runtime can't start what it is told to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kubemend.model.finding import Cite, Observation, Severity
from kubemend.model.objects import Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS, Seen, containers, ongoing

Kind = Literal["command", "mount", "user", "runtime"]

_WAITING = frozenset({"RunContainerError", "CreateContainerError", "PostStartHookError"})
_ENDED = frozenset({"StartError", "ContainerCannotRun"})
# A bad mount is told in the words of a missing file too, so it is looked for first.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("mount", re.compile(r"error mounting|trying to mount|failed to mount|subpath", re.IGNORECASE)),
    ("user", re.compile(r"runasnonroot|run as root|non-numeric user|unable to find (user|group)", re.IGNORECASE)),
    (
        "command",
        re.compile(
            r"executable file not found|no such file or directory|exec format error|permission denied|not a directory"
            r"|no command specified|is a directory",
            re.IGNORECASE,
        ),
    ),
)
_SAYS: dict[Kind, tuple[str, float]] = {
    "command": ("its command can't be executed", 0.92),
    "mount": ("one of its mounts doesn't fit the image", 0.9),
    "user": ("the user it would run as isn't allowed or doesn't exist", 0.9),
    "runtime": ("the container runtime refuses", 0.75),
}


@dataclass(frozen=True)
class _Refusal:
    kind: Kind
    exit_code: int | None
    evidence: tuple[Cite, ...]


@rule(
    "KM109",
    severity=Severity.ERROR,
    reads=(Pod,),
    uses=CONTROLLERS,
    explains=("KM102", "KM110", "KM111", "KM112", "KM401", "KM405", "KM503"),
)
def container_cannot_start(snapshot: Snapshot) -> Iterator[Observation]:
    """A container can't be started: the runtime can't execute what it is told to.

    ## What it means
    The image is there, but its command isn't (`executable file not found`, exit code 127), isn't executable
    (126), a mount doesn't fit, or the user it would run as doesn't exist or isn't allowed. The program itself
    never ran.

    ## Why it matters
    It fails in the same way each time until the pod's template, or the image, is changed.

    ## What to do
    Compare `command` and `args` with what the image holds; restore the command of the revision that worked.
    For a user fault set `runAsUser` to a number that isn't 0, or build the image with one.
    """
    for seen in containers(snapshot):
        if (refusal := _refusal(snapshot, seen)) is not None:
            yield _observation(seen, refusal)


def _refusal(snapshot: Snapshot, seen: Seen) -> _Refusal | None:
    if seen.waiting in _WAITING or (seen.waiting == "CreateContainerConfigError" and _kind(seen.message) == "user"):
        waiting = (seen.cite("state", "waiting", "reason"), seen.cite("state", "waiting", "message"))
        return _Refusal(_kind(seen.message) or "runtime", None, waiting)
    if seen.ended is None or not ongoing(seen, snapshot):
        return None
    end, field = seen.ended
    if end.reason not in _ENDED and end.exit_code not in (126, 127):
        return None
    kind = "command" if end.exit_code in (126, 127) else _kind(end.message) or "runtime"
    evidence = tuple(seen.cite(field, "terminated", f) for f in ("reason", "exitCode", "message"))
    return _Refusal(kind, end.exit_code, evidence)


def _kind(message: str) -> Kind | None:
    return next((kind for kind, pattern in _KINDS if pattern.search(message)), None)


def _observation(seen: Seen, refusal: _Refusal) -> Observation:
    words = (*seen.spec.command, *seen.spec.args) if seen.spec else ()
    executable = words[0] if words else ""
    why, confidence = _SAYS[refusal.kind]
    named = f" ({executable!r})" if executable and refusal.kind == "command" else ""
    code = f", exit code {refusal.exit_code}" if refusal.exit_code is not None else ""
    return Observation(
        about=seen.pod.ref,
        says=f"{seen.title} can't start: {why}{named}{code}",
        evidence=(*refusal.evidence, *((seen.cite_spec("command"),) if seen.spec and seen.spec.command else ())),
        confidence=confidence,
        facts={**seen.facts, "kind": refusal.kind, "exit_code": refusal.exit_code, "executable": executable},
    )
