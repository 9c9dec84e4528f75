"""Waiting for a change: none is missed, whenever it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from kubemend.engine.sight import LiveSight

LONG = 30.0
"""Seconds that nobody should wait here."""


class Changing:
    """A watch cache whose changes the test makes."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[None] = asyncio.Queue()

    async def changes(self) -> AsyncIterator[None]:
        while True:
            yield await self.queue.get()


@contextmanager
def sight() -> Iterator[tuple[LiveSight, asyncio.Queue[None]]]:
    cache = Changing()
    made = LiveSight(cache)  # type: ignore[arg-type]
    following = asyncio.create_task(made.follow())
    try:
        yield made, cache.queue
    finally:
        following.cancel()


async def test_a_change_that_came_while_the_last_was_looked_at_is_not_waited_for():
    with sight() as (seen, changes):
        before = seen.turn
        elsewhere = asyncio.create_task(seen.changed(LONG))
        await asyncio.sleep(0)
        changes.put_nowait(None)
        async with asyncio.timeout(LONG / 2):
            await elsewhere
            await seen.changed(LONG, since=before)


async def test_who_waits_is_woken_by_the_next_change():
    with sight() as (seen, changes):
        waiting = asyncio.create_task(seen.changed(LONG, since=seen.turn))
        await asyncio.sleep(0)
        assert not waiting.done()
        changes.put_nowait(None)
        async with asyncio.timeout(LONG / 2):
            await waiting


async def test_nobody_waits_longer_than_he_wants():
    with sight() as (seen, _):
        await seen.changed(0.001, since=seen.turn)
