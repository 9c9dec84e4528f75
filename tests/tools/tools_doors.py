"""The doors, each opened on the same practice cluster and driven by a client of its own kind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from mcp import Client

from kubemend import langchain
from kubemend.app import Rooms, program
from kubemend.engine.gateway import Gateway
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.serving import KEEP_ALIVE_S
from kubemend.surfaces.cli.wiring import wire
from kubemend.surfaces.http import application
from kubemend.surfaces.mcp import server, serving
from kubemend.surfaces.threshold import App, Keys, Threshold

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Calls a tool through a door: its answer, as this door's client reads it."""


@asynccontextmanager
async def through_cli(access: Access) -> AsyncIterator[Call]:
    wire(Rooms())
    place = ["--kubeconfig", str(access.kubeconfig), "--store", str(access.store)]

    async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        words = ["tools", "run", name, "--arguments", json.dumps(arguments), *place]
        command, bound, _ = program().parse_args([*words, *(["--allow-changes"] if access.allow_changes else [])])
        told, sys.stdout = sys.stdout, (page := Page())
        try:
            await command(*bound.args, **bound.kwargs)
        finally:
            sys.stdout = told
        return json.loads("".join(page.said))

    yield call


class Page:
    """A stdout that keeps what is written."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def write(self, text: str) -> None:
        self.said.append(text)

    def flush(self) -> None: ...


@asynccontextmanager
async def through_mcp(access: Access) -> AsyncIterator[Call]:
    async with Rooms().gateway(access) as gateway, Client(server.server(gateway, actor="mcp")) as client:

        async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            result = await client.call_tool(name, arguments)
            assert result.structured_content == json.loads(result.content[0].text)
            assert result.is_error is not result.structured_content["ok"]
            return result.structured_content

        yield call


@asynccontextmanager
async def through_http(access: Access) -> AsyncIterator[Call]:
    async with (
        Rooms().gateway(access) as gateway,
        listening(application.application(gateway)) as url,
        aiohttp.ClientSession() as session,
    ):

        async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            async with session.post(f"{url}/api/v1/tools/{name}", json=arguments) as response:
                found = await response.json()
                assert (response.status == 200) is found["ok"]
                return found

        yield call


@asynccontextmanager
async def through_langchain(access: Access) -> AsyncIterator[Call]:
    tools = {
        t.name: t
        for t in langchain.get_tools(
            kubeconfig_path=access.kubeconfig, store=access.store, allow_changes=access.allow_changes
        )
    }

    async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name not in tools:
            return await _unknown(access, name, arguments)
        return json.loads(await tools[name].ainvoke(arguments))

    try:
        yield call
    finally:
        await asyncio.to_thread(langchain.close)


async def _unknown(access: Access, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A model can't call what there is no LangChain tool of; here one calls what was taken away meanwhile."""
    tool = langchain.get_tools(kubeconfig_path=access.kubeconfig, store=access.store)[0]
    return json.loads(await tool.model_copy(update={"name": name}).ainvoke(arguments))


DOORS = {"cli": through_cli, "mcp": through_mcp, "http": through_http, "langchain": through_langchain}


@asynccontextmanager
async def listening(app: App, keys: dict[str, str] | None = None, **more: Any) -> AsyncIterator[str]:
    """The application behind a threshold on a free port of loopback."""
    guarded = Threshold(app, Keys(keys or {}), local=more.pop("local", True), **more)
    config = uvicorn.Config(guarded, port=0, log_level="error", lifespan="on", timeout_keep_alive=KEEP_ALIVE_S)
    serving_ = uvicorn.Server(config)
    task = asyncio.create_task(serving_._serve())
    while not serving_.started:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.01)
    port = serving_.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        serving_.should_exit = True
        await task


def over_http(gateway: Gateway) -> App:
    return serving.OverHttp(gateway)


def reading(access: Access) -> Access:
    """The same place without leave to write."""
    return dataclasses.replace(access, allow_changes=False)
