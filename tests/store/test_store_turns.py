"""Many units of work at once in one process take turns, and don't contend for SQLite's lock, which is not fair."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from kubemend.store.database import Database


async def test_forty_units_of_work_at_once_go_one_after_another(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "ledger.db")
    out = most = 0
    pool = database._engine.sync_engine

    @event.listens_for(pool, "checkout")
    def taken(*_: Any) -> None:
        nonlocal out, most
        out += 1
        most = max(most, out)

    @event.listens_for(pool, "checkin")
    def given_back(*_: Any) -> None:
        nonlocal out
        out -= 1

    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    await asyncio.gather(*(work() for _ in range(40)))
    await database.close()
    assert (out, most) == (0, 1)
