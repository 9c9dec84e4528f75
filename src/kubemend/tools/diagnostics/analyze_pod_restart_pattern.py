"""Tool: why containers restart, and whether it gets worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.objects.pod import ContainerStatus, Terminated
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_failed_kubernetes_pods import StateRow, state_row
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH, EventRow, row
from kubemend.tools.words import Scope

RECENT = 5
"""Events shown of each container."""
SIGNALS = {130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
"""Exit codes above 128 mean a signal (128 + number), as shells tell it."""
ASKED = (0, 137, 143)
"""Exit codes of a program that the kubelet ended: it went by itself, was killed, or fell to the first signal."""


class Pattern(Struct, frozen=True):
    """One container. mean_interval_s: of its life so far, per restart; None when it is not known.

    cause: "oom-killed", "killed-by-probe", "crash", "ended-by-itself" (exit code 0), "terminated" or "unknown".
    """

    pod_name: str
    namespace: str
    node: str
    container_name: str
    restart_count: int
    current_state: StateRow
    last_state: StateRow
    cause: str
    signal: str
    restart_reasons: tuple[str, ...]
    severity: str
    mean_interval_s: float | None
    last_run_s: float | None
    node_trouble: tuple[str, ...]
    recent_events: tuple[EventRow, ...] | None
    recommendations: tuple[str, ...]


class Patterns(Struct, frozen=True):
    """Containers at or above the threshold, the most restarts first."""

    analysis_time: datetime
    namespace: str
    min_restarts_threshold: int
    total_problematic_containers: int
    analysis: tuple[Pattern, ...]


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("list", "events"), Access("list", "nodes")},
    examples=({"namespace": "shop", "min_restarts": 1},),
)
async def analyze_pod_restart_pattern(
    cluster: Look,
    *,
    namespace: Scope = None,
    min_restarts: Annotated[int, Meta(description="Restarts of a container from which on it counts.", ge=1)] = 3,
) -> Patterns:
    """Tell why containers restart: killed for memory, killed by a probe, crashing, or ending by themselves.

    With exit code and signal, how long the last run was, how often it restarts, and trouble of its node.
    """
    pods = await cluster.list(Pod, namespace)
    events = _by_uid(await cluster.beside(Event, namespace))
    nodes = {n.name: n for n in await cluster.beside(Node) or ()}
    found = [
        _pattern(pod, status, events, nodes.get(pod.spec.node_name))
        for pod in pods
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
        if status.restart_count >= min_restarts
    ]
    found.sort(key=lambda p: (-p.restart_count, p.namespace, p.pod_name, p.container_name))
    return Patterns(datetime.now(UTC), namespace or "all", min_restarts, len(found), tuple(found))


def _by_uid(events: Sequence[Event] | None) -> Mapping[str, Sequence[Event]] | None:
    if events is None:
        return None
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.involved_object.uid].append(event)
    return found


def _pattern(
    pod: Pod, status: ContainerStatus, events: Mapping[str, Sequence[Event]] | None, node: Node | None
) -> Pattern:
    ended = status.last_state.terminated or status.state.terminated
    mine = None if events is None else _of(status.name, events.get(pod.metadata.uid, ()))
    cause = cause_of(ended, mine or ())
    return Pattern(
        pod_name=pod.name,
        namespace=pod.namespace,
        node=pod.spec.node_name,
        container_name=status.name,
        restart_count=status.restart_count,
        current_state=state_row(status.state),
        last_state=state_row(status.last_state),
        cause=cause,
        signal="" if ended is None else SIGNALS.get(ended.exit_code, ""),
        restart_reasons=tuple(_reasons(ended)),
        severity="medium" if cause in ("terminated", "ended-by-itself") else "high",
        mean_interval_s=_interval(pod, status),
        last_run_s=_lasted(ended),
        node_trouble=() if node is None else tuple(_trouble(node)),
        recent_events=None if mine is None else tuple(row(e) for e in mine[:RECENT]),
        recommendations=(_ADVICE[cause],),
    )


_ADVICE = {
    "oom-killed": "recommend_resource_limits for its workload; a limit that grows without end points to a leak",
    "killed-by-probe": "validate_probe_configuration: the liveness probe asks wrongly or too early",
    "crash": "get_kubernetes_previous_pod_logs shows what it said before it ended",
    "ended-by-itself": "the program ends well: it belongs into a Job, or its command should not end",
    "terminated": "it was asked to stop: look at evictions, node shutdowns and rollouts",
    "unknown": "get_pod_crash_report puts together what is known",
}


def cause_of(ended: Terminated | None, events: Sequence[Event]) -> str:
    """What ended a container, by its state first: events are forgotten after an hour."""
    if ended is None:
        return "unknown"
    if ended.reason == "OOMKilled":
        return "oom-killed"
    if any(_by_probe(e) and _of_this_end(e, ended) for e in events):
        return "killed-by-probe"
    if ended.exit_code == 0:
        return "ended-by-itself"
    return "terminated" if ended.exit_code == 143 else "crash"


def _by_probe(event: Event) -> bool:
    """Whether it tells that the kubelet ends a container for its probe ("Container x failed startup probe, …")."""
    return event.reason == "Killing" and any(f"{kind} probe" in event.message for kind in ("liveness", "startup"))


def _of_this_end(event: Event, ended: Terminated) -> bool:
    """Whether it may tell of this end: it came during that run, or the program ended as one does that is told to.

    Of a container that is killed again and again the kubelet soon stops to report each time (its spam filter).
    """
    return ended.exit_code in ASKED or (event.last_seen or EPOCH) >= (ended.started_at or EPOCH)


def _of(container: str, events: Sequence[Event]) -> list[Event]:
    """Events of a pod that are of the container, or of the pod as a whole, the newest first."""
    found = [
        e for e in events if not e.involved_object.field_path or f"{{{container}}}" in e.involved_object.field_path
    ]
    return sorted(found, key=lambda e: e.last_seen or EPOCH, reverse=True)


def _reasons(ended: Terminated | None) -> Iterator[str]:
    if ended is not None:
        yield f"{ended.reason or 'Error'} (exit code {ended.exit_code})"


def _interval(pod: Pod, status: ContainerStatus) -> float | None:
    last = status.last_state.terminated
    if pod.status.start_time is None or last is None or last.finished_at is None or not status.restart_count:
        return None
    return round((last.finished_at - pod.status.start_time).total_seconds() / status.restart_count, 1)


def _lasted(ended: Terminated | None) -> float | None:
    if ended is None or ended.started_at is None or ended.finished_at is None:
        return None
    return (ended.finished_at - ended.started_at).total_seconds()


def _trouble(node: Node) -> Iterator[str]:
    ready = condition(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        yield "not ready"
    yield from (c.type for c in node.status.conditions if c.type.endswith("Pressure") and c.status == "True")
