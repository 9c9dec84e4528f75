"""KM113: put out by the kubelet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, Pod
from kubemend.model.ref import Ref
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS

WINDOW_S = 3600.0
"""Seconds within which evictions of one workload's pods count together."""

# Words of the eviction messages in the kubelet (pkg/kubelet/eviction/helpers.go and eviction_manager.go).
_SHORT = (
    ("empty-dir", re.compile(r"EmptyDir volume")),
    ("ephemeral-storage", re.compile(r"ephemeral[- ](local )?storage")),
    ("memory", re.compile(r"resource: memory")),
    ("pids", re.compile(r"resource: pids")),
)


@rule(
    "KM113",
    severity=Severity.WARNING,
    reads=(Pod,),
    uses=(Node, *CONTROLLERS),
    explains=("KM401", "KM503"),
    spreads=True,
)
def pod_evicted(snapshot: Snapshot) -> Iterator[Observation]:
    """Pods are evicted by their node again and again, or one was that nothing replaces.

    ## What it means
    The kubelet stopped the pod because its node ran short of memory, disk or process ids, or because the pod
    used more local storage than it may (an `emptyDir` limit, say). A single eviction whose controller has
    made a new pod is history and isn't reported; two or more of one workload within an hour are.

    ## Why it matters
    A pod without a controller is gone for good. A workload whose pods are evicted again and again loses work
    each time and will go on doing so.

    ## What to do
    Read the message of the evicted pod. Set requests that say what the pods really need, raise the storage
    limit, or look at what fills the node.
    """
    evicted = [p for p in snapshot.all(Pod) if p.status.phase == "Failed" and p.status.reason == "Evicted"]
    tops = {p.ref: snapshot.top(p).ref for p in evicted}
    recent = Counter(tops[p.ref] for p in evicted if not snapshot.has_passed(WINDOW_S, _when(p)))
    for pod in evicted:
        if pod.metadata.controller is None:
            yield _observation(pod, 1, "has no controller that would replace it")
        elif (times := recent[tops[pod.ref]]) > 1 and not snapshot.has_passed(WINDOW_S, _when(pod)):
            yield _observation(pod, times, f"is one of {times} of its workload within an hour")


def _when(pod: Pod) -> datetime | None:
    """When it was evicted, as near as the status tells."""
    times = [c.last_transition_time for c in pod.status.conditions]
    times += [s.state.terminated.finished_at for s in pod.status.container_statuses if s.state.terminated]
    return max((t for t in times if t is not None), default=pod.status.start_time)


def _observation(pod: Pod, times: int, why: str) -> Observation:
    short = next((name for name, pattern in _SHORT if pattern.search(pod.status.message)), "other")
    on = f" from node {pod.spec.node_name}" if pod.spec.node_name else ""
    return Observation(
        about=pod.ref,
        says=f"the pod was evicted{on} and {why}",
        evidence=(cite(pod, "status", "reason"), cite(pod, "status", "message")),
        confidence=0.95,
        facts={"short": short, "times": times, "managed": pod.metadata.controller is not None},
        depends=(Ref("Node", "", pod.spec.node_name),) if pod.spec.node_name else (),
    )
