"""Tool: a plan for what is wrong with one object."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.desk import Desk
from kubemend.tools.words import Kind, Name, Namespace


@tool(
    risk=Risk.READ,
    needs=set(),
    examples=({"resource_type": "deployment", "resource_name": "web", "namespace": "shop"},),
    within_s=60,
)
async def propose_repair(
    desk: Desk,
    *,
    resource_type: Kind,
    resource_name: Name,
    namespace: Annotated[Namespace | None, Meta(description="Its namespace; nothing for a node.")] = None,
) -> dict[str, Any]:
    """Diagnose one object and plan the repair of its worst fault; nothing is written to the cluster.

    The answer has the diagnosis with its evidence, and the plan with its diff, the `repair` id for apply_plan and how
    to approve it; or `plan` null and why there is none. It needs the rights of `kubemend rbac viewer`.
    """
    return await desk.propose(resource_type, namespace or "", resource_name)
