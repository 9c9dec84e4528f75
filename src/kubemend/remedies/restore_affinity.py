"""The affinity that the workload had when it found a place."""

from __future__ import annotations

from typing import Any

from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.model.plan import Declined
from kubemend.model.pointer import at, pointer
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, patch, strategy
from kubemend.remedies.room import places
from kubemend.remedies.site import REVISIONS, stragglers, verified
from kubemend.remedies.template import nested, put, shape
from kubemend.remedies.workload import REVISED, as_json, cited, workload

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_FIRST = ("nodeSelectorTerms", 0, "matchExpressions", 0, "key")
_FIELDS = {"node-affinity": "nodeAffinity", "pod-affinity": "podAffinity", "pod-anti-affinity": "podAntiAffinity"}


@strategy(cures=("KM204",), risk=Risk.MEDIUM, reads=(Pod, Node), uses=REVISIONS, needs=REVISED, order=30)
def restore_affinity(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload back the required affinity of its earlier revision.

    ## Safety
    Only the required part of the one affinity that can't be satisfied goes back; what is merely preferred stays.
    Pod (anti-)affinity and spread constraints aren't read in full, so they are only ever taken away, and only
    where the earlier revision had none.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    kind = str(diagnosis.root.facts["kind"])
    if stable is None:
        return Declined("there is no earlier revision whose affinity could be restored")
    steps = _steps(kind)
    now, earlier = (_rule(s, steps) for s in (held.template.spec, stable.revision.template.spec))
    if not now:
        return Declined(f"{held.obj.ref} no longer has a required {kind}")
    if now == earlier:
        return Declined(f"{stable.title} had the same required {kind}")
    if earlier and kind != "node-affinity":
        return Declined(f"{stable.title} had another required {kind}, which is not read in full")
    if not places(put(shape(held.template), steps, earlier), held.obj.namespace, snapshot):
        return Declined(f"even with the affinity of {stable.title} no node would take a pod")
    change: Any = earlier
    for step in reversed(steps):
        change = {step: change}
    had = "had another" if earlier else "had no"
    return Proposal(
        changes=(patch(held.obj, nested(held.obj.ref, {"spec": change})), *stragglers(held.obj, snapshot)),
        reason=f"{stable.title} {had} required {kind}",
        confidence=stable.confidence,
        verify=verified(held, diagnosis, snapshot),
        requires=(cited(held, *steps, *(_FIRST if kind == "node-affinity" else (0, "topologyKey"))),),
    )


def _steps(kind: str) -> tuple[str, ...]:
    return ("topologySpreadConstraints",) if kind == "topology-spread" else ("affinity", _FIELDS[kind], _REQUIRED)


def _rule(spec: PodSpec, steps: tuple[str, ...]) -> Any:
    """The required part as JSON; None when there is none."""
    return as_json(at(spec, pointer(*steps))) or None
