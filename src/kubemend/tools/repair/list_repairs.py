"""Tool: what has been repaired."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.words import After, Limit, Scope

KEPT = 10_000
"""Repairs that are looked through, the newest."""


StateName = Literal[
    "proposed", "awaiting_approval", "preflight", "snapshotted", "applying", "verifying", "succeeded", "rejected",
    "refused", "failed", "rolling_back", "rolled_back", "escalated",
]  # fmt: skip
"""`model.repair.State`, spelt out: a schema of one flat object has no place for an enumeration's name."""


class RepairRow(Struct, frozen=True):
    """One repair. strategy: who planned it, a strategy or a tool. code: of the fault; empty when it was asked for."""

    id: str
    state: str
    why: str
    strategy: str
    code: str
    target: str
    risk: str
    reason: str
    actor: str
    changes: int
    hash: str
    created_at: datetime
    updated_at: datetime


@tool(risk=Risk.READ, needs=set(), examples=({},))
async def list_repairs(
    cluster: Look,
    *,
    state: Annotated[StateName | None, Meta(description="Only repairs in this state.")] = None,
    namespace: Scope = None,
    limit: Limit = 50,
    continue_: After = "",
) -> Page[RepairRow]:
    """List the repairs of this cluster, newest first: those that wait for a yes, run, or have ended, and how."""
    newest = await cluster.kept.listed(KEPT)
    if len(newest) == KEPT:
        cluster.missing("data", f"only the newest {KEPT:,} repairs were looked through")
    found = [r for r in newest if state in (None, r["state"]) and namespace in (None, r["plan"]["target"]["namespace"])]
    return paged(found, _row, key=lambda r: (-r["created_at"].timestamp(), r["id"]), limit=limit, after=continue_)


def _row(repair: dict[str, Any]) -> RepairRow:
    plan = repair["plan"]
    target = plan["target"]
    place = f"{target['namespace']}/{target['name']}" if target["namespace"] else target["name"]
    return RepairRow(
        id=repair["id"],
        state=repair["state"],
        why=repair["why"],
        strategy=plan["strategy"],
        code=plan["code"],
        target=f"{target['kind']} {place}",
        risk=plan["risk"],
        reason=plan["reason"],
        actor=repair["actor"],
        changes=len(plan["changes"]),
        hash=plan["hash"],
        created_at=repair["created_at"],
        updated_at=repair["updated_at"],
    )
