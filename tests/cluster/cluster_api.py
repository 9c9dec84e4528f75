"""A small HTTP server that speaks the Kubernetes API's wire format by script, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from kubemend.cluster.connection import Connection, connect
from kubemend.cluster.transport import Timing

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

QUICK = Timing(connect=5, read=5, page=5, write=5, silence=5, retries=3, base=0.001, cap=0.004, patience=0.05)
"""Short pauses, and limits that a busy machine keeps."""
HASTY = replace(QUICK, read=0.1, page=0.1, write=0.1, silence=0.1)
"""Short limits, for tests in which they run out."""


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """`on` scripts a path; each request takes the next answer, the last of them again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def on(self, path: str, *answers: Answer | dict[str, Any], method: str = "GET") -> None:
        self.answers[method, path] = [a if callable(a) else says(a) for a in answers]

    def times(self, path: str) -> int:
        return sum(a.path == path for a in self.asked)

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def until(self, told: Callable[[], bool]) -> None:
        """Wait until requests so far satisfy a condition."""
        async with asyncio.timeout(5), self.news:
            await self.news.wait_for(told)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if raw.startswith((b"{", b"[")) else raw.decode()
        # Impersonate-Group may come several times.
        headers = {k: ",".join(request.headers.getall(k)) for k in request.headers}
        asked = Asked(request.method, request.rel_url.raw_path, dict(request.query), headers, body)
        async with self.news:
            self.asked.append(asked)
            self.news.notify_all()
        script = self.answers.get((request.method, asked.path))
        if not script:
            return web.Response(status=404, text="404 page not found\n")
        answer = script.pop(0) if len(script) > 1 else script[0]
        return await answer(request)


@asynccontextmanager
async def serving(tls: Any = None) -> AsyncIterator[Api]:
    api = Api()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{rest:.*}", api.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    api.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return web.Response(status=status, body=json.dumps(body), content_type="application/json", headers=named)

    return answer


def text(body: str | bytes, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body if isinstance(body, bytes) else body.encode())

    return answer


def fails(
    code: int, reason: str, message: str = "no", *, headers: dict[str, str] | None = None, **details: Any
) -> Answer:
    """A Status as the API server writes it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body |= {"message": message, "reason": reason, "code": code, "details": details}
    return says(body, code, **(headers or {}))


async def cut(request: web.Request) -> web.StreamResponse:
    """Break the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_inside(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def silent(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


def stream(*lines: dict[str, Any] | bytes, then: str = "end") -> Answer:
    """A watch stream: its lines, and then its end, or silence ("hold"), or a broken connection ("cut")."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if then == "hold":
            await asyncio.Event().wait()
        if then == "cut" and request.transport is not None:
            request.transport.abort()
        return response

    return answer


def entries(folder: Path) -> list[str]:
    """The names in a directory."""
    return sorted(p.name for p in folder.iterdir())


def pod(name: str, version: str = "1", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": version}
    return {"metadata": meta, "spec": {"containers": [{"name": "app", "image": "app:1"}]}, **more}


def page(*items: dict[str, Any], version: str = "10", token: str = "") -> dict[str, Any]:
    meta = {"resourceVersion": version} | ({"continue": token} if token else {})
    return {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": list(items)}


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": obj}


def bookmark(version: str) -> dict[str, Any]:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


def kubeconfig(path: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    """Write a kubeconfig with one context, "test"; its path."""
    config = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def connection(folder: Path, api: Api | str, user: dict[str, Any] | None = None, **cluster: Any) -> Connection:
    server = api if isinstance(api, str) else api.url
    return connect(kubeconfig=kubeconfig(folder / "config", server, user, **cluster))
