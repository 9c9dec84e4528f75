"""Tool: DaemonSets."""

from __future__ import annotations

from msgspec import Struct

from kubemend.kube.rollout import progress
from kubemend.model.access import Access, Risk
from kubemend.model.objects import DaemonSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class DaemonSetRow(Struct, frozen=True):
    """One DaemonSet, counted in nodes. misscheduled: nodes that run its pod and should not.

    rollout: what `kubectl rollout status` would say.
    """

    name: str
    namespace: str
    desired: int
    current: int
    ready: int
    up_to_date: int
    available: int
    misscheduled: int
    node_selector: dict[str, str]
    complete: bool
    rollout: str


@tool(risk=Risk.READ, needs={Access("list", "daemonsets", "apps")}, examples=({"namespace": "shop"},))
async def check_kubernetes_daemonsets(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[DaemonSetRow]:
    """List DaemonSets: on how many nodes each should run, does run, is ready and is up to date."""
    return page(await cluster.list(DaemonSet, namespace), _row, limit=limit, after=continue_)


def _row(found: DaemonSet) -> DaemonSetRow:
    status, rollout = found.status, progress(found)
    return DaemonSetRow(
        name=found.name,
        namespace=found.namespace,
        desired=status.desired_number_scheduled,
        current=status.current_number_scheduled,
        ready=status.number_ready,
        up_to_date=status.updated_number_scheduled,
        available=status.number_available,
        misscheduled=status.number_misscheduled,
        node_selector=found.spec.template.spec.node_selector,
        complete=rollout.complete,
        rollout=rollout.why,
    )
