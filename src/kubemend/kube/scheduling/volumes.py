"""Volumes: whether a pod's claims let it go to a node (filters VolumeBinding, VolumeZone and VolumeRestrictions).

Not followed: how many volumes a CSI driver attaches to one node, and a provisioner's capacity; both are told by
objects (CSINode, CSIStorageCapacity) that aren't read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling.node import Misfit, node_selected
from kubemend.kube.selectors import matches
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Pod, PodSpec
from kubemend.model.objects.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

NO_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(frozen=True)
class Storage:
    """Claims by (namespace, name), volumes and classes by name, and the pods that may hold a claim for themselves."""

    claims: Mapping[tuple[str, str], PersistentVolumeClaim] = field(default_factory=dict)
    volumes: Mapping[str, PersistentVolume] = field(default_factory=dict)
    classes: Mapping[str, StorageClass] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        claims: Iterable[PersistentVolumeClaim],
        volumes: Iterable[PersistentVolume],
        classes: Iterable[StorageClass],
    ) -> Storage:
        """All that a cluster has."""
        return cls(
            {(c.namespace, c.name): c for c in claims}, {v.name: v for v in volumes}, {c.name: c for c in classes}
        )

    def standard(self) -> StorageClass | None:
        """The class of claims that name none: the newest that is marked as the default."""
        marked = [c for c in self.classes.values() if c.is_default]
        made = [(c.metadata.creation_timestamp is not None, c.metadata.creation_timestamp, c.name) for c in marked]
        return marked[made.index(max(made))] if marked else None


def volume_misfits(
    spec: PodSpec, namespace: str, node: Node, storage: Storage, pods: Iterable[Pod] = ()
) -> tuple[Misfit, ...]:
    """Every reason why the pod's claims keep it off the node. pods: all of the namespace that hold a place."""
    names = dict.fromkeys(v.persistent_volume_claim.claim_name for v in spec.volumes if v.persistent_volume_claim)
    if not names:
        return ()
    return tuple(m for name in names for m in _claim(name, namespace, node, storage, pods))


def _claim(name: str, namespace: str, node: Node, storage: Storage, pods: Iterable[Pod]) -> Iterator[Misfit]:
    claim = storage.claims.get((namespace, name))
    if claim is None:
        yield Misfit("volume", f"claim {name} is not there")
        return
    if claim.metadata.deletion_timestamp is not None:
        yield Misfit("volume", f"claim {name} is being deleted")
        return
    if "ReadWriteOncePod" in claim.spec.access_modes and (user := _user(name, namespace, pods)) is not None:
        yield Misfit("volume", f"claim {name} is for one pod, and {user.name} has it")
    if claim.spec.volume_name:
        yield from _bound(claim, node, storage)
    else:
        yield from _unbound(claim, node, storage)


def _user(name: str, namespace: str, pods: Iterable[Pod]) -> Pod | None:
    return next(
        (
            p
            for p in pods
            if p.namespace == namespace
            and p.spec.node_name
            and p.status.phase not in ("Succeeded", "Failed")
            and any(v.persistent_volume_claim and v.persistent_volume_claim.claim_name == name for v in p.spec.volumes)
        ),
        None,
    )


def _bound(claim: PersistentVolumeClaim, node: Node, storage: Storage) -> Iterator[Misfit]:
    volume = storage.volumes.get(claim.spec.volume_name)
    if volume is None:
        yield Misfit("volume", f"volume {claim.spec.volume_name} of claim {claim.name} is not there")
    elif not _reaches(volume, node):
        yield Misfit("volume", f"volume {volume.name} of claim {claim.name} can't be reached from the node")


def _reaches(volume: PersistentVolume, node: Node) -> bool:
    wanted = volume.spec.node_affinity
    return wanted is None or wanted.required is None or node_selected(wanted.required, node)


def _unbound(claim: PersistentVolumeClaim, node: Node, storage: Storage) -> Iterator[Misfit]:
    named = claim.spec.storage_class_name
    held = storage.standard() if named is None else storage.classes.get(named)
    if held is None or held.volume_binding_mode != "WaitForFirstConsumer":
        yield Misfit("volume", f"claim {claim.name} is not bound")
        return
    if any(_serves(v, claim, held.name) and _reaches(v, node) for v in storage.volumes.values()):
        return
    if held.provisioner == NO_PROVISIONER:
        yield Misfit(
            "volume", f"no free volume of class {held.name} for claim {claim.name} can be reached from the node"
        )
    elif not _provisions(held, node):
        yield Misfit("volume", f"class {held.name} of claim {claim.name} makes no volumes for the node")


def _serves(volume: PersistentVolume, claim: PersistentVolumeClaim, storage_class: str) -> bool:
    """Whether a volume is free for the claim, or kept for it (`volume.FindMatchingVolume`)."""
    kept = volume.spec.claim_ref
    if kept is not None and ((kept.namespace, kept.name) != (claim.namespace, claim.name)):
        return False
    if volume.spec.storage_class_name != storage_class or volume.status.phase not in ("Available", "Bound", ""):
        return False
    if claim.spec.selector is not None and not matches(claim.spec.selector, volume.metadata.labels):
        return False
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return False
    return parse(volume.spec.capacity.get("storage", 0)) >= parse(claim.spec.resources.requests.get("storage", 0))


def _provisions(held: StorageClass, node: Node) -> bool:
    """Whether a class makes volumes that the node can reach (`allowedTopologies`; terms are ORed)."""
    return not held.allowed_topologies or any(
        all(node.metadata.labels.get(r.key) in r.values for r in term.match_label_expressions)
        for term in held.allowed_topologies
    )
