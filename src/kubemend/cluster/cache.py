"""A cluster kept in memory: each kind listed once, then followed by a watch, so that a Snapshot costs nothing.

The cache says what it doesn't know. A kind that was never read, may no longer be read, or has been out of touch for
too long is in the snapshot's `unread`, with its objects as they were last seen.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from kubemend.cluster.feed import Feed, Pace
from kubemend.cluster.reader import Reader
from kubemend.model.objects import Obj
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot


class Changes:
    """An endless iterator over sets of changed objects. What changes between two steps comes as one set.

    It ends when the cache is closed, and raises what the cache broke with.
    """

    def __init__(self) -> None:
        self._refs: set[Ref] = set()
        self._wake = asyncio.Event()
        self._error: BaseException | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> frozenset[Ref]:
        await self._wake.wait()
        if self._error is not None:
            raise self._error
        if not self._refs:
            raise StopAsyncIteration
        taken, self._refs = frozenset(self._refs), set()
        self._wake.clear()
        return taken

    def add(self, refs: Iterable[Ref]) -> None:
        """Hand over changed objects."""
        self._refs.update(refs)
        if self._refs:
            self._wake.set()

    def end(self, error: BaseException | None) -> None:
        """Nothing more will come; `error` if that was no orderly end."""
        self._refs.clear()
        self._error = error
        self._wake.set()


class WatchCache:
    """Follows these kinds (of one namespace) for as long as the `async with` block lasts."""

    def __init__(
        self,
        reader: Reader,
        kinds: Iterable[type[Obj]],
        namespace: str | None = None,
        *,
        exclude: Collection[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self._cluster, self._namespace = reader.cluster, namespace
        wanted = tuple(dict.fromkeys(kinds))
        self._feeds: tuple[Feed[Any], ...] = tuple(
            Feed(reader, kind, namespace, exclude=frozenset(exclude), pace=pace or Pace(), tell=self._tell)
            for kind in wanted
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: weakref.WeakSet[Changes] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        for feed in self._feeds:
            task = asyncio.create_task(feed.run(), name=f"follow {feed.kind.__name__} of {self._cluster}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        broken = next((e for e in ends if isinstance(e, Exception)), None)
        for listener in self._listeners:
            listener.end(broken)
        if broken is not None and error is None:
            raise broken

    async def synced(self) -> None:
        """Wait until every kind has been listed, or could not be for the first time."""
        await asyncio.gather(*(feed.tried.wait() for feed in self._feeds))

    def snapshot(self) -> Snapshot:
        """The cluster as last seen. Cheap: nothing is copied until an object changes."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return Snapshot(
            taken_at=datetime.now(UTC),
            objects={feed.kind: feed.objects() for feed in self._feeds if feed.listed},
            unread=tuple(u for feed in self._feeds for u in feed.unread()),
            cluster=self._cluster,
            namespace=self._namespace,
        )

    def changes(self) -> Changes:
        """The objects that change from now on; the first list counts as change too."""
        listener = Changes()
        self._listeners.add(listener)
        return listener

    def _tell(self, refs: Collection[Ref]) -> None:
        for listener in self._listeners:
            listener.add(refs)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            for listener in self._listeners:
                listener.end(error)
