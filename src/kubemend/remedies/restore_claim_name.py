"""The volume claim that the pods mounted before."""

from __future__ import annotations

from kubemend.model.access import Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import PersistentVolumeClaim, Pod
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import REVISIONS
from kubemend.remedies.template import put, shape
from kubemend.remedies.workload import REVISED, Choice, cited, proposed, workload


@strategy(
    cures=("KM206",), risk=Risk.MEDIUM, reads=(Pod, PersistentVolumeClaim), uses=REVISIONS, needs=REVISED, order=30
)
def restore_claim_name(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Mount the claim again that the earlier revision mounted in the same volume.

    ## Safety
    Only for a claim that doesn't exist, and only back to the one this very workload mounted before, if that is
    there: a name that merely looks alike may be somebody else's data. No claim is made, changed or deleted.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    name = str(diagnosis.root.facts["claim"])
    if not diagnosis.root.facts.get("missing"):
        return Declined(f"claim {name!r} is there; why it isn't bound is a matter of its own")
    if stable is None:
        return Declined(f"there is no earlier revision; {_hint(diagnosis)}")
    earlier = {v.name: v.persistent_volume_claim for v in stable.revision.template.spec.volumes}
    for i, volume in enumerate(held.template.spec.volumes):
        now, had = volume.persistent_volume_claim, earlier.get(volume.name)
        if now is None or now.claim_name != name or had is None or had.claim_name == name:
            continue
        if snapshot.get(PersistentVolumeClaim, held.obj.namespace, had.claim_name) is None:
            return Declined(f"{stable.title} mounted {had.claim_name!r}, which isn't there either")
        steps = ("volumes", i, "persistentVolumeClaim", "claimName")
        wanted = put(shape(held.template), steps, had.claim_name)
        choice = Choice(wanted, f"{stable.title} mounted claim {had.claim_name!r}", stable.confidence)
        return proposed(held, diagnosis, snapshot, choice, (cited(held, *steps),))
    return Declined(f"{stable.title} mounted no other claim there; {_hint(diagnosis)}")


def _hint(diagnosis: Diagnosis) -> str:
    near = diagnosis.root.facts.get("near")
    return f"claim {near!r} has a similar name" if near else "no claim has a similar name"
