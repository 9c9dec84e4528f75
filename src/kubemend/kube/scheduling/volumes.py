"""Volumes: whether a pod's claims let it go to a node (filters VolumeBinding, VolumeZone and VolumeRestrictions).

Not followed: how many volumes a CSI driver attaches to one node, and a provisioner's capacity; both are told by
objects (CSINode, CSIStorageCapacity) that aren't read. Claims of one size are served in the order of the pod, which
the scheduler leaves open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kubemend.kube.scheduling.matching import matching, reaches, wanted_size
from kubemend.kube.scheduling.node import Misfit
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Pod, PodSpec
from kubemend.model.objects.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

NO_PROVISIONER = "kubernetes.io/no-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
TOPOLOGY = {
    f"{old}{part}": f"topology.kubernetes.io/{part}"
    for old in ("failure-domain.beta.kubernetes.io/", "topology.kubernetes.io/")
    for part in ("zone", "region")
}
"""Labels that say where a volume or a node is, each with its name of today."""


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
    names = _names(spec)
    if not names:
        return ()
    missing = (Misfit("volume", f"claim {n} is not there") for n in names if (namespace, n) not in storage.claims)
    known = claims_of(spec, namespace, storage)
    each = (m for claim in known for m in _claim(claim, node, storage, pods))
    return (*missing, *each, *_unbound(known, node, storage))


def claims_of(spec: PodSpec, namespace: str, storage: Storage) -> list[PersistentVolumeClaim]:
    """The claims of a pod that are there."""
    return [c for name in _names(spec) if (c := storage.claims.get((namespace, name))) is not None]


def _names(spec: PodSpec) -> list[str]:
    named = (v.persistent_volume_claim.claim_name for v in spec.volumes if v.persistent_volume_claim)
    return list(dict.fromkeys(named))


def _claim(claim: PersistentVolumeClaim, node: Node, storage: Storage, pods: Iterable[Pod]) -> Iterator[Misfit]:
    if claim.status.phase == "Lost":
        yield Misfit("volume", f"claim {claim.name} has lost its volume {claim.spec.volume_name}")
        return
    if claim.metadata.deletion_timestamp is not None:
        yield Misfit("volume", f"claim {claim.name} is being deleted")
        return
    if (user := _user(claim, pods)) is not None:
        yield Misfit("volume", f"claim {claim.name} is for one pod, and {user.name} has it")
    if _is_bound(claim):
        yield from _bound(claim, node, storage)
    elif _late(claim, storage) is None:
        yield Misfit("volume", f"claim {claim.name} is not bound")


def _user(claim: PersistentVolumeClaim, pods: Iterable[Pod]) -> Pod | None:
    """The pod that has a claim which is for one pod alone."""
    if not claim.is_sole:
        return None
    return next(
        (
            p
            for p in pods
            if p.namespace == claim.namespace
            and p.spec.node_name
            and p.status.phase not in ("Succeeded", "Failed")
            and any(
                v.persistent_volume_claim and v.persistent_volume_claim.claim_name == claim.name for v in p.spec.volumes
            )
        ),
        None,
    )


def _is_bound(claim: PersistentVolumeClaim) -> bool:
    """A claim that names its volume is not yet bound to it as long as it is pending."""
    return bool(claim.spec.volume_name) and claim.status.phase != "Pending"


def _late(claim: PersistentVolumeClaim, storage: Storage) -> StorageClass | None:
    """The class of a claim that it is for the scheduler to bind, once it has chosen a node."""
    named = claim.spec.storage_class_name
    found = storage.standard() if named is None else storage.classes.get(named)
    late = found is not None and found.volume_binding_mode == "WaitForFirstConsumer" and not claim.spec.volume_name
    return found if late else None


def _bound(claim: PersistentVolumeClaim, node: Node, storage: Storage) -> Iterator[Misfit]:
    volume = storage.volumes.get(claim.spec.volume_name)
    if volume is None:
        yield Misfit("volume", f"volume {claim.spec.volume_name} of claim {claim.name} is not there")
    elif not reaches(volume, node):
        yield Misfit("volume", f"volume {volume.name} of claim {claim.name} can't be reached from the node")
    elif not _in_zone(volume, node):
        yield Misfit("volume", f"volume {volume.name} of claim {claim.name} is in another zone than the node")


def _in_zone(volume: PersistentVolume, node: Node) -> bool:
    """Whether the node is where the volume's labels say that it is; several zones are told as `a__b`."""
    here = node.metadata.labels
    if not any(key in here for key in TOPOLOGY):
        return True
    told = ((key, volume.metadata.labels.get(key)) for key in TOPOLOGY)
    return all(
        here.get(key, here.get(TOPOLOGY[key])) in [v.strip() for v in value.split("__")]
        for key, value in told
        if value is not None and all(map(str.strip, value.split("__")))
    )


def _unbound(claims: list[PersistentVolumeClaim], node: Node, storage: Storage) -> Iterator[Misfit]:
    """Claims that wait for the pod: the smallest has its pick of the free volumes first; what is left must be made."""
    taken: set[str] = set()
    waiting = ((c, held) for c in sorted(claims, key=wanted_size) if (held := _late(c, storage)) is not None)
    for claim, held in waiting:
        chosen = claim.metadata.annotations.get(SELECTED_NODE)
        if chosen is not None and chosen != node.name:
            yield Misfit("volume", f"claim {claim.name} is being made for node {chosen}")
        elif chosen is None and (found := matching(claim, held.name, node, storage.volumes.values(), taken)):
            taken.add(found.name)
        elif held.provisioner == NO_PROVISIONER:
            detail = f"no free volume of class {held.name} for claim {claim.name} can be reached from the node"
            yield Misfit("volume", detail)
        elif not _provisions(held, node):
            yield Misfit("volume", f"class {held.name} of claim {claim.name} makes no volumes for the node")


def _provisions(held: StorageClass, node: Node) -> bool:
    """Whether a class makes volumes that the node can reach (`allowedTopologies`; terms are ORed)."""
    return not held.allowed_topologies or any(
        all(node.metadata.labels.get(r.key) in r.values for r in term.match_label_expressions)
        for term in held.allowed_topologies
    )
