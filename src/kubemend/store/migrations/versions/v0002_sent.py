"""Steps know whether their write was announced: those of open repairs learn it from the audit trail."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("SELECT id, steps FROM repairs WHERE state = 'applying'")
_LAST = sa.text("SELECT kind, detail FROM audit WHERE repair = :id AND kind IN ('intent', 'outcome') ORDER BY seq DESC")
_MARK = sa.text("UPDATE repairs SET steps = :steps WHERE id = :id")


def upgrade() -> None:
    """Mark the one write of each repair that was announced and of which nothing is noted.

    Whoever resumes the repair looks for that write in the cluster. Unmarked it would count as never sent, and what
    it changed as somebody else's.
    """
    connection = op.get_bind()
    for repair, text in connection.execute(_OPEN).all():
        last = connection.execute(_LAST, {"id": repair}).first()
        if last is None or last.kind != "intent" or json.loads(last.detail).get("what") != "apply":
            continue
        steps: list[dict[str, Any]] = json.loads(text)
        step = next((s for s in steps if s.get("after") is None), None)
        if step is not None:
            step["sent"] = True
            connection.execute(_MARK, {"id": repair, "steps": json.dumps(steps)})
