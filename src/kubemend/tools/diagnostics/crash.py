"""Why a container doesn't run, or ended: judged by its state, its pod's events and what the pod refers to."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from kubemend.model.objects import Event
from kubemend.model.objects.pod import ContainerStatus, Waiting
from kubemend.tools.diagnostics.analyze_pod_restart_pattern import cause_of
from kubemend.tools.diagnostics.get_failed_kubernetes_pods import STUCK


class Dependency(Struct, frozen=True):
    """A thing the pod refers to. state: "there", "missing", "bound", another phase of a claim, or "unread: …"."""

    kind: str
    name: str
    key: str
    optional: bool
    state: str


def cause_in(status: ContainerStatus, events: Sequence[Event], needs: Sequence[Dependency]) -> str:
    """Why a container doesn't run, or why it ended last: one word, as CrashReport tells them."""
    waiting, ended = status.state.waiting, status.last_state.terminated or status.state.terminated
    if waiting is not None and waiting.reason != "CrashLoopBackOff":
        if any(n.state == "missing" and not n.optional for n in needs):
            return "missing-dependency"
        if waiting.reason in STUCK:
            return "not-made"
    return "none" if ended is None else cause_of(ended, events)


def says(
    cause: str,
    status: ContainerStatus,
    *,
    limit: str | None,
    events: Sequence[Event],
    lines: Sequence[str],
    needs: Sequence[Dependency],
) -> str:
    """The cause in a sentence, with what proves it."""
    name, ended = status.name, status.last_state.terminated or status.state.terminated
    code = f"exit code {ended.exit_code}" if ended is not None else "no exit code"
    match cause:
        case "missing-dependency":
            lacking = (_called(n) for n in needs if n.state == "missing" and not n.optional)
            return f"{name} can't be made: there is no {', no '.join(dict.fromkeys(lacking))}"
        case "not-made":
            waiting = status.state.waiting or Waiting()
            return f"{name} can't be made: {waiting.reason}: {waiting.message}"
        case "oom-killed":
            return f"{name} was killed for memory " + (f"at its limit of {limit}" if limit else "when its node ran out")
        case "killed-by-probe":
            failed = (e.message for e in events if e.message.startswith(("Liveness probe", "Startup probe")))
            return f"the kubelet ended {name} for its probe: {next(failed, 'the probe failed')}"
        case "ended-by-itself":
            return f"{name} ended well ({code}): nothing in it goes on running"
        case "crash":
            return f"{name} ended with {code}" + (f"; it said: {lines[-1]}" if lines else "")
        case "terminated":
            return f"{name} was asked to stop ({code})"
    return f"{name} has never ended"


def _called(need: Dependency) -> str:
    return f"key {need.key} in {need.kind} {need.name}" if need.key else f"{need.kind} {need.name}"
