"""The faults: what a proxy does with one request that is under way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from faults_proxy import Exchange, Fault, headers_of


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
