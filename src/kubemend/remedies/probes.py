"""A failing probe where it is declared, for the strategies that correct one field of it."""

from __future__ import annotations

from dataclasses import dataclass

from kubemend.model.finding import Cite, Diagnosis
from kubemend.model.objects import Container, Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.remedies.site import Before, Site, container_before, site
from kubemend.remedies.template import Json, json

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


@dataclass(frozen=True)
class Faulty:
    """A diagnosed probe: its place, its JSON field, and what it and the earlier revision's one look like."""

    site: Site
    container: Container
    field: str
    handler: str
    probe: Json
    before: tuple[Json, Before] | None

    @property
    def steps(self) -> tuple[str | int, ...]:
        """Steps from the pod spec to the probe."""
        return (*self.site.steps, self.field)

    def cite(self, *steps: str | int) -> Cite:
        """Cite a field of the probe."""
        return self.site.cite(self.field, *steps)

    def other(self) -> list[Json]:
        """The container's other probes."""
        shown = json(self.container)
        return [shown[p] for p in PROBES if p != self.field and p in shown]


def faulty(diagnosis: Diagnosis, snapshot: Snapshot, kind: str) -> Faulty | Declined:
    """The diagnosed probe, if its fault is of this kind and it is still there."""
    facts = diagnosis.root.facts
    if facts.get("kind") != kind:
        return Declined(f"it isn't the probe's {kind} that is at fault")
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if isinstance(found.obj, Pod):
        return Declined("the probes of a pod can't be changed; the pod has to be made anew")
    field, handler = str(facts.get("probe")), str(facts.get("handler"))
    shown = json(found.container) if found.container else {}
    if found.container is None or field not in shown:
        return Declined(f"the container has no {field} any more")
    held = container_before(found, snapshot)
    before = json(held[0]).get(field) if held else None
    old = (before, held[1]) if held and before else None
    return Faulty(found, found.container, field, handler, shown[field], old)
