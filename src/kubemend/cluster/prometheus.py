"""Prometheus: instant queries of its HTTP API (prometheus.io/docs/prometheus/latest/querying/api).

It only reads. A Prometheus beside the cluster is asked by its URL, by POST for the length of queries; one in the
cluster through the API server (`kubemend.cluster.monitoring`).
"""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from kubemend.cluster.errors import ClusterError, ConfigError, Garbled, excerpt
from kubemend.cluster.failures import translated

WITHIN_S = 30.0
"""Seconds for one query; a subquery over weeks takes some."""
CONNECT_S = 5.0
MOST = 64 << 20
"""Bytes of one answer."""
QUERY = "/api/v1/query"
"""The path that evaluates an expression at one moment."""
TOKEN = "KUBEMEND_PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with a bearer token, where Prometheus wants one."""


class QueryFailed(ClusterError):
    """Prometheus answered, and has no result: it could not evaluate the query, or refused us."""

    code = "prometheus-error"


@dataclass(frozen=True)
class Sample:
    """One value of one series at the moment that was asked for."""

    labels: Mapping[str, str]
    value: float


class _Result(Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(Struct, frozen=True):
    result_type: str = msgspec.field(name="resultType", default="")
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(Struct, frozen=True):
    status: str
    data: _Data = _Data()
    error: str = ""
    error_type: str = msgspec.field(name="errorType", default="")


class Way(Protocol):
    """How questions get to a Prometheus."""

    @property
    def where(self) -> str:
        """Whom they get to, for messages."""
        ...

    async def ask(self, form: Mapping[str, str]) -> tuple[bytes, int]:
        """The answer to an instant query, with its HTTP status; any ClusterError."""
        ...


class Prometheus:
    """Queries of one server. Made by `open_prometheus`, and by `monitoring.in_cluster`."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def query(self, promql: str, *, at: datetime | None = None) -> tuple[Sample, ...]:
        """The vector that a query gives at a moment, now by default. What is no finite number (NaN, Inf) is left out.

        QueryFailed, Unreachable, TimedOut, Garbled; of one in the cluster also NoneFound.
        """
        body, status = await self._way.ask({"query": promql, **({} if at is None else {"time": str(at.timestamp())})})
        where = self._way.where
        try:
            answer = msgspec.json.decode(body, type=_Answer)
            if answer.status == "success" and answer.data.result_type == "vector":
                found = msgspec.json.decode(answer.data.result, type=tuple[_Result, ...])
                samples = (Sample(r.metric, float(r.value[1])) for r in found)
                return tuple(s for s in samples if math.isfinite(s.value))
        except (msgspec.DecodeError, ValueError) as error:
            if status == 200:
                raise Garbled(f"the answer is none of Prometheus: {error}", where=where) from error
            raise QueryFailed(f"HTTP {status}: {excerpt(body) or 'no body'}", where=where) from error
        said = f"{answer.error_type}: {answer.error}" if answer.error else f"a {answer.data.result_type}, not a vector"
        raise QueryFailed(f"Prometheus says: {excerpt(said)}", where=where)


async def capped(chunks: AsyncIterator[bytes], where: str) -> bytes:
    """A body in one piece. Garbled when it is larger than any answer of ours: the server may be anybody's."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MOST:
            raise Garbled(f"the answer is larger than {MOST >> 20} MiB", where=where)
    return bytes(body)


class _Direct:
    """By the server's own URL."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.where = url
        self._session = session

    async def ask(self, form: Mapping[str, str]) -> tuple[bytes, int]:
        where = f"POST {self.where}{QUERY}"
        try:
            # A redirect would take the token to wherever it points.
            async with self._session.post(self.where + QUERY, data=form, allow_redirects=False) as answer:
                return await capped(answer.content.iter_any(), where), answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise translated(error, server=self.where, where=where, changes=False) from error


@asynccontextmanager
async def open_prometheus(url: str) -> AsyncIterator[Prometheus]:
    """A Prometheus for as long as the block lasts. Nothing is sent before its first query.

    A bearer token is taken from $KUBEMEND_PROMETHEUS_TOKEN. ConfigError (`prometheus-url-invalid`) for no http(s) URL.
    """
    address = checked(url)
    token = os.environ.get(TOKEN, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    limits = aiohttp.ClientTimeout(total=WITHIN_S, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=limits, trust_env=True) as session:
        yield Prometheus(_Direct(address, session))


def checked(url: str) -> str:
    """The URL without a slash at its end. It isn't quoted when it is wrong: it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigError("the URL of Prometheus can't be read", code="prometheus-url-invalid") from error
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "the URL of Prometheus is no plain http(s) URL",
            code="prometheus-url-invalid",
            hint=f"for example http://prometheus.monitoring:9090; a token goes into ${TOKEN}",
        )
    return url.rstrip("/")
