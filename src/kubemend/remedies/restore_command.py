"""The command that could be executed."""

from __future__ import annotations

from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Container
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import REVISIONS, container_before, proposal, site, verified
from kubemend.remedies.template import json, put, shape
from kubemend.remedies.workload import REVISED

_FIELDS = ("command", "args", "workingDir")


@strategy(
    cures=("KM109", "KM102", "KM110"),
    risk=Risk.MEDIUM,
    reads=(),
    uses=REVISIONS,
    needs=REVISED,
    order=20,
)
def restore_command(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a container the command and arguments of the last good revision.

    Planned when the newest revision changed `command`, `args` or `workingDir` of the container that fails,
    and kept its image: another image is another program, and then the whole revision should go back.

    ## Safety
    Nothing is made up: what is written stood in an earlier revision of the same workload. The image, the
    environment and everything else of the newest revision stay.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if diagnosis.root.code == "KM109" and diagnosis.root.facts.get("kind") != "command":
        return Declined("it isn't the command that can't be executed")
    held = container_before(found, snapshot)
    if held is None or found.container is None:
        return Declined("no earlier revision is known in which the container had another command")
    old, revision = held
    if _words(old) == _words(found.container):
        return Declined(f"{revision.title} had the same command")
    if old.image != found.container.image:
        return Declined(f"{revision.title} had another image, to which its command belonged")
    wanted, before = shape(found.template), json(old)
    for field in _FIELDS:
        wanted = put(wanted, (*found.steps, field), before.get(field))
    reason = f"the command changed since {revision.title}, and the new one doesn't work"
    terms = verified(found, diagnosis, snapshot)
    requires = tuple(found.cite(f) for f in ("image", *(f for f in _FIELDS if f in json(found.container))))
    return proposal(found, snapshot, wanted, reason, revision.confidence, terms, requires)


def _words(container: Container) -> tuple[object, ...]:
    return container.command, container.args, container.working_dir
