"""Tool: `kubectl get`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from kubemend.kube.redaction import redacted
from kubemend.kube.table import drawn
from kubemend.model.access import Access, Risk
from kubemend.model.answer import SIZE
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.raws import Raw
from kubemend.tools.words import Kind, Limit, Scope

ROOM = SIZE * 7 // 8
"""Bytes for the items of an answer, less what their form adds to them."""
Selector = Annotated[str | None, Meta(description="As kubectl takes it, for example app=web,tier!=db.")]


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("list", "deployments", "apps")},
    examples=(
        {"resource_type": "po", "namespace": "shop", "label_selector": "app=web", "output_format": "table"},
        {"resource_type": "deployments.apps", "output_format": "name"},
    ),
)
async def kubectl_get_resources(
    cluster: Look,
    *,
    resource_type: Kind,
    namespace: Scope = None,
    label_selector: Selector = None,
    field_selector: Annotated[
        str | None, Meta(description="As kubectl takes it, for example status.phase=Running.")
    ] = None,
    output_format: Annotated[
        Literal["json", "yaml", "table", "wide", "name"], Meta(description="How to show them.")
    ] = "json",
    limit: Limit = 50,
    continue_: Annotated[str, Meta(description="`data.continue` of the answer before.")] = "",
) -> dict[str, Any]:
    """Get objects of any kind by kind, plural or short name, with label and field selectors. Secrets are redacted.

    All namespaces when none is named. Selectors are judged by the API server. It needs the right to list that kind.
    """
    resource = await cluster.reader.resource(resource_type)

    async def page(most: int) -> Raw:
        return await cluster.reader.page(
            resource,
            namespace if resource.namespaced else None,
            labels=label_selector or "",
            fields=field_selector or "",
            limit=most,
            token=continue_,
            table=output_format in ("table", "wide"),
            names=output_format == "name",
        )

    spaces = resource.namespaced and namespace is None
    answer = await page(limit)
    while (fit := _fitting(answer, output_format, namespaced=spaces)) < len(_rows(answer)):
        # Only the API server can make a token for what comes next: of a page as long as what is shown.
        answer = await page(fit)
    shown, total = len(_rows(answer)), _total(answer)
    if total != shown:
        whole = f"the {total} that are left" if total and continue_ else total
        cluster.missing("data/items", f"{shown} of {whole or 'more (behind selectors nobody counts them)'} shown")
    return {
        "items": _shown(answer, resource.kind, output_format, namespaced=spaces),
        "total": total,
        "returned": shown,
        "continue": (answer.get("metadata") or {}).get("continue", ""),
    }


def _rows(answer: Raw) -> list[Raw]:
    return answer.get("rows") or answer.get("items") or []


def _total(answer: Raw) -> int | None:
    """How many there are; None when there are more and the API server doesn't say how many: it counts no selection."""
    meta = answer.get("metadata") or {}
    if meta.get("continue") and "remainingItemCount" not in meta:
        return None
    return len(_rows(answer)) + int(meta.get("remainingItemCount", 0))


def _fitting(answer: Raw, form: str, *, namespaced: bool) -> int:
    """How many of the rows fit into an answer: one at least."""
    rows = _rows(answer)
    if form == "name":
        return len(rows)
    if form in ("table", "wide"):
        lines = drawn(answer, wide=form == "wide", namespaced=namespaced).split("\n")
        return _within([max(map(len, lines)) + 2] * len(rows))
    plain = [_without_managed(i) for i in rows]
    fit = _within([len(msgspec.json.encode(i)) for i in plain])
    if form == "json" or fit < len(rows):
        return fit
    # YAML takes more room, and long to write: only of what might fit.
    return _within([len(msgspec.json.encode(_yaml([i]))) for i in plain])


def _within(sizes: Sequence[int]) -> int:
    return max(1, bisect_right(list(accumulate(sizes)), ROOM))


def _yaml(items: Sequence[Raw]) -> str:
    return yaml.safe_dump_all(items, sort_keys=False, allow_unicode=True, width=120)


def _shown(answer: Raw, kind: str, form: str, *, namespaced: bool) -> Any:
    if form in ("table", "wide"):
        return drawn(answer, wide=form == "wide", namespaced=namespaced)
    if form == "name":
        return [f"{kind.lower()}/{i['metadata']['name']}" for i in _rows(answer)]
    items = [redacted({"kind": kind, **_without_managed(i)}) for i in _rows(answer)]
    return _yaml(items) if form == "yaml" else items


def _without_managed(item: Raw) -> Raw:
    return {**item, "metadata": {k: v for k, v in item["metadata"].items() if k != "managedFields"}}
