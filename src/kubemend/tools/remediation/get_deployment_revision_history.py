"""Tool: what a Deployment has been."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.kube.rollout import last_stable
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Deployment, ReplicaSet
from kubemend.model.snapshot import revision_of
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.revisions import CAUSE, current, revisions
from kubemend.tools.words import Name, Namespace


class Revision(Struct, frozen=True):
    """One revision. image: of the first container; images: of all, by name.

    health: "available" or "ready" when pods of it are so now, which proves that it works; "not ready" when it has pods
    and none is; "unknown" when it has none: a ReplicaSet scaled to zero keeps no trace of how it was.
    """

    revision: int
    replica_set_name: str
    creation_time: datetime | None
    replicas: int
    ready_replicas: int
    available_replicas: int
    is_current: bool
    image: str
    images: dict[str, str]
    change_cause: str
    health: str


class History(Struct, frozen=True):
    """last_stable_revision: where rollback_deployment would go by default; proven: pods of it run well now."""

    deployment_name: str
    namespace: str
    current_revision: int | None
    total_revisions: int
    revisions: tuple[Revision, ...]
    rollback_limit: int
    last_stable_revision: int | None
    last_stable_proven: bool


@tool(
    risk=Risk.READ,
    needs={Access("get", "deployments", "apps"), Access("list", "replicasets", "apps")},
    examples=({"deployment_name": "web", "namespace": "shop"},),
)
async def get_deployment_revision_history(cluster: Look, *, deployment_name: Name, namespace: Namespace) -> History:
    """List the kept revisions of a Deployment, newest first, and say which one was stable last."""
    deployment = await cluster.one(Deployment, namespace, deployment_name)
    held = await revisions(cluster, deployment)
    now = current(deployment, held)
    stable = last_stable(held, now)
    return History(
        deployment_name=deployment_name,
        namespace=namespace,
        current_revision=None if now is None else revision_of(now),
        total_revisions=len(held),
        revisions=tuple(_row(r, is_current=r is now) for r in held),
        rollback_limit=deployment.spec.revision_history_limit,
        last_stable_revision=None if stable is None else revision_of(stable),
        last_stable_proven=stable is not None and bool(stable.status.ready_replicas),
    )


def _row(revision: ReplicaSet, *, is_current: bool) -> Revision:
    containers = revision.spec.template.spec.containers
    return Revision(
        revision=revision_of(revision),
        replica_set_name=revision.name,
        creation_time=revision.metadata.creation_timestamp,
        replicas=revision.status.replicas,
        ready_replicas=revision.status.ready_replicas,
        available_replicas=revision.status.available_replicas,
        is_current=is_current,
        image=containers[0].image if containers else "",
        images={c.name: c.image for c in containers},
        change_cause=revision.metadata.annotations.get(CAUSE, ""),
        health=_health(revision),
    )


def _health(revision: ReplicaSet) -> str:
    status = revision.status
    if status.available_replicas:
        return "available"
    if status.ready_replicas:
        return "ready"
    return "not ready" if status.replicas else "unknown"
