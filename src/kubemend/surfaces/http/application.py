"""`/api/v1/tools`: list, describe, call. A tool's answer is the same here as through every other door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from kubemend import __version__
from kubemend.engine import prospectus
from kubemend.engine.gateway import Gateway
from kubemend.model.access import Risk
from kubemend.model.answer import Answer
from kubemend.model.errors import KubemendError
from kubemend.model.tool import Tool
from kubemend.surfaces.threshold import CALLER, App, Receive, Scope, Send, problem

TOOLS = "/api/v1/tools"
OPEN = frozenset({"/healthz"})
"""What is served without a key."""
LARGEST = 10 << 20
"""Bytes of a request's body."""
STATUS = {
    "approval-required": 202,
    "invalid-arguments": 400,
    "unknown-tool": 404,
    "not-found": 404,
    "forbidden": 403,
    "read-only": 403,
    "rejected": 409,
    "conflict": 409,
    "too-many-requests": 429,
    "unauthorized": 502,
    "login-failed": 502,
    "server-error": 502,
    "cluster-unreachable": 503,
    "timed-out": 504,
}
"""HTTP status by the code of an answer's error; 422 for any other. The answer itself says all."""
CODES = {400: "INVALID_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}


class Part(Protocol):
    """Another application that is served by the same server."""

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """What has to be open while it serves."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        ...


def application(gateway: Gateway, *, beside: Mapping[str, Part] | None = None) -> App:
    """An ASGI application. It stands behind a Threshold. beside: other applications by their path."""
    parts = beside or {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts.values():
                await stack.enter_async_context(part.lifespan())
            yield

    api = FastAPI(title="kubemend", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    _errors(api)
    _routes(api, gateway)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        part = parts.get(scope.get("path", ""))
        await (api if part is None else part)(scope, receive, send)

    return serve


def _routes(api: FastAPI, gateway: Gateway) -> None:
    @api.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @api.get(TOOLS, summary="Every tool that may be called here.")
    async def list_tools(module: str = "", risk: str = "high") -> Response:
        asked = prospectus.chosen(gateway.tools, modules=[module] if module else (), risk=_risk(risk))
        found = [prospectus.short(t) for t in asked.values()]
        return _json({"tools": found, "total": len(found)})

    @api.get(TOOLS + "/{name}", summary="What a tool takes, answers and needs.")
    async def describe(name: str) -> Response:
        return _json(prospectus.whole(prospectus.known(gateway.tools, name)))

    for tool in gateway.tools.values():
        path, about = f"{TOOLS}/{tool.name}", _operation(tool)
        api.post(path, summary=tool.summary, description=tool.doc, openapi_extra=about)(_call(gateway, tool.name))

    @api.post(TOOLS + "/{name}", include_in_schema=False)
    async def call_unknown(name: str, request: Request) -> Response:
        return await _call(gateway, name)(request)


def _operation(tool: Tool) -> dict[str, Any]:
    body = {"required": False, "content": {"application/json": {"schema": tool.schema}}}
    return {"operationId": tool.name, "tags": [tool.module], "x-risk": tool.risk.name.lower(), "requestBody": body}


def _call(gateway: Gateway, name: str) -> Callable[[Request], Awaitable[Response]]:
    """The route of one tool. The body is taken raw: only the gateway checks it, so a refusal is the same everywhere."""

    async def call(request: Request) -> Response:
        arguments = _arguments(await _body(request))
        work = gateway.call(name, arguments, actor=f"http:{request.scope[CALLER]}")
        answer = await _while_wanted(asyncio.create_task(work), request)
        return _json(answer, 200 if answer.error is None else STATUS.get(answer.error.code, 422))

    return call


async def _while_wanted(work: asyncio.Task[Answer], request: Request) -> Answer:
    """Wait for an answer, and cancel the work when whoever asked goes away."""
    gone = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
        return await work
    finally:
        work.cancel()
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, f"a request has at most {LARGEST} bytes")
    return bytes(body)


def _arguments(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise HTTPException(400, f"the body is no JSON object: {error}") from error


def _risk(word: str) -> Risk:
    try:
        return Risk[word.upper()]
    except KeyError as error:
        raise HTTPException(400, f"risk is one of {', '.join(r.name.lower() for r in Risk)}") from error


def _json(data: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status_code=status, media_type="application/json")


def _errors(api: FastAPI) -> None:
    """Every error in one shape."""

    @api.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, "INTERNAL" if error.status_code >= 500 else "INVALID_REQUEST")
        return JSONResponse(problem(code, str(error.detail)), error.status_code, headers=error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse(problem("INVALID_REQUEST", str(error.errors()[0]["msg"])), 400)

    @api.exception_handler(KubemendError)
    async def ours(_: Request, error: KubemendError) -> JSONResponse:
        status = 404 if error.code.startswith("unknown-") else 500
        code = "NOT_FOUND" if status == 404 else "INTERNAL"
        return JSONResponse(problem(code, error.message, error.hint or ""), status)

    @api.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse(problem("INTERNAL", "kubemend failed; its log says how"), 500)
