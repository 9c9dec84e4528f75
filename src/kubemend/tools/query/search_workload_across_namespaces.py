"""Tool: where is it?"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kubemend.kube.names import near
from kubemend.model.access import Access, Risk
from kubemend.model.objects import CronJob, DaemonSet, Deployment, Job, Obj, Pod, StatefulSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look

KINDS: tuple[type[Obj], ...] = (Deployment, StatefulSet, DaemonSet, CronJob, Job, Pod)
"""Where a name is looked for. Jobs and pods that a controller made are left out: the controller is the workload."""
SHOWN = 50


class Location(Struct, frozen=True):
    """One workload. match: exact, or part (its name contains the word). Replicas: None for kinds that have none."""

    cluster: str
    namespace: str
    kind: str
    name: str
    match: Literal["exact", "part"]
    replicas: int | None
    ready_replicas: int | None


class Locations(Struct, frozen=True):
    """unique: one exact match in one namespace. near: a name that this may be a slip of."""

    workload_name: str
    found: bool
    unique: bool
    locations: tuple[Location, ...]
    total_count: int
    near: str | None
    next_step: str


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "deployments", "apps"),
        Access("list", "statefulsets", "apps"),
        Access("list", "daemonsets", "apps"),
        Access("list", "cronjobs", "batch"),
        Access("list", "jobs", "batch"),
        Access("list", "pods"),
    },
    examples=({"workload_name": "web"},),
)
async def search_workload_across_namespaces(
    cluster: Look,
    *,
    workload_name: Annotated[str, Meta(description="Name, or a part of it.", min_length=1, max_length=253)],
) -> Locations:
    """Find a workload by name, or a part of it, in all namespaces: exact matches first.

    Kinds that may not be listed are gaps: what isn't found in them is not known to be absent.
    """
    held = [o for kind in KINDS for o in await cluster.beside(kind) or () if _is_top(o)]
    word = workload_name.lower()
    hits = sorted((o for o in held if word in o.name), key=lambda o: (o.name != word, o.namespace, o.name, o.ref.kind))
    exact = [o for o in hits if o.name == word]
    rows = tuple(_row(o, cluster.place.context, exact=o.name == word) for o in hits[:SHOWN])
    if len(hits) > SHOWN:
        cluster.missing("data/locations", f"{SHOWN} of {len(hits)} shown")
    return Locations(
        workload_name=workload_name,
        found=bool(hits),
        unique=len(exact) == 1 or (not exact and len(hits) == 1),
        locations=rows,
        total_count=len(hits),
        near=None if hits else near(word, {o.name for o in held}),
        next_step=_next(len(exact) or len(hits)),
    )


def _is_top(obj: Obj) -> bool:
    return not isinstance(obj, (Pod, Job)) or obj.metadata.controller is None


def _row(obj: Obj, cluster: str, *, exact: bool) -> Location:
    wanted, ready = _replicas(obj)
    return Location(cluster, obj.namespace, obj.ref.kind, obj.name, "exact" if exact else "part", wanted, ready)


def _replicas(obj: Obj) -> tuple[int | None, int | None]:
    match obj:
        case Deployment() | StatefulSet():
            return obj.spec.replicas, obj.status.ready_replicas
        case DaemonSet():
            return obj.status.desired_number_scheduled, obj.status.number_ready
    return None, None


def _next(count: int) -> str:
    if count == 0:
        return "ask for the exact name, or list the deployments"
    return "go on with this namespace" if count == 1 else "ask which of them is meant"
