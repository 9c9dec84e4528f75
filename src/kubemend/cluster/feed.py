"""One kind of the watch cache: list, then watch from there; resume after a failure; list anew when that can't be.

What the waits are for: a server that is down must not be hammered (back-off), one that keeps saying 410 must not be
made to list all the time (`relist`), and events that never came must be noticed in the end (`resync`).

A sign of life is a whole event, a bookmark or a list; never that a connection is open, or that bytes come. So a watch
that is half open, trickles, ends at once again and again, or is answered by something that is no API server, is seen
through by the next list, `quiet` seconds after the last sign.

Time does not run backwards: a list older than what was seen already (from an API server that lags behind, or a cache
on the way) is not believed. Only one that goes on for so long that nothing else is known any more is: then somebody has
put the cluster back to an earlier state.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from kubemend.cluster.answers import Listing
from kubemend.cluster.backoff import Backoff
from kubemend.cluster.collector import EXCLUDED
from kubemend.cluster.decoding import is_about
from kubemend.cluster.errors import ClusterError, Garbled, Gone, Outdated, Refused
from kubemend.cluster.reader import Reader
from kubemend.cluster.sharing import Pool, inherit
from kubemend.cluster.watch import Event
from kubemend.model.index import Key
from kubemend.model.objects import Obj
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Unread

T = TypeVar("T", bound=Obj)


@dataclass(frozen=True)
class Pace:
    """Seconds.

    base, cap: the back-off between failures. asked: the longest pause that a server gets because it asks for one.
    relist: least time between two lists after a 410. resync: a list to find what no event told, whatever happens.
    quiet: without a sign of life for longer, a list must give one; the server sends a bookmark each 60.
    stale: without a sign of life for longer, a kind counts as not read.
    """

    base: float = 0.5
    cap: float = 30.0
    asked: float = 60.0
    relist: float = 30.0
    resync: float = 600.0
    quiet: float = 70.0
    stale: float = 90.0


class Feed(Generic[T]):
    """The objects of one kind, followed. `tried` is set once the first list has come or failed."""

    def __init__(
        self,
        reader: Reader,
        kind: type[T],
        namespace: str | None,
        *,
        exclude: Collection[str],
        pace: Pace,
        tell: Callable[[Collection[Ref]], None],
    ) -> None:
        self.kind, self.tried, self.listed = kind, asyncio.Event(), False
        self._reader, self._namespace, self._exclude = reader, namespace, exclude
        self._pace, self._tell = pace, tell
        self._backoff = Backoff(base=pace.base, cap=pace.cap)
        self._objects: dict[Key, T] = {}
        self._lent = False
        self._broken: tuple[Unread, ...] = ()
        self._version = ""
        self._newest = 0
        self._asked_at = self._touched_at = self._failed_at = float("-inf")
        self._failure: ClusterError | None = None

    def objects(self) -> Mapping[Key, T]:
        """The objects as they are now. The mapping won't change any more: a change makes another."""
        self._lent = True
        return self._objects

    def unread(self) -> Iterator[Unread]:
        """What a snapshot taken now doesn't know of this kind."""
        name, why = self.kind.__name__, self._unknown()
        if why is not None:
            yield Unread(name, why)
        yield from self._broken
        if self.kind.namespaced:
            yield from (Unread(name, EXCLUDED, namespace) for namespace in self._exclude)

    def _unknown(self) -> str | None:
        failure = self._failure
        if not self.listed:
            return failure.message if failure is not None else "not read yet"
        if failure is not None and not failure.retryable and not isinstance(failure, Gone):
            return failure.message
        silent = time.monotonic() - self._touched_at
        if silent <= self._pace.stale:
            return None
        return f"out of touch for {silent:.0f} s: {failure.message if failure is not None else 'no sign of life'}"

    async def run(self) -> None:
        """Follow the kind until cancelled. Failures of the cluster are waited out; any other ends it."""
        try:
            while True:
                try:
                    if not self._version:
                        await self._list()
                    await self._watch()
                except Gone as error:
                    self._failure, self._version = error, ""
                    self.tried.set()
                except Garbled as error:
                    # What makes no sense would come again from the same version.
                    self._version = ""
                    await self._wait_out(error)
                except ClusterError as error:
                    await self._wait_out(error)
        finally:
            self.tried.set()

    async def _wait_out(self, error: ClusterError) -> None:
        now = time.monotonic()
        # A stream that was quiet for long has worked, even if no event could prove it.
        if now - self._failed_at > 2 * self._pace.cap:
            self._backoff.reset()
        self._failure, self._failed_at = error, now
        self.tried.set()
        asked = error.retry_after if isinstance(error, Refused) else None
        await asyncio.sleep(self._backoff.next(min(asked or 0.0, self._pace.asked)))

    async def _list(self) -> None:
        early = self._asked_at + self._pace.relist - time.monotonic()
        if early > 0 and isinstance(self._failure, Gone):
            await asyncio.sleep(early)
        self._asked_at = time.monotonic()
        listing = await self._reader.list(self.kind, self._namespace, pool=Pool())
        self._refuse_older(listing)
        self._replace(listing)
        self._touch()
        self.listed = True
        self.tried.set()

    def _refuse_older(self, listing: Listing[T]) -> None:
        told = _number(listing.resource_version)
        lost = time.monotonic() - self._touched_at > self._pace.stale
        if told is None or told >= self._newest:
            return
        if not lost:
            raise Outdated(
                f"the list is older ({told}) than what was seen already ({self._newest})",
                where=f"list of {self.kind.plural}",
                hint="something on the way answers from a cache, or an API server lags behind",
            )
        self._newest = told

    async def _watch(self) -> None:
        resync = self._asked_at + self._pace.resync * random.uniform(0.9, 1.0)  # noqa: S311 - not a secret
        events = self._reader.watch(self.kind, self._namespace, resource_version=self._version)
        try:
            async with asyncio.timeout(self._left(resync)) as limit, aclosing(events):
                async for event in events:
                    self._take(event)
                    limit.reschedule(asyncio.get_running_loop().time() + self._left(resync))
        except TimeoutError:
            self._version = ""  # time for the next list

    def _left(self, resync: float) -> float:
        """Seconds until the next list is due."""
        return max(min(resync, self._touched_at + self._pace.quiet) - time.monotonic(), 0.0)

    def _touch(self) -> None:
        self._touched_at, self._failure = time.monotonic(), None

    def _replace(self, listing: Listing[T]) -> None:
        """Put a list in the place of what was known, and tell the difference."""
        found = {(o.namespace, o.name): o for o in listing.items if o.namespace not in self._exclude}
        changed = {k for k, o in found.items() if _version_of(self._objects.get(k)) != o.metadata.resource_version}
        changed |= self._objects.keys() - found.keys()
        self._objects, self._lent = found, False
        self._broken, self._version = listing.unread, listing.resource_version
        self._newest = max(self._newest, _number(self._version) or 0)
        self._tell([self._ref(k) for k in changed])

    def _take(self, event: Event[T]) -> None:
        known, told = _number(self._version), _number(event.resource_version)
        forward = known is None or told is None or told > known
        if event.type != "BOOKMARK" and event.namespace not in self._exclude:
            self._change(event, forward=forward)
        if forward:
            self._version = event.resource_version or self._version
            self._newest = max(self._newest, told or 0)
            self._backoff.reset()
        self._touch()

    def _change(self, event: Event[T], *, forward: bool) -> None:
        key, deleted = (event.namespace, event.name), event.type == "DELETED"
        held = self._objects.get(key)
        others = tuple(u for u in self._broken if not is_about(u, *key))
        if deleted and held is None and len(others) == len(self._broken):
            return
        # A deletion may carry the object's last version, so only one of an older object is out of date.
        if not forward and (not deleted or _newer(held, event.resource_version)):
            return
        self._own()
        self._objects.pop(key, None)
        if not deleted and event.obj is not None:
            if held is not None:
                inherit(event.obj, held)
            self._objects[key] = event.obj
        self._broken = others if deleted or event.unread is None else (*others, event.unread)
        self._tell([self._ref(key)])

    def _own(self) -> None:
        if self._lent:
            self._objects, self._lent = dict(self._objects), False

    def _ref(self, key: Key) -> Ref:
        return Ref(self.kind.__name__, key[0], key[1], self.kind.group)


def _version_of(obj: Obj | None) -> str | None:
    return None if obj is None else obj.metadata.resource_version


def _newer(held: Obj | None, version: str) -> bool:
    mine, told = _number(_version_of(held) or ""), _number(version)
    return mine is not None and told is not None and mine > told


def _number(version: str) -> int | None:
    """A resource version as a number: since Kubernetes 1.35 (KEP-5504) they may be compared, and could be before."""
    return int(version) if version.isdecimal() else None
