"""Tool: another pod in place of one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.finding import cite
from kubemend.model.objects import Pod, kind_of
from kubemend.model.order import Order
from kubemend.model.plan import Evict, Verify
from kubemend.model.repair import Repair
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.makers import maker, replacement, workload
from kubemend.tools.words import Name, Namespace, Timeout


@tool(
    risk=Risk.LOW,
    needs={
        Access("get", "pods"),
        Access("list", "pods"),
        Access("get", "replicasets", "apps"),
        Access("create", "pods/eviction"),
    },
    examples=(
        {"pod_name": "store-0", "namespace": "shop"},
        {"pod_name": "lone", "namespace": "shop", "timeout": 90},
    ),
)
async def restart_pod(
    cluster: Look,
    *,
    pod_name: Name,
    namespace: Namespace,
    wait_for_ready: Annotated[bool, Meta(description="Follow until the workload is complete again.")] = True,
    timeout: Timeout = 60,  # noqa: ASYNC109 - the tool's own word
) -> Order:
    """Evict one pod, which heeds disruption budgets, and follow the pod that its controller makes instead.

    The workload must be complete then; where other pods of it were not ready before, only the new pod is judged. A
    pod without a controller would not come back and is refused. An eviction can't be undone.
    """
    pod = await cluster.one(Pod, namespace, pod_name)
    owner = maker(pod)
    top = await workload(cluster, namespace, owner)
    pods = await cluster.list(Pod, namespace)
    known = {p.metadata.uid for p in pods}
    sick = [p.name for p in pods if _sibling(p, pod) and not ready(p)]
    began = time.monotonic()

    async def afterwards(_repair: Repair) -> Mapping[str, Any]:
        came = replacement(pod, await cluster.list(Pod, namespace), known)
        return {
            "new_pod_name": None if came is None else came.name,
            "new_pod_uid": None if came is None else came.metadata.uid,
            "new_pod_status": "ready" if came is not None and ready(came) else "not_ready",
            "wait_time_seconds": round(time.monotonic() - began, 1),
        }

    followed = wait_for_ready and kind_of(top) is not None
    return Order(
        changes=(Evict(target=pod.ref, uid=pod.metadata.uid),),
        reason=f"restart {pod.ref} of {top}, as asked",
        verify=Verify(
            healthy=(top,) if followed and not sick else (),
            replaced=1 if followed and sick else 0,
            within_s=timeout,
            steady_s=3.0 if followed else 0.0,
            gone=False,
        ),
        requires=(cite(pod, "metadata", "ownerReferences", 0, "uid"),),
        told={
            "pod_name": pod_name,
            "namespace": namespace,
            "old_pod_uid": pod.metadata.uid,
            "owner_controller": {"kind": owner.kind, "name": owner.name, "uid": owner.uid},
            "workload": str(top),
            "not_ready_before": sick,
        },
        target=top,
        afterwards=afterwards,
    )


def _sibling(one: Pod, other: Pod) -> bool:
    """Whether two pods have the same controller."""
    mine, theirs = one.metadata.controller, other.metadata.controller
    return one.name != other.name and mine is not None and theirs is not None and mine.uid == theirs.uid
