"""Approvals: a person's yes or no to exactly one plan hash, for a limited time, used once."""

from __future__ import annotations

import time
from datetime import datetime

from msgspec import Struct
from sqlalchemy import insert, select

from kubemend.model.repair import Repair, State
from kubemend.store import schema
from kubemend.store.audit import append
from kubemend.store.clock import moment
from kubemend.store.database import Database
from kubemend.store.errors import Moved

TABLE = schema.approvals


class Approval(Struct, frozen=True, kw_only=True):
    """One yes."""

    repair: str
    plan_hash: str
    actor: str
    given_at: datetime
    expires_at: datetime
    used_at: datetime | None


class Approvals:
    """Giving and listing approvals. They are used up where a repair begins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(self, repair: Repair, *, plan_hash: str, actor: str, ttl_s: float = 300.0) -> None:
        """Say yes to the plan whose hash the person saw. A waiting repair only, and only its own plan."""
        if repair.state is not State.AWAITING_APPROVAL:
            raise Moved(f"repair {repair.id} is {repair.state}; only a waiting one can be approved", where=repair.id)
        if plan_hash != repair.plan.hash:
            raise Moved(
                f"repair {repair.id} has another plan than the one approved",
                where=repair.id,
                code="plan-stale",
                hint=f"look at it again: kubemend repairs {repair.id}",
            )
        now = time.time()
        async with self._database.transaction() as connection:
            values = {"repair": repair.id, "plan_hash": plan_hash, "actor": actor, "given_at": now}
            await connection.execute(insert(TABLE).values(**values, expires_at=now + ttl_s, used_at=None))
            detail = {"hash": plan_hash, "ttl_s": ttl_s}
            await append(
                connection, at=now, kind="approval", actor=actor, cluster=repair.cluster, repair=repair.id, **detail
            )

    async def list(self, *, repair: str | None = None, limit: int = 50) -> list[Approval]:
        """The newest approvals, newest first."""
        query = select(TABLE).order_by(TABLE.c.id.desc()).limit(limit)
        if repair is not None:
            query = query.where(TABLE.c.repair == repair)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            Approval(
                repair=r["repair"],
                plan_hash=r["plan_hash"],
                actor=r["actor"],
                given_at=moment(r["given_at"]),
                expires_at=moment(r["expires_at"]),
                used_at=None if r["used_at"] is None else moment(r["used_at"]),
            )
            for r in rows
        ]
