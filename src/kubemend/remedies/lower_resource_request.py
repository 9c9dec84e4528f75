"""The request that the workload had when it fitted."""

from __future__ import annotations

from kubemend.kube.quantity import parse
from kubemend.model.access import Risk
from kubemend.model.finding import Cite, Diagnosis
from kubemend.model.objects import Container, Node, Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.room import places
from kubemend.remedies.site import REVISIONS, Before, Site
from kubemend.remedies.template import Json, put, shape
from kubemend.remedies.workload import REVISED, Choice, cited, proposed, workload


@strategy(cures=("KM201",), risk=Risk.MEDIUM, reads=(Pod, Node), uses=REVISIONS, needs=REVISED, order=30)
def lower_resource_request(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload back the lower request that its earlier revision had.

    ## Safety
    Only the request of the resource that is short goes back, in the containers where the earlier revision asked
    for less; limits stay. Without such a revision it is declined with what would fit: how little a program can
    live with is nothing that can be read off a cluster.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    facts = diagnosis.root.facts
    name = str(facts["resource"])
    fits = f"{facts['free']} of {name} is free at most ({facts['requested']} is requested)"
    wanted, requires = _lowered(held, stable, name)
    if stable is None or not requires:
        return Declined(f"no earlier revision asked for less {name}; {fits}")
    if not places(wanted, held.obj.namespace, snapshot):
        return Declined(f"even with the {name} request of {stable.title} no node would take a pod; {fits}")
    choice = Choice(wanted, f"{stable.title} requested less {name}, which a node has", stable.confidence)
    return proposed(held, diagnosis, snapshot, choice, requires)


def _lowered(held: Site, stable: Before | None, name: str) -> tuple[Json, tuple[Cite, ...]]:
    """The template with the earlier requests where these were lower, and the requests that stand there now."""
    wanted, requires = shape(held.template), []
    for i, container in enumerate(held.template.spec.containers):
        old = stable.revision.template.spec.container(container.name) if stable else None
        now, earlier = container.resources.requests.get(name), _request(old, name)
        if now is None or earlier is None or parse(earlier) >= parse(now):
            continue
        wanted = put(wanted, ("containers", i, "resources", "requests", name), earlier)
        requires.append(cited(held, "containers", i, "resources", "requests", name))
    return wanted, tuple(requires)


def _request(container: Container | None, name: str) -> str | int | float | None:
    """What a container asked for: its request, or the limit that stands for one."""
    if container is None:
        return None
    return container.resources.requests.get(name, container.resources.limits.get(name))
