"""What every controller is: a queue of objects to look at, and a reconcile that may fail without harm to others."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from kubemend.lab.api import Change, Object
from kubemend.lab.events import Recorder
from kubemend.lab.fields import Key, controller, key, labels, namespace, ready, selects, spec, uid
from kubemend.lab.informer import Informer
from kubemend.lab.queue import Queue
from kubemend.model.errors import KubemendError

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.01
LAST_RETRY_S = 300.0
"""Retries double from the one to the other; the upper end is scaled by the pace (client-go's is 1000 s)."""


class World:
    """What all controllers share: the informer, the pace of time, and since when each pod has been ready.

    pace: how long a second of Kubernetes lasts here, in seconds.
    """

    def __init__(self, seen: Informer, *, pace: float) -> None:
        self.seen, self.pace = seen, pace
        self._ready: dict[str, float] = {}
        seen.listen(self._note)

    def recorder(self, component: str) -> Recorder:
        """An event recorder for one component."""
        return Recorder(self.seen.api, component, pace=self.pace)

    def time(self) -> float:
        """Seconds of Kubernetes since some moment: for durations, as timestamps are too coarse at a fast pace."""
        return asyncio.get_running_loop().time() / self.pace

    def available_in(self, pod: Object, min_ready_seconds: int) -> float | None:
        """Real seconds until a ready pod has been so for long enough: 0 when it has; None when it isn't ready."""
        since = self._ready.get(uid(pod))
        return None if since is None else max(0.0, (since + min_ready_seconds - self.time()) * self.pace)

    def available(self, pod: Object, min_ready_seconds: int) -> bool:
        """Whether the pod has been ready for long enough."""
        return self.available_in(pod, min_ready_seconds) == 0

    def ready_at(self, pod: Object) -> float:
        """When the pod became ready, on the clock of `time`; 0 when it isn't."""
        return self._ready.get(uid(pod), 0.0)

    def until_available(self, pods: Iterable[Object], min_ready_seconds: int) -> float | None:
        """Real seconds until the next of these pods becomes available by waiting alone."""
        waits = (self.available_in(pod, min_ready_seconds) for pod in pods)
        return min((wait for wait in waits if wait), default=None)

    def _note(self, change: Change, obj: Object, _before: Object | None) -> None:
        if obj["kind"] != "Pod":
            return
        if change == "DELETED" or not ready(obj):
            self._ready.pop(uid(obj), None)
        else:
            self._ready.setdefault(uid(obj), self.time())


class Controller(ABC):
    """Brings objects of one kind to what their spec says.

    kind: what it reconciles. sees: further kinds whose changes matter to it. component: its name in events.
    """

    kind: ClassVar[str]
    sees: ClassVar[tuple[str, ...]] = ()
    component: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world, self.seen = world, world.seen
        self.recorder = world.recorder(self.component)
        self._queue: Queue[Key] = Queue()
        self._failures: dict[Key, int] = {}
        self.seen.listen(self._notice)

    @abstractmethod
    async def reconcile(self, obj: Object) -> float | None:
        """Look at one object and do what is due. Returns real seconds after which to look again, if any."""

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Which objects of `kind` a change of `obj` may matter to: itself, and its controller now and before."""
        if obj["kind"] == self.kind:
            yield key(obj)
        for version in (obj, before):
            owner = None if version is None or version["kind"] == self.kind else controller(version)
            if owner is not None and owner["kind"] == self.kind:
                yield namespace(obj), owner["name"]

    def forget(self, gone: Key) -> None:
        """Called when an object of `kind` is no more."""

    def selecting(self, orphan: Object) -> Iterable[Key]:
        """The objects of `kind` whose selector matches an object that nobody controls."""
        if controller(orphan) is None and labels(orphan):
            for owner in self.seen.all(self.kind, namespace(orphan)):
                if selects(spec(owner).get("selector"), labels(orphan)):
                    yield key(owner)

    def enqueue(self, found: Iterable[Object]) -> None:
        """Have these objects looked at."""
        for obj in found:
            self._queue.add(key(obj))

    def _notice(self, _change: Change, obj: Object, before: Object | None) -> None:
        if obj["kind"] == self.kind or obj["kind"] in self.sees:
            for found in self.affected(obj, before):
                self._queue.add(found)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._work(await self._queue.get())
        finally:
            self._queue.close()
            self.seen.unlisten(self._notice)

    async def _work(self, due: Key) -> None:
        obj = self.seen.find(self.kind, *due)
        if obj is None:
            self._failures.pop(due, None)
            self.forget(due)
            return
        # A task of its own, so that whatever goes wrong with one object is reported and stays with that object.
        task = asyncio.create_task(self.reconcile(obj))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if (error := task.exception()) is None:
            self._failures.pop(due, None)
            if (again := task.result()) is not None:
                self._queue.add_after(due, again)
        else:
            self._retry(due, error)

    def _retry(self, due: Key, error: BaseException) -> None:
        expected = isinstance(error, KubemendError)
        level = logging.DEBUG if expected else logging.ERROR
        log.log(level, "%s %s/%s: %s", self.kind, *due, error, exc_info=None if expected else error)
        count = self._failures[due] = self._failures.get(due, 0) + 1
        self._queue.add_after(due, min(FIRST_RETRY_S * 2**count, LAST_RETRY_S * self.world.pace + 1))
