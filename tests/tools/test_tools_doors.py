"""Whichever door a tool is called through: the same answer, the same refusal, one audit record."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tools_doors import DOORS
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.engine.gateway import Gateway
from kubemend.model.access import Risk
from kubemend.model.answer import Answer
from kubemend.store.audit import Record
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.people import actor

REFUSED = {
    "unknown-tool": ("list_kubernetes_podz", {"namespace": "shop"}),
    "invalid-arguments": ("list_kubernetes_pods", {"namespace": "../etc"}),
    "not-found": ("get_kubernetes_pod_logs", {"namespace": "shop", "pod_name": "nobody"}),
    "approval-required": ("scale_deployment", {"deployment_name": "web", "namespace": "shop", "replicas": 3}),
}
"""Calls that are refused, by the code they are refused with."""
READING = {"kubectl"}
"""Tools of greater risk whose first example only reads."""


@dataclass
class Heard:
    """What the gateway really answered, so that a door can be held against it to the letter."""

    answers: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    kept, call = Heard(), Gateway.call

    async def listened(self: Gateway, *args: Any, **more: Any) -> Answer:
        answer = await call(self, *args, **more)
        kept.answers.append(msgspec.json.decode(msgspec.json.encode(answer)))
        return answer

    monkeypatch.setattr(Gateway, "call", listened)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return kept


async def _records(access: Access) -> list[Record]:
    async with Rooms().ledger(access.store) as ledger:
        return [r for r in await ledger.audit.list(limit=10_000) if r.kind == "tool"]


each_door = pytest.mark.parametrize("door", DOORS)


@each_door
@pytest.mark.timeout(300)
async def test_every_tool_answers_through_every_door_as_at_the_gateway_and_is_recorded_once(
    door: str, everything: Everything, heard: Heard
) -> None:
    before = len(await _records(everything.access))
    async with DOORS[door](everything.access) as call:
        for tool in catalogue.tools().values():
            said = await call(tool.name, dict(tool.examples[0]))
            assert said == heard.answers[-1], tool.name
            assert said["ok"] is (tool.risk is Risk.READ or tool.name in READING), said
    written = (await _records(everything.access))[before:]
    assert [r.detail["tool"] for r in written] == list(catalogue.tools())
    whose = {r.actor.partition(":")[0] for r in written}
    assert whose == {actor() if door == "cli" else door}


@each_door
@pytest.mark.parametrize("code", REFUSED)
async def test_what_is_refused_is_refused_in_the_same_words_and_recorded_once(
    code: str, door: str, everything: Everything, heard: Heard
) -> None:
    tool, arguments = REFUSED[code]
    before = len(await _records(everything.access))
    async with DOORS[door](everything.access) as call:
        said = await call(tool, arguments)
    assert (said["ok"], said["error"]["code"]) == (False, code)
    assert said == heard.answers[-1]
    [record] = (await _records(everything.access))[before:]
    assert (record.detail["tool"], record.detail["code"], record.detail["ok"]) == (tool, code, False)
    plain = await everything.gateway.call(tool, arguments, actor="test")
    assert plain.error is not None
    assert plain.error.message == said["error"]["message"]
