"""The Model Context Protocol, spoken by the official client of another language: JavaScript, over stdio and HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tools_node
from tools_doors import listening, over_http
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.model.access import Risk
from kubemend.model.repair import State

# Two programs of their own start for each test, and the first one waits for the client's packages.
pytestmark = pytest.mark.timeout(180)

KEY = "a-key-nobody-would-guess"
SCALE = ("scale_deployment", {"deployment_name": "web", "namespace": "shop", "replicas": 3})


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as a file. Without Node.js a person's run skips, and CI fails."""
    try:
        return tools_node.installed(tmp_path_factory.mktemp("mcp-client"))
    except tools_node.NoNode as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@asynccontextmanager
async def stdio(everything: Everything, *, key: str = "") -> AsyncIterator[dict[str, Any]]:
    yield tools_node.over_stdio(everything.access)


@asynccontextmanager
async def http(everything: Everything, *, key: str = KEY) -> AsyncIterator[dict[str, Any]]:
    async with Rooms().gateway(everything.access) as gateway, listening(over_http(gateway), {KEY: "alice"}) as url:
        yield {"url": f"{url}/mcp", "key": key}


each_transport = pytest.mark.parametrize("door", [stdio, http], ids=["stdio", "http"])


async def replicas(everything: Everything) -> tuple[int, int]:
    """How many replicas the Deployment wants, and how many are ready, as the cluster has it."""
    found = (await everything.lab._cluster.api.get("Deployment", "shop", "web")) or {}
    return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)


async def states(everything: Everything) -> list[State]:
    async with Rooms().ledger(everything.access.store) as ledger:
        return [r.state for r in await ledger.repairs.list()]


@each_transport
async def test_another_languages_client_lists_every_tool_with_its_schema_and_true_hints(
    door: Any, client: Path, everything: Everything
) -> None:
    async with door(everything) as server:
        seen = await tools_node.run(client, server)
    assert seen["server"]["name"] == "kubemend"
    listed = {t["name"]: t for t in seen["tools"]}
    assert set(listed) == set(catalogue.tools())
    assert len(seen["tools"]) == len(listed)
    for tool in catalogue.tools().values():
        found = listed[tool.name]
        assert found["inputSchema"] == tool.schema
        assert found["annotations"]["readOnlyHint"] is (tool.risk is Risk.READ), tool.name
        assert found["annotations"]["destructiveHint"] is (tool.risk is not Risk.READ), tool.name
        assert found["outputSchema"]["type"] == "object"


@each_transport
async def test_it_calls_tools_and_gets_structured_answers_that_fit_what_was_announced(
    door: Any, client: Path, everything: Everything
) -> None:
    asked = (
        ("list_kubernetes_pods", {"namespace": "shop"}),
        ("get_kubernetes_namespaces", {}),
        ("trace_service_chain", {"service_name": "web", "namespace": "shop"}),
        ("no_such_tool", {}),
        ("list_kubernetes_pods", {"namespace": "shop", "colour": "blue"}),
    )
    async with door(everything) as server:
        seen = await tools_node.run(client, server, *asked)
    pods, spaces, chain, unknown, strange = seen["answers"]
    for answer in seen["answers"]:
        assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]
        assert answer.get("isError", False) is not answer["structuredContent"]["ok"]
    assert {row["namespace"] for row in pods["structuredContent"]["data"]} == {"shop"}
    assert "shop" in {row["name"] for row in spaces["structuredContent"]["data"]}
    assert chain["structuredContent"]["data"]["chain"]["endpoints"]["ready_count"] == 2
    assert unknown["structuredContent"]["error"]["code"] == "unknown-tool"
    assert strange["structuredContent"]["error"]["code"] == "invalid-arguments"


async def test_the_example_of_every_read_tool_fits_its_schema_in_that_languages_reading(
    client: Path, everything: Everything
) -> None:
    reads = [t for t in catalogue.tools().values() if t.risk is Risk.READ]
    asked = [(t.name, dict(e)) for t in reads for e in t.examples]
    async with http(everything) as server:
        seen = await tools_node.run(client, server, *asked)
    assert len(seen["answers"]) == len(asked)
    wrong = {n: a["structuredContent"].get("error") for (n, _), a in zip(asked, seen["answers"], strict=True)}
    assert not any(wrong.values()), {n: e for n, e in wrong.items() if e}


@each_transport
async def test_a_yes_through_it_scales_the_deployment(door: Any, client: Path, everything: Everything) -> None:
    assert await replicas(everything) == (2, 2)
    async with door(everything) as server:
        seen = await tools_node.run(client, server, SCALE, person="accept")
    (answer,) = seen["answers"]
    assert answer["structuredContent"]["data"]["state"] == "succeeded", answer
    (shown,) = seen["shown"]
    assert "scale Deployment shop/web from 2 to 3" in shown
    assert "+  replicas: 3" in shown
    assert [n for n, _ in seen["progress"]] == list(range(1, len(seen["progress"]) + 1))
    assert "checks begin" in [line for _, line in seen["progress"]]
    assert await replicas(everything) == (3, 3)
    assert everything.written() == ["patch deployments/scale web"]
    assert await states(everything) == [State.SUCCEEDED]


@each_transport
async def test_a_no_through_it_changes_nothing(door: Any, client: Path, everything: Everything) -> None:
    async with door(everything) as server:
        seen = await tools_node.run(client, server, SCALE, person="decline")
    assert len(seen["shown"]) == 1
    await _unchanged(everything, seen, "rejected", State.REJECTED)


@each_transport
async def test_without_elicitation_it_is_refused_and_the_plan_waits(
    door: Any, client: Path, everything: Everything
) -> None:
    async with door(everything) as server:
        seen = await tools_node.run(client, server, SCALE, person=None)
    assert seen["shown"] == []
    await _unchanged(everything, seen, "approval-required", State.AWAITING_APPROVAL)
    hint = seen["answers"][0]["structuredContent"]["error"]["hint"]
    assert hint.startswith("kubemend approvals approve")


async def _unchanged(everything: Everything, seen: dict[str, Any], code: str, state: State) -> None:
    (answer,) = seen["answers"]
    assert answer["isError"]
    assert answer["structuredContent"]["error"]["code"] == code
    assert everything.written() == []
    assert await replicas(everything) == (2, 2)
    assert await states(everything) == [state]


@pytest.mark.parametrize("key", ["", "a-key-somebody-guessed"], ids=["no key", "a wrong key"])
async def test_over_http_it_is_not_let_in_without_the_key(key: str, client: Path, everything: Everything) -> None:
    async with http(everything, key=key) as server:
        seen = await tools_node.run(client, server, SCALE, person="accept", fails=401)
    assert (seen["tools"], seen["answers"], seen["shown"]) == ([], [], [])
    assert everything.written() == []


async def test_its_calls_are_recorded_under_the_name_that_its_key_stands_for(
    client: Path, everything: Everything
) -> None:
    async with http(everything) as server:
        await tools_node.run(client, server, ("get_kubernetes_namespaces", {}))
    async with Rooms().ledger(everything.access.store) as ledger:
        assert (await ledger.audit.list(limit=1))[0].actor == "mcp:alice"
