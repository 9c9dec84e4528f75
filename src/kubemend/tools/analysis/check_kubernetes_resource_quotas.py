"""Tool: ResourceQuotas."""

from __future__ import annotations

from msgspec import Struct

from kubemend.kube.quantity import parse
from kubemend.model.access import Access, Risk
from kubemend.model.objects import ResourceQuota
from kubemend.model.objects.meta import Quantities
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope

NEAR = 90.0
"""Per cent of a quota from which on the next rollout may well be refused."""


class QuotaRow(Struct, frozen=True):
    """One quota. usage_percentage: per resource; None where the quota controller has not counted yet.

    exhausted: resources of which nothing is left. nearly: those with less than a tenth left.
    """

    name: str
    namespace: str
    hard: Quantities
    used: Quantities
    usage_percentage: dict[str, float | None]
    exhausted: tuple[str, ...]
    nearly: tuple[str, ...]


@tool(risk=Risk.READ, needs={Access("list", "resourcequotas")}, examples=({"namespace": "shop"},))
async def check_kubernetes_resource_quotas(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[QuotaRow]:
    """Show what each ResourceQuota allows and what is used of it, with what is or soon will be exhausted.

    A quota of 0 counts as exhausted: it forbids the resource. Numbers are those of the quota controller.
    """
    return page(await cluster.list(ResourceQuota, namespace), _row, limit=limit, after=continue_)


def _row(quota: ResourceQuota) -> QuotaRow:
    hard = quota.spec.hard or quota.status.hard
    shares = {name: share(quota.status.used.get(name), amount) for name, amount in hard.items()}
    return QuotaRow(
        name=quota.name,
        namespace=quota.namespace,
        hard=hard,
        used=quota.status.used,
        usage_percentage=shares,
        exhausted=tuple(sorted(n for n, s in shares.items() if s is not None and s >= 100)),
        nearly=tuple(sorted(n for n, s in shares.items() if s is not None and NEAR <= s < 100)),
    )


def share(used: str | int | float | None, hard: str | int | float) -> float | None:
    """Per cent used, with one digit; 100 of a quota of nothing."""
    if used is None:
        return None
    whole = parse(hard)
    return round(float(parse(used) / whole * 100), 1) if whole else 100.0
