"""What a tool really asked of the API server, in RBAC's own words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from kubemend.cluster.transport import Transport
from kubemend.model.access import Access

_PATH = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[a-z]+)(?:/.*)?)?)?$"
)
FREE = ("/version", "/openapi", "/api", "/apis", "/readyz", "/healthz", "/livez")
"""Paths that every authenticated user may read (the ClusterRoles system:discovery and system:public-info-viewer)."""


class Recorder:
    """A transport that notes each request as the permission it takes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.asked: set[Access] = set()
        self._told = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def get(self, path: str, params: Sequence[tuple[str, str]] = (), **options: Any) -> bytes:
        self._note("GET", path, params)
        return await self._transport.get(path, params, **options)

    async def send(self, method: str, path: str, body: Any, **options: Any) -> bytes:
        self._note(method, path, ())
        return await self._transport.send(method, path, body, **options)

    def stream(self, path: str, params: Sequence[tuple[str, str]] = (), **options: Any) -> Any:
        self._note("GET", path, params)
        return self._transport.stream(path, params, **options)

    def _note(self, method: str, path: str, params: Sequence[tuple[str, str]]) -> None:
        access = permission(method, path, dict(params))
        if access is not None:
            self.asked.add(access)
            self._told.set()

    async def until(self, verb: str, resource: str) -> None:
        """Wait until something has been asked for."""
        while not any((a.verb, a.resource) == (verb, resource) for a in self.asked):
            self._told.clear()
            await self._told.wait()


def permission(method: str, path: str, params: dict[str, str]) -> Access | None:
    """The permission of one request; None for what everybody may ask."""
    found = _PATH.match(path)
    if found is None or (path.startswith(FREE) and found["resource"] is None):
        assert path.startswith(FREE), path
        return None
    if found["resource"].startswith("selfsubject"):
        return None
    verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}.get(method, "get")
    if method == "GET" and found["name"] is None:
        verb = "watch" if params.get("watch") in ("true", "1") else "list"
    resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
    return Access(verb, resource, found["group"] or "")
