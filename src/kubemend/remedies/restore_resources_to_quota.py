"""The resources that the workload had when its namespace allowed them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubemend.kube.quantity import parse
from kubemend.model.access import Risk
from kubemend.model.finding import Cite, Diagnosis
from kubemend.model.objects import Container, Deployment, Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import REVISIONS, Before, Site
from kubemend.remedies.template import Json, put, shape
from kubemend.remedies.workload import REVISED, Choice, cited, proposed, workload


@strategy(cures=("KM402", "KM406"), risk=Risk.MEDIUM, reads=(Pod, Deployment), uses=REVISIONS, needs=REVISED, order=30)
def restore_resources_to_quota(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload back the requests and limits of its earlier revision, which quota and LimitRange allowed.

    ## Safety
    Only amounts of the resource at fault that the newest revision changed go back, and only to amounts the
    earlier revision states: no request and no limit is ever removed. Replicas stay.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    facts = diagnosis.root.facts
    resource = str(facts["resource"])
    numbers = _numbers(diagnosis)
    if stable is None:
        return Declined(f"there is no earlier revision with other resources; {numbers}")
    name = resource.removeprefix("requests.").removeprefix("limits.")
    wanted, requires = _restored(held, stable, name, lower=facts.get("bound") != "min")
    if not requires:
        return Declined(
            f"{stable.title} states no {'larger' if facts.get('bound') == 'min' else 'lower'} {name}; {numbers}"
        )
    choice = Choice(wanted, f"{stable.title} had its {name} within bounds; {numbers}", stable.confidence)
    return proposed(held, diagnosis, snapshot, choice, requires)


def _numbers(diagnosis: Diagnosis) -> str:
    facts = diagnosis.root.facts
    if "quota" in facts:
        return f"each pod takes {facts['each']} of {facts['resource']}, {facts['used']} of {facts['hard']} are in use"
    return (
        f"container {facts['container']} asks for {facts['asked']} {facts['resource']}, allowed is {facts['allowed']}"
    )


def _restored(held: Site, stable: Before, name: str, *, lower: bool) -> tuple[Json, tuple[Cite, ...]]:
    """The template with the earlier amounts, and the amounts that stand there now."""
    wanted, requires = shape(held.template), []
    for i, container in enumerate(held.template.spec.containers):
        old = stable.revision.template.spec.container(container.name)
        for field, amount in _amounts(container, old, name, lower=lower):
            wanted = put(wanted, ("containers", i, "resources", field, name), amount)
            requires.append(cited(held, "containers", i, "resources", field, name))
    return wanted, tuple(requires)


def _amounts(now: Container, old: Container | None, name: str, *, lower: bool) -> Iterator[tuple[str, Any]]:
    """(field, earlier amount) of the requests and limits that the earlier revision stated lower (or higher)."""
    if old is None:
        return
    pairs = (
        ("limits", now.resources.limits, old.resources.limits),
        ("requests", now.resources.requests, old.resources.requests),
    )
    for field, have, had in pairs:
        if name in have and name in had:
            change = parse(had[name]) - parse(have[name])
            if change and (change < 0) is lower:
                yield field, had[name]
