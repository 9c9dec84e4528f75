"""The seed's nine scenarios are told by tools alone: what they accuse, and how their changes come about."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Any

import msgspec
from tools_ground import SETTLED_S, Ground

from kubemend.app import Rooms
from kubemend.model.answer import Answer
from kubemend.model.repair import Repair

Arguments = dict[str, Any]
Accused = dict[str, list[str]]
"""By tool: what it says is wrong, a sentence each."""
Accusers = Mapping[str, Callable[[Any], list[str]]]
"""By tool: what in its data says that something is wrong."""


async def accused(here: Ground, accusers: Accusers, arguments: Mapping[str, Arguments]) -> Accused:
    """Ask each tool, and hear whom it accuses."""
    return {tool: says(await here.data(tool, **arguments.get(tool, {}))) for tool, says in accusers.items()}


async def named(look: Callable[[], Awaitable[Accused]], causes: Mapping[str, str]) -> None:
    """Until each of these tools names its cause (a regular expression), and nobody names anything else.

    A tool that is not in `causes` must accuse nobody; each accusation of one that is must be of its cause.
    """
    until = time.monotonic() + SETTLED_S
    while True:
        found = await look()
        wrong = {t: said for t, said in found.items() if not _fits(said, causes.get(t))}
        if not wrong:
            return
        assert time.monotonic() < until, wrong
        await asyncio.sleep(0.1)


def _fits(said: list[str], cause: str | None) -> bool:
    if cause is None:
        return not said
    return bool(said) and all(re.search(cause, s) for s in said)


async def yes(_repair: Repair, _card: dict[str, Any]) -> bool:
    return True


async def no(_repair: Repair, _card: dict[str, Any]) -> bool:
    return False


class Acts:
    """The writing tools on a cluster, and what became of it by the server's own record."""

    def __init__(self, here: Ground) -> None:
        self.here, self._begun = here, len(here.lab._cluster.server.audit)

    def written(self) -> list[str]:
        """The changes that reached the API server, dry runs aside."""
        made = (a for a in self.here.lab._cluster.server.audit[self._begun :] if not a.dry_run and a.code < 400)
        return [f"{a.verb} {a.resource}{f'/{a.subresource}' if a.subresource else ''} {a.name}" for a in made]

    async def call(self, tool: str, ask: Any = yes, **arguments: Any) -> Answer:
        """A call with a person behind it, or nobody (None)."""
        return await self.here.gateway.call(tool, arguments, actor="ann", ask=ask)

    async def planned(self, tool: str, **arguments: Any) -> Any:
        """The plan, which nobody said yes to, then somebody said no to: nothing was written."""
        before = self.written()
        plan = await self.call(tool, None, **arguments)
        assert plan.error is not None
        assert plan.error.code == "approval-required", plan.error
        refused = await self.call(tool, no, **arguments)
        assert refused.error is not None
        assert refused.error.code == "rejected", refused.error
        assert self.written() == before
        return msgspec.json.decode(msgspec.json.encode(plan.data))

    async def done(self, tool: str, **arguments: Any) -> Any:
        """What became of a change that a person approved: it is made, and proven."""
        answer = await self.call(tool, **arguments)
        assert answer.ok, answer.error
        assert answer.data["state"] == "succeeded"
        return msgspec.json.decode(msgspec.json.encode(answer.data))

    async def failed(self, tool: str, code: str, **arguments: Any) -> str:
        """The message of a change that was approved, and yet refused or taken back."""
        answer = await self.call(tool, **arguments)
        assert answer.error is not None, answer.data
        assert answer.error.code == code, answer.error
        return answer.error.message

    async def rested(self) -> None:
        """A minute passes, as far as the ledger knows: no object is changed twice within one."""

        def age() -> None:
            with closing(sqlite3.connect(self.here.access.store)) as ledger, ledger:
                ledger.execute("UPDATE repairs SET updated_at = updated_at - 61")

        await asyncio.to_thread(age)

    async def story(self, repair: str) -> list[str]:
        """The states through which a repair went, by the audit trail; whose chain holds."""
        async with Rooms().ledger(self.here.access.store) as ledger:
            assert await ledger.audit.broken_at() is None
            records = await ledger.audit.list(repair=repair)
        return [r.detail.get("to", r.kind) for r in records]
