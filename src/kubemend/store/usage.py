"""What containers used, kept as fading histograms: one row for each container of each workload, however long."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update

from kubemend.kube.histogram import Look, Record
from kubemend.store import schema
from kubemend.store.database import Database

TABLE = schema.usage
FORGET_S = 8 * 86400.0
"""What was not seen for so long is forgotten: the days that VPA looks back."""

Key = tuple[str, str, str, str]
"""(namespace, kind, workload, container)"""


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
            for key, looks in seen.items():
                before = _read(held[key]) if key in held else Record()
                text = msgspec.json.encode(before.seen(looks, now)).decode()
                if key in held:
                    await connection.execute(update(TABLE).where(*self._is(key)).values(record=text, updated_at=now))
                else:
                    names = dict(zip(("namespace", "kind", "workload", "container"), key, strict=True))
                    values = {"cluster": self._cluster, **names, "record": text, "updated_at": now}
                    await connection.execute(insert(TABLE).values(values))
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

    def _is(self, key: Key) -> tuple[ColumnElement[bool], ...]:
        namespace, kind, workload, container = key
        return (
            TABLE.c.cluster == self._cluster,
            TABLE.c.namespace == namespace,
            TABLE.c.kind == kind,
            TABLE.c.workload == workload,
            TABLE.c.container == container,
        )


def _read(text: str) -> Record:
    return msgspec.json.decode(text, type=Record)
