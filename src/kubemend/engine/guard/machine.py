"""The guard: drives one repair through its states, each written down before it begins."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from kubemend.cluster.errors import ClusterError, Conflict, NotFound, OutcomeUnknown, ServerError, TimedOut, Unreachable
from kubemend.cluster.reader import Reader
from kubemend.engine.guard.hands import Hands, expected, is_marked, permissions
from kubemend.engine.guard.identity import untouched
from kubemend.engine.guard.preflight import Check, checks
from kubemend.engine.guard.rollback import foreign, restored
from kubemend.engine.guard.verification import Seen, Sight, baseline, verify
from kubemend.engine.judge import judge
from kubemend.engine.policy import Mode, Policy, Verdict
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Change, Declined, Delete, Evict, Patch, Plan, RollBack, Scale
from kubemend.model.repair import Repair, State, Step
from kubemend.model.rule import Rule
from kubemend.model.strategy import Strategy
from kubemend.store.ledger import Ledger, is_dead
from kubemend.store.switch import Paused

Object = dict[str, Any]
Tell = Callable[[Repair, str], None]
CONFLICTS = 8
"""How often one change is retried when only fields of others (status, mostly) moved the object's version."""


LATE_S, UNKNOWN_S = 10.0, 60.0


class Stopped(KubemendError):
    """The guard won't do it."""

    code = "refused"
    exit_status = 5


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
            repair = await self._move(repair, State.AWAITING_APPROVAL, why)
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
        async for check in checks(
            plan, before, self._sight.snapshot(), reader=self._reader, hands=self._hands, repair="rehearsal"
        ):
            yield check

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
        try:
            return await self._go_on(repair)
        finally:
            self._driven.discard(repair.id)

    async def _go_on(self, repair: Repair) -> Repair:
        if repair.state is State.SNAPSHOTTED:
            repair = await self._move(repair, State.PREFLIGHT, "checked anew after an interruption")
        if repair.state is State.PREFLIGHT:
            repair = await self._prepare(repair)
        if repair.state is State.APPLYING:
            repair = await self._apply(repair)
        if repair.state is State.VERIFYING:
            repair = await self._verify(repair)
        if repair.state is State.ROLLING_BACK:
            repair = await self._roll_back(repair)
        return repair

    async def _prepare(self, repair: Repair) -> Repair:
        """Preflight, snapshot, and the step into applying."""
        snapshot = self._sight.snapshot()
        try:
            before = {i: await self._hands.live(c.target) for i, c in enumerate(repair.plan.changes)}
            if (stale := self._stale(repair.plan)) is not None:
                return await self._move(repair, State.REFUSED, stale)
            async for check in checks(
                repair.plan, before, snapshot, reader=self._reader, hands=self._hands, repair=repair.id
            ):
                self._tell(repair, _line(check))
                if not check.ok:
                    return await self._move(repair, State.REFUSED, f"{check.name}: {check.why}")
        except ClusterError as error:
            return await self._move(repair, State.REFUSED, f"could not check: {error.message}")
        repair = await self._ledger.repairs.remember(repair, baseline(repair.plan, snapshot, self._rules))
        if self._halted:
            return await self._move(repair, State.REFUSED, "stopped by a person before anything was changed")
        steps = tuple(Step(before=before[i]) for i in range(len(repair.plan.changes)))
        repair = await self._move(repair, State.SNAPSHOTTED, "all checks passed; prior objects stored", steps=steps)
        return await self._move(repair, State.APPLYING, f"{len(steps)} change(s)")

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

    async def _apply(self, repair: Repair) -> Repair:
        for index in range(len(repair.plan.changes)):
            if repair.steps[index].after is not None:
                continue
            try:
                repair = await self._apply_one(repair, index)
            except (ClusterError, Stopped, Paused) as error:
                return await self._apply_failed(repair, error)
        return await self._move(repair, State.VERIFYING, "all changes made")

    async def _apply_failed(self, repair: Repair, error: KubemendError) -> Repair:
        if isinstance(error, Stopped) and error.code in ("outcome-unknown", "not-gone"):
            return await self._move(repair, State.ESCALATED, error.message)
        if any(s.after is not None for s in repair.steps):
            return await self._move(repair, State.ROLLING_BACK, f"a later change failed: {error.message}")
        return await self._move(repair, State.FAILED, f"nothing was changed: {error.message}")

    async def _apply_one(self, repair: Repair, index: int) -> Repair:
        change, step = repair.plan.changes[index], repair.steps[index]
        live = await self._hands.live(change.target)
        for _ in range(CONFLICTS):
            if _done(change, live, step, repair.id):
                made = await self._found(change, step, live, repair.id)
                return await self._applied(repair, index, made, "found already made")
            if not untouched(change, step.before, live):
                raise Stopped(f"{change.target} was changed by someone else since the plan", code="object-changed")
            repair = await self._ledger.repairs.intend(repair, _intent(change, live, "apply"))
            self._tell(repair, f"{type(change).__name__.lower()} {change.target}")
            try:
                after = await self._hands.write(change, live, repair=repair.id)
            except Conflict as error:
                repair = await self._ledger.repairs.outcome(repair, {"result": error.code, "message": error.message})
                live = await self._hands.live(change.target)
                continue
            except (OutcomeUnknown, TimedOut, ServerError) as error:
                repair = await self._ledger.repairs.outcome(repair, {"result": error.code, "message": error.message})
                live = await self._read_back(change, step, repair.id)
                if not _done(change, live, step, repair.id):
                    raise
                made = await self._found(change, step, live, repair.id)
                return await self._applied(repair, index, made, "the answer was lost; found made")
            except ClusterError as error:
                await self._ledger.repairs.outcome(repair, {"result": error.code, "message": error.message})
                raise
            if isinstance(change, Delete):
                await self._until_gone(change)
            return await self._applied(repair, index, after, "ok")
        raise Stopped(f"{change.target} changes faster than it can be written", code="object-changed")

    async def _applied(self, repair: Repair, index: int, after: Object, result: str) -> Repair:
        steps = tuple(msgspec.structs.replace(s, after=after) if i == index else s for i, s in enumerate(repair.steps))
        return await self._ledger.repairs.outcome(repair, {"result": result, "change": index}, steps=steps)

    async def _found(self, change: Change, step: Step, live: Object | None, repair: str) -> Object:
        """What our write made of an object, where its answer was never noted.

        Somebody may have written since. That must not pass for ours: an undo would take it back.
        """
        before = step.before
        if live is None or before is None or not isinstance(change, (Patch, RollBack)):
            return live or {}
        try:
            written = await self._hands.resolved(change, before)
        except ClusterError as error:
            why = f"{change.target} was written, but what of it is ours is unknown: {error.message}"
            raise Stopped(why, code="outcome-unknown") from error
        ours = expected(written, before, repair) if isinstance(written, Patch) else live
        if _generation(live) == _generation(before) + 1:
            # Nobody else has written the spec: it is ours together with the server's defaults.
            return {**ours, "spec": live["spec"]}
        return ours

    async def _read_back(self, change: Change, step: Step, repair: str) -> Object | None:
        """The object after a write whose answer was lost.

        Asked until the write shows or `LATE_S` have passed in which the server answered without it: a request
        may still be under way when its connection breaks. A server that does not answer for a minute leaves it unknown.
        """
        began = time.monotonic()
        while True:
            try:
                live = await self._hands.live(change.target)
            except (Unreachable, TimedOut, ServerError) as error:
                if time.monotonic() - began > UNKNOWN_S:
                    raise Stopped(
                        f"it is unknown whether {change.target} was written: {error.message}", code="outcome-unknown"
                    ) from error
            else:
                if _done(change, live, step, repair) or time.monotonic() - began > LATE_S:
                    return live
            await self._sight.changed(1.0)

    async def _until_gone(self, change: Delete) -> None:
        deadline = time.monotonic() + 30
        while (live := await self._hands.live(change.target)) is not None and live["metadata"]["uid"] == change.uid:
            if time.monotonic() > deadline:
                held = live["metadata"].get("finalizers", [])
                raise Stopped(
                    f"{change.target} is still there 30 s after its deletion (finalizers {held})", code="not-gone"
                )
            await self._sight.changed(0.5)

    async def _verify(self, repair: Repair) -> Repair:
        self._tell(repair, f"verifying for up to {repair.plan.verify.within_s:g} s")

        async def beat() -> None:
            await self._ledger.repairs.beat(repair)

        result = await verify(repair, self._sight, self._rules, patience_s=self._patience, beat=beat)
        if result.seen is Seen.WELL:
            return await self._move(repair, State.SUCCEEDED, result.why + await self._theirs(repair))
        return await self._move(repair, State.ROLLING_BACK, f"verification failed: {result.why}")

    async def _theirs(self, repair: Repair) -> str:
        """What someone else made meanwhile of the fields we wrote: then it is not our change alone that was proven."""
        told = ""
        for change, step in zip(repair.plan.changes, repair.steps, strict=True):
            if not isinstance(change, (Patch, RollBack, Scale)):
                continue
            try:
                live = await self._hands.live(change.target)
            except ClusterError as error:
                told += f"; {change.target} could not be compared with what was written: {error.message}"
                continue
            if (theirs := foreign(change, step.before, step.after or {}, live)) is not None:
                told += f"; {change.target} was changed by someone else meanwhile: {theirs}"
        return told

    # --- taking back

    async def undo(self, repair: Repair, *, actor: str) -> Repair:
        """Take back a finished repair, because a person asked. Their request is the approval."""
        self._demand_writes()
        if repair.state not in (State.SUCCEEDED, State.ESCALATED):
            raise Stopped(
                f"repair {repair.id} is {repair.state}; only one that succeeded or was escalated can be undone",
                code="not-undoable",
            )
        for change in repair.plan.changes:
            for access in permissions(change):
                answer = await self._reader.allowed(access, namespace=change.target.namespace)
                if not answer.allowed:
                    raise Stopped(
                        f"you may not {access.verb} {access.resource} in {change.target.namespace}",
                        code="forbidden",
                        hint="kubemend rbac fixer",
                    )
        repair = await self._ledger.repairs.reopen(repair, objects=_names(repair), actor=actor)
        return await self._roll_back(repair)

    async def _roll_back(self, repair: Repair) -> Repair:
        why = repair.why
        for index in reversed(range(len(repair.steps))):
            step = repair.steps[index]
            if step.undone or step.after is None:
                continue
            try:
                repair = await self._undo_one(repair, index)
            except (ClusterError, Stopped, Paused) as error:
                return await self._move(repair, State.ESCALATED, f"could not take it back: {error.message}")
        done = "undone as asked" if repair.undo else f"taken back: {why}"
        return await self._move(repair, State.ROLLED_BACK, done)

    async def _undo_one(self, repair: Repair, index: int) -> Repair:
        change, step = repair.plan.changes[index], repair.steps[index]
        after = step.after or {}
        for _ in range(CONFLICTS):
            live = await self._hands.live(change.target)
            if restored(change, step.before, after, live):
                break
            if (theirs := foreign(change, step.before, after, live)) is not None:
                raise Stopped(f"{change.target} was changed by someone else since: {theirs}", code="object-changed")
            repair = await self._ledger.repairs.intend(repair, _intent(change, live, "undo"))
            self._tell(repair, f"taking back {type(change).__name__.lower()} {change.target}")
            try:
                await self._hands.restore(change, step.before, after, live)
            except (Conflict, OutcomeUnknown, TimedOut, NotFound) as error:
                repair = await self._ledger.repairs.outcome(repair, {"result": error.code, "message": error.message})
                continue
            except ClusterError as error:
                await self._ledger.repairs.outcome(repair, {"result": error.code, "message": error.message})
                raise
            repair = await self._ledger.repairs.outcome(repair, {"result": "ok", "change": index})
        else:
            raise Stopped(f"{change.target} is not as it was before after {CONFLICTS} attempts")
        steps = tuple(msgspec.structs.replace(s, undone=True) if i == index else s for i, s in enumerate(repair.steps))
        return await self._ledger.repairs.outcome(repair, {"result": "as before", "change": index}, steps=steps)

    # --- after a crash

    async def resume(self, *, dead: Callable[[str, float], bool] | None = None) -> list[Repair]:
        """Finish, or take back, every repair whose holder is dead (by pid and heartbeat, unless told otherwise)."""
        if self.policy.mode is Mode.READ_ONLY:
            return []
        gone = dead or (lambda holder, beat: is_dead(holder, beat, now=time.time()))
        adopted = await self._ledger.repairs.adopt(self.cluster, gone, busy=self._driven)
        return [await self._drive(r) for r in adopted]

    async def _move(self, repair: Repair, to: State, why: str, steps: tuple[Step, ...] | None = None) -> Repair:
        repair = await self._ledger.repairs.move(repair, to, why=why, steps=steps)
        self._tell(repair, why)
        return repair


def _names(repair: Repair) -> list[str]:
    return [str(c.target) for c in repair.plan.changes]


def _line(check: Check) -> str:
    return f"{'✓' if check.ok else '✗'} {check.name}: {check.why}"


def _done(change: Change, live: Object | None, step: Step, repair: str) -> bool:
    """Whether this change is already in the cluster: after a crash, or an answer that was lost."""
    match change:
        case Scale():
            moved = live is not None and step.before is not None and _version(live) != _version(step.before)
            return moved and live is not None and live["spec"].get("replicas") == change.replicas
        case Evict() | Delete():
            return live is None or live["metadata"]["uid"] != change.uid
        case _:
            return is_marked(live, repair)


def _generation(obj: Object) -> int:
    """Of the spec; -1 for kinds that don't count it."""
    return int(obj["metadata"].get("generation", -1))


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _intent(change: Change, live: Object | None, what: str) -> dict[str, Any]:
    body = msgspec.to_builtins(change)
    if what == "undo" and isinstance(change, Delete):
        body = {"op": "create", "target": body["target"]}
    return {
        "what": what,
        "change": body,
        "uid": None if live is None else live["metadata"]["uid"],
        "resourceVersion": None if live is None else _version(live),
    }
