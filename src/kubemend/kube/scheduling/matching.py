"""Which free volume a claim would get (`component-helpers/storage/volume.FindMatchingVolume`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling.node import node_selected
from kubemend.kube.selectors import matches
from kubemend.model.objects.node import Node
from kubemend.model.objects.storage import PersistentVolume, PersistentVolumeClaim


def matching(
    claim: PersistentVolumeClaim,
    storage_class: str,
    node: Node,
    volumes: Iterable[PersistentVolume],
    taken: Collection[str] = (),
) -> PersistentVolume | None:
    """The volume that is kept for the claim, if the node reaches it; else the smallest free one that does."""
    suited = [
        v for v in volumes if v.name not in taken and v.spec.storage_class_name == storage_class and _suits(v, claim)
    ]
    kept = next((v for v in suited if v.spec.claim_ref is not None), None)
    if kept is not None:
        return kept if reaches(kept, node) else None
    return min((v for v in suited if _is_free(v, claim) and reaches(v, node)), key=_size, default=None)


def reaches(volume: PersistentVolume, node: Node) -> bool:
    """Whether the volume's node affinity lets the node have it."""
    wanted = volume.spec.node_affinity
    return wanted is None or wanted.required is None or node_selected(wanted.required, node)


def wanted_size(claim: PersistentVolumeClaim) -> Decimal:
    """Bytes. Raises `QuantityError`."""
    return parse(claim.spec.resources.requests.get("storage", 0))


def _size(volume: PersistentVolume) -> Decimal:
    return parse(volume.spec.capacity.get("storage", 0))


def _suits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """What even a volume that is kept for the claim must be."""
    return (
        _kept_for_no_other(volume, claim)
        and _size(volume) >= wanted_size(claim)
        and (volume.spec.volume_mode or "Filesystem") == (claim.spec.volume_mode or "Filesystem")
        and (volume.spec.volume_attributes_class_name or "") == (claim.spec.volume_attributes_class_name or "")
        and volume.metadata.deletion_timestamp is None
    )


def _kept_for_no_other(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    kept = volume.spec.claim_ref
    if kept is None:
        return True
    return (kept.namespace, kept.name) == (claim.namespace, claim.name) and kept.uid in ("", claim.metadata.uid)


def _is_free(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """What one must be that is kept for nobody."""
    selector = claim.spec.selector
    return (
        volume.status.phase == "Available"
        and (selector is None or matches(selector, volume.metadata.labels))
        and set(claim.spec.access_modes) <= set(volume.spec.access_modes)
    )
