"""The HTTP library's failures, and answers with an error status, as errors of our own."""

from __future__ import annotations

import aiohttp

from kubemend.cluster.errors import (
    READ_BACK,
    ClusterError,
    OutcomeUnknown,
    Refused,
    TimedOut,
    Unreachable,
    Untrusted,
    excerpt,
    refusal,
)


def translated(error: Exception, *, server: str, where: str, changes: bool) -> ClusterError:
    """What an exception of the HTTP library means. `changes`: the request was a write.

    Whether a write was sent decides: before that it is Unreachable, from then on OutcomeUnknown.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Untrusted(
            f"no trusted TLS connection to {server}: {excerpt(str(error.__cause__ or error))}",
            where=where,
            hint="check certificate-authority-data, tls-server-name and the client certificate in the kubeconfig",
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unreachable(f"no connection to {server} in time", where=where)
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.strerror or type(error.os_error).__name__
        return Unreachable(f"no connection to {server}: {excerpt(reason)}", where=where)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Unreachable(f"the proxy refused a connection to {server} ({error.status})", where=where)
    if isinstance(error, TimeoutError):
        return _late(where, changes=changes)
    return _lost(where, changes=changes)


def _late(where: str, *, changes: bool) -> ClusterError:
    if changes:
        return OutcomeUnknown("the answer to a write did not come in time", where=where, hint=READ_BACK)
    return TimedOut("no answer in time", where=where)


def _lost(where: str, *, changes: bool) -> ClusterError:
    if changes:
        return OutcomeUnknown("the connection was lost after a write was sent", where=where, hint=READ_BACK)
    return Unreachable("the connection was lost", where=where)


class Broken(aiohttp.ClientError):
    """A connection that broke, as an exception that aiohttp lets pass."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Middleware: when a connection breaks, aiohttp would send GET, PUT and DELETE again by itself. Never a DELETE!"""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Broken(str(error)) from error


async def refused(answer: aiohttp.ClientResponse, where: str) -> Refused:
    """The error of an answer with an error status. Kubernetes gives Retry-After in seconds, never as a date."""
    after = answer.headers.get("Retry-After", "")
    seconds = float(after) if after.isdecimal() else None
    return refusal(answer.status, await answer.read(), where=where, retry_after=seconds)
