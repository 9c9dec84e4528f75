"""Tool: how long pods wait for their place, and until they are ready."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from kubemend.kube.percentile import percentile
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH
from kubemend.tools.words import Hours

REASON = re.compile(r"(?:^|, )(?P<count>\d+) (?P<reason>[^,]*?[^,.])(?=, \d+ |\.|$)")
"""Parts of a scheduler's message behind "0/5 nodes are available: ": a number of nodes, and why they didn't do."""
SLOWEST = 10


class Times(Struct, frozen=True):
    """Seconds over some pods, by nearest rank; None without any."""

    pods: int
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    max_s: float | None


class Slow(Struct, frozen=True):
    """One pod. None: not yet."""

    name: str
    namespace: str
    node: str
    scheduled_s: float | None
    ready_s: float | None


class Refusal(Struct, frozen=True):
    """One reason of FailedScheduling events. nodes: the most that had it at once. pods: who met it."""

    reason: str
    events: int
    nodes: int
    pods: tuple[str, ...]


class Latency(Struct, frozen=True):
    """Pods born within the time. scheduled: from birth to a node; started: from a node to ready; ready: both.

    Times of the API are whole seconds. waiting: pods that still have no node, with how long they wait.
    """

    hours: int
    since: datetime
    pods: int
    scheduled: Times
    started: Times
    ready: Times
    slowest: tuple[Slow, ...]
    waiting: dict[str, float]
    failed_scheduling: tuple[Refusal, ...] | None


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("list", "events")},
    examples=({"hours": 1},),
)
async def analyze_scheduling_latency(cluster: Look, *, hours: Hours = 1) -> Latency:
    """Tell how long pods born lately took to get a node and to become ready, and why the scheduler refused any.

    Birth is creationTimestamp; the others are the last transitions of the conditions PodScheduled and Ready. A pod
    that lost readiness and has it again, or that restarted, tells nothing of its start and is left out of ready times.
    """
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    pods = [p for p in await cluster.list(Pod) if (p.metadata.creation_timestamp or EPOCH) >= since]
    events = await cluster.beside(Event, fields="reason=FailedScheduling")
    rows = [_row(p) for p in pods]
    first = sorted(rows, key=lambda r: (-(r.ready_s or r.scheduled_s or 0.0), r.namespace, r.name))
    both = [(r.scheduled_s, r.ready_s) for r in rows]
    return Latency(
        hours=hours,
        since=since,
        pods=len(pods),
        scheduled=_times([s for s, _ in both if s is not None]),
        started=_times([r - s for s, r in both if s is not None and r is not None]),
        ready=_times([r for _, r in both if r is not None]),
        slowest=tuple(first[:SLOWEST]),
        waiting=_waiting(pods, now),
        failed_scheduling=None if events is None else tuple(_refusals(events, since)),
    )


def _row(pod: Pod) -> Slow:
    born = pod.metadata.creation_timestamp
    restarted = any(s.restart_count for s in pod.status.container_statuses)
    return Slow(
        name=pod.name,
        namespace=pod.namespace,
        node=pod.spec.node_name,
        scheduled_s=_since(pod, "PodScheduled", born),
        ready_s=None if restarted else _since(pod, "Ready", born),
    )


def _since(pod: Pod, type_: str, born: datetime | None) -> float | None:
    told = condition(pod.status.conditions, type_)
    if told is None or told.status != "True" or told.last_transition_time is None or born is None:
        return None
    return max((told.last_transition_time - born).total_seconds(), 0.0)


def _times(values: Sequence[float]) -> Times:
    p50, p90, p99, most = (percentile(values, p) for p in (50, 90, 99, 100))
    return Times(len(values), p50, p90, p99, most)


def _waiting(pods: Sequence[Pod], now: datetime) -> dict[str, float]:
    held = {
        f"{p.namespace}/{p.name}": round((now - p.metadata.creation_timestamp).total_seconds(), 1)
        for p in pods
        if not p.spec.node_name and p.status.phase == "Pending" and p.metadata.creation_timestamp is not None
    }
    return dict(sorted(held.items(), key=lambda h: -h[1]))


def _refusals(events: Sequence[Event], since: datetime) -> Iterator[Refusal]:
    found: Counter[str] = Counter()
    nodes: defaultdict[str, int] = defaultdict(int)
    pods: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.reason != "FailedScheduling" or (event.last_seen or EPOCH) < since:
            continue
        for reason, count in reasons(event.message).items():
            found[reason] += max(event.count, 1)
            nodes[reason] = max(nodes[reason], count)
            pods[reason].add(f"{event.namespace}/{event.involved_object.name}")
    for reason, count in found.most_common():
        yield Refusal(reason, count, nodes[reason], tuple(sorted(pods[reason])))


def reasons(message: str) -> Mapping[str, int]:
    """Why nodes didn't do, and how many, in a scheduler's message; the whole message for 0 when it has another form.

    "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: …"
    """
    head, colon, rest = message.partition("nodes are available: ")
    if not colon or "/" not in head:
        return {message: 0}
    told = {m["reason"].strip(): int(m["count"]) for m in REASON.finditer(rest.partition(". preemption:")[0])}
    return told or {message: 0}
