"""What must be so for a repair to begin: an approval, budget left, and objects that no other repair holds."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kubemend.model.repair import OPEN, Repair, State
from kubemend.store import schema
from kubemend.store.database import IntegrityError
from kubemend.store.errors import Held, Moved, OverBudget

TABLE = schema.repairs
HOUR, DAY = 3600.0, 86400.0


class Limits(Struct, frozen=True, kw_only=True):
    """How much may be repaired. Counted in the same transaction that starts a repair, over all processes.

    attempts: repairs of one incident's fault that began in 24 hours; what a person orders by name cures no incident,
    and each time takes a yes of its own. cooldown_s: seconds between the end of one repair of
    an object and the start of the next. concurrent, per_namespace: open at once. per_hour: started in an hour.
    """

    attempts: int = 3
    cooldown_s: float = 60.0
    concurrent: int = 5
    per_namespace: int = 2
    per_hour: int = 60


async def use_approval(connection: AsyncConnection, repair: Repair, now: float) -> None:
    """Use up an unexpired, unused approval of exactly this plan's hash; Moved when there is none."""
    table = schema.approvals
    query = (
        update(table)
        .where(
            table.c.repair == repair.id,
            table.c.plan_hash == repair.plan.hash,
            table.c.expires_at > now,
            table.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    if (await connection.execute(query)).rowcount < 1:
        raise Moved(
            f"repair {repair.id} has no valid approval of this plan",
            where=repair.id,
            code="approval-required",
            hint=f"kubemend approvals approve {repair.id}",
        )


async def check_limits(connection: AsyncConnection, repair: Repair, limits: Limits, now: float) -> None:
    """Raise OverBudget when one of the limits is reached."""

    async def count(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(TABLE).where(TABLE.c.cluster == repair.cluster, *conditions)
        return int((await connection.execute(query)).scalar_one())

    begun = TABLE.c.started_at.is_not(None)
    same = TABLE.c.fingerprint == repair.plan.fingerprint
    attempts = await count(same, begun, TABLE.c.started_at > now - DAY) if repair.plan.code else 0
    target, namespace = str(repair.plan.target), repair.plan.target.namespace
    is_open = TABLE.c.state.in_(OPEN)
    # What was refused, or failed before anything changed, needs no rest.
    changed = TABLE.c.state.not_in((*OPEN, State.REFUSED, State.FAILED))
    ended = (TABLE.c.target == target, begun, changed, TABLE.c.updated_at > now - limits.cooldown_s)
    if attempts >= limits.attempts:
        raise OverBudget(
            f"{attempts} attempts at this incident in 24 h",
            where=repair.id,
            code="attempts-spent",
            hint="a person should look at it",
        )
    for used, cap, what in (
        (await count(*ended), 1, f"repair of {target} within {limits.cooldown_s:g} s (cooldown)"),
        (await count(is_open), limits.concurrent, "repairs open in the cluster"),
        (
            await count(is_open, TABLE.c.namespace == namespace),
            limits.per_namespace,
            f"repairs open in {namespace}",
        ),
        (
            await count(begun, TABLE.c.started_at > now - HOUR),
            limits.per_hour,
            "repairs started in the last hour",
        ),
    ):
        if used >= cap:
            raise OverBudget(
                f"budget reached: {used} of {cap} {what}", where=repair.id, hint="wait, or fix it yourself"
            )


async def hold(connection: AsyncConnection, repair: Repair, objects: Iterable[str]) -> None:
    """Keep these objects for this repair until it ends; Held when another has one of them."""
    for name in sorted(set(objects)):
        try:
            await connection.execute(insert(schema.holds).values(cluster=repair.cluster, object=name, repair=repair.id))
        except IntegrityError as error:
            raise Held(f"another repair is at work on {name}", where=repair.id, hint="kubemend repairs") from error
