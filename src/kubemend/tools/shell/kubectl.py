"""Tool: kubectl."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.order import Order
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.shell.command import kubectl as carry_out
from kubemend.tools.shell.ran import Ran
from kubemend.tools.shell.verdict import LONGEST, judge_kubectl

Claim = Annotated[
    Literal["yes", "no", "unknown"],
    Meta(description="Taken for the sake of older callers, and not believed: the command itself is judged."),
]


@tool(
    risk=Risk.HIGH,
    needs={
        Access("list", "pods"),
        Access("get", "deployments", "apps"),
        Access("patch", "deployments/scale", "apps"),
        Access("list", "horizontalpodautoscalers", "autoscaling"),
    },
    examples=(
        {"command": "kubectl get pods -n shop -l app=web -o jsonpath='{.items[*].metadata.name}'"},
        {"command": "kubectl scale deployment/web -n shop --replicas=3"},
    ),
)
async def kubectl(
    cluster: Look,
    *,
    command: Annotated[
        str, Meta(description="One plain kubectl command, such as kubectl get pods -n shop.", max_length=LONGEST)
    ],
    input: Annotated[str, Meta(description="The manifest that `-f -` reads.", max_length=65_536)] = "",  # noqa: A002
    modifies_resource: Claim = "unknown",
) -> Ran | Order:
    """Run one kubectl command: reads at once, writes as a plan that waits for approval.

    No kubectl program is run: the command is taken apart and carried out by kubemend, as the identity and on the
    cluster it was started with. Secrets are redacted before any output format sees them. What is neither a proven
    read nor a write that a plan can hold is refused, with the reason. It needs the rights of what it is asked for.
    """
    return await carry_out(cluster, command, judge_kubectl(command), input)
