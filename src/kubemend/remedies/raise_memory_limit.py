"""More memory for a container that was killed for it."""

from __future__ import annotations

from kubemend.kube.quantity import format_bytes, to_bytes
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Container, LimitRange, Node, Pod, ResourceQuota
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.ceilings import Ceiling, ceilings
from kubemend.remedies.site import REVISIONS, Site, container_before, proposal, site, verified
from kubemend.remedies.template import put, shape

FACTOR = 2
"""How many times the limit at once: enough to matter, and three tries come to eight times."""

STEP = 200 * 2**20
"""The least raise in bytes, for a small limit doubled is still small. The Vertical Pod Autoscaler adds at least
100 MiB after a kill (`--oom-min-bump-up-bytes`); it may try again within minutes, where we have three tries a day.
"""

LEAST = 1.25
"""A smaller raise than this isn't worth a rollout."""

MI = 2**20


@strategy(
    cures=("KM101",),
    risk=Risk.MEDIUM,
    reads=(LimitRange, ResourceQuota),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("create", "pods/eviction"),
    },
    order=10,
)
def raise_memory_limit(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Double the memory limit of a container that was killed for reaching it.

    The new limit is twice the old one, at least 200Mi more, or what the last good revision had if that is more,
    in whole Mi, and no more than a LimitRange, a ResourceQuota (for as many pods as the rollout has at once) and
    the largest node allow.

    ## Safety
    The memory request stays what it is, so the scheduler sees no difference; where the template left it to
    follow the limit, it is written down at its old value. Undo restores both. A container without a limit is
    not touched: there the node ran out, and a limit wouldn't help. A leak is only delayed; the attempts per
    incident are counted, and then a person is asked.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if found.container is None or isinstance(found.obj, Pod):
        return Declined("the limits of a pod without a controller can't be changed; it has to be made anew")
    now = diagnosis.root.facts.get("limit_bytes")
    if not isinstance(now, int) or not now:
        return Declined("the container has no memory limit: its node ran out of memory")
    written = found.container.resources.limits.get("memory")
    if written is not None and to_bytes(written) != now:
        return Declined(f"its memory limit has been changed since, from {format_bytes(now)} to {written}")
    return _raised(diagnosis, snapshot, found, found.container, now)


def _raised(
    diagnosis: Diagnosis, snapshot: Snapshot, found: Site, container: Container, now: int
) -> Proposal | Declined:
    request = _request(diagnosis, snapshot, container, now)
    bounds = ceilings(found, container, snapshot, now=now, request=request)
    wanted = -(-max(FACTOR * now, now + STEP, _before(found, snapshot)) // MI) * MI
    bound = min((c for c in bounds if c.size < wanted), default=Ceiling(wanted, ""))
    new = bound.size // MI * MI
    if new < LEAST * now:
        return Declined(f"its limit of {format_bytes(now)} can't be raised enough: {bound.why}")
    template = _with(found, container, new, request)
    confidence = (0.9 if new == wanted else 0.75) if snapshot.was_read(Node) else 0.72
    reason = f"it was killed at its limit of {format_bytes(now)}; {format_bytes(new)} is {new / now:.3g} times that"
    why = f"{reason}, and {bound.why}" if bound.why else reason
    terms = verified(found, diagnosis, snapshot)
    written = ("resources", "limits", "memory") if "memory" in container.resources.limits else ("name",)
    return proposal(found, snapshot, template, why, confidence, terms, (found.cite(*written),))


def _before(found: Site, snapshot: Snapshot) -> int:
    """The limit in the last good revision, in bytes; 0 when there is none."""
    held = container_before(found, snapshot)
    return to_bytes(held[0].resources.limits.get("memory", 0)) if held else 0


def _request(diagnosis: Diagnosis, snapshot: Snapshot, container: Container, now: int) -> int:
    """The container's effective memory request in bytes: the API server sets it to the limit where none is given."""
    pod = snapshot.find(diagnosis.root.about)
    running = pod.spec.container(container.name) if isinstance(pod, Pod) else None
    for held in (container, running):
        if held is not None and (request := held.resources.requests.get("memory")) is not None:
            return to_bytes(request)
    return now


def _with(found: Site, container: Container, limit: int, request: int) -> dict[str, object]:
    limits = {**container.resources.limits, "memory": format_bytes(limit)}
    requests = dict(container.resources.requests)
    requests.setdefault("memory", format_bytes(request))
    return put(shape(found.template), (*found.steps, "resources"), {"limits": limits, "requests": requests})
