"""What every controller is: a queue of objects to look at, and a reconcile that may fail without harm to others."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from kubemend.lab.api import Change, Object
from kubemend.lab.events import Recorder
from kubemend.lab.fields import Key, controller, difference, key, labels, namespace, ready, selects, spec, status, uid
from kubemend.lab.informer import Informer
from kubemend.lab.queue import Queue
from kubemend.model.errors import KubemendError

log = logging.getLogger(__name__)

K = TypeVar("K")

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


class Worker(ABC, Generic[K]):
    """Works through keys one by one. What goes wrong with one of them is retried later and stops no other."""

    component: ClassVar[str]
    """Its name in events and logs."""

    def __init__(self, world: World) -> None:
        self.world, self.seen = world, world.seen
        self.recorder = world.recorder(self.component)
        self.queue: Queue[K] = Queue()
        self._failures: dict[K, int] = {}
        self.seen.listen(self.notice)

    @abstractmethod
    def notice(self, change: Change, obj: Object, before: Object | None) -> None:
        """Put into the queue what a change may matter to."""

    @abstractmethod
    async def work(self, due: K) -> float | None:
        """Do what is due. Returns real seconds after which to look again, if any."""

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._one(await self.queue.get())
        finally:
            self.queue.close()
            self.seen.unlisten(self.notice)

    async def _one(self, due: K) -> None:
        # A task of its own, so that whatever goes wrong with one object is reported and stays with that object.
        task = asyncio.create_task(self.work(due))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if (error := task.exception()) is None:
            self._failures.pop(due, None)
            if (again := task.result()) is not None:
                self.queue.add_after(due, again)
        else:
            self._retry(due, error)

    def _retry(self, due: K, error: BaseException) -> None:
        expected = isinstance(error, KubemendError)
        level = logging.DEBUG if expected else logging.ERROR
        log.log(level, "%s: %s: %s", self.component, due, error, exc_info=None if expected else error)
        count = self._failures[due] = self._failures.get(due, 0) + 1
        self.queue.add_after(due, min(FIRST_RETRY_S * 2 ** min(count, 20), LAST_RETRY_S * self.world.pace + 1))


class Controller(Worker[Key]):
    """Brings objects of one kind to what their spec says.

    kind: what it reconciles. sees: further kinds whose changes matter to it.
    """

    kind: ClassVar[str]
    sees: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    async def reconcile(self, obj: Object) -> float | None:
        """Look at one object and do what is due. Returns real seconds after which to look again, if any."""

    async def gone(self, _key: Key) -> float | None:
        """Called when an object of `kind` is no more. Returns real seconds after which to call again, if any."""
        return None

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Which objects of `kind` a change of `obj` may matter to: itself, and its controller now and before."""
        if obj["kind"] == self.kind:
            yield key(obj)
        for version in (obj, before):
            owner = None if version is None or version["kind"] == self.kind else controller(version)
            if owner is not None and owner["kind"] == self.kind:
                yield namespace(obj), owner["name"]

    def selecting(self, orphan: Object) -> Iterable[Key]:
        """The objects of `kind` whose selector matches an object that nobody controls."""
        if controller(orphan) is None and labels(orphan):
            for owner in self.seen.all(self.kind, namespace(orphan)):
                if selects(spec(owner).get("selector"), labels(orphan)):
                    yield key(owner)

    def notice(self, _change: Change, obj: Object, before: Object | None) -> None:
        """Put what `affected` names into the queue."""
        if obj["kind"] == self.kind or obj["kind"] in self.sees:
            for found in self.affected(obj, before):
                self.queue.add(found)

    async def work(self, due: Key) -> float | None:
        """Reconcile the object of this key."""
        obj = self.seen.find(self.kind, *due)
        return await self.gone(due) if obj is None else await self.reconcile(obj)

    async def tell(self, obj: Object, new: dict[str, Any]) -> None:
        """Write `new` as the object's status, where it differs."""
        if patch := difference(status(obj), new):
            await self.seen.patch(obj, {"metadata": {"uid": uid(obj)}, "status": patch}, subresource="status")
