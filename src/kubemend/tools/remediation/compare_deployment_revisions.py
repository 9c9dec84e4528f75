"""Tool: what changed between two revisions."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from msgspec import Struct

from kubemend.kube.template_diff import Difference, differences
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Deployment, ReplicaSet
from kubemend.model.snapshot import revision_of
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.revisions import CAUSE, Number, numbered, revisions
from kubemend.tools.words import Name, Namespace


class Compared(Struct, frozen=True):
    """One side of the comparison."""

    revision: int
    replica_set_name: str
    creation_time: datetime | None
    change_cause: str


class Comparison(Struct, frozen=True):
    """areas: how many differences each area has (image, env, resources, probes, volumes, command, scheduling …)."""

    deployment_name: str
    namespace: str
    comparison: dict[str, Compared]
    has_changes: bool
    differences_count: int
    areas: dict[str, int]
    differences: tuple[Difference, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "deployments", "apps"),
        Access("list", "replicasets", "apps"),
        Access("get", "replicasets", "apps"),
    },
    examples=({"deployment_name": "api", "namespace": "shop", "revision1": 1, "revision2": 2},),
)
async def compare_deployment_revisions(
    cluster: Look, *, deployment_name: Name, namespace: Namespace, revision1: Number, revision2: Number
) -> Comparison:
    """Compare the pod templates of two revisions of a Deployment, field by field, from the first to the second.

    Values of environment variables that look secret are not shown, only that they differ.
    """
    deployment = await cluster.one(Deployment, namespace, deployment_name)
    held = await revisions(cluster, deployment)
    one, other = numbered(deployment, held, revision1), numbered(deployment, held, revision2)
    first, second = await cluster.raw(one.ref), await cluster.raw(other.ref)
    found = differences(first["spec"]["template"], second["spec"]["template"])
    return Comparison(
        deployment_name=deployment_name,
        namespace=namespace,
        comparison={"revision1": _side(one), "revision2": _side(other)},
        has_changes=bool(found),
        differences_count=len(found),
        areas=dict(Counter(d.area for d in found)),
        differences=found,
    )


def _side(revision: ReplicaSet) -> Compared:
    cause = revision.metadata.annotations.get(CAUSE, "")
    return Compared(revision_of(revision), revision.name, revision.metadata.creation_timestamp, cause)
