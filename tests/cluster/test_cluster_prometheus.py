"""Prometheus is asked in one way, believed only when it makes sense, and its token goes nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from kubemend.cluster import prometheus
from kubemend.cluster.errors import ClusterError, ConfigError, Garbled, Unreachable
from kubemend.cluster.prometheus import QueryFailed, Sample, open_prometheus

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def vector(*values: str) -> str:
    result = [{"metric": {"pod": f"p{i}"}, "value": [1.5, v]} for i, v in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def answering(text: str, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type="application/json")

    return handler


async def test_a_vector_becomes_samples_and_what_is_no_finite_number_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(prometheus.TOKEN, "canary")
    seen = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(await request.post(), path=request.path, auth=request.headers["Authorization"])
        return web.Response(text=vector("1.25", "NaN", "+Inf", "-Inf", "0"))

    async with serving(handler) as url, open_prometheus(url + "/") as client:
        found = await client.query("up", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert found == (Sample({"pod": "p0"}, 1.25), Sample({"pod": "p4"}, 0.0))
    assert seen == {"query": "up", "time": "1767225600.0", "path": "/api/v1/query", "auth": "Bearer canary"}


@pytest.mark.parametrize(
    ("text", "status", "error", "said"),
    [
        ('{"status":"error","errorType":"bad_data","error":"parse error"}', 400, QueryFailed, "parse error"),
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', 200, QueryFailed, "matrix"),
        ("<html>log in</html>", 200, Garbled, "none of Prometheus"),
        ("<html>forbidden</html>", 403, QueryFailed, "HTTP 403"),
        (vector("soon"), 200, Garbled, "none of Prometheus"),
        ('{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', 200, Garbled, "value"),
    ],
)
async def test_what_is_no_vector_is_an_error_that_says_so(
    text: str, status: int, error: type[ClusterError], said: str
) -> None:
    async with serving(answering(text, status)) as url, open_prometheus(url) as client:
        with pytest.raises(error, match=said):
            await client.query("up")


async def test_a_redirect_is_not_followed_for_it_would_take_the_token_along() -> None:
    reached = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(text=vector("1"))

    async with serving(elsewhere) as other:

        async def redirecting(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(other)

        async with serving(redirecting) as url, open_prometheus(url) as client:
            with pytest.raises(QueryFailed, match="HTTP 307"):
                await client.query("up")
    assert reached == []


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST", 1000)
    async with serving(answering(vector(*["1"] * 100))) as url, open_prometheus(url) as client:
        with pytest.raises(Garbled, match="larger than"):
            await client.query("up")


async def test_nobody_there_is_unreachable() -> None:
    async with serving(answering("")) as url:
        pass
    async with open_prometheus(url) as client:
        with pytest.raises(Unreachable):
            await client.query("up")


@pytest.mark.parametrize(
    "url",
    ["prometheus:9090", "ftp://p", "http://user:canary@p", "http://p?x=1", "http://", "http://[::1", "http://p:0"],
)
async def test_what_is_no_plain_url_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        async with open_prometheus(url):
            pass
    assert refused.value.code == "prometheus-url-invalid"
    assert "canary" not in str(refused.value)
