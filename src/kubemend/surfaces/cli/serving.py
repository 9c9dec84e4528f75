"""`kubemend serve` and `kubemend mcp serve`: the tools for programs, over HTTP and the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from rich.text import Text

from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.tool import Tool
from kubemend.surfaces import threshold
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import on_stop
from kubemend.surfaces.cli.options import UNMEASURED, Risks, ToolAccess
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.wiring import wiring
from kubemend.surfaces.threshold import App, Keys, Threshold

if TYPE_CHECKING:
    from kubemend.engine.gateway import Gateway
    from kubemend.surfaces.http.application import Part

TOOLS = Group("Tools", sort_key=12, help="Without these all tools are served.")
DOOR = Group("Door", sort_key=14)
KEY = "KUBEMEND_KEY"
GRACE_S = 5
"""Seconds that open streams get to end when the server is stopped. A repair gets as long as it needs."""
KEEP_ALIVE_S = 75
"""Seconds that a connection stays open between two requests. A client that thinks longer (one in JavaScript makes
validators of all schemas after it has listed the tools) sends its next one into a closed connection, and fails."""


@Parameter(name="*", group=TOOLS)
@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which tools are served."""

    toolset: Annotated[tuple[str, ...], Parameter(help="Serve the tools of this module; may be repeated.")] = ()
    tool: Annotated[tuple[str, ...], Parameter(help="Serve this tool; may be repeated.")] = ()
    without: Annotated[tuple[str, ...], Parameter(help="Don't serve this tool; may be repeated.")] = ()
    max_risk: Annotated[Risks, Parameter(help="Serve no tools of greater risk.")] = "high"

    def tools(self) -> Mapping[str, Tool]:
        """Those tools."""
        from kubemend.engine import prospectus  # noqa: PLC0415 - many modules

        return prospectus.chosen(
            wiring().tools(),
            modules=self.toolset,
            names=self.tool,
            without=self.without,
            risk=Risk[self.max_risk.upper()],
        )


@Parameter(name="*", group=DOOR)
@dataclass(frozen=True, kw_only=True)
class Door:
    """Where to listen, and to whom."""

    key_file: Annotated[
        Path | None, Parameter(help=f"Keys of callers, one a line, each with a name before it; else ${KEY}.")
    ] = None
    allow_origin: Annotated[tuple[str, ...], Parameter(help="Origin of web pages that may call; may be repeated.")] = ()

    def behind(self, app: App, host: str, open_paths: frozenset[str] = frozenset()) -> Threshold:
        """The application behind a check of Host, Origin and key. Off loopback a key is made if there is none."""
        local, known = threshold.is_loopback(host), self._keys()
        if not known and not local:
            made = threshold.new_key()
            out.say(Text(f"no key is configured; this one counts until the end of this process: {made}", "yellow"))
            known = {made: "made-at-start"}
        return Threshold(app, Keys(known), local, threshold.origins(self.allow_origin), open_paths)

    def _keys(self) -> dict[str, str]:
        if self.key_file is None:
            given = os.environ.get(KEY, "")
            return {given: "environment"} if given else {}
        try:
            return threshold.keys_in(self.key_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput("can't be read", code="path-unreadable", where=str(self.key_file)) from error


ALL, HERE = Choice(), Door()


async def mcp(
    *,
    transport: Annotated[
        Literal["stdio", "http"], Parameter(group=DOOR, help="stdin and stdout, or streamable HTTP at /mcp.")
    ] = "stdio",
    listen: Annotated[str, Parameter(group=DOOR, help="HOST:PORT, for HTTP.")] = "localhost:9080",
    door: Door = HERE,
    choice: Choice = ALL,
    access: ToolAccess = UNMEASURED,
) -> int:
    """Serve the tools to an agent by the Model Context Protocol, until its input ends or Ctrl-C.

    In the default mode nothing is written: plans are answered with the command that approves them. With
    --allow-changes the person behind the client is asked for each plan, if the client can ask; else the plan waits.
    """
    with _extra("mcp"):
        from kubemend.surfaces.mcp import serving  # noqa: PLC0415

    host, port = threshold.place(listen, port=9080)
    async with wiring().gateway(access, choice.tools()) as gateway:
        if transport == "stdio":
            await _until_stopped(serving.over_stdio(gateway, actor=f"mcp:{actor()}"))
        else:
            await _listen(door.behind(serving.OverHttp(gateway), host), host, port, serving.PATH)
    return Exit.OK


async def http(
    *,
    listen: Annotated[str, Parameter(group=DOOR, help="HOST:PORT.")] = "localhost:8888",
    door: Door = HERE,
    choice: Choice = ALL,
    access: ToolAccess = UNMEASURED,
) -> int:
    """Serve the tools over HTTP at /api/v1/tools until Ctrl-C, and by MCP at /mcp if that extra is installed."""
    with _extra("http"):
        from kubemend.surfaces.http import application  # noqa: PLC0415

    host, port = threshold.place(listen, port=8888)
    async with wiring().gateway(access, choice.tools()) as gateway:
        app = application.application(gateway, beside=_mcp(gateway))
        await _listen(door.behind(app, host, application.OPEN), host, port, "/api/v1/tools")
    return Exit.OK


def _mcp(gateway: Gateway) -> Mapping[str, Part]:
    try:
        with _extra("mcp"):
            from kubemend.surfaces.mcp import serving  # noqa: PLC0415
    except NoExtra:
        return {}
    return {serving.PATH: serving.OverHttp(gateway)}


class NoExtra(InvalidInput):
    """What was asked for needs a library that is not installed."""

    code = "extra-missing"


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Around imports: NoExtra with the install line when a library of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "fastapi", "starlette", "uvicorn", "anyio"):
            raise
        raise NoExtra(f"{error.name} is not installed", hint=f"pip install 'kubemend[{name}]'") from error


async def _listen(app: App, host: str, port: int, path: str) -> None:
    """Serve until Ctrl-C or SIGTERM; then let what is under way come to its end."""
    with _extra("http"):
        import uvicorn  # noqa: PLC0415

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    out.say(Text(f"serving http://{host}:{port}{path}; Ctrl-C ends it", "green"))
    with on_stop(stop):
        await server.serve()


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Await its end, or end it at Ctrl-C or SIGTERM."""
    task = asyncio.ensure_future(work)

    def stop() -> None:
        task.cancel()

    with on_stop(stop), suppress(asyncio.CancelledError):
        await task
