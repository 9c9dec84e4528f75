"""The admission chain: what is done to, and asked of, an object between decoding and storing."""

from __future__ import annotations

from kubemend.lab.admission import identity, limits, prepare, quota, security, validation, webhooks
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause, forbidden, not_found
from kubemend.lab.kinds import BY_KIND, Kind
from kubemend.lab.store import Store


def admit_new(store: Store, kind: Kind, obj: Object) -> None:
    """Complete a new object in place, or raise `ApiError`."""
    if kind.namespaced:
        _open_namespace(store, kind, obj)
    if kind.kind == "Pod":
        limits.fill(store, obj)
        identity.equip(store, obj)
    prepare.new(store, kind, obj)
    webhooks.call(store, kind, obj, "CREATE", mutating=True)
    validation.check_new(kind, obj)
    limits.check(store, kind, obj)
    security.check(store, kind, obj)
    webhooks.call(store, kind, obj, "CREATE", mutating=False)
    quota.check(store, kind, obj)
    prepare.allocate(store, kind, obj)


def admit_change(store: Store, kind: Kind, old: Object, obj: Object) -> None:
    """Complete a changed object in place, or raise `ApiError`."""
    webhooks.call(store, kind, obj, "UPDATE", mutating=True)
    if kind.kind == "PersistentVolumeClaim":
        limits.check(store, kind, obj)
    webhooks.call(store, kind, obj, "UPDATE", mutating=False)
    quota.check(store, kind, obj, old)
    prepare.allocate(store, kind, obj)


def _open_namespace(store: Store, kind: Kind, obj: Object) -> None:
    """The namespace must be there and not on its way out (admission plugin NamespaceLifecycle)."""
    name = obj["metadata"]["namespace"]
    namespace = store.find("Namespace", "", name)
    if namespace is None:
        raise not_found(BY_KIND["Namespace"], name)
    if namespace["metadata"].get("deletionTimestamp"):
        cause = Cause("NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace")
        why = f"unable to create new content in namespace {name} because it is being terminated"
        raise forbidden(kind, obj["metadata"].get("name", ""), why, [cause])
