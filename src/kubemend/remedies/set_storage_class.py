"""A storage class that exists."""

from __future__ import annotations

from typing import Any

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Cite, Diagnosis, cite
from kubemend.model.objects import PersistentVolumeClaim, Pod, StatefulSet, StorageClass
from kubemend.model.plan import Create, Declined, Delete, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy

_UNHELD = ("selector", "dataSource", "dataSourceRef", "volumeAttributesClassName")
"""Fields of a claim's spec that snapshots don't keep: a claim that has one can't be made anew faithfully."""

_SERVER = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/")
"""Prefixes of annotations that the binder and the provisioner set."""


@strategy(
    cures=("KM301", "KM302"),
    risk=Risk.HIGH,
    reads=(PersistentVolumeClaim, StorageClass, Pod, StatefulSet),
    needs={Access("create", "persistentvolumeclaims"), Access("delete", "persistentvolumeclaims")},
    order=30,
)
def set_storage_class(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Make an unbound claim anew with a StorageClass that exists: the near match, the default, or the only one.

    ## Safety
    High risk, since a claim is deleted; a person always decides. Only a claim that is Pending and names no volume
    qualifies: it holds no data. One with a data source or a selector is refused on the fresh read, and one that
    belongs to a StatefulSet is declined, whose template would make it with the wrong class again.
    """
    claim, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(claim, PersistentVolumeClaim):
        return Declined(f"{diagnosis.target} is no longer there")
    if claim.status.phase != "Pending" or claim.spec.volume_name:
        return Declined(f"{claim.ref} is {claim.status.phase} and may hold data")
    if claim.metadata.controller is not None or (owner := _stateful(snapshot, claim)) is not None:
        who = claim.metadata.controller.name if claim.metadata.controller else owner
        return Declined(f"{who} would make the claim with the same class again")
    if facts.get("reason") not in (None, "no-default-class"):
        return Declined("its class isn't what is wrong")
    chosen = _chosen(diagnosis, snapshot)
    if chosen is None:
        names = ", ".join(c.name for c in snapshot.all(StorageClass)) or "none"
        return Declined(f"no class is the near match, the default or the only one (there are: {names})")
    if chosen.volume_binding_mode != "Immediate" and not _mounted(snapshot, claim):
        return Declined(f"no pod mounts the claim, and a volume of class {chosen.name} is made for the first that does")
    return Proposal(
        changes=(
            Delete(target=claim.ref, uid=claim.metadata.uid),
            Create(target=claim.ref, manifest=_manifest(claim, chosen.name)),
        ),
        reason=f"StorageClass {chosen.name!r} exists; the claim is unbound and holds no data",
        confidence=0.75,
        verify=Verify(healthy=(claim.ref,)),
        requires=(
            cite(claim, "status", "phase"),
            *(Cite(claim.ref, f"/spec/{field}", None) for field in _UNHELD),
        ),
    )


def _chosen(diagnosis: Diagnosis, snapshot: Snapshot) -> StorageClass | None:
    classes = snapshot.all(StorageClass)
    near = diagnosis.root.facts.get("near")
    meant = [c for c in classes if c.name == near] or [c for c in classes if c.is_default] or classes
    return meant[0] if len(meant) == 1 else None


def _mounted(snapshot: Snapshot, claim: PersistentVolumeClaim) -> bool:
    volumes = (v for p in snapshot.all(Pod, claim.namespace) for v in p.spec.volumes)
    return any(v.persistent_volume_claim and v.persistent_volume_claim.claim_name == claim.name for v in volumes)


def _stateful(snapshot: Snapshot, claim: PersistentVolumeClaim) -> str | None:
    """The StatefulSet whose claim template this claim comes from, by its name (template-set-ordinal)."""
    for owner in snapshot.all(StatefulSet, claim.namespace):
        for template in owner.spec.volume_claim_templates:
            start = f"{template.name}-{owner.name}-"
            if claim.name.startswith(start) and claim.name.removeprefix(start).isdigit():
                return owner.name
    return None


def _manifest(claim: PersistentVolumeClaim, storage_class: str) -> dict[str, Any]:
    notes = {k: v for k, v in claim.metadata.annotations.items() if not k.startswith(_SERVER)}
    meta = {
        "name": claim.name,
        "namespace": claim.namespace,
        "labels": dict(claim.metadata.labels),
        "annotations": notes,
    }
    spec = {
        "accessModes": list(claim.spec.access_modes),
        "resources": {"requests": dict(claim.spec.resources.requests)},
        "volumeMode": claim.spec.volume_mode,
        "storageClassName": storage_class,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {k: v for k, v in meta.items() if v},
        "spec": {k: v for k, v in spec.items() if v},
    }
