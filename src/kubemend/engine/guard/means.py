"""What the steps of a repair are carried out with: hands, eyes, memory, and a voice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.verification import Sight
from kubemend.model.plan import Change, Delete, Evict
from kubemend.model.repair import Repair, State, Step
from kubemend.store.ledger import Ledger

Object = dict[str, Any]
Tell = Callable[[Repair, str], None]

CONFLICTS = 8
"""How often one write is tried again when only fields of others (status, mostly) moved the object's version."""

FRESH_S = 15.0
"""How old an announcement may be when its request is sent: well below the silence after which others take over."""


@dataclass(frozen=True)
class Means:
    """One process's part in the repairs of one cluster."""

    hands: Hands
    ledger: Ledger
    sight: Sight
    tell: Tell

    async def move(self, repair: Repair, to: State, why: str, steps: tuple[Step, ...] | None = None) -> Repair:
        """Go to the next state, and say why. Moved when another process has the repair now."""
        repair = await self.ledger.repairs.move(repair, to, why=why, steps=steps)
        self.tell(repair, why)
        return repair

    async def announce(
        self, repair: Repair, index: int, live: Object | None, what: str, steps: tuple[Step, ...] | None = None
    ) -> Repair:
        """Write down one write to the object in `live`, so that it may be sent. what: "apply" or "undo".

        A process that was suspended meanwhile says it again: another may hold the repair by now, and then this raises
        Moved. Paused when the kill switch is on.
        """
        change = repair.plan.changes[index]
        while True:
            began = time.monotonic()
            repair = await self.ledger.repairs.intend(repair, _intent(change, live, what), steps=steps)
            if time.monotonic() - began < FRESH_S:
                break
            repair = await self.note(repair, {"result": "too-late", "message": "not sent: announced too long ago"})
        verb = type(change).__name__.lower()
        self.tell(repair, f"{verb} {change.target}" if what == "apply" else f"taking back {verb} {change.target}")
        return repair

    async def note(self, repair: Repair, result: dict[str, Any], steps: tuple[Step, ...] | None = None) -> Repair:
        """Write down what came of a write."""
        return await self.ledger.repairs.outcome(repair, result, steps=steps)


def stepped(repair: Repair, index: int, **fields: Any) -> tuple[Step, ...]:
    """The repair's steps with these fields of one of them set."""
    changed = msgspec.structs.replace(repair.steps[index], **fields)
    return (*repair.steps[:index], changed, *repair.steps[index + 1 :])


def _intent(change: Change, live: Object | None, what: str) -> dict[str, Any]:
    body = msgspec.to_builtins(change)
    if what == "undo" and isinstance(change, Delete):
        body = {"op": "create", "target": body["target"]}
    if what == "undo" and isinstance(change, Evict) and live is not None:
        # What goes is not the pod that was evicted, but the one that stands in its place.
        body = {**body, "target": {**body["target"], "name": live["metadata"]["name"]}, "uid": live["metadata"]["uid"]}
    return {
        "what": what,
        "change": body,
        "uid": None if live is None else live["metadata"]["uid"],
        "resourceVersion": None if live is None else str(live["metadata"]["resourceVersion"]),
    }
