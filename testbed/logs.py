"""The kubelet's log endpoint for node stand-ins, so that `kubectl logs` works through a real API server.

The API server asks `GET /containerLogs/NAMESPACE/POD/CONTAINER` of the address and port that the Node's status names,
with a client certificate of its own; nobody else is let in.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

Logs = Mapping[tuple[str, str, str, bool], Sequence[str]]
"""(namespace, pod, container, previous) → lines, each beginning with its RFC 3339 time and a blank."""


@asynccontextmanager
async def serving(logs: Logs, pki: Path) -> AsyncIterator[int]:
    """Serve logs on loopback for as long as the block lasts; gives the port. `pki`: the control plane's folder."""

    async def answer(request: web.Request) -> web.Response:
        return _log(logs, request.match_info, request.query)

    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_tls(pki))
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _tls(pki: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    return context


def _log(logs: Logs, where: Mapping[str, str], query: Mapping[str, str]) -> web.Response:
    """The log that is asked for, as far as `PodLogOptions` narrow it; 400 in the kubelet's words when there is none."""
    pod, container = where["pod"], where["container"]
    previous = query.get("previous") == "true"
    lines = logs.get((where["namespace"], pod, container, previous))
    if lines is None:
        named = f'container "{container}" in pod "{pod}"'
        missing = f"previous terminated {named} not found" if previous else f"{named} is waiting to start"
        return web.Response(status=400, text=missing)
    text = "".join(f"{line}\n" for line in narrowed(lines, query, now=datetime.now(UTC)))
    if limit := query.get("limitBytes"):
        return web.Response(body=text.encode()[: int(limit)])
    return web.Response(text=text)


def narrowed(lines: Sequence[str], query: Mapping[str, str], *, now: datetime) -> Sequence[str]:
    """The lines that `sinceSeconds` or `sinceTime`, then `tailLines`, leave, with their times if `timestamps` asks."""
    since = ""
    if seconds := query.get("sinceSeconds"):
        since = (now - timedelta(seconds=int(seconds))).isoformat()
    elif time := query.get("sinceTime"):
        since = datetime.fromisoformat(time).astimezone(UTC).isoformat()
    # Both begin like 2026-01-01T12:00:00, in UTC, and so compare as text.
    kept = [line for line in lines if line[:19] >= since[:19]]
    if tail := query.get("tailLines"):
        kept = kept[len(kept) - min(int(tail), len(kept)) :]
    return kept if query.get("timestamps") == "true" else [line.partition(" ")[2] for line in kept]
