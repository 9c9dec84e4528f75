"""Every tool on a real control plane, as an account that has the rights which the tool declares, and no others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from tools_plane import Grounds, grounds
from tools_shape import Shape, differences, shape
from tools_world import everything_in

from kubemend.engine import catalogue, prospectus
from kubemend.engine.gateway import Gateway
from kubemend.model.access import Access, Risk
from kubemend.model.order import Errand
from kubemend.model.repair import Repair
from kubemend.model.tool import Tool

TOOLS = catalogue.tools()
each = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


@pytest.fixture(scope="module")
def ground(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with grounds(programs, tmp_path_factory.mktemp("grounds")) as found:
        yield found


@pytest.fixture(scope="module")
def practised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Every tool's answers to its examples on the practice cluster."""

    async def asked() -> dict[str, list[Any]]:
        async with everything_in(tmp_path_factory.mktemp("practised")) as everything:
            return {t.name: await answers(everything.gateway, t) for t in TOOLS.values()}

    return asyncio.run(asked())


async def answers(gateway: Gateway, tool: Tool) -> list[Any]:
    """What it answers to each of its examples."""
    told = [await gateway.call(tool.name, example, actor="test") for example in tool.examples]
    return [msgspec.json.decode(msgspec.json.encode(a)) for a in told]


def shapes(tool: Tool, told: list[Any]) -> list[Shape]:
    """The shape of the data of each."""
    schema = prospectus.answers(tool)
    data = {**schema["properties"]["data"], "$defs": schema["$defs"]}
    return [shape(a["data"], data) for a in told]


def gaps(answer: Any) -> set[str]:
    """What is missing in it. Pods are named by whom they belong to: the rest of their names is chance."""
    return {re.sub(r"-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "", gap["what"]) for gap in answer["incomplete"]}


@each
@pytest.mark.timeout(300)
async def test_its_examples_work_with_the_declared_rights_alone_and_answer_in_the_practice_clusters_shape(
    tool: Tool, ground: Grounds, practised: dict[str, list[Any]]
) -> None:
    async with ground.gateway(tool) as (gateway, recorder):
        told = await answers(gateway, tool)
    for answer, known in zip(told, practised[tool.name], strict=True):
        jsonschema.validate(answer, prospectus.answers(tool))
        code, known_code = ((a["error"] or {}).get("code", "") for a in (answer, known))
        assert (answer["ok"], code) == (known["ok"], known_code), answer["error"]
        assert gaps(answer) == gaps(known)
    found = [differences(a, b) for a, b in zip(shapes(tool, told), shapes(tool, practised[tool.name]), strict=True)]
    assert found == [[] for _ in tool.examples]
    assert recorder.asked <= tool.needs


@pytest.mark.parametrize("missing", [Access("list", "nodes"), Access("list", "pods", "metrics.k8s.io")], ids=str)
async def test_with_one_right_less_it_says_what_it_could_not_read(missing: Access, ground: Grounds) -> None:
    """The rights are needed: without one of them an answer isn't the same."""
    tool = TOOLS["analyze_cluster_performance"]
    assert missing in tool.needs
    less = Tool(tool.function, tool.risk, tool.needs - {missing}, tool.examples)
    async with ground.gateway(less) as (gateway, _):
        [answer] = await answers(gateway, tool)
    assert not answer["ok"] or answer["incomplete"], answer


@pytest.mark.timeout(600)
async def test_what_changes_something_is_carried_out_with_its_declared_rights_and_taken_back(
    ground: Grounds, say: Callable[[str], None]
) -> None:
    """Each after a yes, to its proven end; then undone, where that can be, so that the next finds its world."""
    told = ["tool                            carried out   taken back"]
    for name in ORDER:
        async with ground.gateway(TOOLS[name]) as (gateway, _):
            answer = await gateway.call(name, CHANGES.get(name, TOOLS[name].examples[0]), actor="test", ask=_yes)
            assert answer.ok, (name, answer.error)
            back = "-"
            if name not in FINAL:
                undone = await gateway.call("undo_repair", {"repair_id": answer.data["id"]}, actor="test", ask=_yes)
                assert undone.ok, (name, undone.error)
                back = undone.data["state"]
        told.append(f"{name:<31} {answer.data['state']:<13} {back}")
    say("\n".join(told))


ORDER = [
    *("cordon_node", "uncordon_node", "set_image", "set_resources", "scale_deployment", "rollback_deployment"),
    *("patch_resource", "kubectl", "delete_kubernetes_resource", "restart_pod", "batch_restart_pods"),
    *("cleanup_failed_pods", "drain_node"),
]
"""Every tool that changes something but the errands, which are asked in between, and exec, which needs a real node."""
FINAL = {"restart_pod", "drain_node", "cleanup_failed_pods"}
"""What has begun again elsewhere can't be taken back."""
CHANGES = {"kubectl": {"command": "kubectl scale deployment/web -n shop --replicas=3"}}


async def _yes(_repair: Repair, _card: dict[str, Any]) -> bool:
    return True


def test_every_tool_that_changes_something_is_carried_out_here() -> None:
    changing = {t.name for t in TOOLS.values() if t.risk is not Risk.READ and t.answers is not Errand}
    assert set(ORDER) == changing - {"exec_in_pod"}
