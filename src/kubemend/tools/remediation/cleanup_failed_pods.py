"""Tool: failed pods out of the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Pod
from kubemend.model.order import Order
from kubemend.model.plan import Delete, Verify
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Scope

MOST = 100
"""Pods of one call; the answer tells how many are left."""
KUBELETS = (
    "Evicted",
    "NodeShutdown",
    "Terminated",
    "Preempting",
    "NodeAffinity",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfpods",
)
"""Reasons with which a kubelet ends a pod for its own sake; controllers leave such pods lying about."""


@tool(
    risk=Risk.HIGH,
    needs={Access("list", "pods"), Access("get", "pods"), Access("create", "pods"), Access("delete", "pods")},
    examples=({"namespace": "shop"},),
)
async def cleanup_failed_pods(
    cluster: Look,
    *,
    namespace: Scope = None,
    include_evicted: Annotated[bool, Meta(description="Also those that their node evicted or refused.")] = True,
) -> Order:
    """Delete pods in the phase Failed. It can't be undone, and their logs are lost.

    Pods of Jobs stay, for they are the Job's history, and so do those that completed well, and pods that are crashing:
    they haven't failed for good. At most 100 at once.
    """
    failed = await cluster.list(Pod, namespace, fields="status.phase=Failed")
    chosen, skipped = _sorted(failed, include_evicted=include_evicted)
    if not chosen:
        raise InvalidInput(
            "no failed pod is to be cleaned up", code="nothing-to-do", where=namespace,
            hint=f"{len(skipped)} failed pods are left alone" if skipped else None,
        )  # fmt: skip
    now = chosen[:MOST]
    return Order(
        changes=tuple(Delete(target=p.ref, uid=p.metadata.uid, grace=0) for p in now),
        reason=f"delete {len(now)} failed pods{f' in {namespace}' if namespace else ''}, as asked",
        verify=Verify(healthy=(), within_s=60.0, steady_s=0.0, gone=False),
        told={
            "namespace": namespace,
            "include_evicted": include_evicted,
            "cleaned_pods": [
                {"name": p.name, "namespace": p.namespace, "reason": p.status.reason or "Failed", "phase": "Failed"}
                for p in now
            ],
            "skipped_pods": skipped,
            "left_for_next_call": len(chosen) - len(now),
            "total_cleaned": len(now),
            "undo": "not possible: a finished pod is not run again",
        },
    )


def _sorted(failed: Sequence[Pod], *, include_evicted: bool) -> tuple[list[Pod], list[dict[str, str]]]:
    """The pods to delete, and those left alone with the reason."""
    chosen, skipped = list[Pod](), list[dict[str, str]]()
    for pod in failed:
        owner = pod.metadata.controller
        why = ""
        if owner is not None and owner.kind == "Job":
            why = f"it is the history of Job {owner.name}"
        elif not include_evicted and pod.status.reason in KUBELETS:
            why = f"its node ended it ({pod.status.reason})"
        if why:
            skipped.append({"name": pod.name, "namespace": pod.namespace, "reason": why})
        else:
            chosen.append(pod)
    return chosen, skipped
