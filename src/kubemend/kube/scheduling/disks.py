"""Disks that a pod names itself, not by a claim: pods of one node can't share one to write (VolumeRestrictions)."""

from __future__ import annotations

from collections.abc import Iterable

from kubemend.kube.scheduling.node import Misfit
from kubemend.model.objects.pod import Pod, PodSpec, Volume


def disk_misfits(spec: PodSpec, pods: Iterable[Pod]) -> tuple[Misfit, ...]:
    """Why the pods of a node keep a new one off it by the disks they have."""
    wanted = [v for v in spec.volumes if _named(v)]
    if not wanted:
        return ()
    return tuple(
        Misfit("volume", f"disk {mine.name} is in use by {pod.namespace}/{pod.name}")
        for pod in pods
        if pod.status.phase not in ("Succeeded", "Failed")
        for mine in wanted
        if any(_collide(mine, theirs) for theirs in pod.spec.volumes)
    )


def has_own_disk(spec: PodSpec) -> bool:
    """Whether two such pods can't be on one node, for each would have the same disk."""
    return any(_collide(v, v) for v in spec.volumes)


def _named(volume: Volume) -> bool:
    held = (volume.gce_persistent_disk, volume.aws_elastic_block_store, volume.iscsi, volume.rbd)
    return any(disk is not None for disk in held)


def _collide(a: Volume, b: Volume) -> bool:
    """Whether two volumes are one disk, and not both read it only; an EBS volume is never shared."""
    if (aws := a.aws_elastic_block_store) is not None and (other := b.aws_elastic_block_store) is not None:
        return aws.volume_id == other.volume_id
    return _gce(a, b) or _iscsi(a, b) or _rbd(a, b)


def _gce(a: Volume, b: Volume) -> bool:
    one, two = a.gce_persistent_disk, b.gce_persistent_disk
    if one is None or two is None:
        return False
    return one.pd_name == two.pd_name and not (one.read_only and two.read_only)


def _iscsi(a: Volume, b: Volume) -> bool:
    one, two = a.iscsi, b.iscsi
    return one is not None and two is not None and one.iqn == two.iqn and not (one.read_only and two.read_only)


def _rbd(a: Volume, b: Volume) -> bool:
    """One image of one pool, of clusters that share a monitor."""
    one, two = a.rbd, b.rbd
    if one is None or two is None or set(one.monitors).isdisjoint(two.monitors):
        return False
    return (one.pool, one.image) == (two.pool, two.image) and not (one.read_only and two.read_only)
