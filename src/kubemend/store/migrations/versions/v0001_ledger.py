"""The ledger: repairs, holds, approvals, incidents, audit, switches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "repairs",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("cluster", sa.String(253), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("target", sa.String(600), nullable=False),
        sa.Column("fingerprint", sa.String(12), nullable=False),
        sa.Column("incident", sa.String(16), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(253), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("steps", sa.Text, nullable=False),
        sa.Column("baseline", sa.Text, nullable=False),
        sa.Column("undo", sa.Boolean, nullable=False),
        sa.Column("holder", sa.String(300), nullable=False),
        sa.Column("heartbeat", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
    )
    op.create_index("repairs_by_state", "repairs", ["cluster", "state"])
    op.create_index("repairs_by_start", "repairs", ["cluster", "started_at"])
    op.create_index("repairs_by_fault", "repairs", ["cluster", "fingerprint"])
    op.create_index("repairs_by_target", "repairs", ["cluster", "target"])
    op.create_index("repairs_by_plan", "repairs", ["cluster", "plan_hash"])
    op.create_table(
        "holds",
        sa.Column("cluster", sa.String(253), primary_key=True),
        sa.Column("object", sa.String(600), primary_key=True),
        sa.Column("repair", sa.String(16), nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repair", sa.String(16), nullable=False),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(253), nullable=False),
        sa.Column("given_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
    )
    op.create_index("ix_approvals_repair", "approvals", ["repair"])
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("cluster", sa.String(253), nullable=False),
        sa.Column("fingerprint", sa.String(12), nullable=False),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("subject", sa.String(600), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("phase", sa.String(12), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("resolved_at", sa.Float),
        sa.Column("reopened", sa.Integer, nullable=False),
    )
    op.create_index("incidents_by_fingerprint", "incidents", ["cluster", "fingerprint"], unique=True)
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("cluster", sa.String(253), nullable=False),
        sa.Column("repair", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(253), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_repair", "audit", ["repair"])
    op.create_table(
        "switches",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("on", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String(253), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
