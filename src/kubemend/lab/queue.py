"""A work queue that forgets how often it was told: many events on one object make one reconcile."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

K = TypeVar("K")


class Queue(Generic[K]):
    """Keys waiting for one worker, oldest first, each at most once."""

    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()

    def add(self, key: K) -> None:
        """Have `key` worked on soon; nothing more when it waits already."""
        if (timer := self._later.pop(key, None)) is not None:
            timer.cancel()
        self._waiting[key] = None
        self._filled.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have `key` worked on after that time, or sooner if it's added meanwhile or was to be sooner."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._later.get(key)
        if key in self._waiting or (timer is not None and timer.when() <= due):
            return
        if timer is not None:
            timer.cancel()
        self._later[key] = loop.call_at(due, self.add, key)

    async def get(self) -> K:
        """The key that has waited longest; waits until there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        return key

    def close(self) -> None:
        """Drop the timers."""
        for timer in self._later.values():
            timer.cancel()
        self._later.clear()
