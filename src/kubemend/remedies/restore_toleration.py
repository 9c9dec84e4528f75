"""The toleration that the newest revision lost."""

from __future__ import annotations

from kubemend.kube.scheduling import tolerates
from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.node import Taint
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.room import places
from kubemend.remedies.site import REVISIONS
from kubemend.remedies.template import put, shape
from kubemend.remedies.workload import REVISED, Choice, as_json, cited, proposed, workload


@strategy(cures=("KM203",), risk=Risk.MEDIUM, reads=(Pod, Node), uses=REVISIONS, needs=REVISED, order=30)
def restore_toleration(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a workload back the toleration that its earlier revision had for the taint.

    ## Safety
    Taints are set on purpose, so a toleration is restored only where the same workload had it before; nothing
    else of the template changes, and no taint is ever removed.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    facts = diagnosis.root.facts
    taint = Taint(key=str(facts["key"]), value=str(facts.get("value") or ""), effect=str(facts["effect"]))
    now = held.template.spec.tolerations
    if stable is None or tolerates(now, taint):
        return Declined(
            f"no earlier revision is known to have tolerated {taint.key}; a person must say who may go there"
        )
    lost = [t for t in stable.revision.template.spec.tolerations if tolerates((t,), taint) and t not in now]
    if not lost:
        return Declined(f"{stable.title} didn't tolerate {taint.key} either; a person must say who may go there")
    wanted = put(shape(held.template), ("tolerations",), as_json((*now, *lost)))
    choice = Choice(wanted, f"{stable.title} tolerated the taint {taint.key}", stable.confidence)
    if not places(choice.template, held.obj.namespace, snapshot):
        return Declined(f"even with the toleration of {stable.title} no node would take a pod")
    return proposed(
        held, diagnosis, snapshot, choice, tuple(cited(held, "tolerations", i, "key") for i in range(len(now)))
    )
