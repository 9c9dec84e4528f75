"""Making the changes of a plan, each exactly once: announced, sent, and noted; or found made after a crash."""

from __future__ import annotations

import time
from typing import Any

from kubemend.cluster.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TimedOut,
    TooManyRequests,
)
from kubemend.engine.guard.budgets import allowed
from kubemend.engine.guard.errors import Doubtful, Elsewhere, Stopped
from kubemend.engine.guard.hands import MARK
from kubemend.engine.guard.identity import untouched
from kubemend.engine.guard.means import CONFLICTS, Means, stepped
from kubemend.engine.guard.witness import found, made, read_back, until_gone
from kubemend.model.errors import KubemendError
from kubemend.model.plan import Change, Create, Delete, Evict
from kubemend.model.repair import Repair, State
from kubemend.store.switch import Paused

Object = dict[str, Any]


async def apply(repair: Repair, means: Means) -> Repair:
    """Make the changes that are not made yet. Goes on to verifying, or where what went wrong leads."""
    for index in range(len(repair.plan.changes)):
        if repair.steps[index].after is not None:
            continue
        attempt = _Attempt(repair, index, means)
        try:
            repair = await attempt.made()
        except (ClusterError, Stopped, Paused) as error:
            return await _failed(attempt.repair, error, means)
    return await means.move(repair, State.VERIFYING, "all changes made")


async def _failed(repair: Repair, error: KubemendError, means: Means) -> Repair:
    if isinstance(error, Doubtful):
        return await means.move(repair, State.ESCALATED, error.message)
    if any(s.sent and s.after is None for s in repair.steps):
        why = f"whether a change was made before is unknown: {error.message}"
        return await means.move(repair, State.ESCALATED, why)
    if any(s.after is not None for s in repair.steps):
        return await means.move(repair, State.ROLLING_BACK, f"a later change failed: {error.message}")
    return await means.move(repair, State.FAILED, f"nothing was changed: {error.message}")


class _Attempt:
    """One change on its way into the cluster. `repair` is kept as the ledger has it."""

    def __init__(self, repair: Repair, index: int, means: Means) -> None:
        self.repair, self._index, self._means = repair, index, means
        self._change = repair.plan.changes[index]
        # From before this attempt: an earlier process, or an earlier try, may have a request under way.
        self._doubt = repair.steps[index].sent
        self._began = time.monotonic()
        self._held_back: TooManyRequests | None = None

    async def made(self) -> Repair:
        """Have the change in the cluster, and noted. Stopped when the object is another than was planned for."""
        change, told = self._change, "found already made"
        left = CONFLICTS
        while left > 0:
            live = await self._means.hands.live(change.target)
            step = self.repair.steps[self._index]
            if made(change, live, step, self.repair.id):
                return await self._noted(found(change, live, step), told)
            if not untouched(change, step.before, live):
                raise Elsewhere(_moved(change, live))
            announced = stepped(self.repair, self._index, sent=True)
            self.repair = await self._means.announce(self.repair, self._index, live, "apply", announced)
            after = await self._sent(live)
            if after is not None:
                return await self._noted(after, "ok")
            told = "the answer was lost; found made"
            left -= 1
            if self._held_back is not None:
                # What a budget holds back was never begun, and is no conflict: it may wait as long as it was told to.
                left += 1
                await self._until_allowed(live, self._held_back)
        raise Elsewhere(f"{change.target} changes faster than it can be written")

    async def _sent(self, live: Object | None) -> Object | None:
        """What the server answered; None when the object has to be looked at again."""
        try:
            return await self._means.hands.write(self._change, live, repair=self.repair.id)
        except (OutcomeUnknown, TimedOut, ServerError) as error:
            await self._came_to(error, doubt=True)
            seen = await read_back(self._change, self.repair.steps[self._index], self.repair.id, self._means)
            if not made(self._change, seen, self.repair.steps[self._index], self.repair.id):
                await self._came_to(error, doubt=self._doubt)
                raise
        except ClusterError as error:
            await self._came_to(error, doubt=self._doubt)
            if isinstance(error, TooManyRequests) and isinstance(self._change, Evict) and self._change.patience_s:
                self._held_back = error
                return None
            if not self._is_elsewhere(error):
                raise
        return None

    async def _until_allowed(self, live: Object | None, refused: TooManyRequests) -> None:
        """Wait until the budgets let the pod go, or raise what held it back when its patience is over."""
        self._held_back = None
        patience = self._change.patience_s if isinstance(self._change, Evict) else 0.0
        while True:
            if time.monotonic() - self._began > patience:
                why = f"{self._change.target} could not be evicted in {patience:g} s: {refused.message}"
                raise Stopped(why, code=refused.code) from refused
            await self._means.ledger.repairs.beat(self.repair)
            await self._means.sight.changed(1.0)
            if live is None or allowed(live, self._means.sight.snapshot()):
                return

    def _is_elsewhere(self, error: ClusterError) -> bool:
        """Whether the answer says that the object is not as it was a moment ago, perhaps for what we did ourselves."""
        missing = isinstance(error, NotFound) and not isinstance(self._change, Create)
        return missing or isinstance(error, (Conflict, AlreadyExists))

    async def _came_to(self, error: ClusterError, *, doubt: bool) -> None:
        steps = stepped(self.repair, self._index, sent=doubt)
        self.repair = await self._means.note(self.repair, {"result": error.code, "message": error.message}, steps)

    async def _noted(self, after: Object, result: str) -> Repair:
        if isinstance(self._change, Delete):
            await until_gone(self._change, self._change.uid, self._means)
        steps = stepped(self.repair, self._index, after=after, sent=False)
        return await self._means.note(self.repair, {"result": result, "change": self._index}, steps)


def _moved(change: Change, live: Object | None) -> str:
    if live is None:
        return f"{change.target} was deleted by someone else since the plan"
    mark = live["metadata"].get("annotations", {}).get(MARK)
    told = f"; repair {mark} wrote it last" if mark else ""
    return f"{change.target} was changed by someone else since the plan{told}"
