"""The Model Context Protocol, spoken by the official client: over stdio and HTTP, in its old and its new form."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp_types import ElicitResult
from tools_doors import listening, over_http, reading
from tools_mcp import Person, http, stdio
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.engine.prospectus import chosen
from kubemend.model.access import Risk
from kubemend.model.repair import State
from kubemend.surfaces.cli.options import Access

# A process of its own takes half a minute to start on a machine that is busy with ten other things.
pytestmark = pytest.mark.timeout(180)

SCALE = ("scale_deployment", {"deployment_name": "web", "namespace": "shop", "replicas": 3})
ERAS = ("2026-07-28", "legacy")
both_eras = pytest.mark.parametrize("era", ERAS)


TRANSPORTS = {"stdio": stdio, "http": http}
each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


async def _last(access: Access) -> Any:
    async with Rooms().ledger(access.store) as ledger:
        return (await ledger.repairs.list(limit=1))[0]


@each_transport
@both_eras
async def test_tools_are_listed_with_schemas_and_true_hints_and_can_be_called(
    transport: str, era: str, everything: Everything
) -> None:
    async with TRANSPORTS[transport](everything.access, mode=era) as client:
        listed = {t.name: t for t in (await client.list_tools()).tools}
        assert set(listed) == set(catalogue.tools())
        for tool in catalogue.tools().values():
            found = listed[tool.name]
            assert found.input_schema == tool.schema
            assert found.annotations.read_only_hint is (tool.risk is Risk.READ)
            assert found.annotations.destructive_hint is (tool.risk is not Risk.READ)
        result = await client.call_tool("list_kubernetes_pods", {"namespace": "shop"})
        assert not result.is_error
        assert {row["namespace"] for row in result.structured_content["data"]} == {"shop"}


async def test_every_answer_fits_the_schema_that_was_announced_for_it(everything: Everything) -> None:
    # The client checks each structured answer against the tool's output schema, and raises where it doesn't fit.
    async with http(everything.access) as client:
        await client.list_tools()
        for tool in catalogue.tools().values():
            for example in tool.examples:
                result = await client.call_tool(tool.name, dict(example))
                assert result.is_error is not result.structured_content["ok"]
                assert tool.risk is not Risk.READ or not result.is_error, result.content


@each_transport
@both_eras
async def test_a_person_who_says_yes_has_the_plan_carried_out(transport: str, era: str, everything: Everything) -> None:
    person, told = Person("accept", approve=True), []

    async def progress(done: float, _: float | None, line: str | None) -> None:
        told.append((done, line))

    async with TRANSPORTS[transport](everything.access, mode=era, elicitation_callback=person) as client:
        result = await client.call_tool(*SCALE, progress_callback=progress)
    assert result.structured_content["ok"], result.structured_content
    assert result.structured_content["data"]["state"] == "succeeded"
    [shown] = person.shown
    assert "scale Deployment shop/web from 2 to 3" in shown
    assert "+  replicas: 3" in shown
    lines = [line for _, line in told]
    assert lines[0] == "every change asks a person in this mode"
    assert "checks begin" in lines
    # In the new form the call is made twice, and each counts from one.
    assert [done for done, _ in told[-3:]] == sorted({done for done, _ in told})[-3:]
    assert (await _last(everything.access)).state is State.SUCCEEDED


@both_eras
@pytest.mark.parametrize(
    ("person", "code", "state"),
    [
        (Person("decline"), "rejected", State.REJECTED),
        (Person("accept", approve=False), "rejected", State.REJECTED),
        (Person("accept"), "rejected", State.REJECTED),
        (Person("cancel"), "approval-required", State.AWAITING_APPROVAL),
    ],
    ids=["declines", "leaves the box empty", "sends no box", "closes the dialog"],
)
async def test_a_person_who_does_not_clearly_say_yes_changes_nothing(
    era: str, person: Person, code: str, state: State, everything: Everything
) -> None:
    async with http(everything.access, mode=era, elicitation_callback=person) as client:
        result = await client.call_tool(*SCALE)
    assert result.is_error
    assert result.structured_content["error"]["code"] == code
    assert (await _last(everything.access)).state is state


@pytest.mark.parametrize(("transport", "era"), [("stdio", "2026-07-28"), ("http", "legacy")])
async def test_a_client_that_cannot_ask_is_refused_and_the_plan_waits(
    transport: str, era: str, everything: Everything
) -> None:
    async with TRANSPORTS[transport](everything.access, mode=era) as client:
        result = await client.call_tool(*SCALE)
    assert result.is_error
    error = result.structured_content["error"]
    assert error["code"] == "approval-required"
    assert error["hint"].startswith("kubemend approvals approve")
    assert (await _last(everything.access)).state is State.AWAITING_APPROVAL


@both_eras
async def test_in_read_only_mode_nobody_is_asked(era: str, everything: Everything) -> None:
    person = Person("accept", approve=True)
    async with http(reading(everything.access), mode=era, elicitation_callback=person) as client:
        result = await client.call_tool(*SCALE)
    assert result.structured_content["error"]["code"] == "approval-required"
    assert "read-only" in result.structured_content["error"]["message"]
    assert person.shown == []


async def test_a_yes_counts_for_the_plan_that_was_shown_and_for_no_other(everything: Everything) -> None:
    person = Person("accept", approve=True)
    async with http(everything.access, mode="2026-07-28", elicitation_callback=person) as client:
        asked = await client.session.call_tool(*SCALE, allow_input_required=True)
        yes = {"approval": ElicitResult(action="accept", content={"approve": True})}
        other = {**SCALE[1], "replicas": 9}
        with pytest.raises(MCPError, match="requestState"):
            await client.session.call_tool(
                SCALE[0], other, input_responses=yes, request_state=asked.request_state, allow_input_required=True
            )
        with pytest.raises(MCPError, match="requestState"):
            await client.session.call_tool(
                *SCALE, input_responses=yes, request_state=asked.request_state[:-4] + "AAAA", allow_input_required=True
            )
        unasked = await client.session.call_tool(*SCALE, input_responses=yes, allow_input_required=True)
        assert unasked.result_type == "input_required"
    assert (await _last(everything.access)).state is State.AWAITING_APPROVAL


async def test_toolsets_and_single_tools_are_served_and_no_others(everything: Everything) -> None:
    more = ("--toolset", "resources", "--tool", "scale_deployment", "--without", "get_kubernetes_pod_logs")
    async with stdio(everything.access, *more) as client:
        listed = {t.name for t in (await client.list_tools()).tools}
        hidden = await client.call_tool("kubectl_get_resources", {"resource_type": "pods"})
    tools = catalogue.tools()
    assert listed == {n for n, t in tools.items() if t.module == "resources"} - {"get_kubernetes_pod_logs"} | {
        "scale_deployment"
    }
    assert hidden.structured_content["error"]["code"] == "unknown-tool"
    assert set(chosen(tools, risk=Risk.READ)) == {n for n, t in tools.items() if t.risk is Risk.READ}


async def test_prompts_lead_through_the_nine_troubles_with_tools_that_are_there(everything: Everything) -> None:
    async with http(everything.access) as client:
        prompts = (await client.list_prompts()).prompts
        assert len(prompts) == 9
        for prompt in prompts:
            told = await client.get_prompt(prompt.name, {"namespace": "shop", "name": "web"})
            text = told.messages[0].content.text
            assert "shop" in text
            assert "web" in text
            assert all(n in catalogue.tools() for n in text.split("`")[1::2] if n.startswith(("get_", "list_")))
        with pytest.raises(MCPError, match="no prompt"):
            await client.get_prompt("make-coffee")


async def test_resources_show_incidents_repairs_and_rules(everything: Everything) -> None:
    async with http(everything.access) as client:
        await client.call_tool(*SCALE)
        repair = (await _last(everything.access)).id
        assert {str(r.uri) for r in (await client.list_resources()).resources} == {
            "kubemend://incidents",
            "kubemend://repairs",
        }
        assert len((await client.list_resource_templates()).resource_templates) == 3
        for uri in ("kubemend://repairs", f"kubemend://repairs/{repair}"):
            assert repair in (await client.read_resource(uri)).contents[0].text
        assert (await client.read_resource("kubemend://incidents")).contents[0].text == "[]"
        assert "# KM101" in (await client.read_resource("kubemend://rules/KM101")).contents[0].text
        for uri in ("kubemend://incidents/i0", "kubemend://rules/KM000", "kubemend://nothing", "file:///etc/passwd"):
            with pytest.raises(MCPError, match="there is no"):
                await client.read_resource(uri)


async def test_over_http_a_key_is_asked_for_and_names_the_caller(everything: Everything) -> None:
    key = "a-key-nobody-would-guess"
    async with http(everything.access, key=key) as client:
        await client.call_tool("get_kubernetes_namespaces", {})
    async with Rooms().ledger(everything.access.store) as ledger:
        assert (await ledger.audit.list(limit=1))[0].actor == "mcp:alice"
    async with (
        Rooms().gateway(everything.access) as gateway,
        listening(over_http(gateway), {key: "alice"}) as url,
        httpx2.AsyncClient() as wire,
    ):
        for headers in ({}, {"Authorization": "Bearer wrong-key-wrong-key"}, {"Authorization": f"Basic {key}"}):
            found = await wire.post(f"{url}/mcp", json={}, headers=headers)
            assert (found.status_code, found.json()["error_code"]) == (401, "UNAUTHORIZED")
            assert found.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example"},
        {"Host": "[half"},
        {"Origin": "https://rebound.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_a_web_page_from_elsewhere_is_not_served(headers: dict[str, str], everything: Everything) -> None:
    async with (
        Rooms().gateway(everything.access) as gateway,
        listening(over_http(gateway)) as url,
        httpx2.AsyncClient() as wire,
    ):
        found = await wire.post(f"{url}/mcp", json={}, headers=headers)
    assert (found.status_code, found.json()["error_code"]) == (403, "FORBIDDEN")


@each_transport
async def test_what_a_client_cancels_ends_and_is_recorded(transport: str, everything: Everything) -> None:
    asked = asyncio.Event()

    async def silent(*_: Any) -> ElicitResult:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with TRANSPORTS[transport](everything.access, mode="legacy", elicitation_callback=silent) as client:
        call = asyncio.create_task(client.call_tool(*SCALE))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        again = await client.call_tool("get_kubernetes_namespaces", {})
        assert not again.is_error
    async with Rooms().ledger(everything.access.store) as ledger:
        codes = [r.detail["code"] for r in await ledger.audit.list() if r.kind == "tool"]
    assert "cancelled" in codes
    assert (await _last(everything.access)).state is State.AWAITING_APPROVAL
