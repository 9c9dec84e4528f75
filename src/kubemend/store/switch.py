"""The kill switch: one row that stops every write of every process on this ledger at once."""

from __future__ import annotations

import time

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kubemend.store import schema
from kubemend.store.audit import append
from kubemend.store.database import Database
from kubemend.store.errors import StoreError

PAUSE = "pause"


class Paused(StoreError):
    """The kill switch is on."""

    code = "paused"
    exit_status = 5


async def refuse_if_paused(connection: AsyncConnection) -> None:
    """Raise Paused when the switch is on, inside the transaction that would announce a write."""
    table = schema.switches
    row = (await connection.execute(select(table).where(table.c.name == PAUSE, table.c.on))).mappings().first()
    if row is not None:
        raise Paused(
            f"repairs are paused by {row['actor']}" + (f": {row['why']}" if row["why"] else ""),
            hint="kubemend resume",
        )


class KillSwitch:
    """Turning it on and off, and asking."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, *, on: bool, actor: str, why: str = "") -> None:
        """Pause or resume all writes; recorded."""
        table, now = schema.switches, time.time()
        async with self._database.transaction() as connection:
            await connection.execute(delete(table).where(table.c.name == PAUSE))
            await connection.execute(insert(table).values(name=PAUSE, on=on, actor=actor, why=why, at=now))
            await append(connection, at=now, kind="pause" if on else "resume", actor=actor, why=why)

    async def check(self) -> None:
        """Raise Paused when it is on."""
        async with self._database.transaction() as connection:
            await refuse_if_paused(connection)
