"""Writing objects: from what a client sent to what is stored, in the API server's order of steps.

Decode, default, admit, validate, admit again, store. No step waits for anything, so that a write is atomic.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from kubemend.lab.admission import defaults, identity, limits, prepare, quota, security, validation
from kubemend.lab.api import Object
from kubemend.lab.apiserver import ownership, schema
from kubemend.lab.apiserver.deletion import finished
from kubemend.lab.apiserver.ownership import Author
from kubemend.lab.apiserver.patching import Patch, patched
from kubemend.lab.apiserver.status import (
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid_options,
    not_found,
    undecodable,
)
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store


@dataclass
class Write:
    """How a write is to be done, and what it had to say.

    manager: the field manager, empty for the cluster's own components, whose fields aren't noted.
    validation: Strict refuses unknown fields, Warn (the default) and Ignore drop them.
    warnings: filled in while it is done.
    """

    dry_run: bool = False
    manager: str = ""
    validation: str = "Warn"
    force: bool | None = None
    warnings: list[str] = field(default_factory=list)


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
        obj = self._decoded(kind, body, write)
        self._place(kind, namespace, obj)
        meta = obj["metadata"]
        if "resourceVersion" in meta:
            raise ApiError("", "resourceVersion should not be set on objects to be created")
        for owned in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation"):
            meta.pop(owned, None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + identity.ending()
        meta["uid"], meta["creationTimestamp"] = str(uuid.uuid4()), self.store.now()
        if kind.generations:
            meta["generation"] = 1
        defaults.fill(obj)
        if write.manager:
            obj = ownership.noted(kind, None, obj, Author(write.manager, self.store.now()))
        self._admit_new(kind, obj)
        if self.store.find(kind.storage, namespace, obj["metadata"]["name"]) is not None:
            raise already_exists(kind, obj["metadata"]["name"])
        return obj if write.dry_run else self.store.put(kind.storage, obj)

    def _admit_new(self, kind: Kind, obj: Object) -> None:
        if kind.namespaced:
            self._namespace_open(kind, obj)
        if kind.kind == "Pod":
            limits.fill(self.store, obj)
            identity.equip(self.store, obj)
        prepare.new(self.store, kind, obj)
        validation.check_new(kind, obj)
        limits.check(self.store, kind, obj)
        security.check(self.store, kind, obj)
        prepare.allocate(self.store, kind, obj)
        quota.check(self.store, kind, obj)

    def update(self, kind: Kind, namespace: str, name: str, body: Object, write: Write, part: str = "") -> Object:
        """Put an object (or its subresource `part`) in the place of what is there. Raises `ApiError`."""
        old = self.found(kind, namespace, name)
        obj = self._decoded(kind, body, write)
        given = obj["metadata"].get("uid")
        if given and given != old["metadata"]["uid"]:
            why = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{kind.plural}/{namespace}/{name}, "
                f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, "
                f"UID in object meta: {old['metadata']['uid']}"
            )
            raise conflict(kind, name, why)
        return self.replace(kind, old, obj, write, part)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Patch, write: Write, part: str = "") -> Object:
        """Patch an object or its subresource. Raises `ApiError`."""
        if patch.how != "apply":
            if write.force is not None:
                cause = Cause.forbidden("force", "may not be specified for non-apply patch")
                raise invalid_options("PatchOptions", cause)
            old = self.found(kind, namespace, name)
            obj = self._decoded(kind, patched(kind, old, patch), write, patch=patch)
            return self.replace(kind, old, obj, write, part)
        config = self._decoded_config(kind, name, patch, write)
        current = self.store.find(kind.storage, namespace, name)
        if current is None:
            return self._apply_new(kind, namespace, name, config, write)
        author = Author(write.manager, self.store.now())
        return self.replace(
            *(kind, current, ownership.applied(kind, current, config, author, force=bool(write.force)), write, part),
            noted=True,
        )

    def _decoded_config(self, kind: Kind, name: str, patch: Patch, write: Write) -> Object:
        if not write.manager:
            raise invalid_options("PatchOptions", Cause.required("fieldManager", "is required for apply patch"))
        body = patch.body
        if not isinstance(body, dict) or "kind" not in body or "apiVersion" not in body:
            raise bad_request("invalid object type: /, Kind=")
        body = {**body, "metadata": {"name": name, **body.get("metadata", {})}}
        clean, unknown = schema.decode(kind, body)
        self._heed(kind, unknown, write)
        if "managedFields" in body["metadata"]:
            raise bad_request("metadata.managedFields must be nil")
        return _only(clean, body)

    def _apply_new(self, kind: Kind, namespace: str, name: str, config: Object, write: Write) -> Object:
        uid = config["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(kind, name, why)
        meta = {k: v for k, v in config["metadata"].items() if k != "resourceVersion"}
        body = {**config, "metadata": {**meta, "name": name}}
        silent = Write(write.dry_run, "", "Ignore")
        base = {"metadata": {"name": name}, "kind": kind.kind, "apiVersion": kind.api_version}
        author = Author(write.manager, self.store.now())
        entries = ownership.applied(kind, base, body, author, force=False)["metadata"]["managedFields"]
        made = self.create(kind, namespace, body, Write(dry_run=True, validation="Ignore"))
        made = {**made, "metadata": {**made["metadata"], "managedFields": entries}}
        return made if silent.dry_run else self.store.put(kind.storage, made)

    def replace(
        self, kind: Kind, old: Object, obj: Object, write: Write, part: str = "", *, noted: bool = False
    ) -> Object:
        """Store a decoded object in the place of `old`. `noted`: its managed fields are right already."""
        name, namespace = old["metadata"]["name"], old["metadata"].get("namespace", "")
        self._place(kind, namespace, obj)
        if obj["metadata"].get("name") != name:
            given = obj["metadata"].get("name", "")
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        self._current(kind, old, obj)
        _keep_metadata(old, obj, noted=noted)
        obj = _parted(kind, old, obj, part)
        defaults.fill(obj)
        prepare.changed(kind, old, obj)
        validation.check_change(kind, old, obj, subresource=part)
        if not part:
            self._admit_change(kind, old, obj)
        if kind.generations and _intent(old) != _intent(obj):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if write.manager and not noted:
            obj = ownership.noted(kind, old, obj, Author(write.manager, self.store.now(), part))
        return self._stored(kind, old, obj, write)

    def _admit_change(self, kind: Kind, old: Object, obj: Object) -> None:
        if kind.kind == "PersistentVolumeClaim":
            limits.check(self.store, kind, obj)
        prepare.allocate(self.store, kind, obj)
        quota.check(self.store, kind, obj, old)

    def _stored(self, kind: Kind, old: Object, obj: Object, write: Write) -> Object:
        if _same(old, obj):
            return old
        if write.dry_run:
            return obj
        if finished(kind, obj):
            self.store.drop(kind.storage, obj)
            return obj
        return self.store.put(kind.storage, obj)

    def _decoded(self, kind: Kind, body: Object, write: Write, *, patch: Patch | None = None) -> Object:
        if not isinstance(body.get("metadata", {}), dict | None):
            raise undecodable(kind, "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")
        given = body.get("apiVersion") or kind.api_version, body.get("kind") or kind.kind
        if given != (kind.api_version, kind.kind):
            group, _, version = given[0].rpartition("/")
            why = f"converting ({version}.{given[1]}) to ({group or 'core'}.{kind.kind}): unknown conversion"
            told = f'{given[1]} in version "{version}" cannot be handled as a {kind.kind}: {why}'
            raise bad_request(told)
        clean, unknown = schema.decode(kind, body)
        self._heed(kind, unknown, write, patch)
        return clean

    def _heed(self, kind: Kind, unknown: list[str], write: Write, patch: Patch | None = None) -> None:
        """Refuse unknown fields, warn of them, or neither."""
        told = [f'unknown field "{path}"' for path in unknown]
        if told and write.validation == "Strict":
            why = f"strict decoding error: {', '.join(told)}"
            raise undecodable(kind, why) if patch is None else _unpatchable(patch, why)
        if write.validation == "Warn":
            write.warnings += told

    def _place(self, kind: Kind, namespace: str, obj: Object) -> None:
        meta = obj["metadata"]
        if not kind.namespaced:
            meta.pop("namespace", None)
        elif meta.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def _namespace_open(self, kind: Kind, obj: Object) -> None:
        from kubemend.lab.kinds import BY_KIND

        name = obj["metadata"]["namespace"]
        namespace = self.found(BY_KIND["Namespace"], "", name)
        if namespace["metadata"].get("deletionTimestamp"):
            cause = Cause("NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace")
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise forbidden(kind, obj["metadata"].get("name", ""), why, [cause])

    def _current(self, kind: Kind, old: Object, obj: Object) -> None:
        given = obj["metadata"].pop("resourceVersion", "")
        if given and not given.isdigit():
            raise ApiError("", f'strconv.ParseUint: parsing "{given}": invalid syntax')
        if given and given != old["metadata"]["resourceVersion"]:
            raise conflict(kind, old["metadata"]["name"])


def _unpatchable(patch: Patch, why: str) -> ApiError:
    cause = Cause.invalid("patch", str(patch.body), why)
    details = {"causes": [cause.wire()]}
    return ApiError("Invalid", f' "" is invalid: {cause}', details=details)
