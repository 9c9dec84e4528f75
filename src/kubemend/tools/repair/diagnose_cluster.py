"""Tool: the judge."""

from __future__ import annotations

from typing import Any

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.desk import Desk
from kubemend.tools.words import Scope


@tool(risk=Risk.READ, needs=set(), examples=({"namespace": "shop"},), within_s=60)
async def diagnose_cluster(desk: Desk, *, namespace: Scope = None) -> dict[str, Any]:
    """Find everything that is broken, with its cause, its evidence and the repair that would be tried.

    The answer is that of `kubemend scan -o json`. Rules that could not be judged, because something could not be
    read, are listed in `not_judged`: what is not judged is not healthy. It needs the rights of `kubemend rbac viewer`.
    """
    return await desk.diagnose(namespace)
