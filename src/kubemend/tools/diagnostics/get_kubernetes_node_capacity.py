"""Tool: what each node has left."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from msgspec import Struct

from kubemend.kube.quantity import format_bytes, parse
from kubemend.kube.scheduling import requests
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Node, Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit


class Count(Struct, frozen=True):
    """Pods on a node."""

    used: int
    capacity: int
    percent_used: float


class Cores(Struct, frozen=True):
    """CPU in cores."""

    requested: float
    allocatable: float
    percent_used: float


class Bytes(Struct, frozen=True):
    """Memory in bytes, and for people."""

    requested: int
    requested_human: str
    allocatable: int
    allocatable_human: str
    percent_used: float


class CapacityRow(Struct, frozen=True):
    """One node. percent_used: of what is allocatable, by requests, as the scheduler counts."""

    name: str
    pods: Count
    cpu: Cores
    memory: Bytes
    unschedulable: bool
    conditions: dict[str, dict[str, str]]


@tool(risk=Risk.READ, needs={Access("list", "nodes"), Access("list", "pods")}, examples=({},))
async def get_kubernetes_node_capacity(cluster: Look, *, limit: Limit = 50, continue_: After = "") -> Page[CapacityRow]:
    """Show what pods request of each node's pods, CPU and memory, against what it can allocate.

    Requests are counted as the scheduler does: init containers, sidecars and overhead included; finished pods not.
    """
    here: dict[str, list[Pod]] = defaultdict(list)
    for pod in await cluster.list(Pod):
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            here[pod.spec.node_name].append(pod)
    return page(await cluster.list(Node), lambda n: _row(n, here[n.name]), limit=limit, after=continue_)


def _row(node: Node, pods: list[Pod]) -> CapacityRow:
    asked: dict[str, Decimal] = defaultdict(Decimal)
    for pod in pods:
        for name, amount in requests(pod.spec).items():
            asked[name] += amount
    has = {k: parse(v) for k, v in node.status.allocatable.items()}
    cpu, memory, room = (has.get(k, Decimal(0)) for k in ("cpu", "memory", "pods"))
    told = {c.type: {"status": c.status, "reason": c.reason, "message": c.message} for c in node.status.conditions}
    return CapacityRow(
        name=node.name,
        pods=Count(len(pods), int(room), percent(Decimal(len(pods)), room)),
        cpu=Cores(float(asked["cpu"]), float(cpu), percent(asked["cpu"], cpu)),
        memory=Bytes(
            int(asked["memory"]), human(asked["memory"]), int(memory), human(memory), percent(asked["memory"], memory)
        ),
        unschedulable=node.spec.unschedulable,
        conditions=told,
    )


def percent(part: Any, whole: Any) -> float:
    """Per cent with one digit; 0 of nothing."""
    return round(float(part / whole * 100), 1) if whole else 0.0


def human(amount: Decimal) -> str:
    """Bytes for people, rounded down to whole Mi from 1 Mi on."""
    whole = int(amount)
    return format_bytes(whole // 2**20 * 2**20 if whole >= 2**20 else whole)
