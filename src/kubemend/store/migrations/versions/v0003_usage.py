"""What containers used, for advice where no Prometheus remembers it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "usage",
        sa.Column("cluster", sa.String(253), primary_key=True),
        sa.Column("namespace", sa.String(253), primary_key=True),
        sa.Column("kind", sa.String(63), primary_key=True),
        sa.Column("workload", sa.String(253), primary_key=True),
        sa.Column("container", sa.String(253), primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
