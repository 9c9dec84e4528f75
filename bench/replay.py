"""Serves recorded lists of a real API server, as many times over as wanted, and sends watch events it is given.

`python bench/replay.py FOLDER COPIES` prints its URL. FOLDER holds `items-PLURAL.json` as `record` writes them: the
bytes of each object as the API server encoded it. Copies get namespaces, nodes and uids of their own.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from fleet import opened

from kubemend.cluster.resource import Resource, resource_of
from kubemend.cluster.watch import WireObject
from kubemend.engine import catalogue
from kubemend.model.objects import KINDS

VERSION = "1000000"
"""The resource version of every list; recorded ones are far lower."""


class Recorded(msgspec.Struct, frozen=True):
    """A list whose objects are still the bytes that were sent."""

    items: list[msgspec.Raw] | None


_NAMED = msgspec.json.Decoder(WireObject)


async def record(kubeconfig: Path, folder: Path, resources: Iterable[Resource] | None = None) -> dict[str, int]:
    """Write down these lists, or every list that a scan reads. Returns the bytes of each."""
    sizes = {}
    async with opened(kubeconfig) as transport:
        for resource in resources or map(resource_of, catalogue.kinds()):
            body = await transport.get(resource.collection(), within=300.0)
            sizes[resource.plural] = len(body)
            items = msgspec.json.decode(body, type=Recorded).items or []
            (folder / f"items-{resource.plural}.json").write_bytes(msgspec.json.encode(items))
    return sizes


def copied(item: bytes, copy: int) -> bytes:
    """One object as one of another part of the fleet: the same bytes but for the names and uids that must differ."""
    moved = item.replace(b'"team-0', b'"team-%d' % copy).replace(b'"node-0', b'"node-%d' % (copy % 2))
    return re.sub(rb'"uid":"..', b'"uid":"%02x' % (copy + 16), moved)


def copies(plural: str, items: list[msgspec.Raw], count: int) -> Iterable[bytes]:
    """The objects of one kind, `count` times over; nodes twice at most, and once what is of no part of the fleet."""
    for copy in range(count):
        for item in map(bytes, items):
            if copy == 0 or b'"team-0' in item or (plural == "nodes" and copy == 1):
                yield copied(item, copy)


class Replay:
    """The server: lists in pages, watches that last, and `POST /push/PLURAL` for events to send on them."""

    def __init__(self, folder: Path, count: int) -> None:
        self._items = {}
        for kind in KINDS.values():
            file = folder / f"items-{kind.plural}.json"
            if file.exists():
                items = msgspec.json.decode(file.read_bytes(), type=list[msgspec.Raw])
                self._items[kind.plural] = (kind, list(copies(kind.plural, items, count)))
        self._watchers: dict[str, list[asyncio.Queue[bytes]]] = {plural: [] for plural in self._items}

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/push/{plural}", self._push)
        app.router.add_get("/raw/{kind}/{namespace}/{name}", self._raw)
        app.router.add_get("/raw/{kind}//{name}", self._raw)
        app.router.add_get("/bytes", self._bytes)
        app.router.add_get("/{path:.*}", self._get)
        return app

    async def _push(self, request: web.Request) -> web.Response:
        line = await request.read() + b"\n"
        for queue in self._watchers[request.match_info["plural"]]:
            queue.put_nowait(line)
        return web.Response()

    async def _bytes(self, _: web.Request) -> web.Response:
        return web.Response(text=str(sum(len(i) + 1 for _, items in self._items.values() for i in items)))

    async def _raw(self, request: web.Request) -> web.Response:
        kind, asked = KINDS[request.match_info["kind"]], request.match_info
        for item in self._items[kind.plural][1]:
            meta = _NAMED.decode(item).metadata
            if (meta.namespace, meta.name) == (asked.get("namespace", ""), asked["name"]):
                # The items of a list don't say what they are.
                body = b'{"kind":"%s",' % kind.__name__.encode() + item[1:]
                return web.Response(body=body, content_type="application/json")
        return web.Response(status=404)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        if "watch" in request.query:
            return await self._watch(request, plural)
        kind, items = self._items[plural]
        begin, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or len(items) or 1)
        end = begin + limit
        meta: dict[str, Any] = {"resourceVersion": VERSION}
        if end < len(items):
            meta |= {"continue": str(end), "remainingItemCount": len(items) - end}
        version = f"{kind.group}/{kind.version}" if kind.group else kind.version
        head = msgspec.json.encode({"kind": f"{kind.__name__}List", "apiVersion": version, "metadata": meta})
        body = head[:-1] + b',"items":[' + b",".join(items[begin:end]) + b"]}\n"
        return web.Response(body=body, content_type="application/json")

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers[plural].append(queue)
        try:
            while True:
                await answer.write(await queue.get())
        except ConnectionResetError:
            return answer  # the client has gone
        finally:
            self._watchers[plural].remove(queue)


async def serve(folder: Path, count: int) -> None:
    """Serve until standard input ends."""
    runner = web.AppRunner(Replay(folder, count).app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
