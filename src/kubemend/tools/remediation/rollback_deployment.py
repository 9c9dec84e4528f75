"""Tool: an earlier revision of a Deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.privileges import privileges
from kubemend.kube.rollout import last_stable
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import cite
from kubemend.model.objects import Deployment, ReplicaSet
from kubemend.model.order import Order
from kubemend.model.plan import RollBack, Verify
from kubemend.model.snapshot import revision_of
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.revisions import Number, current, numbered, revisions
from kubemend.tools.words import Name, Namespace

START_S = 300.0
"""Seconds that pods of a revision may take to become ready, unless the Deployment itself allows less."""
NUMBER = "deployment.kubernetes.io/revision"


@tool(
    risk=Risk.MEDIUM,
    needs={
        Access("get", "deployments", "apps"),
        Access("list", "replicasets", "apps"),
        Access("get", "replicasets", "apps"),
        Access("patch", "deployments", "apps"),
    },
    examples=({"deployment_name": "api", "namespace": "shop"},),
)
async def rollback_deployment(
    cluster: Look,
    *,
    deployment_name: Name,
    namespace: Namespace,
    revision: Annotated[
        Number | None, Meta(description="Revision to go back to; the last stable one when omitted.")
    ] = None,
) -> Order:
    """Replace a Deployment's whole pod template with an earlier revision's, as `kubectl rollout undo` does.

    Replicas and all else outside of the template stay. It is high risk when that revision has other privileges.
    Undoing it brings the newer template back, literal values included.
    """
    deployment = await cluster.one(Deployment, namespace, deployment_name)
    if deployment.spec.paused:
        raise InvalidInput(
            f"{deployment.ref} is paused, so nothing would roll out",
            code="paused",
            where=str(deployment.ref),
            hint="resume it first",
        )
    held = await revisions(cluster, deployment)
    now = current(deployment, held)
    wanted = _wanted(deployment, held, now, revision)
    before, after = await cluster.raw(deployment.ref), await cluster.raw(wanted.ref)
    granted = tuple(privileges(before["spec"]["template"], after["spec"]["template"]))
    images = {c.name: c.image for c in wanted.spec.template.spec.containers}
    return Order(
        changes=(
            RollBack(
                target=deployment.ref,
                uid=deployment.metadata.uid,
                revision=wanted.ref,
                revision_uid=wanted.metadata.uid,
            ),
        ),
        reason=f"roll {deployment.ref} back to revision {revision_of(wanted)}, as asked",
        verify=Verify(
            healthy=(deployment.ref,),
            within_s=min(float(deployment.spec.progress_deadline_seconds), START_S),
            gone=False,
        ),
        risk=Risk.HIGH if granted else None,
        requires=(cite(deployment, "metadata", "annotations", NUMBER),),
        told={**_told(deployment, wanted, now), "target_images": images, "other_privileges": list(granted)},
    )


def _wanted(
    deployment: Deployment, held: tuple[ReplicaSet, ...], now: ReplicaSet | None, revision: int | None
) -> ReplicaSet:
    where = str(deployment.ref)
    if revision is None:
        found = last_stable(held, now)
        if found is None:
            raise InvalidInput("there is no earlier revision to go back to", code="no-earlier-revision", where=where)
        return found
    found = numbered(deployment, held, revision)
    if found is now:
        raise InvalidInput(f"revision {revision} is the one in use", code="nothing-to-do", where=where)
    return found


def _told(deployment: Deployment, wanted: ReplicaSet, now: ReplicaSet | None) -> Mapping[str, Any]:
    containers = wanted.spec.template.spec.containers
    return {
        "deployment_name": deployment.name,
        "namespace": deployment.namespace,
        "previous_revision": None if now is None else revision_of(now),
        "target_revision": revision_of(wanted),
        "target_image": containers[0].image if containers else "",
        "proven": bool(wanted.status.ready_replicas),
    }
