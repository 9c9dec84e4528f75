"""Connections that are made whole or not at all, and all closed in the end, whatever becomes of who asked for them.

Two ways in which aiohttp and Python 3.11 let a TLS connection out of their hands, so that it was still open when the
program ended: its task is cancelled in the moment in which the handshake ends (asyncio/base_events.py,
`_create_connection_transport`), or while an answer is waited for (aiohttp/connector.py, `_release`). In both the
transport goes on saying goodbye to the server, and nobody waits for that.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

LAST_S = 0.5
"""Seconds that the end waits for connections still being made, on which nothing is sent any more, and being closed."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector. A connection that nobody waits for any more goes to the others that are free."""

    def __init__(self) -> None:
        super().__init__()
        self._making: set[asyncio.Task[Connection]] = set()
        self._made: weakref.WeakKeyDictionary[asyncio.Transport, weakref.ref[ResponseHandler]]
        self._made = weakref.WeakKeyDictionary()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109
        """A free connection, or a new one. Cancelling this doesn't cancel the making."""
        making = asyncio.create_task(super().connect(req, traces, timeout))
        self._making.add(making)
        making.add_done_callback(self._note)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            if making.done():
                _give_back(making)  # at once: the loop may come to its end before it gets to a callback
            else:
                making.add_done_callback(_give_back)
            raise

    def _note(self, making: asyncio.Task[Connection]) -> None:
        self._making.discard(making)
        if not making.cancelled() and making.exception() is None:
            transport, protocol = making.result().transport, making.result().protocol
            if transport is not None and protocol is not None:
                self._made[transport] = weakref.ref(protocol)

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close all connections, and wait until they are closed."""
        if self._making:
            _, late = await asyncio.wait(self._making, timeout=LAST_S)
            for making in late:
                making.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await super().close(abort_ssl=abort_ssl)
        await self._end()

    async def _end(self) -> None:
        """Cut short what is still being closed."""
        ends = []
        for transport, known in list(self._made.items()):
            protocol = known()
            if protocol is not None and (closed := protocol.closed) is not None:
                transport.abort()
                ends.append(closed)
        if ends:
            await asyncio.wait(ends, timeout=LAST_S)
            # A connection that was cut has an exception in it, which nobody is to be told of.
            [end.exception() for end in ends if end.done()]


def _give_back(making: asyncio.Task[Connection]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().release()
