"""HTTP to one API server: one session, time limits, retries of reads, and answers turned into errors of our own.

Reads, reviews and dry runs are tried again a few times when the failure may pass. A write is sent once: when its
answer is lost, nobody knows whether it happened, and the caller is told just that.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from kubemend import __version__
from kubemend.cluster import tls
from kubemend.cluster.auth import Credential
from kubemend.cluster.backoff import full_jitter
from kubemend.cluster.connector import Connector
from kubemend.cluster.errors import (
    READ_BACK,
    ClusterError,
    OutcomeUnknown,
    Refused,
    ServerError,
    TooManyRequests,
    Unauthorized,
    refusal,
)
from kubemend.cluster.failures import once, refused, translated
from kubemend.cluster.proxy import is_loopback

if TYPE_CHECKING:
    from kubemend.cluster.connection import Connection

Params = Sequence[tuple[str, str]]
JSON = "application/json"
R = TypeVar("R")
_Pair = tuple[bytes | None, bytes | None]
"""A client certificate and its key."""


@dataclass(frozen=True)
class Timing:
    """Limits in seconds.

    read: one read with all its retries. page: the same for one page of a list. write: one write; the API server
    itself lets an admission webhook take 30. silence: bytes must come on a stream this often; the server sends a
    bookmark each 60. patience: the longest Retry-After that is waited for.
    """

    connect: float = 5.0
    read: float = 15.0
    page: float = 30.0
    write: float = 35.0
    silence: float = 70.0
    retries: int = 3
    base: float = 0.2
    cap: float = 5.0
    patience: float = 10.0


class Transport:
    """Requests to one API server as one identity. Made by `Connection.open`."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession, timing: Timing) -> None:
        self.name, self.server, self.timing = connection.name, connection.server, timing
        self._cluster = connection.cluster
        self._credentials = connection.credentials()
        self._impersonation = connection.impersonation()
        self._proxy = connection.proxy()
        self._session = session
        self._tls: tuple[_Pair, ssl.SSLContext] | None = None

    async def get(self, path: str, params: Params = (), *, within: float | None = None, accept: str = JSON) -> bytes:
        """The body of a GET. A failure that may pass is tried again, as long as `within` seconds allow.

        Unreachable, TimedOut, or a Refused of the answer's status.
        """
        asked = _Request("GET", path, params, {"Accept": accept}, within or self.timing.read)
        return await self._repeated(asked)

    async def _repeated(self, asked: _Request, *, patient: bool = True) -> bytes:
        """The answer to what changes nothing, and may be asked again as long as its time allows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + asked.within
        attempt = 0
        while True:
            try:
                return await self._answered(replace(asked, within=max(deadline - loop.time(), 0.001)))
            except ClusterError as error:
                pause = self._pause(error, attempt)
                busy = isinstance(error, TooManyRequests) and not patient
                if pause is None or busy or loop.time() + pause >= deadline:
                    raise
            await asyncio.sleep(pause)
            attempt += 1

    async def send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        content_type: str = JSON,
        params: Params = (),
        changes: bool = True,
        patient: bool = True,
    ) -> bytes:
        """Send a body, once. For the writer, and for permission reviews.

        changes: whether it changes anything when it is carried out; then a failure that leaves that open is an
        OutcomeUnknown. If not (a dry run, a review) it is tried again as a read is. patient: come back, a few times,
        when the server is busy (429) and says when to.
        """
        headers = {"Accept": JSON, "Content-Type": content_type}
        asked = _Request(method, path, params, headers, self.timing.write, msgspec.json.encode(body), changes)
        if not changes:
            return await self._repeated(asked, patient=patient)
        attempt = 0
        while True:
            try:
                return await self._answered(asked)
            except TooManyRequests as error:
                pause = self._pause(error, attempt)
                if not patient or error.retry_after is None or pause is None:
                    raise
            except ServerError as error:
                raise OutcomeUnknown(
                    f"the server failed during a write: {error.message}", where=error.where, hint=READ_BACK
                ) from error
            await asyncio.sleep(pause)
            attempt += 1

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params = (), *, silence: float | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET as it comes, without end. TimedOut when no byte came for `silence` seconds."""
        quiet = silence or self.timing.silence
        limits = aiohttp.ClientTimeout(total=None, connect=self.timing.connect, sock_read=quiet)
        asked = _Request("GET", path, params, {"Accept": JSON}, 0.0)
        answer = await self._with_login(lambda credential: self._begun(asked, credential, limits))
        try:
            async with aclosing(self._chunks(answer, asked)) as chunks:
                yield chunks
        finally:
            answer.close()

    @asynccontextmanager
    async def socket(
        self, path: str, params: Params, protocols: Sequence[str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        """A WebSocket, for what changes things inside of containers. Opened once, never again by itself."""
        asked = _Request("GET", path, params, {}, 0.0, changes=True)
        held = await self._with_login(lambda credential: self._upgraded(asked, credential, protocols))
        try:
            with self._translating(asked):
                yield held
        finally:
            await held.close()

    async def _upgraded(
        self, asked: _Request, credential: Credential, protocols: Sequence[str]
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        options = await self._options(credential, asked)
        try:
            with self._translating(asked):
                made: aiohttp.ClientWebSocketResponse[bool] = await self._session.ws_connect(
                    self._url(asked), protocols=protocols, max_msg_size=1 << 20, **options
                )
                return made
        except OutcomeUnknown as error:
            refusing = error.__cause__
            if isinstance(refusing, aiohttp.WSServerHandshakeError):
                # An answer of its own, before anything was begun.
                raise refusal(refusing.status, b"", where=asked.where) from error
            raise

    async def _chunks(self, answer: aiohttp.ClientResponse, asked: _Request) -> AsyncGenerator[bytes]:
        with self._translating(asked):
            async for chunk in answer.content.iter_any():
                yield chunk

    async def _answered(self, asked: _Request) -> bytes:
        limits = aiohttp.ClientTimeout(total=asked.within, sock_connect=self.timing.connect)

        async def exchange(credential: Credential) -> bytes:
            answer = await self._begun(asked, credential, limits)
            async with answer:
                with self._translating(asked):
                    return await answer.read()

        return await self._with_login(exchange)

    async def _with_login(self, ask: Callable[[Credential], Awaitable[R]]) -> R:
        """Ask; on a 401 renew the credentials and ask once more. A 401 wasn't carried out, so a write may be too."""
        credential = await self._credentials.current()
        try:
            return await ask(credential)
        except Unauthorized:
            if not await self._credentials.refresh(credential):
                raise
        return await ask(await self._credentials.current())

    async def _begun(
        self, asked: _Request, credential: Credential, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Send the request; the answer once its headers are there and its status is a good one."""
        options = await self._options(credential, asked)
        with self._translating(asked):
            answer = await self._session.request(
                asked.method, self._url(asked), data=asked.data, timeout=limits, allow_redirects=False, **options
            )
            if answer.status < 300:
                return answer
            async with answer:
                raise await refused(answer, asked.where)

    def _url(self, asked: _Request) -> URL:
        query = f"?{urlencode(asked.params)}" if asked.params else ""
        # Said to be encoded, for yarl would undo a %2F and change what is addressed.
        return URL(f"{self.server}{asked.path}{query}", encoded=True)

    async def _options(self, credential: Credential, asked: _Request) -> dict[str, Any]:
        headers = CIMultiDict([*credential.headers.items(), *asked.headers.items(), *self._impersonation])
        options: dict[str, Any] = {"headers": headers, "proxy": self._proxy}
        if self.server.startswith("https:"):
            options["ssl"] = await self._context(credential)
            options["server_hostname"] = self._cluster.tls_server_name or None
        return options

    async def _context(self, credential: Credential) -> ssl.SSLContext:
        pair = (credential.certificate, credential.key)
        if self._tls is None or self._tls[0] != pair:
            self._tls = (pair, await asyncio.to_thread(tls.context, self._cluster, *pair))
        return self._tls[1]

    def _pause(self, error: ClusterError, attempt: int) -> float | None:
        """Seconds until another try makes sense; None for never, also when time is what has run out."""
        if not error.retryable or isinstance(error.__cause__, TimeoutError) or attempt >= self.timing.retries:
            return None
        asked = (error.retry_after or 0.0) if isinstance(error, Refused) else 0.0
        if asked > self.timing.patience:
            return None
        return asked + full_jitter(attempt, base=self.timing.base, cap=self.timing.cap)

    @contextmanager
    def _translating(self, asked: _Request) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise translated(error, server=self.server, where=asked.where, changes=asked.changes) from error


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    params: Params
    headers: Mapping[str, str]
    within: float
    data: bytes | None = None
    changes: bool = False

    @property
    def where(self) -> str:
        return f"{self.method} {self.path}"


@asynccontextmanager
async def session_for(connection: Connection, timing: Timing | None = None) -> AsyncIterator[Transport]:
    """A transport for a connection; its connections are closed at the end of the block."""
    loopback = is_loopback(urlsplit(connection.server).hostname or "")
    plain = loopback or connection.cluster.disable_compression
    async with aiohttp.ClientSession(
        connector=Connector(),
        # Compressing costs more than loopback saves; over a network a list is a fifteenth of its size.
        headers={"User-Agent": f"kubemend/{__version__}", "Accept-Encoding": "identity" if plain else "gzip"},
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(once,),
        read_bufsize=1 << 18,
    ) as session:
        yield Transport(connection, session, timing or Timing())
