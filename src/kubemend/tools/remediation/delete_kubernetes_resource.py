"""Tool: one object less."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.recreation import gone_for_good, lost
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.order import Order
from kubemend.model.plan import Delete, Verify
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.dependents import dependents
from kubemend.tools.remediation.targets import target
from kubemend.tools.words import Kind, Name, Namespace

GONE_S = 60.0


@tool(
    risk=Risk.HIGH,
    needs={
        Access("get", "configmaps"),
        Access("list", "pods"),
        Access("create", "configmaps"),
        Access("delete", "configmaps"),
    },
    examples=({"resource_type": "configmap", "resource_name": "web", "namespace": "shop"},),
)
async def delete_kubernetes_resource(
    cluster: Look,
    *,
    resource_type: Kind,
    resource_name: Name,
    namespace: Annotated[Namespace | None, Meta(description="Its namespace; nothing for a kind that has none.")] = None,
    grace_period: Annotated[int, Meta(description="Seconds that a pod gets to end.", ge=0, le=3600)] = 30,
) -> Order:
    """Delete one object of any kind, custom resources too, after telling what hangs on it.

    The object is kept whole, and undo_repair makes it anew where that takes anything back; `undo` says what would
    not come back. If something near it breaks, it is made anew at once. Secrets are refused. It needs the rights
    to get, delete and create that kind.
    """
    ref, found = await target(cluster, resource_type, resource_name, namespace)
    meta = found["metadata"]
    if meta.get("deletionTimestamp"):
        raise InvalidInput(
            f"{ref} is being deleted already", code="nothing-to-do", where=str(ref),
            hint=f"it waits for its finalizers: {', '.join(meta.get('finalizers', ())) or 'none'}",
        )  # fmt: skip
    hang = await dependents(cluster, ref, meta["uid"], _labels(found))
    return Order(
        changes=(Delete(target=ref, uid=meta["uid"], grace=grace_period if ref.kind == "Pod" else None),),
        reason=f"delete {ref}, as asked",
        verify=Verify(healthy=(), within_s=GONE_S, gone=False),
        told={
            "resource_type": ref.kind,
            "resource_name": ref.name,
            "namespace": ref.namespace,
            "grace_period_seconds": grace_period,
            "dependents": hang,
            "undo": _undo(found),
        },
    )


def _labels(found: dict[str, Any]) -> dict[str, str]:
    """The labels of the pods that a workload makes; of anything else its own."""
    held = found.get("spec") or {}
    template = held.get("template") if isinstance(held, dict) else None
    metadata = template.get("metadata") if isinstance(template, dict) else found["metadata"]
    return dict((metadata or {}).get("labels") or {})


def _undo(found: dict[str, Any]) -> str:
    if (final := gone_for_good(found)) is not None:
        return f"not possible: {final}"
    if (rest := lost(found)) is not None:
        return f"makes the object anew, but {rest}"
    return "makes the object anew, with another uid"
