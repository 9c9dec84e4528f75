"""Incidents: one row for each fault on each workload, however often it comes back."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kubemend.model.finding import Diagnosis
from kubemend.model.repair import Incident, Phase
from kubemend.store import schema
from kubemend.store.audit import append
from kubemend.store.clock import moment
from kubemend.store.database import Database
from kubemend.store.errors import UnknownIncident

TABLE = schema.incidents


class Incidents:
    """Opening, moving and listing incidents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def see(self, diagnosis: Diagnosis, *, cluster: str) -> tuple[Incident, bool]:
        """Note that a fault is there now. Returns its incident and whether that is news (opened or reopened)."""
        now, root = time.time(), diagnosis.root
        async with self._database.transaction() as connection:
            row = await _find(connection, cluster, diagnosis.fingerprint)
            if row is None:
                values: dict[str, Any] = {
                    "id": "i" + secrets.token_hex(4), "cluster": cluster, "fingerprint": diagnosis.fingerprint,
                    "code": root.code, "title": root.title, "subject": str(root.subject),
                    "namespace": root.subject.namespace, "phase": Phase.OPENED, "message": root.message,
                    "opened_at": now, "updated_at": now, "resolved_at": None, "reopened": 0,
                }  # fmt: skip
                await connection.execute(insert(TABLE).values(**values))
                news = True
            else:
                values, news = _seen_again(row, root.message, now)
                await connection.execute(update(TABLE).where(TABLE.c.id == row["id"]).values(**values))
                values = {**row, **values}
            if news:
                detail = {"incident": values["id"], "code": root.code, "message": root.message}
                await append(connection, at=now, kind="incident", actor="detector", cluster=cluster, **detail)
        return _incident(values), news

    async def move(self, incident: str, phase: Phase) -> None:
        """Say where an incident stands now."""
        now = time.time()
        resolved = now if phase is Phase.RESOLVED else None
        async with self._database.transaction() as connection:
            query = update(TABLE).where(TABLE.c.id == incident, TABLE.c.phase != phase)
            changed = await connection.execute(query.values(phase=phase, updated_at=now, resolved_at=resolved))
            if changed.rowcount:
                await append(connection, at=now, kind="incident", actor="detector", incident=incident, phase=phase)

    async def get(self, incident: str) -> Incident:
        """One incident. UnknownIncident when there is none."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(TABLE).where(TABLE.c.id == incident))).mappings().first()
        if row is None:
            raise UnknownIncident(f"there is no incident {incident}", where=incident)
        return _incident(row)

    async def list(self, *, cluster: str | None = None, unresolved: bool = False, limit: int = 100) -> list[Incident]:
        """The newest incidents, newest first."""
        query = select(TABLE).order_by(TABLE.c.updated_at.desc()).limit(limit)
        if cluster is not None:
            query = query.where(TABLE.c.cluster == cluster)
        if unresolved:
            query = query.where(TABLE.c.phase != Phase.RESOLVED)
        async with self._database.transaction() as connection:
            return [_incident(r) for r in (await connection.execute(query)).mappings()]


async def _find(connection: AsyncConnection, cluster: str, fingerprint: str) -> RowMapping | None:
    query = select(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.fingerprint == fingerprint)
    return (await connection.execute(query)).mappings().first()


def _seen_again(row: RowMapping, message: str, now: float) -> tuple[dict[str, Any], bool]:
    if row["phase"] != Phase.RESOLVED:
        return {"updated_at": now, "message": message}, False
    return {
        "updated_at": now,
        "message": message,
        "phase": Phase.OPENED,
        "opened_at": now,
        "resolved_at": None,
        "reopened": row["reopened"] + 1,
    }, True


def _incident(row: Any) -> Incident:
    return Incident(
        **{k: row[k] for k in ("id", "cluster", "fingerprint", "code", "title", "subject", "namespace", "message")},
        phase=Phase(row["phase"]),
        opened_at=moment(row["opened_at"]),
        updated_at=moment(row["updated_at"]),
        resolved_at=None if row["resolved_at"] is None else moment(row["resolved_at"]),
        reopened=row["reopened"],
    )
