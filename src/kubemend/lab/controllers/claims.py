"""PersistentVolumeClaims and the volumes they get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubemend.kube.quantity import parse
from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.fields import (
    Key,
    annotated,
    deleting,
    finished,
    key,
    name,
    namespace,
    selects,
    spec,
    status,
    uid,
)

PROVISIONER = "lab.kubemend.dev/instant"
"""The one provisioner that works here; a StorageClass of any other leaves its claims pending."""
SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
IN_USE = "kubernetes.io/pvc-protection"
BOUND_VOLUME = "kubernetes.io/pv-protection"


class ClaimController(Controller):
    """Binds a claim to a volume that fits, or has one made by its class."""

    kind = "PersistentVolumeClaim"
    sees = ("PersistentVolume", "StorageClass", "Pod")
    component = "persistentvolume-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Itself; those a volume is or may be for; all pending ones when classes change; those a pod uses."""
        if obj["kind"] == self.kind:
            yield key(obj)
        elif obj["kind"] == "Pod":
            for claimed in claims_of(obj) if before is None or finished(obj) or deleting(obj) else ():
                yield namespace(obj), claimed
        else:
            wanted = spec(obj).get("claimRef") or {}
            for claim in self.seen.all(self.kind):
                bound_here = (namespace(claim), name(claim)) == (wanted.get("namespace"), wanted.get("name"))
                if bound_here or not spec(claim).get("volumeName"):
                    yield key(claim)

    async def reconcile(self, obj: Object) -> float | None:
        """Release, check or bind it."""
        if deleting(obj):
            await self._release(obj)
        elif volume := spec(obj).get("volumeName"):
            await self._confirm(obj, self.seen.find("PersistentVolume", "", volume))
        else:
            await self._bind(obj)
        return None

    async def _release(self, obj: Object) -> None:
        """Let a claim go once no pod uses it (finalizer `kubernetes.io/pvc-protection`)."""
        finalizers = obj["metadata"].get("finalizers") or []
        if IN_USE in finalizers and not self._users(obj):
            left = [f for f in finalizers if f != IN_USE]
            await self.seen.patch(obj, {"metadata": {"uid": uid(obj), "finalizers": left}})

    def _users(self, obj: Object) -> list[Object]:
        pods = self.seen.all("Pod", namespace(obj))
        return [p for p in pods if name(obj) in claims_of(p) and not finished(p)]

    async def _confirm(self, obj: Object, volume: Object | None) -> None:
        """The status of a claim that names its volume: Bound, or Lost when the volume is gone."""
        if volume is None:
            if status(obj).get("phase") != "Lost":
                said = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                await self.recorder.warning(obj, "ClaimLost", said)
            await self.tell(obj, {"phase": "Lost"})
            return
        if not spec(volume).get("claimRef"):
            volume = await self.seen.patch(volume, {"metadata": {"uid": uid(volume)}, "spec": {"claimRef": _ref(obj)}})
        if spec(volume)["claimRef"].get("uid") not in (None, "", uid(obj)):
            await self.tell(obj, {"phase": "Lost"})
            return
        await self.tell(obj, _bound(obj, await self._expanded(obj, volume)))

    async def _expanded(self, obj: Object, volume: Object) -> Object:
        """The volume, grown to what the claim asks for by now, where the class allows that."""
        asked, has = _asked(obj), spec(volume)["capacity"]["storage"]
        storage = self.seen.find("StorageClass", "", spec(volume).get("storageClassName", ""))
        if parse(asked) <= parse(has) or storage is None or not storage.get("allowVolumeExpansion"):
            return volume
        body = {"metadata": {"uid": uid(volume)}, "spec": {"capacity": {"storage": asked}}}
        return await self.seen.patch(volume, body)

    async def _bind(self, obj: Object) -> None:
        if not status(obj).get("phase"):
            await self.tell(obj, {"phase": "Pending"})
        named = self._class(obj)
        if (volume := self._fitting(obj, named)) is not None:
            await self._take(obj, volume)
            return
        if not named:
            said = "no persistent volumes available for this claim and no storage class is set"
            await self.recorder.normal(obj, "FailedBinding", said)
            return
        storage = self.seen.find("StorageClass", "", named)
        if storage is None:
            said = f'storageclass.storage.k8s.io "{named}" not found'
            await self.recorder.warning(obj, "ProvisioningFailed", said)
        elif _waits(storage) and SELECTED_NODE not in annotated(obj):
            said = "waiting for first consumer to be created before binding"
            await self.recorder.normal(obj, "WaitForFirstConsumer", said)
        else:
            await self._provision(obj, storage)

    def _class(self, obj: Object) -> str:
        """The class it asks for: the default one if it says nothing, none if it says ""."""
        wanted = spec(obj).get("storageClassName")
        if wanted is not None:
            return str(wanted)
        marked = (s for s in self.seen.all("StorageClass") if annotated(s).get(DEFAULT_CLASS) == "true")
        return next((name(s) for s in marked), "")

    def _fitting(self, obj: Object, named: str) -> Object | None:
        """The smallest free volume that has the class, the size and the modes asked for."""
        fits = [v for v in self.seen.all("PersistentVolume") if _fits(obj, named, v)]
        return min(fits, key=lambda v: parse(spec(v)["capacity"]["storage"]), default=None)

    async def _take(self, obj: Object, volume: Object) -> None:
        await self.seen.patch(volume, {"metadata": {"uid": uid(volume)}, "spec": {"claimRef": _ref(obj)}})
        done = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        body = {"metadata": {"uid": uid(obj), "annotations": done}, "spec": {"volumeName": name(volume)}}
        await self.tell(await self.seen.patch(obj, body), _bound(obj, volume))

    async def _provision(self, obj: Object, storage: Object) -> None:
        if storage.get("provisioner") != PROVISIONER:
            said = (
                f"Waiting for a volume to be created either by the external provisioner '{storage.get('provisioner')}'"
                " or manually by the system administrator. If volume creation is delayed, please verify that the"
                " provisioner is running and correctly registered."
            )
            await self.recorder.normal(obj, "ExternalProvisioning", said)
            return
        asked = {f"volume.{beta}kubernetes.io/storage-provisioner": PROVISIONER for beta in ("", "beta.")}
        await self.seen.patch(obj, {"metadata": {"uid": uid(obj), "annotations": asked}})
        volume = _volume(obj, storage)
        made = self.seen.find("PersistentVolume", "", name(volume)) or await self.seen.create(volume)
        await self.recorder.normal(obj, "ProvisioningSucceeded", f"Successfully provisioned volume {name(made)}")
        await self._take(obj, made)


class VolumeController(Controller):
    """A volume's phase, and its end when the claim is gone and its policy says Delete."""

    kind = "PersistentVolume"
    sees = ("PersistentVolumeClaim",)
    component = "persistentvolume-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Itself, and the volume a claim names."""
        if obj["kind"] == self.kind:
            yield key(obj)
        elif volume := spec(obj).get("volumeName"):
            yield "", volume

    async def reconcile(self, obj: Object) -> float | None:
        """Available, Bound, or Released."""
        wanted = spec(obj).get("claimRef") or {}
        claim = self.seen.find("PersistentVolumeClaim", wanted.get("namespace", ""), wanted.get("name", ""))
        held = claim is not None and wanted.get("uid") in (None, "", uid(claim))
        finalizers = obj["metadata"].get("finalizers") or []
        if deleting(obj) and not held and BOUND_VOLUME in finalizers:
            left = [f for f in finalizers if f != BOUND_VOLUME]
            await self.seen.patch(obj, {"metadata": {"uid": uid(obj), "finalizers": left}})
            return None
        if wanted.get("uid") and not held and spec(obj).get("persistentVolumeReclaimPolicy") == "Delete":
            await self.seen.delete(obj)
            return None
        bound = held and claim is not None and spec(claim).get("volumeName") == name(obj)
        phase = "Bound" if bound else "Released" if wanted.get("uid") and not held else "Available"
        await self.tell(obj, {**status(obj), "phase": phase})
        return None


def claims_of(pod: Object) -> set[str]:
    """Names of the claims that a pod's volumes use, those of its ephemeral volumes included."""
    found = set()
    for volume in spec(pod).get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            found.add(claim["claimName"])
        elif volume.get("ephemeral"):
            found.add(f"{name(pod)}-{volume['name']}")
    return found


def _waits(storage: Object) -> bool:
    return bool(storage.get("volumeBindingMode") == "WaitForFirstConsumer")


def _asked(obj: Object) -> str:
    found: str = ((spec(obj).get("resources") or {}).get("requests") or {}).get("storage", "0")
    return found


def _fits(obj: Object, named: str, volume: Object) -> bool:
    wanted = spec(volume).get("claimRef") or {}
    if wanted and (wanted.get("namespace"), wanted.get("name")) != key(obj):
        return False
    if wanted.get("uid") not in (None, "", uid(obj)) or deleting(volume):
        return False
    selector = spec(obj).get("selector")
    return (
        spec(volume).get("storageClassName", "") == named
        and parse(spec(volume)["capacity"]["storage"]) >= parse(_asked(obj))
        and set(spec(obj).get("accessModes") or ()) <= set(spec(volume).get("accessModes") or ())
        and (selector is None or selects(selector, volume["metadata"].get("labels") or {}))
    )


def _ref(obj: Object) -> dict[str, str]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace(obj),
        "name": name(obj),
        "uid": uid(obj),
    }


def _bound(obj: Object, volume: Object) -> dict[str, Any]:
    modes = spec(volume).get("accessModes") or spec(obj).get("accessModes") or []
    return {"phase": "Bound", "accessModes": modes, "capacity": spec(volume)["capacity"]}


def _volume(obj: Object, storage: Object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{uid(obj)}",
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
            "finalizers": [BOUND_VOLUME],
        },
        "spec": {
            "capacity": {"storage": _asked(obj)},
            "accessModes": spec(obj).get("accessModes") or ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
            "storageClassName": name(storage),
            "volumeMode": spec(obj).get("volumeMode", "Filesystem"),
            "hostPath": {"path": f"/var/lib/lab/{uid(obj)}"},
            "claimRef": _ref(obj),
        },
    }
