"""The service account that the pods ran as before."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Pod, ServiceAccount
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, patch, strategy
from kubemend.remedies.site import REVISIONS, verified
from kubemend.remedies.template import nested
from kubemend.remedies.workload import cited, workload

NEAR = 0.75
"""Confidence in a name that differs from an existing account's by a letter or two."""


@strategy(
    cures=("KM403",),
    risk=Risk.MEDIUM,
    reads=(Pod, ServiceAccount),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
    },
    order=30,
)
def restore_service_account(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Name a ServiceAccount that exists: the earlier revision's, or the one that was surely meant.

    ## Safety
    An account decides what a program may do. Going back to the one the same workload had gives it nothing new;
    a near match might, so that is high risk and a person decides. No account, role or binding is made or changed.
    """
    found = workload(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    held, stable = found
    missing = str(diagnosis.root.facts["name"])
    if held.template.spec.service_account_name != missing:
        return Declined(f"{held.obj.ref} no longer runs as {missing!r}")
    if stable is not None and (name := stable.revision.template.spec.service_account_name) != missing:
        why, confidence, risk = f"{stable.title} ran as {name or 'default'!r}", stable.confidence, None
    elif near := diagnosis.root.facts.get("near"):
        name, why = str(near), f"{missing!r} looks like a slip for {near!r}"
        confidence, risk = NEAR, Risk.HIGH
    else:
        return Declined(f"no earlier revision ran as another account, and no name is near {missing!r}")
    if snapshot.get(ServiceAccount, held.obj.namespace, name or "default") is None:
        return Declined(f"{why}, but that account doesn't exist either")
    # `serviceAccount` is the old name of the same field; the API server keeps both alike.
    body = {"spec": {"serviceAccountName": name or None, "serviceAccount": name or None}}
    return Proposal(
        changes=(patch(held.obj, nested(held.obj.ref, body)),),
        reason=why,
        confidence=confidence,
        verify=verified(held, diagnosis, snapshot),
        requires=(cited(held, "serviceAccountName"),),
        risk=risk,
    )
