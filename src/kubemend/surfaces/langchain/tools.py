"""A tool as LangChain knows it: JSON text as answer, never an exception for what a model or a cluster did."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from kubemend.engine.gateway import Ask, failure
from kubemend.model.access import Risk
from kubemend.model.answer import Answer
from kubemend.model.errors import InvalidInput, KubemendError
from kubemend.model.repair import Repair
from kubemend.model.tool import Tool
from kubemend.surfaces.langchain.clusters import Clusters
from kubemend.surfaces.langchain.configuration import PICKS, Given, Target

Approve = Callable[[dict[str, Any]], bool | Awaitable[bool | None] | None]
"""Asks a person about one plan, given as people see it. True carries it out, False rejects it, None lets it wait.

It runs where the tool was called, so that LangGraph's `interrupt` can be it.
"""


class ClusterTool(BaseTool):
    """One tool of kubemend. The RunnableConfig says which cluster a call is about."""

    _clusters: Clusters = PrivateAttr()
    _given: Given = PrivateAttr()
    _approve: Approve | None = PrivateAttr()

    def __init__(self, tool: Tool, clusters: Clusters, given: Given, approve: Approve | None) -> None:
        super().__init__(
            name=tool.name,
            description=tool.doc,
            args_schema=_schema(tool, given),
            tags=[tool.module],
            metadata={"risk": tool.risk.name.lower(), "read_only": tool.risk is Risk.READ},
        )
        self._clusters, self._given, self._approve = clusters, given, approve

    def _run(self, *, runnable_config: RunnableConfig, **arguments: Any) -> str:
        try:
            given, target, own = self._meant(runnable_config, arguments)
            answer = self._begin(target, own, given.actor, None).result()
            if (card := self._asking(answer, target)) is not None:
                said = self._approve(card) if self._approve is not None else None
                if inspect.isawaitable(said):
                    raise InvalidInput("the person is asked asynchronously: call the tool by ainvoke", code="usage")
                if said is not None:
                    answer = self._begin(target, own, given.actor, agreed(card, yes=said)).result()
        except KubemendError as error:
            answer = Answer(tool=self.name, ok=False, error=failure(error))
        return text(answer)

    async def _arun(self, *, runnable_config: RunnableConfig, **arguments: Any) -> str:
        try:
            given, target, own = self._meant(runnable_config, arguments)
            answer = await asyncio.wrap_future(self._begin(target, own, given.actor, None))
            if (card := self._asking(answer, target)) is not None:
                said = self._approve(card) if self._approve is not None else None
                if inspect.isawaitable(said):
                    said = await said
                if said is not None:
                    ask = agreed(card, yes=said)
                    answer = await asyncio.wrap_future(self._begin(target, own, given.actor, ask))
        except KubemendError as error:
            answer = Answer(tool=self.name, ok=False, error=failure(error))
        return text(answer)

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(tool_input, dict):
            return super()._to_args_and_kwargs(tool_input, tool_call_id)
        # Agents that speak in text give their arguments as JSON; what is none is for the gateway to refuse.
        try:
            return (), msgspec.json.decode(tool_input, type=dict[str, Any])
        except msgspec.DecodeError:
            return (), {"input": tool_input}

    def _meant(
        self, config: RunnableConfig | None, arguments: Mapping[str, Any]
    ) -> tuple[Given, Target, dict[str, Any]]:
        given = self._given.under((config or {}).get("configurable") or {})
        return given, *given.picked(arguments)

    def _begin(self, target: Target, arguments: dict[str, Any], actor: str, ask: Ask | None) -> Future[Answer]:
        return self._clusters.run(target, lambda gateway: gateway.call(self.name, arguments, actor=actor, ask=ask))

    def _asking(self, answer: Answer, target: Target) -> dict[str, Any] | None:
        """The plan to ask a person about, where there is one, a person, and leave to write."""
        waits = answer.error is not None and answer.error.code == "approval-required"
        return answer.data if waits and target.allow_changes and self._approve is not None else None


def agreed(card: Mapping[str, Any], *, yes: bool) -> Ask:
    """A person's answer to the plan on a card. It counts for that very plan; any other goes on waiting."""

    async def ask(repair: Repair, _: dict[str, Any]) -> bool | None:
        return yes if (repair.id, repair.plan.hash) == (card["repair"], card["plan"]["hash"]) else None

    return ask


def text(answer: Answer) -> str:
    """An answer as JSON text."""
    return msgspec.json.encode(answer).decode()


def _schema(tool: Tool, given: Given) -> dict[str, Any]:
    """The arguments' schema; with a choice of clusters where there are several."""
    schema = {"title": tool.name, "description": tool.summary, **tool.schema}
    if given.instances is None:
        return schema
    names = [i.name for i in given.instances]
    choice = {"type": "string", "enum": names, "description": f"Which cluster; {names[0]} when omitted."}
    return {**schema, "properties": {**tool.schema["properties"], PICKS[0]: choice}}
