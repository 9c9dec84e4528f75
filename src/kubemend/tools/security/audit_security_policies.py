"""Tool: what is unsafe, and how to mend it."""

from __future__ import annotations

import asyncio

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.security.audit import NEEDS, Audit, audit, read_facts
from kubemend.tools.security.checks import CHECKS
from kubemend.tools.words import Scope


@tool(risk=Risk.READ, needs={*NEEDS}, examples=({}, {"namespace": "shop"}))
async def audit_security_policies(cluster: Look, *, namespace: Scope = None) -> Audit:
    """Audit pods, RBAC, network policies, images, Secrets in use and exposure: findings with severity and the fix.

    RBAC is judged for the whole cluster, since rights in a namespace may come from all over. The cluster's own
    namespaces are left out, and Secrets are never read. The score is 100 less the weighted share of what fails.
    """
    # In a thread: while thousands are judged, other calls go on.
    return await asyncio.to_thread(audit, await read_facts(cluster, namespace), CHECKS)
