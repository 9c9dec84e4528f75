"""The guard: drives one repair through its states, each written down before it begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from kubemend.cluster.errors import ClusterError
from kubemend.cluster.reader import Reader
from kubemend.engine.guard.applying import apply
from kubemend.engine.guard.errors import Stopped
from kubemend.engine.guard.hands import Hands, permissions
from kubemend.engine.guard.means import Means, Tell
from kubemend.engine.guard.preflight import Check, checks, plural_of
from kubemend.engine.guard.proving import prove
from kubemend.engine.guard.restoring import restore
from kubemend.engine.guard.rivals import mark_of, unproven
from kubemend.engine.guard.rollback import final
from kubemend.engine.guard.verification import Sight, baseline
from kubemend.engine.judge import judge
from kubemend.engine.policy import Mode, Policy, Verdict
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Change, Declined, Plan
from kubemend.model.repair import Repair, State, Step
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Strategy
from kubemend.store.errors import Moved, StoreError
from kubemend.store.ledger import Ledger, is_dead

Object = dict[str, Any]

BEAT_S = 5.0
"""How often a driver says that it lives, whatever it waits for: well below the silence that counts as death."""


class Guard:
    """One gate to one cluster. Read-only unless its policy says otherwise."""

    def __init__(
        self,
        *,
        cluster: str,
        reader: Reader,
        hands: Hands,
        ledger: Ledger,
        sight: Sight,
        policy: Policy,
        rules: Sequence[Rule],
        strategies: Sequence[Strategy],
        tell: Tell = lambda _repair, _text: None,
        patience_s: float = 8.0,
    ) -> None:
        self.cluster, self.policy = cluster, policy
        self._means = Means(hands, ledger, sight, tell)
        self._reader, self._hands, self._ledger, self._sight = reader, hands, ledger, sight
        self._rules, self._strategies, self._tell, self._patience = rules, strategies, tell, patience_s
        self._driven: set[str] = set()
        self._halted = False

    # --- proposing and deciding

    async def propose(self, plan: Plan, *, incident: str, actor: str) -> Repair:
        """Write the plan down. It waits for a person unless the policy lets it go by itself."""
        repair = await self._ledger.repairs.propose(plan, cluster=self.cluster, incident=incident, actor=actor)
        verdict, why = self.policy.decide(plan)
        if verdict is not Verdict.AUTO and repair.state is State.PROPOSED:
            repair = await self._means.move(repair, State.AWAITING_APPROVAL, why)
        return repair

    async def approve(self, repair: Repair, *, plan_hash: str, actor: str) -> None:
        """A person's yes to exactly this plan."""
        self._demand_writes()
        ttl = self.policy.approval_ttl_s
        await self._ledger.approvals.give(repair, plan_hash=plan_hash, actor=actor, ttl_s=ttl)

    async def reject(self, repair: Repair, *, actor: str, why: str = "a person said no") -> Repair:
        """A person's no."""
        return await self._ledger.repairs.move(repair, State.REJECTED, why=why, actor=actor)

    def _demand_writes(self) -> None:
        if self.policy.mode is Mode.READ_ONLY:
            raise Stopped(
                "read-only mode: nothing is written to the cluster",
                code="read-only",
                hint="add --allow-changes (each change asks first) or --auto-fix",
            )

    async def rehearse(self, plan: Plan) -> AsyncIterator[Check]:
        """Ask all that preflight asks, the server's dry runs included, without beginning anything."""
        before = {i: await self._hands.live(c.target) for i, c in enumerate(plan.changes)}
        async for check in self._checks(plan, before, self._sight.snapshot(), "rehearsal"):
            yield check

    async def _checks(
        self, plan: Plan, before: Mapping[int, Object | None], snapshot: Snapshot, repair: str
    ) -> AsyncIterator[Check]:
        for index, change in enumerate(plan.changes):
            yield await self._no_rival(change, before[index])
        async for check in checks(plan, before, snapshot, reader=self._reader, hands=self._hands, repair=repair):
            yield check

    async def _no_rival(self, change: Change, live: Object | None) -> Check:
        name, mark = f"rivals at {change.target}", mark_of(live)
        if mark is None or await self._ledger.repairs.knows(mark):
            return Check(name, ok=True, why="no other kubemend's mark")
        why = unproven(live, datetime.now(UTC))
        return Check(name, ok=why is None, why=why or f"repair {mark} of another kubemend wrote it long ago")

    # --- carrying out

    def halt(self) -> None:
        """Begin nothing more: what has changed nothing yet is refused; what has is proven or taken back as usual."""
        self._halted = True

    async def carry_out(self, repair: Repair, *, actor: str) -> Repair:
        """Run a repair from its approval (or its policy's yes) to its end. Returns it in its last state.

        Raises Stopped, Paused, Held, OverBudget or Moved before anything is touched.
        """
        self._demand_writes()
        verdict, why = self.policy.decide(repair.plan)
        needs_yes = verdict is not Verdict.AUTO or repair.state is State.AWAITING_APPROVAL
        if needs_yes and repair.state is State.PROPOSED:
            raise Stopped(f"this plan needs a person's yes: {why}", where=repair.id, code="approval-required")
        repair = await self._ledger.repairs.begin(
            repair,
            objects=_names(repair),
            limits=self.policy.limits,
            approved=needs_yes,
            actor=actor,
        )
        self._tell(repair, "checks begin")
        return await self._drive(repair)

    async def _drive(self, repair: Repair) -> Repair:
        """Go on from whatever open state the repair is in."""
        self._driven.add(repair.id)
        ended = asyncio.Event()
        beating = asyncio.create_task(self._beat(repair, ended), name=f"heartbeat of {repair.id}")
        try:
            return await self._go_on(repair)
        finally:
            # Told, not cancelled: a transaction cut in two costs the ledger its connection.
            ended.set()
            await beating
            self._driven.discard(repair.id)

    async def _beat(self, repair: Repair, ended: asyncio.Event) -> None:
        """Say now and then that this process lives, for a request or a deletion may take longer than it may be silent.

        A failure is none of the repair's: its own next step meets the same ledger, and tells.
        """
        while not ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), BEAT_S)
            try:
                if not ended.is_set():
                    await self._ledger.repairs.beat(repair)
            except Moved:
                return
            except StoreError:
                continue

    async def _go_on(self, repair: Repair) -> Repair:
        if repair.state is State.SNAPSHOTTED:
            repair = await self._means.move(repair, State.PREFLIGHT, "checked anew after an interruption")
        if repair.state is State.PREFLIGHT:
            repair = await self._prepare(repair)
        if repair.state is State.APPLYING:
            repair = await apply(repair, self._means)
        if repair.state is State.VERIFYING:
            repair = await prove(repair, self._means, self._rules, patience_s=self._patience)
        if repair.state is State.ROLLING_BACK:
            repair = await restore(repair, self._means)
        return repair

    async def _prepare(self, repair: Repair) -> Repair:
        """Preflight, snapshot, and the step into applying."""
        snapshot, planned = self._sight.snapshot(), dict[int, Object]()
        try:
            before = {i: await self._hands.live(c.target) for i, c in enumerate(repair.plan.changes)}
            if (stale := self._stale(repair.plan)) is not None:
                return await self._means.move(repair, State.REFUSED, stale)
            async for check in self._checks(repair.plan, before, snapshot, repair.id):
                planned |= check.planned
                self._tell(repair, _line(check))
                if not check.ok:
                    return await self._means.move(repair, State.REFUSED, f"{check.name}: {check.why}")
        except ClusterError as error:
            return await self._means.move(repair, State.REFUSED, f"could not check: {error.message}")
        # As late as can be: what is so by now is not the repair's doing.
        now = baseline(repair.plan, self._sight.snapshot(), self._rules)
        repair = await self._ledger.repairs.remember(repair, now)
        if self._halted:
            return await self._means.move(repair, State.REFUSED, "stopped by a person before anything was changed")
        steps = tuple(Step(before=before[i], planned=planned.get(i)) for i in range(len(repair.plan.changes)))
        repair = await self._means.move(
            repair, State.SNAPSHOTTED, "all checks passed; prior objects stored", steps=steps
        )
        return await self._means.move(repair, State.APPLYING, f"{len(steps)} change(s)")

    def _stale(self, plan: Plan) -> str | None:
        """Why the plan no longer follows from what is there now; None while it does."""
        strategy = next((s for s in self._strategies if s.id == plan.strategy), None)
        if strategy is None:
            return None
        snapshot = self._sight.snapshot()
        # By now it may hang below another cause; that makes it no less true.
        seen = (Diagnosis(root=f) for f in judge(snapshot, self._rules).findings)
        diagnosis = next((d for d in seen if d.fingerprint == plan.fingerprint), None)
        if diagnosis is None:
            return "plan-stale: the fault it repairs is no longer there"
        made = strategy.plan(diagnosis, snapshot)
        if isinstance(made, Declined):
            return f"plan-stale: {strategy.id} now declines: {made.why}"
        if made.changes != plan.changes:
            return "plan-stale: the cluster has changed and the plan would be another now"
        return None

    # --- taking back

    async def undo(self, repair: Repair, *, actor: str) -> Repair:
        """Take back a finished repair, because a person asked. Their request is the approval."""
        self._demand_writes()
        refuse_final(repair)
        for change in repair.plan.changes:
            for access in permissions(change, await plural_of(change, self._reader)):
                answer = await self._reader.allowed(access, namespace=change.target.namespace)
                if not answer.allowed:
                    raise Stopped(
                        f"you may not {access.verb} {access.resource} in {change.target.namespace}",
                        code="forbidden",
                        hint="kubemend rbac fixer",
                    )
        repair = await self._ledger.repairs.reopen(repair, objects=_names(repair), actor=actor)
        return await self._drive(repair)

    # --- after a crash

    async def resume(self, *, dead: Callable[[str, float], bool] | None = None) -> list[Repair]:
        """Finish, or take back, every repair whose holder is dead (by pid and heartbeat, unless told otherwise).

        They are driven side by side: one that waits, or fails, keeps no other from its end. One that another process
        takes over meanwhile is that one's. Raises what else went wrong with any, when all have come to their end.
        """
        if self.policy.mode is Mode.READ_ONLY:
            return []
        gone = dead or (lambda holder, beat: is_dead(holder, beat, now=time.time()))
        adopted = await self._ledger.repairs.adopt(self.cluster, gone, busy=self._driven)
        ends = await asyncio.gather(*(self._drive(r) for r in adopted), return_exceptions=True)
        failures: list[BaseException] = []
        for repair, end in zip(adopted, ends, strict=True):
            if isinstance(end, BaseException):
                self._tell(repair, f"not brought to its end by this process: {end}")
                failures += [] if isinstance(end, Moved) else [end]
        if failures:
            raise failures[0]
        return [e for e in ends if isinstance(e, Repair)]


def refuse_final(repair: Repair) -> None:
    """Stopped, when there is nothing to take back, or no way to."""
    if repair.state not in (State.SUCCEEDED, State.ESCALATED):
        raise Stopped(
            f"repair {repair.id} is {repair.state}; only one that succeeded or was escalated can be undone",
            code="not-undoable",
            where=repair.id,
        )
    made = [(c, s) for c, s in zip(repair.plan.changes, repair.steps, strict=False) if s.after is not None]
    whys = [final(c, s.before) for c, s in made]
    if whys and all(whys):
        told = "; ".join(dict.fromkeys(w for w in whys if w))
        raise Stopped(f"repair {repair.id} can't be undone: {told}", code="not-undoable", where=repair.id)


def _names(repair: Repair) -> list[str]:
    return [str(c.target) for c in repair.plan.changes]


def _line(check: Check) -> str:
    return f"{'✓' if check.ok else '✗'} {check.name}: {check.why}"
