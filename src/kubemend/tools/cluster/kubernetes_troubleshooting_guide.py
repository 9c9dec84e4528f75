"""Tool: how to go about a kind of trouble."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.desk import Desk
from kubemend.tools.words import Scope


@tool(risk=Risk.READ, needs=set(), examples=({"keyword": "storage"}, {"keyword": "OOMKilled", "namespace": "shop"}))
async def kubernetes_troubleshooting_guide(
    desk: Desk,
    *,
    keyword: Annotated[str, Meta(description="pod, network, storage, performance, or any word of the trouble.")],
    namespace: Scope = None,
) -> dict[str, Any]:
    """Tell how to find the cause of a kind of trouble: what to check, with which tool, and which faults it may be.

    The faults are the rules that kubemend judges by. Those that fire in the namespace now come first.
    """
    return await desk.guide(keyword, namespace)
