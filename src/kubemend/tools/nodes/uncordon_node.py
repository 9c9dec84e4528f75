"""Tool: a node open for pods again."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import cite
from kubemend.model.objects import Node
from kubemend.model.order import Order
from kubemend.model.plan import Patch, Verify
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Name


@tool(
    risk=Risk.MEDIUM,
    needs={Access("get", "nodes"), Access("patch", "nodes")},
    examples=({"node_name": "lab-3"},),
)
async def uncordon_node(cluster: Look, *, node_name: Name) -> Order:
    """Open a cordoned node for pods again, and prove that it is ready. Undoing it closes the node again."""
    node = await cluster.one(Node, "", node_name)
    if not node.spec.unschedulable:
        raise InvalidInput(f"{node.ref} is open already", code="nothing-to-do", where=str(node.ref))
    return Order(
        changes=(Patch(target=node.ref, uid=node.metadata.uid, body={"spec": {"unschedulable": None}}),),
        reason=f"uncordon {node.ref}, as asked",
        verify=Verify(healthy=(node.ref,), within_s=30.0, gone=False),
        requires=(cite(node, "spec", "unschedulable"),),
        told={
            "node_name": node_name,
            "unschedulable": False,
            "taints": [f"{t.key}:{t.effect}" for t in node.spec.taints],
        },
    )
