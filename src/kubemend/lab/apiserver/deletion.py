"""Deleting: at once, gracefully, or when the last finalizer is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import forbidden, precondition_failed
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_KEPT_NAMESPACES: Final = ("default", "kube-public", "kube-system")


@dataclass(frozen=True)
class Deletion:
    """How to delete. grace: seconds, None for the object's own.

    propagation: Background, Foreground, Orphan, or empty when the client says nothing: then an object whose
    dependents were waited for, or let go, by an earlier deletion stays that way.
    """

    uid: str = ""
    resource_version: str = ""
    grace: int | None = None
    propagation: str = ""
    dry_run: bool = False


def delete(store: Store, kind: Kind, obj: Object, how: Deletion) -> tuple[Object, bool]:
    """Delete an object, or begin to. Returns it as it is now, and whether it is gone. Raises `ApiError`."""
    _check(kind, obj, how)
    grace = _grace(kind, obj, how.grace)
    meta = obj["metadata"]
    finalizers = _finalizers(meta.get("finalizers") or [], how.propagation)
    stays = bool(finalizers or grace or (obj.get("spec") or {}).get("finalizers"))
    if meta.get("deletionTimestamp") and grace >= (meta.get("deletionGracePeriodSeconds") or 0) and stays:
        return obj, False
    ended = _ending(store, kind, obj, grace, finalizers) if stays or kind.kind == "Pod" else obj
    if how.dry_run:
        return ended, not stays
    if stays:
        return store.put(kind.storage, ended), False
    return store.drop(kind.storage, ended), True


def finished(kind: Kind, obj: Object) -> bool:
    """Whether an object whose deletion had begun has nothing left that holds it."""
    meta = obj["metadata"]
    held = meta.get("finalizers") or (kind.kind == "Namespace" and obj["spec"].get("finalizers"))
    return bool(meta.get("deletionTimestamp")) and not held and not meta.get("deletionGracePeriodSeconds")


def _check(kind: Kind, obj: Object, how: Deletion) -> None:
    meta = obj["metadata"]
    if kind.kind == "Namespace" and meta["name"] in _KEPT_NAMESPACES:
        raise forbidden(kind, meta["name"], "this namespace may not be deleted")
    if how.uid and how.uid != meta["uid"]:
        why = f"the UID in the precondition ({how.uid}) does not match the UID in record ({meta['uid']}). "
        raise precondition_failed(kind, meta["name"], why + "The object might have been deleted and then recreated")
    if how.resource_version and how.resource_version != meta["resourceVersion"]:
        why = f"the ResourceVersion in the precondition ({how.resource_version}) does not match the "
        why += f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified"
        raise precondition_failed(kind, meta["name"], why)


def _grace(kind: Kind, obj: Object, asked: int | None) -> int:
    """Only a pod that is on a node and hasn't ended needs time."""
    if kind.kind != "Pod":
        return 0
    spec = obj["spec"]
    if not spec.get("nodeName") or obj["status"].get("phase") in ("Failed", "Succeeded"):
        return 0
    wanted: int = spec["terminationGracePeriodSeconds"] if asked is None else asked
    return max(wanted, 0)


def _finalizers(had: list[str], propagation: str) -> list[str]:
    if not propagation:
        return had
    kept = [f for f in had if f not in (FOREGROUND, ORPHAN)]
    added = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
    return kept + added


def _ending(store: Store, kind: Kind, obj: Object, grace: int, finalizers: list[str]) -> Object:
    meta = {k: v for k, v in obj["metadata"].items() if k != "finalizers"}
    if finalizers:
        meta["finalizers"] = finalizers
    end = store.clock() + timedelta(seconds=grace)
    meta["deletionTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    meta["deletionGracePeriodSeconds"] = grace
    if kind.kind == "Namespace":
        meta.pop("deletionGracePeriodSeconds")
        return {**obj, "metadata": meta, "status": {**obj["status"], "phase": "Terminating"}}
    if kind.generations and "deletionTimestamp" not in obj["metadata"]:
        meta["generation"] = meta.get("generation", 0) + 1
    return {**obj, "metadata": meta}
