"""What the strategies share that change where, as whom, or with how much the pods of a workload run.

A pod without a controller is declined here: these fields of a pod can't be changed once it is there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from kubemend.model.access import Access
from kubemend.model.finding import Cite, Diagnosis, cite
from kubemend.model.objects import Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, template_of
from kubemend.remedies.site import Before, Site, before, proposal, site, verified
from kubemend.remedies.template import Json

PLACED = {
    Access("patch", "deployments", "apps"),
    Access("patch", "statefulsets", "apps"),
    Access("create", "pods/eviction"),
}
"""What a change of where pods may run needs. A StatefulSet leaves its waiting pod as it is, so that is evicted;
a DaemonSet makes no pod at all where none may run, so none of its pods ever waits for want of a node."""

REVISED = {*PLACED, Access("patch", "daemonsets", "apps")}
"""What a return to something that an earlier revision had needs, whatever kind of workload it is of."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A template to have, why, and how sure that is."""

    template: Json
    why: str
    confidence: float


def workload(diagnosis: Diagnosis, snapshot: Snapshot) -> tuple[Site, Before | None] | Declined:
    """The workload to change and the revision that it could go back to."""
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if isinstance(found.obj, Pod):
        return Declined("this can't be changed on a pod that is there; the pod has to be made anew")
    return found, before(found, snapshot)


def as_json(value: Any) -> Any:
    """A value of a Struct as a patch holds it: with lists, not tuples, so that it equals itself when read back."""
    return msgspec.json.decode(msgspec.json.encode(value))


def cited(found: Site, *steps: str | int) -> Cite:
    """Cite a field of the workload's pod spec."""
    return cite(found.obj, *template_of(found.obj.ref), "spec", *steps)


def proposed(
    found: Site, diagnosis: Diagnosis, snapshot: Snapshot, choice: Choice, requires: tuple[Cite, ...]
) -> Proposal | Declined:
    """Propose the choice, for as long as what is required holds."""
    terms = verified(found, diagnosis, snapshot)
    made = proposal(found, snapshot, choice.template, choice.why, choice.confidence, terms)
    return made if isinstance(made, Declined) else dataclasses.replace(made, requires=requires)
