"""Tool: follow a rollout or a scaling to its end."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from kubemend.cluster.errors import NotFound
from kubemend.kube.rollout import progress
from kubemend.kube.selectors import matches
from kubemend.model.access import Access, Risk
from kubemend.model.objects import DaemonSet, Deployment, Pod, StatefulSet
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.following import states
from kubemend.tools.remediation.wait_for_pod_ready import hindrances
from kubemend.tools.words import Name, Namespace, Timeout

Workload = Deployment | StatefulSet | DaemonSet
KINDS: dict[str, type[Deployment] | type[StatefulSet] | type[DaemonSet]] = {
    "deployment": Deployment,
    "statefulset": StatefulSet,
    "daemonset": DaemonSet,
}
STEPS = 50
"""Steps that an answer keeps: the newest."""


class Step(Struct, frozen=True):
    """What was seen at one moment."""

    at: datetime
    desired: int
    updated: int
    ready: int
    available: int
    says: str


class Scaling(Struct, frozen=True):
    """How it ended. status: done, stuck (waiting longer won't help by itself), timeout, or gone (deleted meanwhile).

    why: the controller's own reason; blockers: what keeps single pods, by pod; None when pods can't be read.
    """

    success: bool
    resource_type: str
    resource_name: str
    namespace: str
    status: Literal["done", "stuck", "timeout", "gone"]
    why: str
    wait_time_seconds: float
    steps: tuple[Step, ...]
    blockers: dict[str, tuple[str, ...]] | None


@tool(
    risk=Risk.READ,
    needs={
        *(Access(verb, plural, "apps") for verb in ("list", "watch") for plural in ("deployments", "statefulsets")),
        Access("list", "pods"),
    },
    examples=(
        {"resource_type": "deployment", "resource_name": "web", "namespace": "shop"},
        {"resource_type": "deployment", "resource_name": "homeless", "namespace": "shop", "timeout": 1},
        {"resource_type": "statefulset", "resource_name": "homeless", "namespace": "shop", "timeout": 1},
    ),
    within_s=630,
)
async def monitor_scaling_progress(
    cluster: Look,
    *,
    resource_type: Annotated[
        Literal["deployment", "statefulset", "daemonset"], Meta(description="Kind of the workload.")
    ],
    resource_name: Name,
    namespace: Namespace,
    timeout: Timeout = 60,  # noqa: ASYNC109 - the tool's own word
) -> Scaling:
    """Follow a workload, by a watch, until it is complete, stuck, or the time is over, and tell every step.

    Complete means what `kubectl rollout status` means by it. A DaemonSet needs the right to list and watch daemonsets.
    """
    kind, began, steps = KINDS[resource_type], time.monotonic(), list[Step]()
    last: Workload | None = None
    ended: tuple[Literal["done", "stuck", "timeout", "gone"], str] | None = None
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(timeout),
            aclosing(states(cluster.reader, kind, namespace, resource_name)) as seen,
        ):
            async for found in seen:
                if found is None and last is None:
                    raise NotFound(f"there is no {resource_type} {namespace}/{resource_name}", status=404)
                last = found or last
                ended = ("gone", "it was deleted") if found is None else _judged(found, steps)
                if ended is not None:
                    break
    status, why = ended or ("timeout", steps[-1].says if steps else "nothing was seen of it")
    return Scaling(
        success=status == "done",
        resource_type=resource_type,
        resource_name=resource_name,
        namespace=namespace,
        status=status,
        why=why,
        wait_time_seconds=round(time.monotonic() - began, 1),
        steps=tuple(steps[-STEPS:]),
        blockers=await _blockers(cluster, last),
    )


def _judged(workload: Workload, steps: list[Step]) -> tuple[Literal["done", "stuck"], str] | None:
    """Note what is new; the end, when it is one."""
    now = progress(workload)
    step = _step(workload, now.why)
    if not steps or structs.replace(step, at=steps[-1].at) != steps[-1]:
        steps.append(step)
    if now.complete:
        return "done", now.why
    if now.failed:
        return "stuck", now.why
    refused = condition(workload.status.conditions, "ReplicaFailure")
    if refused is not None and refused.status == "True":
        return "stuck", f"{refused.reason}: {refused.message}"
    return None


def _step(workload: Workload, says: str) -> Step:
    at = datetime.now(UTC)
    if isinstance(workload, DaemonSet):
        own = workload.status
        wanted, updated = own.desired_number_scheduled, own.updated_number_scheduled
        return Step(at, wanted, updated, own.number_ready, own.number_available, says)
    status = workload.status
    return Step(
        at, workload.spec.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas, says
    )


async def _blockers(cluster: Look, workload: Workload | None) -> dict[str, tuple[str, ...]] | None:
    if workload is None:
        return {}
    pods = await cluster.beside(Pod, workload.namespace)
    if pods is None:
        return None
    mine = (p for p in pods if matches(workload.spec.selector, p.metadata.labels))
    return {p.name: tuple(found) for p in mine if (found := hindrances(p))}
