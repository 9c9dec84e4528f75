"""The official MCP client over each transport, and the person behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult
from tools_doors import listening, over_http

from kubemend.app import Rooms
from kubemend.surfaces.cli.options import Access


class Person:
    """Whoever sits behind a client, and what they were shown."""

    def __init__(self, action: str, **content: Any) -> None:
        self.answer, self.shown = ElicitResult(action=action, content=content or None), []

    async def __call__(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        self.shown.append(params.message)
        return self.answer


@asynccontextmanager
async def stdio(access: Access, *more: str, **options: Any) -> AsyncIterator[Client]:
    words = ["-m", "kubemend", "mcp", "serve", "--kubeconfig", str(access.kubeconfig), "--store", str(access.store)]
    words += ["--allow-changes"] if access.allow_changes else []
    server = StdioServerParameters(command=sys.executable, args=[*words, *more], env=dict(os.environ))
    async with Client(server, **options) as client:
        yield client


@asynccontextmanager
async def http(access: Access, *, key: str = "", **options: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        Rooms().gateway(access) as gateway,
        listening(over_http(gateway), {key: "alice"} if key else {}) as url,
        httpx2.AsyncClient(headers=headers, timeout=60) as wire,
        Client(streamable_http_client(f"{url}/mcp", http_client=wire), **options) as client,
    ):
        yield client
