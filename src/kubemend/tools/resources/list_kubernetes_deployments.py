"""Tool: Deployments."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.kube.rollout import progress
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Deployment
from kubemend.model.objects.meta import LabelSelector
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class DeploymentRow(Struct, frozen=True):
    """One Deployment. rollout: what `kubectl rollout status` would say."""

    name: str
    namespace: str
    replicas: int
    ready_replicas: int
    available_replicas: int
    updated_replicas: int
    rollout: str
    paused: bool
    creation_time: datetime | None
    labels: dict[str, str]
    selector: LabelSelector


@tool(risk=Risk.READ, needs={Access("list", "deployments", "apps")}, examples=({"namespace": "shop"},))
async def list_kubernetes_deployments(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[DeploymentRow]:
    """List Deployments with wanted, ready, updated and available replicas, and how far the rollout is."""
    return page(await cluster.list(Deployment, namespace), _row, limit=limit, after=continue_)


def _row(found: Deployment) -> DeploymentRow:
    status = found.status
    return DeploymentRow(
        name=found.name,
        namespace=found.namespace,
        replicas=found.spec.replicas,
        ready_replicas=status.ready_replicas,
        available_replicas=status.available_replicas,
        updated_replicas=status.updated_replicas,
        rollout=progress(found).why,
        paused=found.spec.paused,
        creation_time=found.metadata.creation_timestamp,
        labels=found.metadata.labels,
        selector=found.spec.selector,
    )
