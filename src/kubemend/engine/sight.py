"""A live view of one cluster for the guard and the detector, on top of the watch cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from kubemend.cluster.cache import WatchCache
from kubemend.cluster.reader import Reader
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Snapshot


class LiveSight:
    """The cache's snapshot, and waiting for it to change."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._change = asyncio.Event()
        self._turn = 0

    def snapshot(self) -> Snapshot:
        """What is known now. Cheap: the objects are shared, not copied."""
        return self._cache.snapshot()

    @property
    def turn(self) -> int:
        """How often something has changed so far: to be asked for before looking, and given to `changed` after it."""
        return self._turn

    async def changed(self, within_s: float, *, since: int | None = None) -> None:
        """Return at the next change after this call, or after turn `since`; at the latest after `within_s` seconds."""
        if since is not None and since != self._turn:
            return
        waiting = self._change
        with suppress(TimeoutError):
            await asyncio.wait_for(waiting.wait(), within_s)

    async def follow(self) -> None:
        """Wake the waiting at every change. Runs as long as the cache does."""
        async for _ in self._cache.changes():
            # A fresh event for who waits from now on; the old one wakes everybody who waited until now.
            woken, self._change = self._change, asyncio.Event()
            self._turn += 1
            woken.set()


@asynccontextmanager
async def open_sight(reader: Reader, kinds: Iterable[type[Obj]], *, namespace: str | None) -> AsyncIterator[LiveSight]:
    """List and watch these kinds until the block ends; the first lists are in (or have failed) when it begins."""
    async with WatchCache(reader, kinds, namespace) as cache:
        sight = LiveSight(cache)
        following = asyncio.create_task(sight.follow())
        try:
            await cache.synced()
            yield sight
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
