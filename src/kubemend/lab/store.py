"""The practice cluster's memory: objects by kind, one version number for all, and the changes up to now.

It plays etcd's part. A write is one call without an await in it, so it is atomic, and each write is exactly one
version and one change; that is why the state at an earlier version can be had by taking changes back.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kubemend.lab.api import Change, Doors, Object

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is empty."""

HISTORY: Final = 50_000
"""Changes that are kept for watches and for lists at an earlier version."""


class Compacted(Exception):
    """That version is too old: its changes are kept no longer."""


@dataclass(frozen=True)
class Step:
    """One change of the world. `obj` is what it became (what it was last, for DELETED), `before` what it was."""

    version: int
    change: Change
    kind: str
    key: Key
    obj: Object
    before: Object | None


LogKey = tuple[str, str, str, bool]
"""(namespace, pod, container, whether of the life before)."""


class Journal(dict[LogKey, list[str]]):
    """Logs by container; whoever waits for the store is told of each entry that is set.

    count: how often that has happened.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__()
        self.count, self._told = 0, told

    def __setitem__(self, key: LogKey, lines: list[str]) -> None:
        super().__setitem__(key, lines)
        self.count += 1
        self._told()


class Store:
    """Objects by kind. An object handed in or out is never changed in place, by anyone.

    logs: (namespace, pod, container, previous) → lines, each beginning with its RFC 3339 time and a blank.
    usage: (namespace, pod, container) → {"cpu": "5m", "memory": "20Mi"}, what metrics.k8s.io tells of it.
    node_usage: node → the same for what isn't in any pod; nodes without an entry are told as the sum of their pods.
    doors: (namespace, pod, container) → the way into a running container, for `pods/exec`.
    clock: the time that is written into objects.
    """

    def __init__(self, *, history: int = HISTORY, clock: Callable[[], datetime] | None = None) -> None:
        self.version = 1
        self.logs = Journal(self._wake)
        self.usage: dict[tuple[str, str, str], dict[str, str]] = {}
        self.node_usage: dict[str, dict[str, str]] = {}
        self.doors: Doors = {}
        self.clock = clock or (lambda: datetime.now(UTC))
        self._objects: dict[str, dict[Key, Object]] = {}
        self._order: dict[str, list[Key]] = {}
        self._steps: list[Step] = []
        self._history = history
        self._changed = asyncio.Event()

    def now(self) -> str:
        """This moment as objects carry it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None."""
        return self._objects.get(kind, {}).get((namespace, name))

    def all(self, kind: str, namespace: str | None = None) -> list[Object]:
        """The objects of a kind, by namespace and name."""
        objects = self._objects.get(kind, {})
        return [objects[key] for key in self._keys(kind, namespace)]

    def put(self, kind: str, obj: Object) -> Object:
        """Keep this object in the place of what has its name; returns it with its new `resourceVersion`."""
        meta = obj["metadata"]
        key = meta.get("namespace", ""), meta["name"]
        self.version += 1
        obj = {**obj, "metadata": {**meta, "resourceVersion": str(self.version)}}
        objects = self._objects.setdefault(kind, {})
        before = objects.get(key)
        if before is None:
            insort(self._order.setdefault(kind, []), key)
        objects[key] = obj
        self._note("ADDED" if before is None else "MODIFIED", kind, key, obj, before)
        return obj

    def drop(self, kind: str, obj: Object) -> Object:
        """Forget this object; returns it as it was last, with the version of its end."""
        meta = obj["metadata"]
        key = meta.get("namespace", ""), meta["name"]
        before = self._objects[kind].pop(key)
        order = self._order[kind]
        del order[bisect_left(order, key)]
        self.version += 1
        gone = {**obj, "metadata": {**meta, "resourceVersion": str(self.version)}}
        self._note("DELETED", kind, key, gone, before)
        return gone

    def at(self, kind: str, namespace: str | None, version: int, *, after: Key = ("", "")) -> list[tuple[Key, Object]]:
        """The objects of a kind with a key beyond `after`, as they were at a version. Raises `Compacted`."""
        objects = self._objects.get(kind, {})
        since = [s for s in self.since(version) if s.kind == kind]
        if not since:
            return [(key, objects[key]) for key in self._keys(kind, namespace, after)]
        then = dict(objects)
        for step in reversed(since):
            if step.before is None:
                then.pop(step.key, None)
            else:
                then[step.key] = step.before
        return sorted(i for i in then.items() if i[0] > after and namespace in (None, i[0][0]))

    def since(self, version: int) -> Sequence[Step]:
        """Every change after a version, oldest first. Raises `Compacted`."""
        if version < self.oldest:
            raise Compacted(version, self.oldest)
        return self._steps[version - self.oldest :]

    @property
    def oldest(self) -> int:
        """The oldest version from which every change is known."""
        return self.version - len(self._steps)

    def compact(self) -> None:
        """Forget all changes up to now, as etcd does every five minutes."""
        self._steps.clear()

    async def beyond(self, version: int) -> None:
        """Wait until something has happened after a version."""
        while self.version <= version:
            await self._changed.wait()

    async def stirred(self, version: int, count: int) -> None:
        """Wait until something has happened after a version, or in the logs after a count of theirs."""
        while self.version <= version and self.logs.count <= count:
            await self._changed.wait()

    async def steps(self, version: int) -> AsyncIterator[Step]:
        """Every change after a version, then each as it happens. Raises `Compacted` when it falls too far behind."""
        while True:
            for step in self.since(version):
                yield step
                version = step.version
            await self.beyond(version)

    def _keys(self, kind: str, namespace: str | None, after: Key = ("", "")) -> list[Key]:
        order = self._order.get(kind, [])
        start = bisect_right(order, after)
        if namespace is None:
            return order[start:]
        return order[max(start, bisect_left(order, (namespace, ""))) : bisect_left(order, (namespace + "\0", ""))]

    def _note(self, change: Change, kind: str, key: Key, obj: Object, before: Object | None) -> None:
        self._steps.append(Step(self.version, change, kind, key, obj, before))
        if len(self._steps) > self._history * 2:
            del self._steps[: -self._history]
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
