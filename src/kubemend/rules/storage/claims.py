"""Volume claims that can't be bound, and who waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from kubemend.kube.quantity import parse
from kubemend.model.objects import Event, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot

Obstacle = Literal["class-missing", "no-default-class", "no-volume", "provisioning"]
"""Why a claim is still unbound though nothing else has to happen first."""

GRACE_S: dict[Obstacle, float] = {"class-missing": 0, "no-default-class": 0, "no-volume": 60, "provisioning": 300}
"""Seconds for which a claim may be so without being called broken. A missing class won't come by waiting;
a person may be about to make a volume; a provisioner retries for minutes before it is right to doubt it."""

FAILED_S = 60.0
"""The same, once the provisioner itself has said that it failed."""

STATIC = "kubernetes.io/no-provisioner"
"""The provisioner that makes nothing: its class only delays binding (Kubernetes: local volumes)."""


def unbound(claim: PersistentVolumeClaim) -> bool:
    """Whether the claim still looks for a volume."""
    return claim.status.phase == "Pending" and not claim.spec.volume_name and not claim.metadata.deletion_timestamp


def obstacle(snapshot: Snapshot, claim: PersistentVolumeClaim) -> Obstacle | None:
    """What keeps a claim from its volume; None when it is bound, can be, or waits for a pod as its class wants.

    None too when classes or volumes weren't read: then it can't be told.
    """
    if not snapshot.was_read(StorageClass) or not snapshot.was_read(PersistentVolume):
        return None
    if not unbound(claim) or _volume_for(snapshot, claim) is not None:
        return None
    name = claim.spec.storage_class_name
    if name is None and not any(c.is_default for c in snapshot.all(StorageClass)):
        return "no-default-class"
    if not name:
        # None with a default class: the controller fills the default in by itself (Kubernetes 1.28 on).
        return None if name is None else "no-volume"
    storage_class = snapshot.get(StorageClass, "", name)
    if storage_class is None:
        known = any(v.spec.storage_class_name == name for v in snapshot.all(PersistentVolume))
        return "no-volume" if known else "class-missing"
    if storage_class.volume_binding_mode == "WaitForFirstConsumer" and not _wanted_now(snapshot, claim, storage_class):
        return None
    return "no-volume" if storage_class.provisioner == STATIC else "provisioning"


def broken(snapshot: Snapshot, claim: PersistentVolumeClaim) -> Obstacle | None:
    """The obstacle, once it has lasted longer than it may."""
    found = obstacle(snapshot, claim)
    if found is None:
        return None
    grace = FAILED_S if found == "provisioning" and failures(snapshot, claim) else GRACE_S[found]
    return found if not grace or snapshot.has_passed(grace, claim.metadata.creation_timestamp) else None


def awaited(snapshot: Snapshot, claim: PersistentVolumeClaim) -> bool:
    """Whether pods wait for the claim, rather than the claim for the scheduler to choose a pod's node."""
    if not unbound(claim):
        return False
    name = claim.spec.storage_class_name
    chosen = [c for c in snapshot.all(StorageClass) if (c.is_default if name is None else c.name == name)]
    delayed = any(c.volume_binding_mode == "WaitForFirstConsumer" for c in chosen)
    return not delayed or broken(snapshot, claim) is not None


def failures(snapshot: Snapshot, claim: PersistentVolumeClaim) -> list[Event]:
    """What the provisioner reported as failed for this very claim."""
    return [
        e
        for e in snapshot.all(Event, claim.namespace)
        if e.reason == "ProvisioningFailed" and e.involved_object.uid == claim.metadata.uid
    ]


def _volume_for(snapshot: Snapshot, claim: PersistentVolumeClaim) -> PersistentVolume | None:
    """A free volume that the binder would take: class, access modes and size (`volume/persistentvolume/index.go`)."""
    return next((v for v in snapshot.all(PersistentVolume) if _suits(v, claim)), None)


def _suits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    spec, kept = volume.spec, volume.spec.claim_ref
    if volume.status.phase != "Available" or spec.storage_class_name != (claim.spec.storage_class_name or ""):
        return False
    if kept is not None and (kept.namespace, kept.name) != (claim.namespace, claim.name):
        return False
    wanted, size = claim.spec.resources.requests.get("storage", 0), spec.capacity.get("storage", 0)
    return set(claim.spec.access_modes) <= set(spec.access_modes) and parse(size) >= parse(wanted)


def _wanted_now(snapshot: Snapshot, claim: PersistentVolumeClaim, storage_class: StorageClass) -> bool:
    """Whether a claim that waits for its first consumer has one, so that a volume should be on its way."""
    if storage_class.provisioner == STATIC:
        return any(p.status.phase == "Pending" and not p.spec.node_name for p in consumers(snapshot, claim))
    return "volume.kubernetes.io/selected-node" in claim.metadata.annotations


def consumers(snapshot: Snapshot, claim: PersistentVolumeClaim) -> Iterator[Pod]:
    """The pods that mount the claim and aren't finished."""
    for pod in snapshot.all(Pod, claim.namespace):
        if pod.status.phase not in ("Succeeded", "Failed") and claim.name in claims_of(pod):
            yield pod


def claims_of(pod: Pod) -> list[str]:
    """Names of the claims that a pod mounts, in the order of its volumes."""
    return [v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim is not None]


def waiting(snapshot: Snapshot, pods: Iterable[Pod]) -> tuple[Ref, ...]:
    """The pods with the workloads they belong to: whose faults an unbound claim explains."""
    return tuple(dict.fromkeys(ref for pod in pods for ref in (snapshot.top(pod).ref, pod.ref)))
