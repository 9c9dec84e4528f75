"""The real API server as the practice cluster's components see theirs: `kubemend.lab.api.Api` over our own client.

Objects stay raw, so nothing of them is lost on the way through. This is the test bed's own hand on the cluster; the
product writes through its guard alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from kubemend.cluster.backoff import Backoff
from kubemend.cluster.errors import ClusterError, Conflict, Gone, NotFound, refusal
from kubemend.cluster.resource import Resource
from kubemend.cluster.transport import Transport
from kubemend.lab.api import Change, Object
from kubemend.lab.fields import Key, key, name, namespace, uid
from kubemend.lab.kinds import BY_KIND

MERGE_PATCH = "application/merge-patch+json"
MANAGER = (("fieldManager", "kubemend-testbed"),)
WATCH_S = 300
PAGE = 500

Objects = list[Object]
Changes = asyncio.Queue[tuple[Change, Object] | ClusterError]
"""What a watch tells, or the refusal that ended it."""


class ClientApi:
    """An API server through one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when there is none."""
        try:
            return _decoded(await self._transport.get(resource(kind).object(namespace, name)))
        except NotFound:
            return None

    async def list(self, kind: str, namespace: str | None = None) -> Objects:
        """All objects of a kind."""
        return (await self._listed(kind, namespace))[0]

    async def watch(self, *kinds: str) -> AsyncIterator[tuple[Change, Object]]:
        """Everything there is as ADDED, then each change as it happens; what a lost watch missed is made up for."""
        changes: Changes = asyncio.Queue()
        tasks = [asyncio.create_task(self._follow(kind, changes), name=f"watch {kind}") for kind in kinds]
        try:
            while True:
                change = await changes.get()
                if isinstance(change, ClusterError):
                    raise change
                yield change
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def create(self, obj: Object) -> Object:
        """Create; the API's own error when it is there already or refused by admission."""
        path = resource(obj["kind"]).collection(namespace(obj))
        return _decoded(await self._transport.send("POST", path, obj, params=MANAGER))

    async def patch(self, obj: Object, body: Object, *, subresource: str = "") -> Object:
        """JSON merge patch of this very object: its uid is a precondition."""
        if known := uid(obj):
            body = {**body, "metadata": {**body.get("metadata", {}), "uid": known}}
        path = resource(obj["kind"]).object(namespace(obj), name(obj), subresource)
        answer = await self._transport.send("PATCH", path, body, content_type=MERGE_PATCH, params=MANAGER)
        return _decoded(answer)

    async def delete(self, obj: Object, *, grace_seconds: int | None = None) -> None:
        """Delete this very object; nothing happens when it is gone, or another has taken its name."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid(obj)}}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._transport.send("DELETE", resource(obj["kind"]).object(namespace(obj), name(obj)), options)
        except (NotFound, Conflict):
            return

    async def _listed(self, kind: str, namespace: str | None) -> tuple[Objects, str]:
        """All objects of a kind, and the version that a watch begins from."""
        found: Objects = []
        params: tuple[tuple[str, str], ...] = (("limit", str(PAGE)),)
        while True:
            page = _decoded(await self._transport.get(resource(kind).collection(namespace), params))
            # Items of a list don't say what they are: the list does.
            found += [{"kind": kind, "apiVersion": page["apiVersion"], **item} for item in page.get("items") or ()]
            if not (token := page["metadata"].get("continue")):
                return found, page["metadata"]["resourceVersion"]
            params = (("limit", str(PAGE)), ("continue", token))

    async def _follow(self, kind: str, changes: Changes) -> None:
        """Put the changes of one kind into the queue, until the server refuses them for good."""
        known: dict[Key, Object] = {}
        backoff = Backoff(base=0.05, cap=2.0)
        while True:
            try:
                listed, version = await self._listed(kind, None)
                for change in since(known, listed):
                    changes.put_nowait(change)
                known = {key(o): o for o in listed}
                await self._keep_up(kind, version, known, changes, backoff)
            except Gone:
                pass  # too far behind: list anew
            except ClusterError as error:
                if not error.retryable:
                    changes.put_nowait(error)
                    return
            await asyncio.sleep(backoff.next())

    async def _keep_up(
        self, kind: str, version: str, known: dict[Key, Object], changes: Changes, backoff: Backoff
    ) -> None:
        """Watch from a version on, again and again as the server ends each watch, until one fails."""
        while True:
            async for change, obj in self._stream(kind, version):
                version = obj["metadata"]["resourceVersion"]
                backoff.reset()
                if change == "BOOKMARK":
                    continue
                if change == "DELETED":
                    known.pop(key(obj), None)
                else:
                    known[key(obj)] = obj
                changes.put_nowait((change, obj))
            await asyncio.sleep(backoff.next())

    async def _stream(self, kind: str, version: str) -> AsyncIterator[tuple[Any, Object]]:
        """The events of one watch request."""
        path = resource(kind).collection()
        params = (("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", version))
        rest = b""
        async with self._transport.stream(path, (*params, ("timeoutSeconds", str(WATCH_S)))) as chunks:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = _decoded(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise refusal(status.get("code", 500), msgspec.json.encode(status), where=f"watch {path}")
                    yield event["type"], event["object"]


def resource(kind: str) -> Resource:
    """Where a kind lives in the API."""
    known = BY_KIND[kind]
    return Resource(kind, known.plural, known.group, known.version, known.namespaced)


def since(known: dict[Key, Object], listed: Objects) -> list[tuple[Change, Object]]:
    """The changes that lead from what was known to what is listed."""
    there = {key(o): o for o in listed}
    gone = [o for k, o in known.items() if k not in there or uid(there[k]) != uid(o)]
    changes: list[tuple[Change, Object]] = [("DELETED", o) for o in gone]
    for k, obj in there.items():
        before = known.get(k)
        if before is None or uid(before) != uid(obj):
            changes.append(("ADDED", obj))
        elif before["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            changes.append(("MODIFIED", obj))
    return changes


def _decoded(body: bytes) -> Object:
    made: Object = msgspec.json.decode(body)
    return made
