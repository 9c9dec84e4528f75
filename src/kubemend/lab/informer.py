"""What the components see of the cluster: one watch, kept in memory, with every own write seen at once."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from kubemend.lab.api import Api, Change, Object
from kubemend.lab.fields import Key, key, name, namespace, owners, uid, version

log = logging.getLogger(__name__)

Listener = Callable[[Change, Object, Object | None], None]
"""Called with the change, the object, and the object as it was before (None when it was unknown)."""


class Informer:
    """A cache of the objects of some kinds, fed by one watch.

    Writes go through it, and what the API answers is taken in before the write returns, so that a reconcile never
    acts on a world from before its own last step. Objects are shared: nobody changes one in place.
    """

    def __init__(self, api: Api, kinds: Iterable[str]) -> None:
        self.api = api
        self.kinds = tuple(dict.fromkeys(kinds))
        self._objects: dict[str, dict[Key, Object]] = {kind: {} for kind in self.kinds}
        self._spaces: defaultdict[tuple[str, str], dict[str, Object]] = defaultdict(dict)
        self._dependents: defaultdict[str, dict[str, Object]] = defaultdict(dict)
        self._gone: set[str] = set()
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, complete: bool = True) -> None:
        """Begin to watch. `complete`: return only when all that exists is known (the watch is under way by then)."""
        self._task = asyncio.create_task(self._follow(), name="informer")
        self._task.add_done_callback(_report)
        await asyncio.sleep(0)
        for kind in self.kinds if complete else ():
            for obj in await self.api.list(kind):
                self._take("ADDED", obj)

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _follow(self) -> None:
        async for change, obj in self.api.watch(*self.kinds):
            if change == "DELETED":
                self._gone.discard(uid(obj))
            self._take(change, obj)

    def listen(self, listener: Listener) -> None:
        """Have `listener` called on every change from now on."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """The reverse."""
        self._listeners.remove(listener)

    def find(self, kind: str, space: str, named: str) -> Object | None:
        """One object, or None."""
        return self._objects[kind].get((space, named))

    def all(self, kind: str, space: str | None = None) -> list[Object]:
        """The objects of a kind (in one namespace)."""
        return list((self._objects[kind] if space is None else self._spaces[kind, space]).values())

    def owned(self, owner: Object, kind: str) -> list[Object]:
        """The objects of a kind that `owner` controls."""
        mine = uid(owner)
        return [
            o
            for o in self._dependents.get(mine, {}).values()
            if o["kind"] == kind and any(r.get("controller") and r["uid"] == mine for r in owners(o))
        ]

    def dependents(self, owner_uid: str) -> list[Object]:
        """Everything with an owner reference to this uid."""
        return list(self._dependents.get(owner_uid, {}).values())

    async def create(self, obj: Object) -> Object:
        """`Api.create`, taken in."""
        return self._take("ADDED", await self.api.create(obj))

    async def refresh(self, obj: Object) -> None:
        """Look at one object again, after a write that didn't return it."""
        left = await self.api.get(obj["kind"], namespace(obj), name(obj))
        if left is not None:
            self._take("MODIFIED", left)

    async def patch(self, obj: Object, body: Object, *, subresource: str = "") -> Object:
        """`Api.patch`, taken in."""
        return self._take("MODIFIED", await self.api.patch(obj, body, subresource=subresource))

    async def delete(self, obj: Object, *, grace_seconds: int | None = None) -> None:
        """`Api.delete`, and what is left of the object taken in."""
        await self.api.delete(obj, grace_seconds=grace_seconds)
        left = await self.api.get(obj["kind"], namespace(obj), name(obj))
        if left is not None and uid(left) == uid(obj):
            self._take("MODIFIED", left)
        elif (known := self.find(obj["kind"], *key(obj))) is not None and uid(known) == uid(obj):
            # The watch will still tell how the object came to its end; it must not rise again meanwhile.
            self._gone.add(uid(obj))
            self._take("DELETED", known)

    def _take(self, change: Change, obj: Object) -> Object:
        """Take a change in unless it is older than what is known, and tell the listeners."""
        known = self._objects[obj["kind"]].get(key(obj))
        if change == "DELETED":
            if known is None or uid(known) != uid(obj):
                return obj
        elif uid(obj) in self._gone or (known is not None and version(obj) <= version(known)):
            return obj
        if known is not None:
            self._drop(known)
        if change != "DELETED":
            self._put(obj)
        for listener in tuple(self._listeners):
            listener(change, obj, known)
        return obj

    def _put(self, obj: Object) -> None:
        self._objects[obj["kind"]][key(obj)] = obj
        self._spaces[obj["kind"], namespace(obj)][name(obj)] = obj
        for owner in owners(obj):
            self._dependents[owner["uid"]][uid(obj)] = obj

    def _drop(self, obj: Object) -> None:
        del self._objects[obj["kind"]][key(obj)]
        del self._spaces[obj["kind"], namespace(obj)][name(obj)]
        for owner in owners(obj):
            held = self._dependents[owner["uid"]]
            held.pop(uid(obj), None)
            if not held:
                del self._dependents[owner["uid"]]


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the watch ended: the cluster is seen no longer", exc_info=error)
