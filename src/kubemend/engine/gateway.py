"""One door for calls: every tool call of every surface is found, checked, run, redacted, bounded and recorded here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from kubemend.cluster.errors import ClusterError
from kubemend.cluster.prometheus import Prometheus
from kubemend.cluster.reader import Reader
from kubemend.engine import views
from kubemend.engine.bounds import bounded
from kubemend.engine.desk import MendingDesk, returning, waiting
from kubemend.engine.guard.machine import refuse_final
from kubemend.engine.mender import Mender
from kubemend.engine.policy import Mode
from kubemend.kube.names import near
from kubemend.kube.redaction import redacted, text
from kubemend.model.answer import Answer, Failure, Gap
from kubemend.model.errors import InvalidInput, KubemendError
from kubemend.model.order import Errand, Order
from kubemend.model.repair import Repair, State
from kubemend.model.tool import Tool
from kubemend.tools.advice import observed
from kubemend.tools.look import Look, Memory, Place
from kubemend.tools.page import Page

log = logging.getLogger(__name__)

SIZE = 32 << 10
"""Bytes of JSON that an answer's data may have: what a model reads without losing the rest of its conversation."""

Ask = Callable[[Repair, dict[str, Any]], Awaitable[bool]]
"""Asks a person for a yes to exactly this repair; the second argument is its plan as people see it."""


class Records(Protocol):
    """Where calls are written down."""

    async def note(self, *, kind: str, actor: str, cluster: str, detail: dict[str, Any]) -> None:
        """Append one audit record."""
        ...


class OutOfTime(KubemendError):
    """A tool took longer than it may."""

    code = "timed-out"


class Gateway:
    """Calls tools on one cluster, for anybody.

    mending: opens what diagnoses and writes need (a watch cache, the guard); used only by tools that need it.
    prometheus: where use over time is asked for, if there is one. memory: where we keep it ourselves.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        reader: Reader,
        place: Place,
        cluster: str,
        records: Records,
        mending: Callable[[], AbstractAsyncContextManager[Mender]],
        prometheus: Prometheus | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.tools = tools
        self._reader, self._place, self._cluster = reader, place, cluster
        self._records, self._mending = records, mending
        self._prometheus, self._memory = prometheus, memory

    async def call(self, name: str, arguments: Mapping[str, Any], *, actor: str, ask: Ask | None = None) -> Answer:
        """Call one tool. Never raises for what a caller or a cluster did: a refusal is an answer, and recorded too.

        ask: how this door asks its person to approve a change; without it a change only waits for approval.
        """
        began = time.monotonic()
        try:
            answer = await self._called(self._find(name), arguments, actor, ask)
        except KubemendError as error:
            answer = Answer(tool=name, ok=False, error=failure(error))
        answer = _fit(answer, round((time.monotonic() - began) * 1000))
        code = "" if answer.error is None else answer.error.code
        detail = {"tool": name, "arguments": redacted(dict(arguments)), "ok": answer.ok, "code": code}
        await self._records.note(kind="tool", actor=actor, cluster=self._cluster, detail=detail)
        return answer

    async def observe(self, every_s: float) -> None:
        """Look at what every container uses, now and then, and remember it: for as long as a gateway is open."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await observed(self._look())
            except KubemendError as error:
                log.warning("what pods use could not be noted: %s", error.message)

    def _look(self) -> Look:
        return Look(self._reader, self._place, self._prometheus, self._memory)

    def _find(self, name: str) -> Tool:
        found = self.tools.get(name)
        if found is None:
            guess = near(name, self.tools)
            hint = f"did you mean {guess}?" if guess else "kubemend tools list"
            raise InvalidInput(f"there is no tool {name!r}", code="unknown-tool", hint=hint)
        return found

    async def _called(self, tool: Tool, arguments: Mapping[str, Any], actor: str, ask: Ask | None) -> Answer:
        bound, look = tool.bind(arguments), self._look()
        try:
            async with asyncio.timeout(tool.within_s):
                made = await self._run(tool, look, bound, actor)
        except TimeoutError as error:
            raise OutOfTime(f"{tool.name} took longer than {tool.within_s:g} s", where=tool.name) from error
        if isinstance(made, Errand):
            return await self._sent(tool, made, actor, ask)
        if isinstance(made, Order):
            answer = await self._ordered(tool, made, look, actor, ask)
            return msgspec.structs.replace(answer, incomplete=tuple(look.gaps))
        return Answer(tool=tool.name, ok=True, data=made, incomplete=tuple(look.gaps))

    async def _run(self, tool: Tool, look: Look, bound: dict[str, Any], actor: str) -> Any:
        if not tool.at_desk:
            return await tool.function(look, **bound)
        async with self._mending() as mender:
            return await tool.function(MendingDesk(mender, self._reader, actor=actor), **bound)

    async def _ordered(self, tool: Tool, order: Order, look: Look, actor: str, ask: Ask | None) -> Answer:
        """Hand an order to the guard as a plan; carry it out if a person says yes now, else leave it waiting."""
        async with self._mending() as mender:
            guard = mender.guard
            repair = await guard.propose(order.plan(tool.name, tool.risk), incident="", actor=actor)
            card = await waiting(repair, self._reader)
            if ask is None or guard.policy.mode is Mode.READ_ONLY:
                return _unapproved(tool, order.told, card, guard.policy.mode)
            if not await ask(repair, card):
                return _rejected(tool, order.told, await guard.reject(repair, actor=actor))
            await guard.approve(repair, plan_hash=repair.plan.hash, actor=actor)
            repair = await guard.carry_out(repair, actor=actor)
        return _ended(tool, {**order.told, **await _told_after(order, repair, look)}, repair)

    async def _sent(self, tool: Tool, errand: Errand, actor: str, ask: Ask | None) -> Answer:
        """Carry out a repair that is there, or take it back. It is not bound to the tool's time: a repair has its own.

        Undoing is a write like any other: a person's yes to it can only be given to the door, or to the command line.
        """
        async with self._mending() as mender:
            desk, guard = MendingDesk(mender, self._reader, actor=actor), mender.guard
            repair = await desk.own(errand.repair)
            if errand.undo:
                refuse_final(repair)
                card = returning(repair)
                if ask is None or guard.policy.mode is Mode.READ_ONLY:
                    return _unapproved(tool, {}, card, guard.policy.mode)
                if not await ask(repair, card):
                    return _rejected(tool, {}, repair)
                return _ended(tool, {}, await guard.undo(repair, actor=actor), State.ROLLED_BACK)
            if ask is not None and guard.policy.mode is not Mode.READ_ONLY and await desk.lacks_yes(repair):
                if not await ask(repair, await waiting(repair, self._reader)):
                    return _rejected(tool, {}, await guard.reject(repair, actor=actor))
                await guard.approve(repair, plan_hash=repair.plan.hash, actor=actor)
            return _ended(tool, {}, await guard.carry_out(repair, actor=actor))


async def _told_after(order: Order, repair: Repair, look: Look) -> Mapping[str, Any]:
    """What the order can tell now that its changes were made; nothing when none was.

    The changes stand whether or not that can be read.
    """
    if order.afterwards is None or repair.state in (State.REFUSED, State.FAILED):
        return {}
    try:
        return await order.afterwards(repair)
    except ClusterError as error:
        look.missing("what came of it", error.message)
        return {}


def _unapproved(tool: Tool, told: Mapping[str, Any], card: dict[str, Any], mode: Mode) -> Answer:
    message = "nothing was changed: the plan waits for a person's yes"
    if mode is Mode.READ_ONLY:
        message = "nothing was changed: read-only mode; the plan waits for a person's yes"
    error = Failure("approval-required", message, card["approve"], object=card["repair"])
    return Answer(tool=tool.name, ok=False, data={**told, "success": False, **card}, error=error)


def _rejected(tool: Tool, told: Mapping[str, Any], repair: Repair) -> Answer:
    error = Failure("rejected", "a person said no", object=repair.id)
    return Answer(tool=tool.name, ok=False, data={**told, "success": False, **views.of_repair(repair)}, error=error)


def _ended(tool: Tool, told: Mapping[str, Any], repair: Repair, wanted: State = State.SUCCEEDED) -> Answer:
    good = repair.state is wanted
    data = {**told, "success": good, **views.of_repair(repair)}
    error = None if good else Failure(f"repair-{repair.state.value.replace('_', '-')}", repair.why, object=repair.id)
    return Answer(tool=tool.name, ok=good, data=data, error=error)


def _fit(answer: Answer, took_ms: int) -> Answer:
    """The answer as it leaves: plain, redacted, within its size, with every cut told."""
    made = answer.data
    page = made if isinstance(made, Page) else None
    whole = msgspec.to_builtins(made if page is None else page.rows, str_keys=True)
    plain, left_out = bounded(redacted(whole), SIZE)
    told = (Gap(f"data{where}", why) for where, why in left_out if page is None or where)
    error = answer.error
    return msgspec.structs.replace(
        answer,
        data=plain,
        incomplete=tuple(Gap(g.what, text(g.why)) for g in (*answer.incomplete, *told)),
        truncated=None if page is None else page.cut(len(plain)),
        error=None if error is None else msgspec.structs.replace(error, message=text(error.message)),
        took_ms=took_ms,
    )


def failure(error: KubemendError) -> Failure:
    """An error as an answer tells it."""
    return Failure(
        code=error.code,
        message=error.message,
        hint=error.hint or "",
        retryable=isinstance(error, OutOfTime) or (isinstance(error, ClusterError) and error.retryable),
        object=error.where or "",
    )
