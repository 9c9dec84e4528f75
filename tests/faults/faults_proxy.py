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
from contextlib import asynccontextmanager, suppress
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


# --- faults


def named(name: str, fault: Fault) -> Fault:
    fault.__name__ = name
    return fault


def delayed(seconds: float) -> Fault:
    """Let the request wait before it is sent on."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.passed()

    return named("delay", fault)


async def silent(_: Exchange) -> web.StreamResponse:
    """Take the request and never answer; the API server never sees it."""
    await asyncio.Event().wait()
    raise AssertionError


async def cut_before(exchange: Exchange) -> web.StreamResponse:
    """Break the connection; the API server never sees the request."""
    return exchange.cut()


async def cut_inside(exchange: Exchange) -> web.StreamResponse:
    """Break the connection in the middle of the answer."""
    status, headers, body = await exchange.whole()
    response = web.StreamResponse(status=status, headers=headers | {"Content-Length": str(len(body))})
    await response.prepare(exchange.request)
    await response.write(body[: max(len(body) // 2, 1)])
    return exchange.cut()


async def drop_answer(exchange: Exchange) -> web.StreamResponse:
    """Have the request carried out, and break the connection before the answer."""
    await exchange.whole()
    return exchange.cut()


async def keep_answer(exchange: Exchange) -> web.StreamResponse:
    """Have the request carried out, and keep the answer for ever: the client must give up by itself."""
    await exchange.whole()
    return await silent(exchange)


def late(seconds: float) -> Fault:
    """Break the connection at once, and send the request on some time after."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        async def deliver() -> None:
            await asyncio.sleep(seconds)
            await exchange.whole()

        exchange.proxy.later(deliver())
        return exchange.cut()

    return named("late", fault)


REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status_body(code: int, *, retry_after: int | None = None, message: str = "") -> dict[str, Any]:
    details = {} if retry_after is None else {"retryAfterSeconds": retry_after}
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message or f"the proxy's own {REASONS[code]}", "reason": REASONS[code], "code": code,
        "details": details,
    }  # fmt: skip


def says(code: int, *, retry_after: int | None = None, message: str = "", after: bool = False) -> Fault:
    """Answer with a Status in the API server's place; `after`: once it has carried the request out."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        if after:
            await exchange.whole()
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return web.json_response(
            status_body(code, retry_after=retry_after, message=message), status=code, headers=headers
        )

    return named(f"{code}{' after' if after else ''}", fault)


def refused_in_stream(code: int, *, retry_after: int | None = None) -> Fault:
    """Open a watch, and say in it that it can't be."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        event = {"type": "ERROR", "object": status_body(code, retry_after=retry_after)}
        return web.Response(text=json.dumps(event) + "\n", content_type="application/json")

    return named(f"{code} in the stream", fault)


def answers(name: str, body: bytes) -> Fault:
    """200, and this body, in the API server's place."""

    async def fault(_: Exchange) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return named(name, fault)


garbage = answers("garbage", b"<html><body>Please log in to this network\xff</body></html>\n")
empty = answers("empty", b"{}\n")


async def truncated(exchange: Exchange) -> web.StreamResponse:
    """Have the request carried out, and give half of the answer as if it were all."""
    status, headers, body = await exchange.whole()
    return web.Response(status=status, headers=headers, body=body[: len(body) // 2])


def trickling(seconds: float = 0.05) -> Fault:
    """Give the answer byte by byte."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        async with exchange.forwarded() as answer:
            response = web.StreamResponse(status=answer.status, headers=headers_of(answer))
            await response.prepare(exchange.request)
            async for chunk in answer.content.iter_any():
                for byte in chunk:
                    await response.write(bytes((byte,)))
                    await asyncio.sleep(seconds)
            return response

    return named("trickle", fault)


async def half_open(exchange: Exchange) -> web.StreamResponse:
    """Begin an answer, with a good status, and say nothing more."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(exchange.request)
    await asyncio.Event().wait()
    return response


async def remembered(exchange: Exchange) -> web.StreamResponse:
    """Pass a list on, and keep the first of each path for `stale`."""
    status, headers, body = await exchange.whole()
    exchange.proxy.lists.setdefault(exchange.seen.path, body)
    return web.Response(status=status, headers=headers, body=body)


async def stale(exchange: Exchange) -> web.StreamResponse:
    """Give the list that was remembered, with the version it had then."""
    return web.Response(body=exchange.proxy.lists[exchange.seen.path], content_type="application/json")


def version_of(body: bytes) -> str:
    return str(json.loads(body)["metadata"]["resourceVersion"])


async def gone_quietly(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
