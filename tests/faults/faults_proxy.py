"""A reverse proxy before an API server that does on command what networks, load balancers and busy servers do.

    async with Proxy.to(connection) as proxy:
        proxy.on(Match("PATCH", write=True), drop_answer)

Nothing is failed unless told so. The proxy shows the API server the credentials of `connection`, whatever a client
brings (which it notes), and notes each request with what the server answered.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from kubemend.cluster import tls
from kubemend.cluster.connection import Connection

HOP = {"transfer-encoding", "connection", "keep-alive", "content-length", "content-encoding", "date", "server"}
"""Headers that are about one connection only, and those that aiohttp writes itself."""
REVIEW = "selfsubjectaccessreviews"


@dataclass
class Seen:
    """One request: what it was, what befell it, and what the API server answered (0: it never got there)."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    at: float
    namespace: str = ""
    """From the path, or what a permission review asks about."""
    fault: str = ""
    status: int = 0

    @property
    def watch(self) -> bool:
        return self.query.get("watch") in ("1", "true")

    @property
    def dry(self) -> bool:
        return "dryRun" in self.query

    @property
    def write(self) -> bool:
        """Whether it changes something when it is carried out."""
        return self.method not in ("GET", "HEAD") and not self.dry and REVIEW not in self.path


@dataclass(frozen=True)
class Match:
    """Which requests.

    path: searched in the path (regex). query: a parameter that must be there. writes: only after so many writes (in
    the namespace).
    """

    method: str = ""
    path: str = ""
    namespace: str = ""
    watch: bool | None = None
    write: bool | None = None
    dry: bool | None = None
    query: str = ""
    writes: int = 0

    def fits(self, seen: Seen) -> bool:
        return (
            self.method in ("", seen.method)
            and re.search(self.path, seen.path) is not None
            and self.namespace in ("", seen.namespace)
            and (not self.query or self.query in seen.query)
            and self.watch in (None, seen.watch)
            and self.write in (None, seen.write)
            and self.dry in (None, seen.dry)
        )


@dataclass(eq=False)
class Rule:
    """A fault for the `nth` request that fits, and those after it, `times` in all (None: for ever)."""

    match: Match
    fault: Fault
    nth: int = 1
    times: int | None = 1
    came: int = 0

    def takes(self, seen: Seen, before: list[Seen]) -> bool:
        if not self.match.fits(seen):
            return False
        if sum(s.namespace == seen.namespace or not self.match.namespace for s in before) < self.match.writes:
            return False
        self.came += 1
        return self.came >= self.nth and (self.times is None or self.came < self.nth + self.times)

    @property
    def struck(self) -> bool:
        return self.came >= self.nth


@dataclass(eq=False)
class Stream:
    """An open watch, with a hand on it."""

    seen: Seen
    request: web.Request
    mute: bool = False
    """Whether what the server says is thrown away: half open."""

    def cut(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


class Exchange:
    """One request under way, in the hands of a fault."""

    def __init__(self, proxy: Proxy, request: web.Request, body: bytes, seen: Seen) -> None:
        self.proxy, self.request, self.body, self.seen = proxy, request, body, seen

    @asynccontextmanager
    async def forwarded(self) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send the request on; the API server's answer."""
        async with self.proxy.ask(self.request, self.body) as answer:
            self.seen.status = answer.status
            yield answer

    async def whole(self) -> tuple[int, dict[str, str], bytes]:
        """Send the request on, and have all of the answer."""
        async with self.forwarded() as answer:
            return answer.status, headers_of(answer), await answer.read()

    def cut(self) -> web.StreamResponse:
        """Break the client's connection."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()

    async def passed(self) -> web.StreamResponse:
        """Do what a good proxy does."""
        async with self.forwarded() as answer:
            response = web.StreamResponse(status=answer.status, headers=headers_of(answer))
            await response.prepare(self.request)
            async with self.proxy.following(self.seen, self.request) as stream:
                async for chunk in answer.content.iter_any():
                    if not stream.mute:
                        await response.write(chunk)
                if stream.mute:
                    await asyncio.Event().wait()
            return response


Fault = Callable[[Exchange], Awaitable[web.StreamResponse]]


def headers_of(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.lower() not in HOP}


class Proxy:
    """One proxy. `seen`: all requests so far, oldest first."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rules: list[Rule] = []
        self._streams: set[Stream] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self.lists: dict[str, bytes] = {}
        """The first whole list of each path, for `stale`."""
        self.seen: list[Seen] = []
        self.url = ""
        self._session: aiohttp.ClientSession
        self._headers: dict[str, str]

    @classmethod
    @asynccontextmanager
    async def to(cls, connection: Connection) -> AsyncIterator[Self]:
        """Serve on loopback, without TLS, as long as the block lasts."""
        proxy = cls(connection)
        credential = await connection.credentials().current()
        context = tls.context(connection.cluster, credential.certificate, credential.key)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{rest:.*}", proxy._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        try:
            async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
                proxy._session, proxy._headers = session, dict(credential.headers)
                yield proxy
                await proxy._finish()
        finally:
            await runner.cleanup()

    async def _finish(self) -> None:
        for stream in list(self._streams):
            stream.cut()
        await asyncio.gather(*self._late)

    def kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> Path:
        """Write a kubeconfig whose only way to the cluster is through here."""
        config = {
            "current-context": "through-the-proxy",
            "contexts": [{"name": "through-the-proxy", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user or {}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    # --- commands

    def on(self, match: Match, fault: Fault, *, nth: int = 1, times: int | None = 1) -> Rule:
        """Have a fault befall requests from now on. Of two that fit, the later one is taken."""
        rule = Rule(match, fault, nth, times)
        self._rules.insert(0, rule)
        return rule

    def forget(self, rules: list[Rule]) -> None:
        """Take faults back."""
        self._rules = [r for r in self._rules if r not in rules]

    def heal(self) -> None:
        """No more faults; streams that are mute stay so."""
        self._rules.clear()

    def open(self, path: str = "") -> list[Stream]:
        """The watches that are open now."""
        return [s for s in self._streams if s.seen.watch and re.search(path, s.seen.path)]

    def cut(self, path: str = "") -> int:
        """Break all open watches; how many."""
        cut = self.open(path)
        for stream in cut:
            stream.cut()
        return len(cut)

    def mute(self, path: str = "") -> int:
        """Let all open watches stay open and say nothing more; how many."""
        muted = self.open(path)
        for stream in muted:
            stream.mute = True
        return len(muted)

    # --- what was seen

    def writes(self, namespace: str = "") -> list[Seen]:
        return [s for s in self.seen if s.write and namespace in ("", s.namespace)]

    async def until(self, told: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until the requests so far satisfy a condition."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(told)

    # --- work

    @asynccontextmanager
    async def following(self, seen: Seen, request: web.Request) -> AsyncIterator[Stream]:
        stream = Stream(seen, request)
        self._streams.add(stream)
        try:
            async with self._news:
                self._news.notify_all()
            yield stream
        finally:
            self._streams.discard(stream)

    def ask(self, request: web.Request, body: bytes) -> Any:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {*HOP, "host", "authorization"}}
        headers |= self._headers
        url = URL(self.connection.server + request.raw_path, encoded=True)
        limits = aiohttp.ClientTimeout(total=None)
        return self._session.request(
            request.method, url, data=body or None, headers=headers, timeout=limits, allow_redirects=False
        )

    def later(self, work: Awaitable[None]) -> None:
        """Something that goes on when the client has long gone."""
        task = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        query, token = dict(request.query), request.headers.get("Authorization", "").removeprefix("Bearer ")
        path = unquote(request.rel_url.raw_path)
        seen = Seen(request.method, path, query, token, time.monotonic(), _namespace(path, body))
        if request.method == "DELETE" and b'"dryRun"' in body:
            seen.query["dryRun"] = "All"
        writes = self.writes()
        async with self._news:
            self.seen.append(seen)
            self._news.notify_all()
        rule = next((r for r in list(self._rules) if r.takes(seen, writes)), None)
        exchange = Exchange(self, request, body, seen)
        try:
            if rule is None:
                return await exchange.passed()
            seen.fault = getattr(rule.fault, "__name__", "fault")
            return await rule.fault(exchange)
        except (aiohttp.ClientError, ConnectionError):
            # Client or server went away in the middle; so does the other side.
            return exchange.cut()
        finally:
            async with self._news:
                self._news.notify_all()


def _namespace(path: str, body: bytes) -> str:
    if REVIEW in path:
        return str(json.loads(body)["spec"]["resourceAttributes"].get("namespace", ""))
    found = re.search(r"/namespaces/([^/]+)/", path)
    return found[1] if found else ""
