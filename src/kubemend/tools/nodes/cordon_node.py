"""Tool: no new pods on a node."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Node
from kubemend.model.order import Order
from kubemend.model.plan import Patch, Verify
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Name


@tool(
    risk=Risk.MEDIUM,
    needs={Access("get", "nodes"), Access("list", "nodes"), Access("patch", "nodes")},
    examples=({"node_name": "lab-1"},),
)
async def cordon_node(cluster: Look, *, node_name: Name) -> Order:
    """Close a node for new pods. Those that run there stay. Undoing it opens the node again.

    It is high risk when no other node would be open and ready.
    """
    node = await cluster.one(Node, "", node_name)
    if node.spec.unschedulable:
        raise InvalidInput(f"{node.ref} is cordoned already", code="nothing-to-do", where=str(node.ref))
    others = [n for n in await cluster.list(Node) if n.name != node_name and not n.spec.unschedulable]
    return Order(
        changes=(Patch(target=node.ref, uid=node.metadata.uid, body={"spec": {"unschedulable": True}}),),
        reason=f"cordon {node.ref}, as asked",
        verify=Verify(healthy=(), within_s=30.0, steady_s=1.0, gone=False),
        risk=Risk.HIGH if not others else None,
        told={"node_name": node_name, "unschedulable": True, "other_open_nodes": len(others)},
    )
