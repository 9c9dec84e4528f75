"""Serving MCP: over stdin and stdout for a client that starts us, or over HTTP."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings

from kubemend.engine.gateway import Gateway
from kubemend.surfaces.mcp.server import server
from kubemend.surfaces.threshold import CALLER, Receive, Scope, Send

PATH = "/mcp"
LONGEST = 16 << 20
"""Bytes of one message on stdin."""


async def over_stdio(gateway: Gateway, *, actor: str) -> None:
    """Serve one client until its input ends."""
    made = server(gateway, actor=actor)
    async with _input() as lines, stdio_server(stdin=lines) as (read, write):
        await made.run(read, write, made.create_initialization_options())


@asynccontextmanager
async def _input() -> AsyncIterator[Any]:
    """The lines of stdin, waited for without a thread: the library's own wait for one could not be ended by Ctrl-C.

    None, which means the library's own, for a file: there is nothing to wait for.
    """
    reader = asyncio.StreamReader(LONGEST)
    # A copy: what reads fd 0 otherwise, a child perhaps, goes on finding it there, and we never close it.
    with os.fdopen(os.dup(0), "rb", buffering=0) as copy:
        mode = os.fstat(0).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
            yield None
            return
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, copy)
        try:
            yield (line.decode("utf-8", "replace") async for line in reader)
        finally:
            transport.close()


class OverHttp:
    """An ASGI application that serves `/mcp`. It stands behind a Threshold, which has checked Host, Origin and key."""

    def __init__(self, gateway: Gateway) -> None:
        self._inner = server(gateway, actor="mcp").streamable_http_app(
            streamable_http_path=PATH,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """What has to be open while it serves, for a server that doesn't ask by itself."""
        return self._inner.router.lifespan_context(self._inner)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        caller = scope.get(CALLER)
        if caller is not None:
            # The library lets nobody go on with a session that another user began.
            scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=caller, scopes=[]))
        await self._inner(scope, receive, send)
