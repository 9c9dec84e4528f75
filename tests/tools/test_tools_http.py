"""`/api/v1/tools` as a program meets it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from mcp import Client
from tools_doors import listening
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.engine import catalogue, prospectus
from kubemend.engine.gateway import Gateway
from kubemend.surfaces.http import application
from kubemend.surfaces.mcp import serving

TOOLS = catalogue.tools()
KEY = "a-key-nobody-would-guess"


@asynccontextmanager
async def api(everything: Everything, **more: Any) -> AsyncIterator[tuple[aiohttp.ClientSession, Gateway]]:
    async with Rooms().gateway(everything.access) as gateway:
        app = application.application(gateway, beside={serving.PATH: serving.OverHttp(gateway)})
        async with listening(app, open_paths=application.OPEN, **more) as url, aiohttp.ClientSession(url) as session:
            yield session, gateway


async def test_tools_are_listed_by_module_and_risk_and_described_in_full(everything: Everything) -> None:
    async with api(everything) as (session, _):
        whole = await (await session.get("/api/v1/tools")).json()
        assert [t["name"] for t in whole["tools"]] == list(TOOLS)
        assert whole["total"] == len(TOOLS)
        some = await (await session.get("/api/v1/tools", params={"module": "resources", "risk": "read"})).json()
        assert {t["module"] for t in some["tools"]} == {"resources"}
        assert {t["risk"] for t in some["tools"]} == {"read"}
        told = await (await session.get("/api/v1/tools/scale_deployment")).json()
        assert told == json.loads(json.dumps(prospectus.whole(TOOLS["scale_deployment"])))


async def test_the_openapi_document_has_each_tool_with_its_arguments(everything: Everything) -> None:
    async with api(everything) as (session, _):
        document = await (await session.get("/openapi.json")).json()
    for name, tool in TOOLS.items():
        operation = document["paths"][f"/api/v1/tools/{name}"]["post"]
        # OpenAPI as it is written there leaves out defaults of null.
        schema = json.loads(json.dumps(tool.schema), object_hook=_without_null_default)
        assert operation["requestBody"]["content"]["application/json"]["schema"] == schema
        assert operation["x-risk"] == tool.risk.name.lower()


def _without_null_default(found: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in found.items() if k != "default" or v is not None}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/tools/nothing", None, 404, "NOT_FOUND"),
        ("GET", "/api/v1/nothing", None, 404, "NOT_FOUND"),
        ("DELETE", "/api/v1/tools", None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/v1/tools?risk=huge", None, 400, "INVALID_REQUEST"),
        ("GET", "/api/v1/tools?module=huge", None, 404, "NOT_FOUND"),
        ("POST", "/api/v1/tools/list_kubernetes_pods", b"{", 400, "INVALID_REQUEST"),
        ("POST", "/api/v1/tools/list_kubernetes_pods", b"[]", 400, "INVALID_REQUEST"),
        ("POST", "/api/v1/tools/list_kubernetes_pods", b"\xff", 400, "INVALID_REQUEST"),
        ("POST", "/api/v1/tools/list_kubernetes_pods", b" " * ((10 << 20) + 1), 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=lambda v: str(v)[:40],
)
async def test_what_is_no_call_at_all_is_refused_in_the_shape_of_all_errors(
    method: str, path: str, body: bytes | None, status: int, code: str, *, everything: Everything
) -> None:
    data = None if body is None else io.BytesIO(body)
    async with api(everything) as (session, _), session.request(method, path, data=data) as response:
        found = await response.json()
    assert (response.status, found["error_code"], found["status"]) == (status, code, "error")
    assert found["error_details"]["message"] == found["error"]
    assert found["request_id"].startswith("req_")
    assert found["timestamp"].endswith("Z")


async def test_a_call_without_a_body_has_no_arguments(everything: Everything) -> None:
    async with api(everything) as (session, _):
        found = await session.post("/api/v1/tools/get_kubernetes_namespaces")
        assert (await found.json())["ok"]


async def test_a_key_is_asked_for_everywhere_but_at_the_probe(everything: Everything) -> None:
    async with api(everything, keys={KEY: "alice"}, local=False) as (session, _):
        for path in ("/api/v1/tools", "/openapi.json", "/mcp"):
            assert (await session.get(path)).status == 401
        assert (await session.get("/healthz")).status == 200
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer {KEY}"}):
            assert (await session.get("/api/v1/tools", headers=headers)).status == 200
        await session.post("/api/v1/tools/get_kubernetes_namespaces", headers={"X-API-Key": KEY})
    async with Rooms().ledger(everything.access.store) as ledger:
        assert (await ledger.audit.list(limit=1))[0].actor == "http:alice"


async def test_off_loopback_nobody_comes_in_without_a_key(everything: Everything) -> None:
    async with api(everything, local=False) as (session, _):
        assert (await session.get("/api/v1/tools")).status == 401


async def test_pages_of_origins_that_were_named_may_call(everything: Everything) -> None:
    async with api(everything, origins=frozenset({"https://ops.example"})) as (session, _):
        for origin, status in {
            "https://ops.example": 200,
            "http://localhost:3000": 200,
            "https://x.example": 403,
        }.items():
            assert (await session.get("/api/v1/tools", headers={"Origin": origin})).status == status


async def test_mcp_is_served_beside_it(everything: Everything) -> None:
    async with api(everything) as (session, _), Client(f"{session._base_url}/mcp") as client:
        assert len((await client.list_tools()).tools) == len(TOOLS)


async def test_a_read_ends_when_whoever_asked_has_gone(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(Gateway, "_run", endless)
    async with api(everything) as (session, _):
        call = asyncio.create_task(session.post("/api/v1/tools/get_kubernetes_namespaces"))
        await begun.wait()
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
    async with Rooms().ledger(everything.access.store) as ledger:
        assert (await ledger.audit.list(limit=1))[0].detail["code"] == "cancelled"
