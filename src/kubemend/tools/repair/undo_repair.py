"""Tool: take a repair back."""

from __future__ import annotations

from kubemend.model.access import Risk
from kubemend.model.order import Errand
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import RepairId


@tool(risk=Risk.HIGH, needs=set(), examples=({"repair_id": "r00000002"},))
async def undo_repair(cluster: Look, *, repair_id: RepairId) -> Errand:
    """Take a finished repair back, when a person says yes: every field it wrote becomes what it was.

    What somebody else has changed since is not overwritten: then a person is asked with both values. Evictions
    and finished pods can't be brought back.
    """
    return Errand(repair=repair_id, undo=True)
