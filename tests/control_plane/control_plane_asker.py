"""Plain requests to the real API server, many at once, with the warnings that come with an answer."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml
from testbed.plane import ControlPlane

AT_ONCE = 16
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class Told(NamedTuple):
    status: int
    body: Any
    warnings: list[str]


class Asker:
    """Asks as the cluster's administrator."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session, self._server = session, server
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Told:
        async with self._gate:
            headers = {"Content-Type": kind}
            async with self._session.request(method, self._server + path, json=body, headers=headers) as answer:
                told = [w for h in answer.headers.getall("Warning", []) for w in _WARNING.findall(h)]
                return Told(answer.status, await answer.json(), [_ESCAPED.sub(r"\1", w) for w in told])

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Any]]:
        """What a watch tells, until the server ends it: (ADDED, MODIFIED or DELETED, the object)."""
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(self._server + path, timeout=endless) as answer:
            async for line in answer.content:
                event = json.loads(line)
                yield event["type"], event["object"]


@asynccontextmanager
async def asker(plane: ControlPlane, folder: Path) -> AsyncIterator[Asker]:
    """With the certificates of the plane's kubeconfig."""
    config = yaml.safe_load(await asyncio.to_thread(plane.kubeconfig.read_text))
    user = config["users"][0]["user"]
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    for name in ("certificate", "key"):
        (folder / name).write_bytes(base64.b64decode(user[f"client-{name}-data"]))
    context.load_cert_chain(folder / "certificate", folder / "key")
    connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Asker(session, plane.server)
