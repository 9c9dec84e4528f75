"""KM503: a Service none of whose pods is ready."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.rollout import ready
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import EndpointSlice, Pod, Service
from kubemend.model.objects.meta import condition
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.service.selection import GRACE_S, OWNERS, selection
from kubemend.rules.workload.words import count


@rule("KM503", severity=Severity.ERROR, reads=(Service, Pod), uses=(EndpointSlice, *OWNERS))
def service_without_ready_endpoints(snapshot: Snapshot) -> Iterator[Observation]:
    """A Service has pods, but none of them is ready.

    ## What it means
    The selector matches pods, none of which has been ready for the last minute. The cause is with the pods;
    this finding is usually listed as a symptom of it. A Service that publishes pods that aren't ready
    (`publishNotReadyAddresses`) isn't reported.

    ## Why it matters
    Every connection to the Service fails.

    ## What to do
    Look at the findings about the pods behind it.
    """
    found = selection(snapshot)
    for service in found.services():
        pods = found.pods(service)
        if not pods or service.spec.publish_not_ready_addresses or any(ready(p) for p in pods):
            continue
        if all(_may_yet(p, snapshot) for p in pods):
            continue
        behind = tuple(dict.fromkeys(snapshot.top(p).ref for p in pods))
        yield Observation(
            about=service.ref,
            says=f"selects {count(len(pods), 'pod')}, of which none is ready",
            evidence=tuple(cite(p, "status", "phase") for p in pods[:3]),
            confidence=0.9,
            facts={"workloads": tuple(str(r) for r in behind)},
            depends=(*behind, *(p.ref for p in pods)),
        )


def _may_yet(pod: Pod, snapshot: Snapshot) -> bool:
    """Whether the pod is so new, or was ready so lately, that it isn't to be given up."""
    found = condition(pod.status.conditions, "Ready")
    changed = found.last_transition_time if found else None
    since = changed or pod.metadata.creation_timestamp
    return since is not None and not snapshot.has_passed(GRACE_S, since)
