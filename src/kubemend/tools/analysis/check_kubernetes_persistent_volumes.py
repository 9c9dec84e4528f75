"""Tool: PersistentVolumes."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.kube.quantity import to_bytes
from kubemend.model.access import Access, Risk
from kubemend.model.objects import PersistentVolume
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit

MEANING = {
    "Available": "free: no claim has taken it",
    "Released": "its claim is gone; nobody gets it until a person clears its claimRef or deletes it",
    "Failed": "its automatic reclamation failed",
}
"""Phases in which a volume serves nobody (kubernetes.io/docs/concepts/storage/persistent-volumes#phase)."""


class VolumeRow(Struct, frozen=True):
    """One volume. claim: "namespace/name". note: why it serves nobody, if it doesn't."""

    name: str
    capacity: str
    capacity_bytes: int
    access_modes: tuple[str, ...]
    reclaim_policy: str
    status: str
    storage_class: str
    claim: str | None
    note: str
    creation_time: datetime | None


@tool(risk=Risk.READ, needs={Access("list", "persistentvolumes")}, examples=({},))
async def check_kubernetes_persistent_volumes(
    cluster: Look, *, limit: Limit = 50, continue_: After = ""
) -> Page[VolumeRow]:
    """List PersistentVolumes with size, class, phase and claim, and say which of them serve nobody."""
    return page(await cluster.list(PersistentVolume), _row, limit=limit, after=continue_)


def _row(volume: PersistentVolume) -> VolumeRow:
    size = volume.spec.capacity.get("storage", 0)
    claim = volume.spec.claim_ref
    return VolumeRow(
        name=volume.name,
        capacity=str(size),
        capacity_bytes=to_bytes(size),
        access_modes=volume.spec.access_modes,
        reclaim_policy=volume.spec.persistent_volume_reclaim_policy,
        status=volume.status.phase,
        storage_class=volume.spec.storage_class_name,
        claim=None if claim is None else f"{claim.namespace}/{claim.name}",
        note=MEANING.get(volume.status.phase, ""),
        creation_time=volume.metadata.creation_timestamp,
    )
