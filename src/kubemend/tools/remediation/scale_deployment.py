"""Tool: another number of replicas."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.cluster.errors import NotFound
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import cite
from kubemend.model.objects import Deployment, HorizontalPodAutoscaler, StatefulSet
from kubemend.model.order import Order
from kubemend.model.plan import Scale, Verify
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Name, Namespace

START_S = 120.0
"""Seconds that new pods may take to become ready before the old number is put back."""


@tool(
    risk=Risk.LOW,
    needs={
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
        Access("list", "horizontalpodautoscalers", "autoscaling"),
        Access("patch", "deployments/scale", "apps"),
        Access("patch", "statefulsets/scale", "apps"),
    },
    examples=(
        {"deployment_name": "web", "namespace": "shop", "replicas": 3},
        {"deployment_name": "store", "namespace": "shop", "replicas": 2},
    ),
)
async def scale_deployment(
    cluster: Look,
    *,
    deployment_name: Name,
    namespace: Namespace,
    replicas: Annotated[int, Meta(description="How many pods there shall be.", ge=0, le=10_000)],
) -> Order:
    """Scale a Deployment, or a StatefulSet of that name, and prove that the new pods become ready.

    Fewer replicas are medium risk, none at all high. A workload that a HorizontalPodAutoscaler drives is not
    scaled outside of its bounds; quota and room on the nodes are checked before anything is written.
    """
    workload = await _workload(cluster, namespace, deployment_name)
    was = workload.spec.replicas
    if was == replicas:
        raise InvalidInput(
            f"{workload.ref} has {replicas} replicas already", code="nothing-to-do", where=str(workload.ref)
        )
    for autoscaler in await cluster.beside(HorizontalPodAutoscaler, namespace) or ():
        aim, spec = autoscaler.spec.scale_target_ref, autoscaler.spec
        if (aim.kind, aim.name) == (workload.ref.kind, workload.name) and not (
            spec.min_replicas <= replicas <= spec.max_replicas
        ):
            raise InvalidInput(
                f"HorizontalPodAutoscaler {autoscaler.name} keeps {workload.ref} between {spec.min_replicas} and "
                f"{spec.max_replicas} replicas; it would undo this",
                code="autoscaled",
                where=str(workload.ref),
                hint="change the autoscaler's bounds",
            )
    return Order(
        changes=(Scale(target=workload.ref, uid=workload.metadata.uid, replicas=replicas, was=was),),
        reason=f"scale {workload.ref} from {was} to {replicas} replicas, as asked",
        verify=Verify(healthy=(workload.ref,), within_s=START_S, gone=False),
        risk=Risk.HIGH if replicas == 0 else Risk.MEDIUM if replicas < was else Risk.LOW,
        requires=(cite(workload, "spec", "replicas"),),
        told={
            "resource_type": workload.ref.kind.lower(),
            "resource_name": workload.name,
            "namespace": namespace,
            "previous_replicas": was,
            "target_replicas": replicas,
            "operation": "scale_up" if replicas > was else "scale_down",
        },
    )


async def _workload(cluster: Look, namespace: str, name: str) -> Deployment | StatefulSet:
    try:
        return await cluster.one(Deployment, namespace, name)
    except NotFound:
        return await cluster.one(StatefulSet, namespace, name)
