"""The API for components in the same process: no HTTP, no permissions, else the same server."""

from __future__ import annotations

from collections.abc import AsyncIterator

from kubemend.lab.api import Change, Object
from kubemend.lab.apiserver import parts
from kubemend.lab.apiserver.decoding import Write
from kubemend.lab.apiserver.deletion import Deletion, delete
from kubemend.lab.apiserver.patching import Patch
from kubemend.lab.apiserver.registry import Registry
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.store import Store


class LocalApi:
    """`kubemend.lab.api.Api` over a store. Errors are `kubemend.lab.apiserver.status.ApiError`.

    A Binding may be created, and `scale` be patched, as on a real server.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._registry = Registry(store)

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when there is none."""
        return self.store.find(kind, namespace, name)

    async def list(self, kind: str, namespace: str | None = None) -> list[Object]:
        """All objects of a kind, by namespace and name."""
        return self.store.all(kind, namespace)

    async def watch(self, *kinds: str) -> AsyncIterator[tuple[Change, Object]]:
        """Everything there is of these kinds as ADDED, then each change as it happens, without end or gap."""
        version = self.store.version
        present = [obj for kind in kinds for obj in self.store.all(kind)]
        for obj in present:
            yield "ADDED", obj
        async for step in self.store.steps(version):
            if step.kind in kinds:
                yield step.change, step.obj

    async def create(self, obj: Object) -> Object:
        """Create. Raises `ApiError` when it is there already or refused by admission."""
        namespace = obj["metadata"].get("namespace", "")
        if obj["kind"] == "Binding":
            return parts.bind(self._registry, namespace, obj["metadata"]["name"], obj, Write())
        return self._registry.create(BY_KIND[obj["kind"]], namespace, obj, Write())

    async def patch(self, obj: Object, body: Object, *, subresource: str = "") -> Object:
        """JSON merge patch of this very object: its uid is a precondition. Raises `ApiError`."""
        kind, meta = BY_KIND[obj["kind"]], obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        current = self._registry.found(kind, namespace, name)
        if uid := meta.get("uid"):
            body = {**body, "metadata": {**(body.get("metadata") or {}), "uid": uid}}
        patch = Patch("merge", body)
        if subresource == "scale":
            return parts.patch_scale(self._registry, kind, current, patch, Write())
        return self._registry.patch(kind, namespace, name, patch, Write(), part=subresource)

    async def delete(self, obj: Object, *, grace_seconds: int | None = None) -> None:
        """Delete this very object; nothing happens when it is gone already."""
        kind, meta = BY_KIND[obj["kind"]], obj["metadata"]
        current = self.store.find(kind.storage, meta.get("namespace", ""), meta["name"])
        if current is not None and current["metadata"]["uid"] == meta["uid"]:
            delete(self.store, kind, current, Deletion(grace=grace_seconds))
