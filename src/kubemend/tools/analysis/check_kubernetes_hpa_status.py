"""Tool: HorizontalPodAutoscalers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from kubemend.cluster.resource import resource_of
from kubemend.model.access import Access, Risk
from kubemend.model.objects import HorizontalPodAutoscaler
from kubemend.model.objects.meta import Condition, condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.raws import Raw, raws, typed
from kubemend.tools.words import After, Limit, Scope


class AutoscalerRow(Struct, frozen=True):
    """One autoscaler, metrics as the API has them. at_max: it runs as many replicas as it may.

    current_metrics: None while the controller has none. problems: what keeps it from working, in its own words.
    """

    name: str
    namespace: str
    target_ref: str
    min_replicas: int
    max_replicas: int
    current_replicas: int
    desired_replicas: int
    target_metrics: tuple[dict[str, Any], ...]
    current_metrics: tuple[dict[str, Any], ...] | None
    conditions: tuple[Condition, ...]
    at_max: bool
    last_scale_time: datetime | None
    problems: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={Access("list", "horizontalpodautoscalers", "autoscaling")},
    examples=({"namespace": "shop"},),
)
async def check_kubernetes_hpa_status(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[AutoscalerRow]:
    """Show HorizontalPodAutoscalers: bounds, replicas, metrics wanted and seen, and what keeps them from working."""
    read = await raws(cluster, resource_of(HorizontalPodAutoscaler), namespace)
    found = tuple(typed(cluster, HorizontalPodAutoscaler, read))
    return paged(
        found,
        lambda pair: _row(*pair),
        key=lambda pair: (pair[0].namespace, pair[0].name),
        limit=limit,
        after=continue_,
    )


def _row(found: HorizontalPodAutoscaler, raw: Raw) -> AutoscalerRow:
    spec, status, told = found.spec, found.status, raw.get("status") or {}
    target, seen, scaled = spec.scale_target_ref, told.get("currentMetrics"), told.get("lastScaleTime")
    return AutoscalerRow(
        name=found.name,
        namespace=found.namespace,
        target_ref=f"{target.kind}/{target.name}",
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        current_replicas=status.current_replicas,
        desired_replicas=status.desired_replicas,
        target_metrics=tuple((raw.get("spec") or {}).get("metrics") or ()),
        current_metrics=None if seen is None else tuple(seen),
        conditions=status.conditions,
        at_max=status.current_replicas >= spec.max_replicas,
        last_scale_time=None if scaled is None else datetime.fromisoformat(scaled),
        problems=tuple(_problems(found)),
    )


def _problems(found: HorizontalPodAutoscaler) -> Iterator[str]:
    """AbleToScale and ScalingActive should be true; ScalingLimited says that a bound cuts what it would want."""
    for type_, bad in (("AbleToScale", "False"), ("ScalingActive", "False"), ("ScalingLimited", "True")):
        told = condition(found.status.conditions, type_)
        if told is not None and told.status == bad:
            yield f"{told.reason}: {told.message}"
