"""Volumes for a real control plane: the practice cluster's StorageClass and provisioner, as an external one.

The controller manager binds; it names the provisioner on a claim (`volume.kubernetes.io/storage-provisioner`) once a
volume is wanted, which for a class that waits is when the scheduler has chosen a node, and waits for the volume.
"""

from __future__ import annotations

from contextlib import suppress

from kubemend.cluster.errors import AlreadyExists
from kubemend.lab.api import Api, Object
from kubemend.lab.cluster import STANDARD
from kubemend.lab.controllers.claims import PROVISIONER
from kubemend.lab.fields import annotated, name, namespace, spec, uid

ASKED = "volume.kubernetes.io/storage-provisioner"
MADE_BY = "pv.kubernetes.io/provisioned-by"


async def provision(api: Api, root: str = "/volumes") -> None:
    """Make the default StorageClass, then a volume for each claim that asks for one, without end.

    root: where volumes are on the nodes. A stand-in never looks there.
    """
    with suppress(AlreadyExists):  # an earlier run of the nodes made it
        await api.create(STANDARD)
    async for change, claim in api.watch("PersistentVolumeClaim"):
        if annotated(claim).get(ASKED) != PROVISIONER:
            continue
        if change == "DELETED":
            await _remove(api, claim)
        elif not spec(claim).get("volumeName"):
            await _make(api, claim, root)


async def _make(api: Api, claim: Object, root: str) -> None:
    with suppress(AlreadyExists):  # the claim changed again before it was bound
        await api.create(volume(claim, root))


async def _remove(api: Api, claim: Object) -> None:
    made = await api.get("PersistentVolume", "", _named(claim))
    if made is not None:
        await api.delete(made)


def volume(claim: Object, root: str) -> Object:
    """The volume a claim gets: what it asks for, as a directory that the node makes when it's first wanted."""
    asked = spec(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": _named(claim), "annotations": {MADE_BY: PROVISIONER}},
        "spec": {
            "accessModes": asked["accessModes"],
            "capacity": {"storage": asked["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace(claim),
                "name": name(claim),
                "uid": uid(claim),
            },
            "hostPath": {"path": f"{root}/{_named(claim)}", "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": asked.get("storageClassName", ""),
            "volumeMode": asked.get("volumeMode", "Filesystem"),
        },
    }


def _named(claim: Object) -> str:
    return f"pvc-{uid(claim)}"
