"""Writing objects: from what a client sent to what is stored, in the API server's order of steps.

Decode, default, admit, validate, admit again, store. No step waits for anything, so that a write is atomic.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from kubemend.kube.fields import same
from kubemend.lab.admission import admission, defaults, identity, prepare, validation
from kubemend.lab.api import Object
from kubemend.lab.apiserver import ownership
from kubemend.lab.apiserver.decoding import Write, decoded, decoded_config, decoded_patch
from kubemend.lab.apiserver.deletion import finished
from kubemend.lab.apiserver.ownership import Author, timeless
from kubemend.lab.apiserver.patching import Patch, patched
from kubemend.lab.apiserver.status import (
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    invalid_options,
    not_found,
)
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store

_SERVERS_OWN: Final = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation")
_STATUS_SPARES: Final = {"Deployment": ("labels",), "Pod": ("ownerReferences",)}
"""What of the metadata a write of the status doesn't change; the rest it may, as a real server lets it."""
_KEPT: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName")
NAME_BASE: Final = 58
"""Characters that are kept of `generateName`, so that a name with its ending has at most 63."""


class Registry:
    """The write side of the API over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def found(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object. Raises `ApiError` (404)."""
        obj = self.store.find(kind.storage, namespace, name)
        if obj is None:
            raise not_found(kind, name)
        return obj

    def create(self, kind: Kind, namespace: str, body: Object, write: Write) -> Object:
        """Make an object. Raises `ApiError`."""
        obj = self._born(kind, namespace, decoded(kind, body, write))
        if write.manager:
            obj = ownership.noted(kind, None, obj, Author(write.manager, self.store.now()))
        return self._create(kind, namespace, obj, write)

    def _born(self, kind: Kind, namespace: str, obj: Object) -> Object:
        _place(kind, namespace, obj)
        meta = obj["metadata"]
        if meta.get("resourceVersion"):
            raise ApiError("", "resourceVersion should not be set on objects to be created")
        for field in _SERVERS_OWN:
            meta.pop(field, None)
        defaults.fill(obj)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:NAME_BASE] + identity.ending()
        meta["uid"], meta["creationTimestamp"] = str(uuid.uuid4()), self.store.now()
        if kind.generations:
            meta["generation"] = 1
        return obj

    def _create(self, kind: Kind, namespace: str, obj: Object, write: Write) -> Object:
        admission.admit_new(self.store, kind, obj)
        name = obj["metadata"]["name"]
        if (there := self.store.find(kind.storage, namespace, name)) is not None:
            raise already_exists(kind, name, going="deletionTimestamp" in there["metadata"])
        return obj if write.dry_run else self.store.put(kind.storage, obj)

    def update(self, kind: Kind, namespace: str, name: str, body: Object, write: Write, *, part: str = "") -> Object:
        """Put an object (or its subresource `part`) in the place of what is there. Raises `ApiError`."""
        obj = decoded(kind, body, write)
        old = self.found(kind, namespace, name)
        check_uid(kind, old, obj["metadata"].get("uid", ""))
        return self._replace(kind, old, obj, write, part)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Patch, write: Write, *, part: str = "") -> Object:
        """Patch an object or its subresource; apply makes it when it isn't there. Raises `ApiError`."""
        if patch.how == "apply":
            config = decoded_config(kind, name, patch, write)
            _named(config, name)
            return self._apply(kind, namespace, config, write, part)
        if write.force is not None:
            cause = Cause.forbidden("force", "may not be specified for non-apply patch")
            raise invalid_options("PatchOptions", cause)
        old = self.found(kind, namespace, name)
        obj = decoded_patch(kind, old, patched(kind, old, patch), patch, write)
        return self._replace(kind, old, obj, write, part)

    def _apply(self, kind: Kind, namespace: str, config: Object, write: Write, part: str) -> Object:
        name = config["metadata"]["name"]
        author = self._author(write, part)
        old = self.store.find(kind.storage, namespace, name)
        if old is None:
            return self._apply_new(kind, namespace, config, author, write)
        result = ownership.applied(kind, old, config, author, force=bool(write.force))
        entries = result["metadata"]["managedFields"]
        return self._replace(kind, old, decoded(kind, result, Write()), write, part, entries=entries)

    def _apply_new(self, kind: Kind, namespace: str, config: Object, author: Author, write: Write) -> Object:
        meta = config["metadata"]
        if uid := meta.get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(kind, meta["name"], why)
        nothing = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
        entries = ownership.applied(kind, nothing, config, author, force=False)["metadata"]["managedFields"]
        body = {**config, "metadata": {k: v for k, v in meta.items() if k != "resourceVersion"}}
        obj = self._born(kind, namespace, decoded(kind, body, Write()))
        obj["metadata"]["managedFields"] = entries
        return self._create(kind, namespace, obj, write)

    def _replace(
        self, kind: Kind, old: Object, obj: Object, write: Write, part: str, *, entries: list[Any] | None = None
    ) -> Object:
        """Store a decoded object in the place of `old`. entries: its managed fields, when they are known already."""
        name, namespace = old["metadata"]["name"], old["metadata"].get("namespace", "")
        _place(kind, namespace, obj)
        _named(obj, name)
        check_version(kind, old, obj["metadata"].pop("resourceVersion", ""))
        _keep(old, obj, entries)
        obj = _parted(kind, old, obj, part)
        if part == "status":
            prepare.told(self.store, kind, old, obj)
        else:
            defaults.fill(obj)
            prepare.changed(kind, old, obj)
        validation.check_change(kind, old, obj, subresource=part)
        if not part:
            admission.admit_change(self.store, kind, old, obj)
        if part != "status" and kind.generations and _intent(kind, old) != _intent(kind, obj):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if write.manager and entries is None:
            obj = ownership.noted(kind, old, obj, self._author(write, part))
        if _same(old, obj):
            return old
        return self._stored(kind, old, obj, write)

    def _author(self, write: Write, part: str) -> Author:
        """Who writes. Of a change that came by another subresource no time is noted, as on a real server."""
        return Author(write.manager, "" if write.through else self.store.now(), write.through or part)

    def _stored(self, kind: Kind, old: Object, obj: Object, write: Write) -> Object:
        if write.dry_run:
            obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            return obj
        if finished(kind, obj):
            self.store.drop(kind.storage, obj)
            return {**obj, "metadata": {**obj["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}}
        return self.store.put(kind.storage, obj)


def check_uid(kind: Kind, old: Object, given: str) -> None:
    """The uid in a PUT must be the object's. Raises `ApiError` (409)."""
    uid = old["metadata"]["uid"]
    if given and given != uid:
        where = f"/registry/{kind.plural}/{old['metadata'].get('namespace', '')}/{old['metadata']['name']}"
        why = (
            f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {given}, UID in object meta: {uid}"
        )
        raise conflict(kind, old["metadata"]["name"], why)


def check_version(kind: Kind, old: Object, given: str) -> None:
    """The version that a write was made from must be the current one. Raises `ApiError` (409)."""
    if given and not given.isdigit():
        raise ApiError("", f'strconv.ParseUint: parsing "{given}": invalid syntax')
    if given and given != old["metadata"]["resourceVersion"]:
        raise conflict(kind, old["metadata"]["name"])


def _place(kind: Kind, namespace: str, obj: Object) -> None:
    meta = obj["metadata"]
    if kind.namespaced and not meta.get("namespace"):
        meta["namespace"] = namespace
    if meta.get("namespace", "") != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _named(obj: Object, name: str) -> None:
    given = obj["metadata"].get("name", "")
    if given != name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


def _keep(old: Object, obj: Object, entries: list[Any] | None) -> None:
    """What the server wrote into the metadata stays where the change is silent of it."""
    before, meta = old["metadata"], obj["metadata"]
    for field in _KEPT:
        if field in before:
            meta.setdefault(field, before[field])
    for field in ("creationTimestamp", "generation", "managedFields"):
        meta.pop(field, None)
        if field in before:
            meta[field] = before[field]
    if entries is not None:
        meta["managedFields"] = entries


def _parted(kind: Kind, old: Object, obj: Object, part: str) -> Object:
    """A subresource changes its part alone, and the object itself all but its status."""
    if part == "status":
        own = _STATUS_SPARES.get(kind.kind, ())
        meta = {**obj["metadata"], **{f: old["metadata"][f] for f in own if f in old["metadata"]}}
        meta = {f: v for f, v in meta.items() if f not in own or f in old["metadata"]}
        return {**old, "metadata": meta, "status": obj["status"]}
    if part == "finalize":
        return {**old, "metadata": obj["metadata"], "spec": obj["spec"]}
    if kind.kind == "Namespace":
        obj["spec"] = old["spec"]
    if kind.has("status"):
        obj["status"] = old["status"]
    return obj


def _intent(kind: Kind, obj: Object) -> Object:
    """What a change of counts as a new generation; a Deployment's annotations do, for its controller copies them."""
    marks = obj["metadata"].get("annotations") if kind.kind == "Deployment" else None
    return {"annotations": marks or {}, **{k: v for k, v in obj.items() if k not in ("metadata", "status")}}


def _same(old: Object, obj: Object) -> bool:
    """Whether a write would change nothing; when someone set a field doesn't matter then, but who did does."""
    ignored = ("resourceVersion", "managedFields")
    meta, before = ({k: v for k, v in o["metadata"].items() if k not in ignored} for o in (obj, old))
    ours, theirs = (timeless(o["metadata"].get("managedFields") or ()) for o in (obj, old))
    return ours == theirs and same({**obj, "metadata": meta}, {**old, "metadata": before})
