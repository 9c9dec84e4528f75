"""Repairs: the state machine's memory. A state is durable here before the step that it names begins."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kubemend.model.plan import Plan
from kubemend.model.repair import NEXT, OPEN, Baseline, Repair, State, Step
from kubemend.store import schema
from kubemend.store.audit import append
from kubemend.store.budget import DAY, Limits, check_limits, hold, use_approval
from kubemend.store.clock import moment
from kubemend.store.database import Database
from kubemend.store.errors import Moved, UnknownRepair
from kubemend.store.switch import refuse_if_paused

TABLE = schema.repairs
WAITING = (State.PROPOSED, State.AWAITING_APPROVAL)


class Repairs:
    """Every operation is one transaction, fenced on the state and the holder it takes for granted."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database, self.holder = database, holder

    async def propose(self, plan: Plan, *, cluster: str, incident: str, actor: str) -> Repair:
        """Write a plan down. The same plan that still waits is returned instead of a twin."""
        now = time.time()
        async with self._database.transaction() as connection:
            same = (TABLE.c.cluster == cluster, TABLE.c.plan_hash == plan.hash, TABLE.c.state.in_(WAITING))
            row = (await connection.execute(select(TABLE).where(*same))).mappings().first()
            if row is not None:
                return _repair(row)
            values: dict[str, Any] = {
                "id": "r" + secrets.token_hex(4), "cluster": cluster, "namespace": plan.target.namespace,
                "target": str(plan.target), "fingerprint": plan.fingerprint, "incident": incident,
                "state": State.PROPOSED, "plan": msgspec.json.encode(plan).decode(), "plan_hash": plan.hash,
                "actor": actor, "why": plan.reason, "steps": "[]", "baseline": "{}", "undo": False,
                "holder": "", "heartbeat": 0.0,
                "created_at": now, "updated_at": now, "started_at": None,
            }  # fmt: skip
            await connection.execute(insert(TABLE).values(**values))
            detail = {"strategy": plan.strategy, "code": plan.code, "hash": plan.hash, "target": str(plan.target)}
            await append(
                connection, at=now, kind="proposed", actor=actor, cluster=cluster, repair=values["id"], **detail
            )
        return _repair(values)

    async def begin(
        self, repair: Repair, *, objects: Iterable[str], limits: Limits | None, approved: bool, actor: str
    ) -> Repair:
        """Enter preflight: kill switch off, approval used up (when one is asked), budget left, objects held.

        `limits` None is a person's own undo or direct order beyond budgets; `approved` True demands an unexpired,
        unused approval of exactly this plan's hash.
        """
        async with self._database.transaction() as connection:
            now = time.time()
            await refuse_if_paused(connection)
            if approved:
                await use_approval(connection, repair, now)
            if limits is not None:
                await check_limits(connection, repair, limits, now)
            await hold(connection, repair, objects)
            return await self._move(connection, repair, State.PREFLIGHT, actor=actor, why="checks begin", started=now)

    async def reopen(self, repair: Repair, *, objects: Iterable[str], actor: str) -> Repair:
        """Take a finished repair back into rolling back, because a person asked."""
        async with self._database.transaction() as connection:
            await refuse_if_paused(connection)
            await hold(connection, repair, objects)
            return await self._move(
                connection, repair, State.ROLLING_BACK, actor=actor, why="undo asked for", undo=True
            )

    async def move(
        self, repair: Repair, to: State, *, why: str, steps: tuple[Step, ...] | None = None, actor: str = "kubemend"
    ) -> Repair:
        """Go to the next state. Raises Moved when another process has moved or adopted the repair meanwhile."""
        async with self._database.transaction() as connection:
            return await self._move(connection, repair, to, actor=actor, why=why, steps=steps)

    async def remember(self, repair: Repair, baseline: Baseline) -> Repair:
        """Keep what was so before the first write."""
        async with self._database.transaction() as connection:
            await self._change(connection, repair, {"baseline": msgspec.json.encode(baseline).decode()})
        return msgspec.structs.replace(repair, baseline=baseline)

    async def _move(
        self,
        connection: AsyncConnection,
        repair: Repair,
        to: State,
        *,
        actor: str,
        why: str,
        steps: tuple[Step, ...] | None = None,
        started: float | None = None,
        undo: bool = False,
    ) -> Repair:
        if to not in NEXT[repair.state]:
            raise Moved(f"a repair can't go from {repair.state} to {to}", where=repair.id)
        now = time.time()
        values: dict[str, Any] = {"state": to, "why": why, "updated_at": now, "heartbeat": now}
        values["holder"] = self.holder if to in OPEN else ""
        if steps is not None:
            values["steps"] = msgspec.json.encode(steps).decode()
        if started is not None:
            values["started_at"] = started
        if undo:
            values["undo"] = True
        await self._change(connection, repair, values)
        if to not in OPEN:
            await connection.execute(delete(schema.holds).where(schema.holds.c.repair == repair.id))
        moved = {"from": repair.state, "to": to, "why": why}
        await append(
            connection, at=now, kind="transition", actor=actor, cluster=repair.cluster, repair=repair.id, **moved
        )
        return msgspec.structs.replace(
            repair,
            state=to,
            why=why,
            updated_at=moment(now),
            undo=undo or repair.undo,
            steps=repair.steps if steps is None else steps,
        )

    async def _change(self, connection: AsyncConnection, repair: Repair, values: dict[str, Any]) -> None:
        mine: list[ColumnElement[bool]] = [TABLE.c.id == repair.id, TABLE.c.state == repair.state]
        if repair.state in OPEN:
            mine.append(TABLE.c.holder == self.holder)
        changed = await connection.execute(update(TABLE).where(*mine).values(**values))
        if changed.rowcount != 1:
            raise Moved(f"repair {repair.id} is no longer {repair.state} in the hands of this process", where=repair.id)

    async def intend(self, repair: Repair, request: dict[str, Any], *, steps: tuple[Step, ...] | None = None) -> Repair:
        """Announce one write: the last gate. Durable when it returns; only then may the request be sent.

        Raises Paused when the kill switch is on and Moved when this process no longer holds the repair.
        """
        async with self._database.transaction() as connection:
            await refuse_if_paused(connection)
            return await self._note(connection, repair, "intent", request, steps)

    async def outcome(self, repair: Repair, result: dict[str, Any], *, steps: tuple[Step, ...] | None = None) -> Repair:
        """Complete the record of a write with what came of it."""
        async with self._database.transaction() as connection:
            return await self._note(connection, repair, "outcome", result, steps)

    async def _note(
        self,
        connection: AsyncConnection,
        repair: Repair,
        kind: str,
        detail: dict[str, Any],
        steps: tuple[Step, ...] | None,
    ) -> Repair:
        now, kept = time.time(), repair.steps if steps is None else steps
        await self._change(connection, repair, {"heartbeat": now, "steps": msgspec.json.encode(kept).decode()})
        who = {"actor": repair.actor, "cluster": repair.cluster, "repair": repair.id}
        await append(connection, at=now, kind=kind, **who, **detail)
        return msgspec.structs.replace(repair, steps=kept)

    async def beat(self, repair: Repair) -> None:
        """Say that this process still drives the repair, whichever state it is in. Raises Moved when it doesn't."""
        mine = (TABLE.c.id == repair.id, TABLE.c.state.in_(OPEN), TABLE.c.holder == self.holder)
        async with self._database.transaction() as connection:
            beaten = await connection.execute(update(TABLE).where(*mine).values(heartbeat=time.time()))
            if beaten.rowcount != 1:
                raise Moved(f"repair {repair.id} is no longer in the hands of this process", where=repair.id)

    async def adopt(
        self, cluster: str, dead: Callable[[str, float], bool], *, busy: Collection[str] = ()
    ) -> list[Repair]:
        """Take over open repairs whose holder `dead(holder, last heartbeat)` calls dead, but for those in `busy`."""
        adopted = []
        async with self._database.transaction() as connection:
            query = select(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.state.in_(OPEN))
            for row in (await connection.execute(query)).mappings().all():
                if row["id"] in busy or not dead(row["holder"], row["heartbeat"]):
                    continue
                await connection.execute(
                    update(TABLE).where(TABLE.c.id == row["id"]).values(holder=self.holder, heartbeat=time.time())
                )
                note = {"from": row["holder"], "state": row["state"]}
                await append(
                    connection,
                    at=time.time(),
                    kind="adopted",
                    actor=self.holder,
                    cluster=cluster,
                    repair=row["id"],
                    **note,
                )
                adopted.append(_repair(row))
        return adopted

    async def knows(self, repair: str) -> bool:
        """Whether this ledger has a repair of that id."""
        async with self._database.transaction() as connection:
            query = select(TABLE.c.id).where(TABLE.c.id == repair)
            return (await connection.execute(query)).first() is not None

    async def get(self, repair: str) -> Repair:
        """One repair by its id."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(TABLE).where(TABLE.c.id == repair))).mappings().first()
        if row is None:
            raise UnknownRepair(f"there is no repair {repair!r}", where=self._database.where, hint="kubemend repairs")
        return _repair(row)

    async def list(
        self, *, cluster: str | None = None, states: Iterable[State] | None = None, limit: int = 50
    ) -> list[Repair]:
        """The newest repairs, newest first."""
        query = select(TABLE).order_by(TABLE.c.created_at.desc()).limit(limit)
        if cluster is not None:
            query = query.where(TABLE.c.cluster == cluster)
        if states is not None:
            query = query.where(TABLE.c.state.in_(list(states)))
        async with self._database.transaction() as connection:
            return [_repair(r) for r in (await connection.execute(query)).mappings()]

    async def tried(self, fingerprint: str, cluster: str, *, asked: bool = False) -> set[str]:
        """Hashes of plans of the last day that did not hold, or that a person rejected or undid.

        asked: leave out the latter two, for a person who asks may want them again.
        """
        bad = [State.ROLLED_BACK, State.ESCALATED]
        bad += [] if asked else [State.REJECTED]
        query = select(TABLE.c.plan_hash).where(
            TABLE.c.cluster == cluster,
            TABLE.c.fingerprint == fingerprint,
            TABLE.c.state.in_(bad),
            TABLE.c.updated_at > time.time() - DAY,
        )
        if asked:
            query = query.where(~TABLE.c.undo)
        async with self._database.transaction() as connection:
            return set((await connection.execute(query)).scalars())


def _repair(row: RowMapping | dict[str, Any]) -> Repair:
    return Repair(
        **{k: row[k] for k in ("id", "cluster", "incident", "actor", "why")},
        undo=bool(row["undo"]),
        plan=msgspec.json.decode(row["plan"], type=Plan),
        state=State(row["state"]),
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        steps=msgspec.json.decode(row["steps"], type=tuple[Step, ...]),
        baseline=msgspec.json.decode(row["baseline"], type=Baseline),
    )
