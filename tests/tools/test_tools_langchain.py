"""The tools in stock LangChain and LangGraph, with a scripted model in place of a language model."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from tools_world import Everything

from kubemend import langchain
from kubemend.app import Rooms
from kubemend.model.repair import State
from kubemend.surfaces.cli.options import Access

# A process of its own takes half a minute to start on a machine that is busy with ten other things.
pytestmark = pytest.mark.timeout(180)

SCALE = {"deployment_name": "web", "namespace": "shop", "replicas": 3}


class ScriptedModel(BaseChatModel):
    """No language model: it says, one after the other, what the test wrote down."""

    script: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> ScriptedModel:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        turn = sum(isinstance(m, AIMessage) for m in messages)
        return ChatResult(generations=[ChatGeneration(message=self.script[turn])])


def calls(*wanted: tuple[str, dict[str, Any]]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": n, "args": a, "id": f"{n}-{i}"} for i, (n, a) in enumerate(wanted)])


@pytest.fixture
async def everything(everything: Everything) -> AsyncIterator[Everything]:
    yield everything
    # Before the cluster goes: whoever it still talks to would be cut off.
    await asyncio.to_thread(langchain.close)


def tools_of(access: Access, **more: Any) -> dict[str, BaseTool]:
    return {t.name: t for t in langchain.get_tools(store=access.store, **more)}


def answers(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(m.content) for m in state["messages"] if isinstance(m, ToolMessage)]


async def _actors(access: Access) -> list[str]:
    async with Rooms().ledger(access.store) as ledger:
        return [r.actor for r in await ledger.audit.list() if r.kind == "tool"]


@asynccontextmanager
async def _another(namespace: str) -> AsyncIterator[str]:
    """A second cluster with a namespace of its own."""
    async with Rooms().practice(nodes=1, pace=0.02) as lab:
        await lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        try:
            yield str(lab.kubeconfig)
        finally:
            await asyncio.to_thread(langchain.close)


async def test_an_agent_of_stock_langchain_works_with_the_tools_where_its_configuration_says(
    everything: Everything,
) -> None:
    model = ScriptedModel(
        script=[
            calls(("get_kubernetes_namespaces", {}), ("list_kubernetes_deployments", {})),
            calls(("scale_deployment", {"deployment_name": "web", "replicas": 3}), ("list_kubernetes_pods", {"x": 1})),
            AIMessage("web has two replicas; a third waits for a yes"),
        ]
    )
    agent = create_agent(model, langchain.get_tools(store=everything.access.store))
    place = {"kubeconfig_path": everything.access.kubeconfig, "namespace": "shop", "actor": "alice"}
    state = await agent.ainvoke({"messages": [("user", "scale web to 3")]}, {"configurable": place})
    namespaces, deployments, scaled, refused = answers(state)
    assert "shop" in {row["name"] for row in namespaces["data"]}
    assert {("web", "shop")} <= {(row["name"], row["namespace"]) for row in deployments["data"]}
    assert {row["namespace"] for row in deployments["data"]} == {"shop"}
    assert scaled["error"]["code"] == "approval-required"
    assert refused["error"]["code"] == "invalid-arguments"
    assert await _actors(everything.access) == ["alice"] * 4


async def test_two_configurations_at_once_do_not_mix(everything: Everything) -> None:
    async with _another("depot") as other:
        tool = tools_of(everything.access)["get_kubernetes_namespaces"]
        places = {"shop": (everything.access.kubeconfig, "depot"), "depot": (other, "shop")}

        async def asked(own: str) -> None:
            path, foreign = places[own]
            config = {"configurable": {"kubeconfig_path": path, "actor": own}}
            found = json.loads(await tool.ainvoke({}, config))
            names = {row["name"] for row in found["data"]}
            assert own in names
            assert foreign not in names

        await asyncio.gather(*(asked(own) for _ in range(20) for own in places))
        assert sorted(await _actors(everything.access)) == ["depot"] * 20 + ["shop"] * 20


async def test_several_clusters_are_picked_by_name_id_or_context(everything: Everything) -> None:
    async with _another("depot") as other:
        first = await asyncio.to_thread(Path(everything.access.kubeconfig).read_text)
        second = await asyncio.to_thread(Path(other).read_text)
        renamed = yaml.safe_load(second)
        context = renamed["current-context"] = renamed["contexts"][0]["name"] = "depot-context"
        instances = [{"kubeconfig_data": first}, {"id": 7, "name": "B", "kubeconfig_data": yaml.safe_dump(renamed)}]
        tool = tools_of(everything.access)["get_kubernetes_namespaces"]

        async def seen(args: dict[str, Any], **configurable: Any) -> set[str]:
            listed = {"kubernetes_instances": json.dumps(instances), **configurable}
            found = json.loads(await tool.ainvoke(args, {"configurable": listed}))
            return {row["name"] for row in found["data"]} & {"shop", "depot"}

        assert await seen({}) == {"shop"}
        assert await seen({}, instance_name="Kubernetes - 1") == {"shop"}
        assert await seen({}, instance_id="k8s-1") == {"shop"}
        for pick in ({"instance_name": "B"}, {"instance_id": "7"}, {"instance_id": 7}, {"instance_name": context}):
            assert await seen({}, **pick) == {"depot"}
            assert await seen(pick) == {"depot"}
        chosen = tools_of(everything.access, kubernetes_instances=instances)["get_kubernetes_namespaces"]
        assert chosen.args["instance_name"]["enum"] == ["Kubernetes - 1", "B"]
        lost = json.loads(await chosen.ainvoke({"instance_name": "C"}))
        assert lost["error"]["code"] == "instance-unknown"


@pytest.mark.parametrize(
    ("configurable", "code"),
    [
        ({"kubeconfig_path": "/nowhere/config"}, "kubeconfig-missing"),
        ({"kubeconfig_data": "- no\n- kubeconfig"}, "kubeconfig-invalid"),
        ({"kubeconfig_data": 7}, "configurable-invalid"),
        ({"kubernetes_instances": "[]"}, "configurable-invalid"),
        ({"kubernetes_instances": [{"name": 1}]}, "configurable-invalid"),
        ({"context": "nowhere"}, "context-unknown"),
    ],
    ids=str,
)
async def test_a_configuration_that_cannot_be_used_is_an_answer_and_never_an_exception(
    configurable: dict[str, Any], code: str, everything: Everything
) -> None:
    tool = tools_of(everything.access, kubeconfig_path=everything.access.kubeconfig)["list_kubernetes_pods"]
    found = json.loads(await tool.ainvoke({}, {"configurable": configurable}))
    assert (found["ok"], found["error"]["code"]) == (False, code)


@pytest.mark.parametrize("given", ["what pods are there?", "[1, 2]", '{"limit": 0}', ""], ids=repr)
async def test_whatever_an_agent_of_text_sends_is_answered(given: str, everything: Everything) -> None:
    tool = tools_of(everything.access, kubeconfig_path=everything.access.kubeconfig)["list_kubernetes_pods"]
    assert json.loads(await tool.ainvoke(given))["error"]["code"] == "invalid-arguments"
    assert json.loads(await tool.ainvoke('{"namespace": "shop"}'))["ok"]


async def test_without_an_event_loop_the_tools_work_too(tmp_path: Path) -> None:
    async with _another("depot") as path:
        [tool] = langchain.get_tools(
            tools=["get_kubernetes_namespaces"], kubeconfig_path=path, store=tmp_path / "ledger.db"
        )
        assert "depot" in await asyncio.to_thread(tool.invoke, {})


async def test_a_program_that_closes_nothing_ends_all_the_same_and_without_complaint(tmp_path: Path) -> None:
    code = (
        "import sys; from kubemend.langchain import get_tools;"
        "[t] = get_tools(tools=['get_kubernetes_namespaces'], kubeconfig_path=sys.argv[1], store=sys.argv[2]);"
        "print(t.invoke({}))"
    )
    async with _another("depot") as path:
        words, pipe = ["-c", code, path, str(tmp_path / "ledger.db")], asyncio.subprocess.PIPE
        ran = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe, stderr=pipe)
        said, complained = await ran.communicate()
    assert (ran.returncode, complained) == (0, b"")
    assert b"depot" in said


@pytest.mark.parametrize(
    ("said", "state"),
    [(True, State.SUCCEEDED), (False, State.REJECTED), (None, State.AWAITING_APPROVAL)],
    ids=["yes", "no", "no answer"],
)
async def test_a_change_asks_the_person_that_the_program_names(
    said: bool | None, state: State, everything: Everything
) -> None:
    shown: list[dict[str, Any]] = []

    async def approve(card: dict[str, Any]) -> bool | None:
        shown.append(card)
        return said

    tool = tools_of(
        everything.access, kubeconfig_path=everything.access.kubeconfig, allow_changes=True, approve=approve
    )["scale_deployment"]
    found = json.loads(await tool.ainvoke(SCALE))
    assert found["ok"] is (said is True)
    assert "+  replicas: 3" in shown[0]["diff"]
    async with Rooms().ledger(everything.access.store) as ledger:
        assert [r.state for r in await ledger.repairs.list()] == [state]


async def test_langgraphs_interrupt_can_be_the_one_who_asks(everything: Everything) -> None:
    tools = langchain.get_tools(
        tools=["scale_deployment"],
        kubeconfig_path=everything.access.kubeconfig,
        store=everything.access.store,
        allow_changes=True,
        approve=lambda card: interrupt({"repair": card["repair"], "diff": card["diff"]}),
    )
    model = ScriptedModel(script=[calls(("scale_deployment", SCALE)), AIMessage("done")])
    agent = create_agent(model, tools, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    frozen = await agent.ainvoke({"messages": [("user", "scale web to 3")]}, thread)
    [asked] = frozen["__interrupt__"]
    assert "+  replicas: 3" in asked.value["diff"]
    async with Rooms().ledger(everything.access.store) as ledger:
        assert [r.state for r in await ledger.repairs.list()] == [State.AWAITING_APPROVAL]
    state = await agent.ainvoke(Command(resume=True), thread)
    [scaled] = answers(state)
    assert (scaled["ok"], scaled["data"]["state"]) == (True, "succeeded")
    async with Rooms().ledger(everything.access.store) as ledger:
        assert [(r.id, r.state) for r in await ledger.repairs.list()] == [(asked.value["repair"], State.SUCCEEDED)]


async def test_a_configuration_cannot_give_leave_to_write(everything: Everything) -> None:
    asked: list[Any] = []
    tool = tools_of(
        everything.access, kubeconfig_path=everything.access.kubeconfig, approve=lambda card: asked.append(card) or True
    )["scale_deployment"]
    found = json.loads(await tool.ainvoke(SCALE, {"configurable": {"allow_changes": True, "store": "/tmp/x"}}))
    assert found["error"]["code"] == "approval-required"
    assert "read-only" in found["error"]["message"]
    assert asked == []


async def test_gateways_that_nobody_uses_are_closed_beyond_the_most(everything: Everything) -> None:
    from kubemend.surfaces.langchain.clusters import Clusters
    from kubemend.surfaces.langchain.configuration import Target

    opened: list[str] = []
    closed: list[str] = []

    @asynccontextmanager
    async def gateway(target: Target) -> AsyncIterator[Any]:
        opened.append(str(target.context))
        yield target.context
        closed.append(str(target.context))

    clusters = Clusters(gateway, most=2)

    async def use(given: Any) -> str:
        return str(given)

    for name in ("a", "b", "a", "c"):
        assert await asyncio.wrap_future(clusters.run(Target(context=name), use)) == name
    await asyncio.to_thread(clusters.close)
    assert (opened, closed) == (["a", "b", "c"], ["b", "a", "c"])
