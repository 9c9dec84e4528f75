"""Tool: carry out a plan."""

from __future__ import annotations

from kubemend.model.access import Risk
from kubemend.model.order import Errand
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import RepairId


@tool(risk=Risk.HIGH, needs=set(), examples=({"repair_id": "r00000001"},))
async def apply_plan(cluster: Look, *, repair_id: RepairId) -> Errand:
    """Carry out a repair that a person has approved, or approves now, to its proven end; else it is taken back.

    The approval is of exactly this plan, for five minutes, and is used up. The rights are those of the plan's changes.
    """
    return Errand(repair=repair_id)
