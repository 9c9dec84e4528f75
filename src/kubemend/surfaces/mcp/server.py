"""The server: lists what the gateway has, and hands every call to it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Listed

from kubemend import __version__
from kubemend.engine import prospectus
from kubemend.engine.gateway import Gateway, failure
from kubemend.model.answer import Answer
from kubemend.model.errors import KubemendError
from kubemend.model.tool import Tool
from kubemend.surfaces.mcp import prompts, resources
from kubemend.surfaces.mcp.approval import WAIT_S, Approval
from kubemend.surfaces.threshold import CALLER

Context = ServerRequestContext[Any, Any]
Page = PaginatedRequestParams | None
T = TypeVar("T")

NAME = "kubemend"


def server(gateway: Gateway, *, actor: str) -> Server[Any]:
    """A server for one cluster. actor: whose calls these are in the audit trail, where the transport names nobody."""
    listed = [describe(t) for t in gateway.tools.values()]

    async def list_tools(_: Context, __: Page) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        approval = Approval(context, params)
        arguments, who = params.arguments or {}, _caller(context) or actor
        try:
            answer = await _followed(
                context.session,
                lambda tell: gateway.call(params.name, arguments, actor=who, ask=approval.ask, tell=tell),
            )
        except KubemendError as error:
            # Not the tool's: the ledger takes no record.
            answer = Answer(tool=params.name, ok=False, error=failure(error))
        return approval.required or result(answer)

    async def list_prompts(_: Context, __: Page) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.listed())

    async def get_prompt(_: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return _told(lambda: prompts.told(params.name, params.arguments or {}, gateway.tools))

    async def list_resources(_: Context, __: Page) -> ListResourcesResult:
        return ListResourcesResult(resources=resources.LISTED)

    async def list_templates(_: Context, __: Page) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=resources.TEMPLATES)

    async def read_resource(_: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            return await resources.read(str(params.uri), gateway.library)
        except KubemendError as error:
            raise _protocol(error) from error

    made: Server[Any] = Server(
        NAME,
        version=__version__,
        title="kubemend",
        description="Finds what is broken in a Kubernetes cluster, and repairs it through one guarded gate.",
        instructions=prompts.RULES,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )
    # What a client sends back of our state is somebody else's until the seal says otherwise.
    security = RequestStateSecurity(keys=[secrets.token_bytes(32)], ttl=WAIT_S, bind_principal=_caller)
    made.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    return made


def describe(tool: Tool) -> Listed:
    """A tool as clients see it."""
    return Listed(
        name=tool.name,
        description=tool.doc,
        input_schema=tool.schema,
        output_schema=prospectus.answers(tool),
        annotations=ToolAnnotations.model_validate(prospectus.hints(tool)),
        _meta={"kubemend.dev/risk": tool.risk.name.lower(), "kubemend.dev/toolset": tool.module},
    )


def result(answer: Answer) -> CallToolResult:
    """An answer: as JSON text for models, and structured for programs."""
    structured = msgspec.to_builtins(answer, str_keys=True)
    return CallToolResult(
        content=[TextContent(type="text", text=msgspec.json.encode(answer).decode())],
        structured_content=structured,
        is_error=not answer.ok,
    )


async def _followed(
    session: ServerSession, begin: Callable[[Callable[[str], None]], Coroutine[Any, Any, Answer]]
) -> Answer:
    """Run a call and report its progress. A client that cancels ends a read; a repair is first brought to its end."""
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    # A task of its own: the library would cancel this one over and over, and a repair may take minutes to end well.
    task = asyncio.create_task(begin(heard.put_nowait))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_report, session, heard)
            await asyncio.wait({task})
            heard.put_nowait(None)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})
        raise
    return task.result()


async def _report(session: ServerSession, heard: asyncio.Queue[str | None]) -> None:
    done = 0
    while (line := await heard.get()) is not None:
        done += 1
        await session.report_progress(done, None, line)


def _caller(context: Context) -> str | None:
    """Who called, when the transport knows."""
    scope = getattr(context.request, "scope", None)
    name = None if scope is None else scope.get(CALLER)
    return None if name is None else f"mcp:{name}"


def _told(make: Callable[[], T]) -> T:
    try:
        return make()
    except KubemendError as error:
        raise _protocol(error) from error


def _protocol(error: KubemendError) -> MCPError:
    data = {"code": error.code, "hint": error.hint}
    return MCPError(code=INVALID_PARAMS, message=error.message, data={k: v for k, v in data.items() if v})
