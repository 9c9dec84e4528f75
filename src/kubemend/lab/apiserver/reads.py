"""Get, list and watch."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec

from kubemend.lab.api import Object
from kubemend.lab.apiserver import table
from kubemend.lab.apiserver.exchange import Answer, Request, Stream
from kubemend.lab.apiserver.newevents import shown
from kubemend.lab.apiserver.routes import flag
from kubemend.lab.apiserver.selection import Selection, selection
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request, expired, invalid_options, not_found
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Compacted, Key, Step, Store

WATCH_S: Final = 1800
"""Seconds that a watch lasts when its client doesn't say (the API server: at least 30 minutes)."""
BOOKMARK_S: Final = 60.0
"""Seconds between bookmarks."""
_NOW = -1
"""The version in a token that goes on with a list as it is by then."""
_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)
_MATCHES = ("Exact", "NotOlderThan")
_END = "k8s.io/initial-events-end"


class Reader:
    """The read side of the API over one store. bookmark_every: seconds between bookmarks on a watch."""

    def __init__(self, store: Store, *, bookmark_every: float = BOOKMARK_S) -> None:
        self.store = store
        self.bookmark_every = bookmark_every

    def get(self, kind: Kind, request: Request) -> Answer:
        """One object. Raises `ApiError` (404)."""
        route = request.route
        obj = self.store.find(kind.storage, route.namespace if kind.namespaced else "", route.name)
        if obj is None:
            raise not_found(kind, route.name)
        accept = request.headers.get("Accept", "")
        if table.wanted(accept):
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return Answer(self._table(kind, [obj], meta, request))
        return Answer(table.metadata(obj) if table.metadata_wanted(accept) else shown(kind, obj))

    def list(self, kind: Kind, request: Request) -> Answer:
        """Many objects, a page at a time if asked. Raises `ApiError` (400, 410, 504)."""
        chosen = selection(kind, request.query)
        limit = max(request.number("limit"), 0)
        version, after = self._start(request, limit)
        namespace = request.route.namespace or None
        try:
            found = self.store.at(kind.storage, namespace, version, after=after)
        except Compacted as error:
            raise _too_old(request, after) from error
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        if not chosen.everything:
            found = [(key, obj) for key, obj in found if chosen.takes(obj)]
        if limit and len(found) > limit:
            meta["continue"] = _token(version, found[limit - 1][0])
            if chosen.everything:
                meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        objects = [obj for _, obj in found]
        accept = request.headers.get("Accept", "")
        if table.wanted(accept):
            return Answer(self._table(kind, objects, meta, request))
        if table.metadata_wanted(accept):
            head = {"kind": "PartialObjectMetadataList", "apiVersion": table.META, "metadata": meta}
            return Answer({**head, "items": [table.metadata(obj) for obj in objects]})
        return Answer(listing(kind, objects, meta))

    def _start(self, request: Request, limit: int) -> tuple[int, Key]:
        """The version to list at, and the key after which to begin."""
        given, match = request.query.get("resourceVersion", ""), request.query.get("resourceVersionMatch", "")
        _check_match(given, match)
        if token := request.query.get("continue", ""):
            if given and given != "0":
                raise bad_request("specifying resource version is not allowed when using continue")
            version, after = _continued(token)
            return (self.store.version if version == _NOW else version), after
        if given and not given.isdigit():
            why = f'Invalid value: "{given}": strconv.ParseUint: parsing "{given}": invalid syntax'
            raise bad_request(f"invalid resource version: resourceVersion: {why}")
        wanted = int(given or "0")
        if wanted > self.store.version:
            raise too_large(wanted, self.store.version)
        exact = match == "Exact" or (limit > 0 and not match)
        return (wanted if exact and wanted else self.store.version), ("", "")

    def _table(self, kind: Kind, objects: Any, meta: Object, request: Request, *, headed: bool = True) -> Object:
        include = request.query.get("includeObject", "")
        version = table.META.replace("v1", table.version(request.headers.get("Accept", "")))
        return table.table(kind, objects, meta, self.store.clock(), include=include, headed=headed, api_version=version)

    def watch(self, kind: Kind, request: Request) -> Stream:
        """Changes as they happen. Raises `ApiError` (400, 422) for what can't be asked."""
        given = request.query.get("resourceVersion", "")
        if given and not given.isdigit():
            why = f'Invalid value: "{given}": strconv.ParseUint: parsing "{given}": invalid syntax'
            raise ApiError("", f"resourceVersion: {why}")
        if "sendInitialEvents" in request.query and request.query.get("resourceVersionMatch") != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise invalid_options("ListOptions", Cause.forbidden("resourceVersionMatch", why))
        follower = _Follower(self, kind, request, selection(kind, request.query))
        return Stream(follower.chunks(int(given or "0"), request.number("timeoutSeconds") or WATCH_S))

    def row(self, kind: Kind, obj: Object, request: Request, *, headed: bool) -> Object:
        """One object of a watch as a Table."""
        meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return self._table(kind, [obj], meta, request, headed=headed)


class _Follower:
    """One watch."""

    def __init__(self, reader: Reader, kind: Kind, request: Request, chosen: Selection) -> None:
        self._reader, self._kind, self._request, self._chosen = reader, kind, request, chosen
        self._store = reader.store
        self._namespace = request.route.namespace or None
        accept = request.headers.get("Accept", "")
        self._as_table, self._metadata = table.wanted(accept), table.metadata_wanted(accept)
        self._bookmarks = flag(request.query, "allowWatchBookmarks")
        self._headed = False

    async def chunks(self, version: int, seconds: int) -> AsyncIterator[bytes]:
        """Lines of JSON, one event each; as many at once as there are."""
        streaming = flag(self._request.query, "sendInitialEvents")
        if version == 0 or streaming:
            version = self._store.version
            yield b"".join(self._present(streaming))
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            try:
                steps = self._store.since(version)
            except Compacted:
                yield self._gone(version)
                return
            version = max(version, self._store.version)
            if lines := b"".join(self._lines(steps)):
                yield lines
            if loop.time() >= end:
                break
            try:
                async with asyncio.timeout_at(min(end, loop.time() + self._reader.bookmark_every)):
                    await self._store.beyond(version)
            except TimeoutError:
                if self._bookmarks and loop.time() < end:
                    yield self._bookmark(version)

    def _present(self, streaming: bool) -> Iterator[bytes]:
        for obj in self._store.all(self._kind.storage, self._namespace):
            if self._chosen.takes(obj):
                yield self._line("ADDED", obj)
        if streaming and self._bookmarks:
            yield self._bookmark(self._store.version, {_END: "true"})

    def _lines(self, steps: Any) -> Iterator[bytes]:
        step: Step
        for step in steps:
            if step.kind == self._kind.storage and self._namespace in (None, step.key[0]):
                now, before = self._chosen.takes(step.obj), self._chosen.takes(step.before)
                if step.change == "DELETED":
                    if before:
                        yield self._line("DELETED", step.obj)
                elif now:
                    yield self._line("MODIFIED" if before else "ADDED", step.obj)
                elif before and step.before is not None:
                    yield self._line("DELETED", _at(step.before, step.version))

    def _line(self, type_: str, obj: Object) -> bytes:
        told = table.metadata(obj) if self._metadata else shown(self._kind, obj)
        if self._as_table:
            told = self._reader.row(self._kind, obj, self._request, headed=not self._headed)
            self._headed = True
        return msgspec.json.encode({"type": type_, "object": told}) + b"\n"

    def _bookmark(self, version: int, annotations: dict[str, str] | None = None) -> bytes:
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        if annotations:
            meta["annotations"] = annotations
        told: Object = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        if self._as_table:
            told = table.table(self._kind, (), meta, self._store.clock(), headed=False)
        return msgspec.json.encode({"type": "BOOKMARK", "object": told}) + b"\n"

    def _gone(self, version: int) -> bytes:
        told = f"too old resource version: {version} ({self._store.oldest})"
        if self._kind.storage == "Event":
            told = "The resourceVersion for the provided watch is too old."  # of Events a real server keeps no cache
        refused = expired(told)
        return msgspec.json.encode({"type": "ERROR", "object": refused.body()}) + b"\n"


def _at(obj: Object, version: int) -> Object:
    """An object as a selector lost sight of it."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


def listing(kind: Kind, objects: Any, meta: Object) -> Object:
    """A list as the API server writes it: its items don't repeat their kind."""
    items = [{k: v for k, v in shown(kind, o).items() if k not in ("kind", "apiVersion")} for o in objects]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}


def _too_old(request: Request, after: Key) -> ApiError:
    if "continue" in request.query:
        return expired(_INCONSISTENT, proceed=_token(_NOW, after))
    return expired("The resourceVersion for the provided list is too old.")


def _check_match(given: str, match: str) -> None:
    """Raises `ApiError` (422) for a `resourceVersionMatch` that can't be."""
    at = "resourceVersionMatch"
    if match not in ("", *_MATCHES):
        raise invalid_options("ListOptions", Cause.unsupported(at, match, (*_MATCHES, "")))
    if match and not given:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", Cause.forbidden(at, why))


def too_large(wanted: int, current: int) -> ApiError:
    """504 for a version that isn't there yet."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version").wire()
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError("Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1}, retry_after=1)


def _token(version: int, key: Key) -> str:
    told = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(key) + "\0"})
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def _continued(token: str) -> tuple[int, Key]:
    try:
        told = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = str(told["start"]).removesuffix("\0").partition("/")
        return int(told["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, binascii.Error, msgspec.DecodeError) as error:
        told = "invalid continue token: continue key is not valid"
        raise bad_request(f"{told}: {_wrong(token)}") from error


def _wrong(token: str) -> str:
    """What Go's decoders say of a token that is none."""
    try:
        first = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:1].decode("latin-1")
    except binascii.Error:
        return "illegal base64 data at input byte 0"
    shown = first if first.isprintable() else f"\\u{ord(first):04x}"
    return f"invalid character '{shown}' looking for beginning of value" if first else "unexpected end of JSON input"
