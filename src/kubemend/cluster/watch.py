"""One watch: a stream of changes that is opened again, from where it was, each time the server ends it.

kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes. A connection that died without a
word (half open) is found by silence: the server sends a bookmark every minute. That it was opened proves nothing: what
opened it may be a proxy that keeps all that follows to itself. So whoever must be sure lists now and then.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from kubemend.cluster import decoding
from kubemend.cluster.backoff import Backoff
from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.errors import Garbled, TimedOut, refusal
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Unread

if TYPE_CHECKING:
    from kubemend.cluster.transport import Transport

T = TypeVar("T", bound=Obj)
Type = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

LIFE_S = 300.0
"""Seconds a stream is asked to last at most. Each is given a random part off, so that many don't end at once."""


@dataclass(frozen=True)
class Event(Generic[T]):
    """One change. After it the watch stands at `resource_version`.

    A BOOKMARK says only that. A change whose object can't be decoded has no `obj`, but `unread` with `namespace` and
    `name`.
    """

    type: Type
    resource_version: str
    namespace: str = ""
    name: str = ""
    obj: T | None = None
    unread: Unread | None = None


class WireEvent(Struct, frozen=True):
    """A watch event as it is sent, its object still JSON."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class WireMeta(Struct, frozen=True, rename="camel"):
    """The metadata that every kind has."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class WireObject(Struct, frozen=True):
    """Any object, seen no deeper than its metadata."""

    metadata: WireMeta = WireMeta()


_EVENT = msgspec.json.Decoder(WireEvent)
_OBJECT = msgspec.json.Decoder(WireObject)


async def watch(
    transport: Transport,
    kind: type[T],
    path: str,
    *,
    resource_version: str,
    selectors: tuple[tuple[str, str], ...] = (),
) -> AsyncGenerator[Event[T]]:
    """The changes after a resource version, until the caller stops asking.

    Gone when the server no longer has that version: list anew. Any other failure is the caller's to wait out; it
    may begin again from the last event's version.
    """
    version = resource_version
    backoff = Backoff(base=transport.timing.base, cap=transport.timing.cap)
    while True:
        life = f"{random.uniform(LIFE_S * 0.8, LIFE_S):.0f}"  # noqa: S311 - not a secret
        params = (("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", version))
        try:
            async with transport.stream(path, (*params, ("timeoutSeconds", life), *selectors)) as chunks:
                async for line in _lines(chunks):
                    event = _event(kind, line, path)
                    version = event.resource_version or version
                    backoff.reset()
                    yield event
        except TimedOut:
            continue  # silence: the connection may be dead, so open another
        # A stream that ends as soon as it is opened must not be opened again in a tight loop.
        await asyncio.sleep(backoff.next())


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines out of chunks; an object may be longer than any chunk. A last line without its end is cut off."""
    rest: list[bytes] = []
    async for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            rest.append(line)
            joined = b"".join(rest)
            rest.clear()
            if joined.strip():
                yield joined
        rest.append(last)


def _event(kind: type[T], line: bytes, path: str) -> Event[T]:
    where = f"GET {path}?watch"
    try:
        wire = _EVENT.decode(line)
        if wire.type == "ERROR":
            raise refusal(_code(wire.object), bytes(wire.object), where=where)
        meta = _OBJECT.decode(wire.object).metadata
    except NOT_JSON as error:
        raise Garbled(f"a watch event can't be read: {error}", where=where) from error
    if wire.type == "BOOKMARK":
        return Event("BOOKMARK", meta.resource_version)
    made = decoding.one(kind, wire.object, where=where)
    obj, unread = (None, made) if isinstance(made, Unread) else (made, None)
    return Event(wire.type, meta.resource_version, meta.namespace, meta.name, obj, unread)


class _Code(Struct, frozen=True):
    code: int = 500


def _code(status: msgspec.Raw) -> int:
    return msgspec.json.decode(status, type=_Code).code
