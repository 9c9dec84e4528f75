"""One door for calls: every tool call of every surface is found, checked, run, redacted, bounded and recorded here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol, TypeVar

import msgspec

from kubemend.cluster.errors import ClusterError
from kubemend.cluster.prometheus import Prometheus
from kubemend.cluster.reader import Reader
from kubemend.engine import views
from kubemend.engine.bounds import bounded, shortened
from kubemend.engine.desk import MendingDesk, returning, waiting
from kubemend.engine.guard.machine import Guard, refuse_final
from kubemend.engine.library import Library
from kubemend.engine.mender import Mender
from kubemend.engine.policy import Mode
from kubemend.engine.prospectus import known
from kubemend.kube.redaction import redacted, text
from kubemend.model.access import Risk
from kubemend.model.answer import SIZE, Answer, Failure, Gap
from kubemend.model.errors import KubemendError
from kubemend.model.order import Errand, Order
from kubemend.model.repair import Repair, State
from kubemend.model.tool import Tool
from kubemend.tools.advice import observed
from kubemend.tools.look import Look, Memory, Place, untold
from kubemend.tools.page import Page
from kubemend.tools.pricebook import USUAL, PriceBook

log = logging.getLogger(__name__)

Ask = Callable[[Repair, dict[str, Any]], Awaitable[bool | None]]
"""Asks a person for a yes to exactly this repair; the second argument is its plan as people see it.

None is no answer: the plan goes on waiting. Whatever is not True writes nothing.
"""

Tell = Callable[[str], None]
"""Called with one line whenever there is something to tell of a call that is under way."""

T = TypeVar("T")


class Records(Protocol):
    """Where calls are written down."""

    async def note(self, *, kind: str, actor: str, cluster: str, detail: dict[str, Any]) -> None:
        """Append one audit record."""
        ...


class Mending(Protocol):
    """Opens what diagnoses and writes need: a watch cache, the guard. tell: who hears how a repair comes on."""

    def __call__(self, tell: Tell = untold) -> AbstractAsyncContextManager[Mender]:
        """Open it for as long as the block lasts."""
        ...


class OutOfTime(KubemendError):
    """A tool took longer than it may."""

    code = "timed-out"


class Gateway:
    """Calls tools on one cluster, for anybody.

    tools: those that may be called here. mending: used only by tools that need it. library: what was kept of this
    cluster. namespace: given to every tool that takes one, where a call names none. prometheus: where use over time is
    asked for, if there is one. memory: where we keep it ourselves. prices: what things cost here.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        reader: Reader,
        place: Place,
        cluster: str,
        records: Records,
        mending: Mending,
        library: Library,
        namespace: str | None = None,
        prometheus: Prometheus | None = None,
        memory: Memory | None = None,
        prices: PriceBook = USUAL,
    ) -> None:
        self.tools, self.library = tools, library
        self._reader, self._place, self._cluster = reader, place, cluster
        self._records, self._mending, self._namespace = records, mending, namespace
        self._prometheus, self._memory, self._prices = prometheus, memory, prices
        self._whole: set[asyncio.Future[Any]] = set()

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, actor: str, ask: Ask | None = None, tell: Tell = untold
    ) -> Answer:
        """Call one tool. Never raises for what a caller or a cluster did: a refusal is an answer, and recorded too.

        ask: how this door asks its person to approve a change; without it a change only waits for approval.
        Cancelling ends a read at once. A repair that has begun is first brought to its end: proven or taken back.
        """
        began = time.monotonic()
        try:
            answer = await self._called(known(self.tools, name), arguments, actor, ask, lambda line: tell(text(line)))
        except KubemendError as error:
            answer = Answer(tool=name, ok=False, error=failure(error))
        except asyncio.CancelledError:
            await self._uncut(self._note(name, arguments, actor, ok=False, code="cancelled"))
            raise
        answer = _fit(answer, round((time.monotonic() - began) * 1000))
        code = "" if answer.error is None else answer.error.code
        await self._uncut(self._note(name, arguments, actor, ok=answer.ok, code=code))
        return answer

    async def observe(self, every_s: float) -> None:
        """Look at what every container uses, now and then, and remember it: for as long as a gateway is open."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await observed(self._look(untold))
            except KubemendError as error:
                log.warning("what pods use could not be noted: %s", error.message)

    async def settled(self) -> None:
        """Wait for what was not cut: a repair whose caller has gone. To be awaited before anything is closed."""
        while self._whole:
            await asyncio.wait(self._whole)

    def _look(self, tell: Tell) -> Look:
        return Look(
            self._reader,
            self._place,
            kept=self.library,
            prometheus=self._prometheus,
            memory=self._memory,
            prices=self._prices,
            tell=tell,
        )

    async def _uncut(self, work: Awaitable[T]) -> T:
        """Await to the end what must not be left half done. A cancellation meanwhile is obeyed after it."""
        task = asyncio.ensure_future(work)
        self._whole.add(task)
        task.add_done_callback(self._whole.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                # Asked again and again (a loop that is closing does), it still has to come to its end.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
            raise

    async def _note(self, name: str, arguments: Mapping[str, Any], actor: str, *, ok: bool, code: str) -> None:
        detail = {"tool": name, "arguments": redacted(dict(arguments)), "ok": ok, "code": code}
        await self._records.note(kind="tool", actor=actor, cluster=self._cluster, detail=detail)

    async def _called(
        self, tool: Tool, arguments: Mapping[str, Any], actor: str, ask: Ask | None, tell: Tell
    ) -> Answer:
        bound, look = tool.bind(self._placed(tool, arguments)), self._look(tell)
        # What writes has the guard's own limits: it is never left half done for being slow.
        within_s = None if tool.at_desk and tool.risk is not Risk.READ else tool.within_s
        try:
            async with asyncio.timeout(within_s):
                made = await self._run(tool, look, bound, actor)
        except TimeoutError as error:
            raise OutOfTime(f"{tool.name} took longer than {tool.within_s:g} s", where=tool.name) from error
        if isinstance(made, Errand):
            return await self._sent(tool, made, look, actor, ask)
        if isinstance(made, Order):
            answer = await self._ordered(tool, made, look, actor, ask)
            return msgspec.structs.replace(answer, incomplete=tuple(look.gaps))
        return Answer(tool=tool.name, ok=True, data=made, incomplete=tuple(look.gaps))

    def _placed(self, tool: Tool, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._namespace is None or "namespace" not in tool.schema["properties"]:
            return arguments
        return {"namespace": self._namespace, **arguments}

    async def _run(self, tool: Tool, look: Look, bound: dict[str, Any], actor: str) -> Any:
        if not tool.at_desk:
            return await tool.function(look, **bound)
        async with self._mending(look.tell) as mender:
            made = tool.function(MendingDesk(mender, self._reader, actor=actor), **bound)
            return await (made if tool.risk is Risk.READ else self._uncut(made))

    async def _ordered(self, tool: Tool, order: Order, look: Look, actor: str, ask: Ask | None) -> Answer:
        """Hand an order to the guard as a plan; carry it out if a person says yes now, else leave it waiting."""
        async with self._mending(look.tell) as mender:
            guard = mender.guard
            repair = await self._uncut(guard.propose(order.plan(tool.name, tool.risk), incident="", actor=actor))
            card = redacted(await waiting(repair, self._reader))
            said = await _said(guard, repair, card, ask)
            if said is None:
                return _unapproved(tool, order.told, card, guard.policy.mode)
            if not said:
                return _rejected(tool, order.told, await self._uncut(guard.reject(repair, actor=actor)))
            repair = await self._uncut(_approved(guard, repair, actor))
        return _ended(tool, {**order.told, **await _told_after(order, repair, look)}, repair)

    async def _sent(self, tool: Tool, errand: Errand, look: Look, actor: str, ask: Ask | None) -> Answer:
        """Carry out a repair that is there, or take it back. It is not bound to the tool's time: a repair has its own.

        Undoing is a write like any other: a person's yes to it can only be given to the door, or to the command line.
        """
        async with self._mending(look.tell) as mender:
            desk, guard = MendingDesk(mender, self._reader, actor=actor), mender.guard
            repair = await desk.own(errand.repair)
            if errand.undo:
                return await self._taken_back(tool, guard, repair, actor, ask)
            if ask is None or guard.policy.mode is Mode.READ_ONLY or not await desk.lacks_yes(repair):
                return _ended(tool, {}, await self._uncut(guard.carry_out(repair, actor=actor)))
            card = redacted(await waiting(repair, self._reader))
            said = await _said(guard, repair, card, ask)
            if said is None:
                return _unapproved(tool, {}, card, guard.policy.mode)
            if not said:
                return _rejected(tool, {}, await self._uncut(guard.reject(repair, actor=actor)))
            return _ended(tool, {}, await self._uncut(_approved(guard, repair, actor)))

    async def _taken_back(self, tool: Tool, guard: Guard, repair: Repair, actor: str, ask: Ask | None) -> Answer:
        refuse_final(repair)
        card = redacted(returning(repair))
        said = await _said(guard, repair, card, ask)
        if said is None:
            return _unapproved(tool, {}, card, guard.policy.mode)
        if not said:
            return _rejected(tool, {}, repair)
        return _ended(tool, {}, await self._uncut(guard.undo(repair, actor=actor)), State.ROLLED_BACK)


async def _said(guard: Guard, repair: Repair, card: dict[str, Any], ask: Ask | None) -> bool | None:
    """What a person says to it; None when nobody can be asked, or nothing may be written."""
    return None if ask is None or guard.policy.mode is Mode.READ_ONLY else await ask(repair, card)


async def _approved(guard: Guard, repair: Repair, actor: str) -> Repair:
    await guard.approve(repair, plan_hash=repair.plan.hash, actor=actor)
    return await guard.carry_out(repair, actor=actor)


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
    whole = msgspec.to_builtins(made if page is None else list(page.rows), str_keys=True)
    # Lists that nobody will see to their end aren't searched for secrets. Texts are: half a secret looks like none.
    rough, cuts = shortened(whole, 2 * SIZE)
    plain, left_out = bounded(redacted(rough), SIZE, cuts)
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
