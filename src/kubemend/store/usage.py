"""What containers used, kept as fading histograms: one row for each container of each workload, however long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from kubemend.kube.histogram import Look, Record
from kubemend.store import schema
from kubemend.store.database import Database

TABLE = schema.usage
FORGET_S = 8 * 86400.0
"""What was not seen for so long is forgotten: the days that VPA looks back."""

Key = tuple[str, str, str, str]
"""(namespace, kind, workload, container)"""
NAMES = ("namespace", "kind", "workload", "container")

_INSERT = insert(TABLE)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=["cluster", *NAMES],
    set_={"record": _INSERT.excluded.record, "updated_at": _INSERT.excluded.updated_at},
)


class Usage:
    """The use of one cluster's containers."""

    def __init__(self, database: Database, cluster: str) -> None:
        self._database, self._cluster = database, cluster

    async def learn(self, seen: Mapping[Key, Sequence[Look]], *, at: float | None = None) -> None:
        """Add one look at these containers, all their pods, in one transaction."""
        now = time.time() if at is None else at
        async with self._database.transaction() as connection:
            held = {
                (r.namespace, r.kind, r.workload, r.container): r.record
                for r in (await connection.execute(select(TABLE).where(TABLE.c.cluster == self._cluster))).all()
            }
            # In a thread, and written at once: a cluster has ten thousand containers.
            rows = await asyncio.to_thread(self._rows, held, seen, now)
            if rows:
                await connection.execute(_UPSERT, rows)
            old = delete(TABLE).where(TABLE.c.cluster == self._cluster, TABLE.c.updated_at < now - FORGET_S)
            await connection.execute(old)

    async def known(self, namespace: str | None = None) -> dict[Key, Record]:
        """What is known of each container (of one namespace)."""
        query = select(TABLE).where(TABLE.c.cluster == self._cluster)
        if namespace is not None:
            query = query.where(TABLE.c.namespace == namespace)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return {(r.namespace, r.kind, r.workload, r.container): _read(r.record) for r in rows}

    def _rows(self, held: Mapping[Key, str], seen: Mapping[Key, Sequence[Look]], now: float) -> list[dict[str, Any]]:
        """What is to be written. A look that comes too soon after the last changes nothing."""
        found = []
        for key, looks in seen.items():
            before = _read(held[key]) if key in held else None
            record = (before or Record()).seen(looks, now)
            if record != before:
                names = dict(zip(NAMES, key, strict=True))
                text = msgspec.json.encode(record).decode()
                found.append({"cluster": self._cluster, **names, "record": text, "updated_at": now})
        return found


def _read(text: str) -> Record:
    return msgspec.json.decode(text, type=Record)
