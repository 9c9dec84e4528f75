"""The one gateway behind all doors: whose namespace counts, who is asked, and what a cancellation may cut."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from tools_mcp import Person, http
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.model.repair import Repair, State

SCALE = {"deployment_name": "web", "namespace": "shop", "replicas": 3}
ENDED = (State.SUCCEEDED, State.ROLLED_BACK, State.FAILED, State.ESCALATED, State.REFUSED)


async def yes(_: Repair, __: dict[str, Any]) -> bool:
    return True


async def _repairs(everything: Everything) -> list[Repair]:
    async with Rooms().ledger(everything.access.store) as ledger:
        return await ledger.repairs.list()


async def _codes(everything: Everything) -> list[str]:
    async with Rooms().ledger(everything.access.store) as ledger:
        return [r.detail["code"] for r in await ledger.audit.list(limit=1000) if r.kind == "tool"]


async def test_a_repair_that_has_begun_is_brought_to_its_end_before_a_cancellation_is_obeyed(
    everything: Everything,
) -> None:
    begun = asyncio.Event()

    def tell(line: str) -> None:
        if line == "checks begin":
            begun.set()

    call = asyncio.create_task(everything.gateway.call("scale_deployment", SCALE, actor="test", ask=yes, tell=tell))
    await begun.wait()
    for _ in range(3):
        call.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [r.state for r in await _repairs(everything)] == [State.SUCCEEDED]
    assert await _codes(everything) == ["cancelled"]


async def test_a_client_that_goes_away_in_the_middle_of_a_repair_leaves_it_whole(everything: Everything) -> None:
    begun = asyncio.Event()

    async def progress(_: float, __: float | None, line: str | None) -> None:
        if line == "checks begin":
            begun.set()

    person = Person("accept", approve=True)
    async with http(everything.access, mode="legacy", elicitation_callback=person) as client:
        call = asyncio.create_task(client.call_tool("scale_deployment", SCALE, progress_callback=progress))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert [r.state for r in await _repairs(everything)] == [State.SUCCEEDED]


async def test_a_cancelled_read_ends_and_is_recorded(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def endless(*_: Any, **__: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(everything.gateway._reader, "list", endless)
    call = asyncio.create_task(everything.gateway.call("list_kubernetes_pods", {}, actor="test"))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await _codes(everything) == ["cancelled"]


@pytest.mark.parametrize(
    ("said", "state"), [(True, State.SUCCEEDED), (False, State.REJECTED), (None, State.AWAITING_APPROVAL)]
)
async def test_only_a_clear_yes_writes(said: bool | None, state: State, everything: Everything) -> None:
    async def ask(_: Repair, __: dict[str, Any]) -> bool | None:
        return said

    answer = await everything.gateway.call("scale_deployment", SCALE, actor="test", ask=ask)
    assert answer.ok is (said is True)
    assert [r.state for r in await _repairs(everything)] == [state]


async def test_the_card_that_a_person_reads_holds_no_secret_of_the_cluster(everything: Everything) -> None:
    cards: list[dict[str, Any]] = []

    async def ask(_: Repair, card: dict[str, Any]) -> None:
        cards.append(card)

    await everything.gateway.call("scale_deployment", SCALE, actor="test", ask=ask)
    assert "replicas: 3" in cards[0]["diff"]
    assert "canary" not in str(cards)


async def test_a_namespace_of_the_place_is_given_to_tools_that_take_one_and_named_none(everything: Everything) -> None:
    access = dataclasses.replace(everything.access, namespace="shop")
    async with Rooms().gateway(access) as gateway:
        pods = await gateway.call("list_kubernetes_pods", {}, actor="test")
        assert {row["namespace"] for row in pods.data} == {"shop"}
        elsewhere = await gateway.call("list_kubernetes_pods", {"namespace": "kube-system"}, actor="test")
        assert "shop" not in {row["namespace"] for row in elsewhere.data}
        nodes = await gateway.call("list_kubernetes_nodes", {}, actor="test")
        assert nodes.ok
