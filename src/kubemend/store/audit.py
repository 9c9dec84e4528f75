"""The audit trail: appended in the same transaction as what it tells of, each row chained to the one before."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kubemend.store import schema
from kubemend.store.database import Database

GENESIS = "0" * 64


class Record(Struct, frozen=True, kw_only=True):
    """One audit row. `at` is epoch seconds; `kind` says what happened; `detail` is JSON."""

    seq: int
    at: float
    cluster: str
    repair: str
    actor: str
    kind: str
    detail: dict[str, Any]
    hash: str


async def append(
    connection: AsyncConnection, *, at: float, kind: str, actor: str, cluster: str = "", repair: str = "", **detail: Any
) -> None:
    """Add one row. The caller's transaction makes it durable together with the change it records."""
    table = schema.audit
    last = (await connection.execute(select(table.c.hash).order_by(table.c.seq.desc()).limit(1))).scalar()
    row = {"at": at, "cluster": cluster, "repair": repair, "actor": actor, "kind": kind}
    row["detail"] = msgspec.json.encode(detail, order="deterministic").decode()
    await connection.execute(insert(table).values(**row, hash=_link(last or GENESIS, row)))


def _link(before: str, row: dict[str, Any]) -> str:
    body = [row[k] for k in ("at", "cluster", "repair", "actor", "kind", "detail")]
    return hashlib.sha256(before.encode() + msgspec.json.encode(body)).hexdigest()


class Audit:
    """Reading the trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, *, kind: str, actor: str, cluster: str, detail: dict[str, Any]) -> None:
        """Append one row that belongs to no other change."""
        async with self._database.transaction() as connection:
            await append(connection, at=time.time(), kind=kind, actor=actor, cluster=cluster, **detail)

    async def list(self, *, repair: str | None = None, limit: int = 100) -> list[Record]:
        """The newest `limit` rows, oldest of them first."""
        table = schema.audit
        query = select(table).order_by(table.c.seq.desc()).limit(limit)
        if repair is not None:
            query = query.where(table.c.repair == repair)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Record(**{**r, "detail": msgspec.json.decode(r["detail"])}) for r in reversed(rows)]

    async def broken_at(self) -> int | None:
        """The first row whose hash does not follow from the row before it; None when the chain holds."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(select(schema.audit).order_by(schema.audit.c.seq))).mappings().all()
        before = GENESIS
        for row in rows:
            if row["hash"] != _link(before, dict(row)):
                return int(row["seq"])
            before = row["hash"]
        return None
