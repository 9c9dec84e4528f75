"""Tool: nodes."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Node
from kubemend.model.objects.meta import Condition, Quantities, condition
from kubemend.model.objects.node import NodeAddress, Taint
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit

ROLE = "node-role.kubernetes.io/"
"""Labels below this prefix name a node's roles; their values mean nothing (kubectl `findNodeRoles`)."""
ROLE_LABEL = "kubernetes.io/role"


class NodeRow(Struct, frozen=True):
    """One node. status: "Ready", "NotReady" or "Unknown", with ",SchedulingDisabled" when cordoned. age: its birth."""

    name: str
    status: str
    roles: tuple[str, ...]
    age: datetime | None
    version: str
    conditions: tuple[Condition, ...]
    allocatable: Quantities
    addresses: tuple[NodeAddress, ...]
    taints: tuple[Taint, ...]


@tool(risk=Risk.READ, needs={Access("list", "nodes")}, examples=({},))
async def list_kubernetes_nodes(cluster: Look, *, limit: Limit = 50, continue_: After = "") -> Page[NodeRow]:
    """List nodes with readiness, roles, kubelet version, conditions, taints and what they can allocate."""
    return page(await cluster.list(Node), _row, limit=limit, after=continue_)


def _row(node: Node) -> NodeRow:
    return NodeRow(
        name=node.name,
        status=readiness(node),
        roles=roles(node),
        age=node.metadata.creation_timestamp,
        version=node.status.node_info.kubelet_version,
        conditions=node.status.conditions,
        allocatable=node.status.allocatable,
        addresses=node.status.addresses,
        taints=node.spec.taints,
    )


def readiness(node: Node) -> str:
    """The STATUS column of `kubectl get nodes`."""
    ready = condition(node.status.conditions, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if node.spec.unschedulable else word


def roles(node: Node) -> tuple[str, ...]:
    """The roles of a node as kubectl finds them."""
    found = {k.removeprefix(ROLE) for k in node.metadata.labels if k.startswith(ROLE)}
    found |= {v for k, v in node.metadata.labels.items() if k == ROLE_LABEL}
    return tuple(sorted(found - {""}))
