"""HTTP by aiohttp: requests in, answers and streams out. The one module here that needs the library."""

from __future__ import annotations

import ssl
import uuid
import zlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
from aiohttp import web

from kubemend.lab.apiserver.exchange import Answer, Session, Stream
from kubemend.lab.apiserver.status import bad_request, too_large

GZIP_FROM: Final = 128 * 1024
"""Bytes from which an answer is compressed for a client that takes it so (as the API server does)."""
BODY_LIMIT: Final = 3 * 1024 * 1024
"""Bytes that a request may have (the API server's own limit)."""
_STOP_S: Final = 0.1

Serve = Callable[[web.Request], Awaitable[Answer | Stream | Session]]
CHANNELS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")


async def listen(serve: Serve, port: int, context: ssl.SSLContext | None) -> web.AppRunner:
    """Serve on 127.0.0.1, by TLS if there is a context; port 0 takes any free one. `cleanup` of the result ends it."""

    async def carry(raw: web.Request) -> web.StreamResponse:
        try:
            await raw.read()
        except web.HTTPRequestEntityTooLarge:
            answer: Answer | Stream | Session = Answer(too_large(BODY_LIMIT).body(), code=413)
        else:
            answer = await serve(raw)
        if isinstance(answer, Session):
            return await _session(raw, answer)
        return await _stream(raw, answer) if isinstance(answer, Stream) else _response(raw, answer)

    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", carry)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    return runner


async def _session(raw: web.Request, answer: Session) -> web.StreamResponse:
    """Output on channel 1, the Status on channel 3 (KEP-4006). Without an upgrade it is refused."""
    socket = web.WebSocketResponse(protocols=CHANNELS)
    if not socket.can_prepare(raw).ok:
        return _response(raw, Answer(bad_request("Upgrade request required").body(), code=400))
    await socket.prepare(raw)
    lines: list[str] = []
    told = await answer.run(lines.append)
    if lines:
        await socket.send_bytes(b"\x01" + "".join(f"{line}\n" for line in lines).encode())
    await socket.send_bytes(b"\x03" + msgspec.json.encode(told))
    await socket.close()
    return socket


def _response(raw: web.Request, answer: Answer) -> web.Response:
    told = answer.body.encode() if isinstance(answer.body, str) else msgspec.json.encode(answer.body)
    response = web.Response(status=answer.code, headers={**answer.headers, **_common(answer.content_type)})
    _warn(response, answer.warnings)
    if len(told) > GZIP_FROM and "gzip" in raw.headers.get("Accept-Encoding", ""):
        packer = zlib.compressobj(1, wbits=31)
        told = packer.compress(told) + packer.flush()
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    response.body = told
    return response


def _warn(response: web.StreamResponse, warnings: Iterable[str]) -> None:
    for warning in warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')


def _common(content_type: str) -> dict[str, str]:
    typed = {"Content-Type": content_type} if content_type else {}
    return {**typed, "Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private"}


async def _stream(raw: web.Request, answer: Stream) -> web.StreamResponse:
    response = web.StreamResponse(headers=_common(answer.content_type))
    _warn(response, answer.warnings)
    response.enable_chunked_encoding()
    await response.prepare(raw)
    try:
        async for chunk in answer.chunks:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionResetError:  # whoever listened has gone
        pass
    return response
