"""A client for tests of the practice API server: one call is one request, and nothing is interpreted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from kubemend.lab.server import PracticeServer

Object = dict[str, Any]

CORE, APPS, BATCH = (
    "/api/v1/namespaces/default",
    "/apis/apps/v1/namespaces/default",
    "/apis/batch/v1/namespaces/default",
)
POLICY = "/apis/policy/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
JSON_PATCH, MERGE, STRATEGIC, APPLY = (
    f"application/{kind}"
    for kind in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass
class Answer:
    code: int
    body: Any
    headers: Any

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.body["items"]]


class Client:
    def __init__(self, server: PracticeServer, session: aiohttp.ClientSession, token: str) -> None:
        self.server, self.store = server, server.store
        self._session, self._token = session, token

    def by(self, token: str) -> Client:
        """The same server, asked by someone else; without a token by nobody."""
        return Client(self.server, self._session, token)

    async def call(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **headers: str
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        if data is not None:
            sent["Content-Type"] = kind
        async with self._session.request(method, self.server.url + path, data=data, headers=sent) as response:
            raw = await response.read()
            text = response.content_type == "text/plain"
            return Answer(response.status, raw.decode() if text else msgspec.json.decode(raw), response.headers)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, **headers)

    async def put(self, path: str, body: Any) -> Answer:
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: Any, kind: str = MERGE) -> Answer:
        return await self.call("PATCH", path, body, kind=kind)

    async def delete(self, path: str, body: Any = None) -> Answer:
        return await self.call("DELETE", path, body)

    async def made(self, path: str, body: Any) -> Object:
        """The object, which must be created."""
        answer = await self.post(path, body)
        assert answer.code == 201, answer.body
        found: Object = answer.body
        return found

    async def watch(self, path: str, **headers: str) -> AsyncIterator[Object]:
        """The events of a watch, to its end."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {self._token}"
        async with self._session.get(self.server.url + path, headers=sent) as response:
            async for line in response.content:
                yield msgspec.json.decode(line)

    @asynccontextmanager
    async def streamed(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """An answer as it comes."""
        sent = {"Authorization": f"Bearer {self._token}"}
        async with self._session.get(self.server.url + path, headers=sent) as response:
            yield response.content


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Client]:
    server = PracticeServer(secure=False, **settings)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(server, session, server.admin_token)
    finally:
        await server.stop()


def pod(name: str = "web", *, labels: dict[str, str] | None = None, spec: Object | None = None, **main: Any) -> Object:
    container = {"name": "main", "image": "registry.lab/web:1", **main}
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"metadata": meta, "spec": {"containers": [container], **(spec or {})}}


def workload(name: str = "web", *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    labels = labels or {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def config(name: str = "settings", **data: str) -> Object:
    return {"metadata": {"name": name}, "data": data}
