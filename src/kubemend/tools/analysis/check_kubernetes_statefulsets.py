"""Tool: StatefulSets."""

from __future__ import annotations

from msgspec import Struct

from kubemend.kube.rollout import progress
from kubemend.model.access import Access, Risk
from kubemend.model.objects import PersistentVolumeClaim, StatefulSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class ClaimTemplate(Struct, frozen=True):
    """What each pod of the set claims. size: as written."""

    name: str
    storage_class: str | None
    access_modes: tuple[str, ...]
    size: str


class StatefulSetRow(Struct, frozen=True):
    """One StatefulSet. rollout: what `kubectl rollout status` would say."""

    name: str
    namespace: str
    replicas: int
    ready_replicas: int
    current_replicas: int
    updated_replicas: int
    service_name: str
    update_strategy: str
    partition: int
    volume_claim_templates: tuple[ClaimTemplate, ...]
    complete: bool
    rollout: str


@tool(risk=Risk.READ, needs={Access("list", "statefulsets", "apps")}, examples=({"namespace": "shop"},))
async def check_kubernetes_statefulsets(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[StatefulSetRow]:
    """List StatefulSets with their replicas by revision, their Service, their claims and how far the rollout is."""
    return page(await cluster.list(StatefulSet, namespace), _row, limit=limit, after=continue_)


def _row(found: StatefulSet) -> StatefulSetRow:
    spec, status, rollout = found.spec, found.status, progress(found)
    rolling = spec.update_strategy.rolling_update
    return StatefulSetRow(
        name=found.name,
        namespace=found.namespace,
        replicas=spec.replicas,
        ready_replicas=status.ready_replicas,
        current_replicas=status.current_replicas,
        updated_replicas=status.updated_replicas,
        service_name=spec.service_name,
        update_strategy=spec.update_strategy.type,
        partition=0 if rolling is None else rolling.partition,
        volume_claim_templates=tuple(map(_claim, spec.volume_claim_templates)),
        complete=rollout.complete,
        rollout=rollout.why,
    )


def _claim(claim: PersistentVolumeClaim) -> ClaimTemplate:
    spec = claim.spec
    size = spec.resources.requests.get("storage", "")
    return ClaimTemplate(claim.name, spec.storage_class_name, spec.access_modes, str(size))
