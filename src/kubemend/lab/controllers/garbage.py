"""Garbage collection: what goes with its owner, and what outlives it."""

from __future__ import annotations

from collections.abc import Sequence

from kubemend.lab.api import Change, Object
from kubemend.lab.controllers.controller import Worker
from kubemend.lab.fields import deleting, name, namespace, owners, uid

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_Where = tuple[str, str, str]
"""(kind, namespace, name)"""


class GarbageCollector(Worker[_Where]):
    """Deletes what has no owner left; carries out the finalizers `foregroundDeletion` and `orphan`."""

    component = "generic-garbage-collector"

    def notice(self, change: Change, obj: Object, before: Object | None) -> None:
        """Dependents of what is gone, owners that wait for a dependent, and what comes with owners."""
        if change == "DELETED":
            for dependent in self.seen.dependents(uid(obj)):
                self.queue.add(_where(dependent))
            for owner in owners(obj):
                self._look_at(owner["kind"], namespace(obj), owner["name"])
        elif before is None and owners(obj):
            self.queue.add(_where(obj))
        if deleting(obj) and set(_finalizers(obj)) & {FOREGROUND, ORPHAN}:
            self.queue.add(_where(obj))

    def _look_at(self, kind: str, space: str, named: str) -> None:
        for where in ((kind, space, named), (kind, "", named)):
            owner = self.seen.find(*where) if kind in self.seen.kinds else None
            if owner is not None and deleting(owner):
                self.queue.add(where)

    async def work(self, due: _Where) -> float | None:
        """Look at one object: as an owner that waits, or as a dependent."""
        obj = self.seen.find(*due)
        if obj is None:
            return None
        if deleting(obj):
            await self._release(obj)
        elif owners(obj) and not await self._owned(obj):
            await self.seen.delete(obj)
        return None

    async def _owned(self, obj: Object) -> bool:
        """Whether an owner is left. One of a kind that isn't watched is taken to be there: it can't be judged."""
        for owner in owners(obj):
            if owner["kind"] not in self.seen.kinds:
                return True
            for space in (namespace(obj), ""):
                found = await self.seen.api.get(owner["kind"], space, owner["name"])
                if found is not None and uid(found) == owner["uid"]:
                    return True
        return False

    async def _release(self, obj: Object) -> None:
        finalizers, dependents = _finalizers(obj), self.seen.dependents(uid(obj))
        if ORPHAN in finalizers:
            for dependent in dependents:
                left = [o for o in owners(dependent) if o["uid"] != uid(obj)]
                await self.seen.patch(dependent, {"metadata": {"uid": uid(dependent), "ownerReferences": left}})
            await self._drop(obj, ORPHAN)
        elif FOREGROUND in finalizers:
            for dependent in dependents:
                if not deleting(dependent):
                    await self.seen.delete(dependent)
            if not self.seen.dependents(uid(obj)):
                await self._drop(obj, FOREGROUND)

    async def _drop(self, obj: Object, finalizer: str) -> None:
        left = [f for f in _finalizers(obj) if f != finalizer]
        await self.seen.patch(obj, {"metadata": {"uid": uid(obj), "finalizers": left}})


def _where(obj: Object) -> _Where:
    return obj["kind"], namespace(obj), name(obj)


def _finalizers(obj: Object) -> Sequence[str]:
    return obj["metadata"].get("finalizers") or ()
