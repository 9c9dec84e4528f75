"""A Deployment's revisions: its ReplicaSets, as the Deployment controller numbers them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.kube.rollout import template_equal
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Deployment, ReplicaSet
from kubemend.model.snapshot import revision_of
from kubemend.tools.look import Look

Number = Annotated[int, Meta(description="Number of a kept revision; its history lists them.", ge=1)]
CAUSE = "kubernetes.io/change-cause"


async def revisions(cluster: Look, deployment: Deployment) -> tuple[ReplicaSet, ...]:
    """The ReplicaSets that the Deployment controls, the newest revision first."""
    held = await cluster.list(ReplicaSet, deployment.namespace)
    mine = (r for r in held if r.metadata.controller and r.metadata.controller.uid == deployment.metadata.uid)
    return tuple(sorted(mine, key=revision_of, reverse=True))


def current(deployment: Deployment, held: tuple[ReplicaSet, ...]) -> ReplicaSet | None:
    """The revision in use: of the number that the Deployment bears.

    Where its controller has not seen its newest template yet, the one of the same template, if there is any.
    """
    if deployment.status.observed_generation >= deployment.metadata.generation:
        return next((r for r in held if revision_of(r) == revision_of(deployment)), None)
    return next((r for r in held if template_equal(r.spec.template, deployment.spec.template)), None)


def numbered(deployment: Deployment, held: tuple[ReplicaSet, ...], number: int) -> ReplicaSet:
    """The revision of that number. InvalidInput names those there are."""
    found = next((r for r in held if revision_of(r) == number), None)
    if found is None:
        known = ", ".join(str(revision_of(r)) for r in held) or "none"
        raise InvalidInput(
            f"{deployment.ref} keeps no revision {number}",
            code="no-such-revision",
            where=str(deployment.ref),
            hint=f"kept are: {known} (spec.revisionHistoryLimit {deployment.spec.revision_history_limit})",
        )
    return found
