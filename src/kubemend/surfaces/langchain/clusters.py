"""Connections that outlive the event loops of whoever calls.

A program may call tools from threads, from one loop after another, or from no loop at all. So the gateways live in a
loop of their own, in a thread of their own; equal targets share one, and those that are not used are closed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from kubemend.engine.gateway import Gateway
from kubemend.surfaces.langchain.configuration import Target

MOST = 16
"""Gateways that stay open while nobody uses them."""

T = TypeVar("T")
Use = Callable[[Gateway], Coroutine[Any, Any, T]]


@dataclass
class _Kept:
    """An open gateway, by whom it is used, and the task that opened it and will close it."""

    ready: asyncio.Future[Gateway]
    over: asyncio.Event
    task: asyncio.Task[None]
    users: int = 0


class Clusters:
    """Gateways by target."""

    def __init__(self, opened: Callable[[Target], AbstractAsyncContextManager[Gateway]], most: int = MOST) -> None:
        self._opened, self._most = opened, most
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._kept: OrderedDict[Target, _Kept] = OrderedDict()

    def run(self, target: Target, use: Use[T]) -> Future[T]:
        """Use a target's gateway, in the loop of the gateways. Cancelling the future cancels the use."""
        return asyncio.run_coroutine_threadsafe(self._used(target, use), self._running())

    def close(self) -> None:
        """Close all of them and end the thread. The next call begins anew."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="kubemend", daemon=True)
                self._thread.start()
            return self._loop

    async def _used(self, target: Target, use: Use[T]) -> T:
        kept = self._kept.get(target)
        if kept is None:
            ready, over = asyncio.get_running_loop().create_future(), asyncio.Event()
            kept = _Kept(ready, over, asyncio.create_task(self._keep(target, ready, over)))
            self._kept[target] = kept
        self._kept.move_to_end(target)
        kept.users += 1
        try:
            return await use(await self._ready(target, kept))
        finally:
            kept.users -= 1
            self._spare()

    async def _ready(self, target: Target, kept: _Kept) -> Gateway:
        """The gateway, once it is open. What can't be opened is told to all who wait for it, and forgotten."""
        either: set[asyncio.Future[Any]] = {kept.ready, kept.task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not kept.ready.done():
            if self._kept.get(target) is kept:
                del self._kept[target]
            kept.task.result()
        return kept.ready.result()

    async def _keep(self, target: Target, ready: asyncio.Future[Gateway], over: asyncio.Event) -> None:
        """Hold one gateway open until it is over with it."""
        async with self._opened(target) as gateway:
            ready.set_result(gateway)
            await over.wait()

    def _spare(self) -> None:
        """Close the longest unused beyond the most."""
        idle = [target for target, kept in self._kept.items() if not kept.users]
        for target in idle[: max(0, len(self._kept) - self._most)]:
            self._kept.pop(target).over.set()

    async def _close(self) -> None:
        kept = list(self._kept.values())
        self._kept.clear()
        for one in kept:
            one.over.set()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()
