"""The ledger's tables. A change here comes with a migration in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

repairs = Table(
    "repairs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("cluster", String(253), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("target", String(600), nullable=False),
    Column("fingerprint", String(12), nullable=False),
    Column("incident", String(16), nullable=False),
    Column("state", String(20), nullable=False),
    Column("plan", Text, nullable=False),
    Column("plan_hash", String(64), nullable=False),
    Column("actor", String(253), nullable=False),
    Column("why", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Column("baseline", Text, nullable=False),
    Column("undo", Boolean, nullable=False),
    # Who drives it now, and when it last said so: a dead holder's repairs are taken over.
    Column("holder", String(300), nullable=False),
    Column("heartbeat", Float, nullable=False),
    # Epoch seconds. `started_at` is set when preflight begins: budgets count from it.
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("started_at", Float, nullable=True),
)
Index("repairs_by_state", repairs.c.cluster, repairs.c.state)
Index("repairs_by_start", repairs.c.cluster, repairs.c.started_at)
Index("repairs_by_fault", repairs.c.cluster, repairs.c.fingerprint)
Index("repairs_by_target", repairs.c.cluster, repairs.c.target)
Index("repairs_by_plan", repairs.c.cluster, repairs.c.plan_hash)

# One row for each object that an open repair may change. The primary key is what keeps two repairs apart,
# also across processes and replicas.
holds = Table(
    "holds",
    metadata,
    Column("cluster", String(253), primary_key=True),
    Column("object", String(600), primary_key=True),
    Column("repair", String(16), nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repair", String(16), nullable=False, index=True),
    Column("plan_hash", String(64), nullable=False),
    Column("actor", String(253), nullable=False),
    Column("given_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float, nullable=True),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("cluster", String(253), nullable=False),
    Column("fingerprint", String(12), nullable=False),
    Column("code", String(8), nullable=False),
    Column("title", Text, nullable=False),
    Column("subject", String(600), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("phase", String(12), nullable=False),
    Column("message", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("resolved_at", Float, nullable=True),
    Column("reopened", Integer, nullable=False),
)
Index("incidents_by_fingerprint", incidents.c.cluster, incidents.c.fingerprint, unique=True)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("cluster", String(253), nullable=False),
    Column("repair", String(16), nullable=False, index=True),
    Column("actor", String(253), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("detail", Text, nullable=False),
    # SHA-256 over this row and the hash before it: an edited or deleted row breaks the chain.
    Column("hash", String(64), nullable=False),
)

switches = Table(
    "switches",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("on", Boolean, nullable=False),
    Column("actor", String(253), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Float, nullable=False),
)

usage = Table(
    "usage",
    metadata,
    Column("cluster", String(253), primary_key=True),
    Column("namespace", String(253), primary_key=True),
    Column("kind", String(63), primary_key=True),
    Column("workload", String(253), primary_key=True),
    Column("container", String(253), primary_key=True),
    # Histograms as JSON, which fade and so never grow.
    Column("record", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
)
