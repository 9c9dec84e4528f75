"""Tool: `kubectl get`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from msgspec import Meta

from kubemend.kube.redaction import redacted
from kubemend.kube.table import drawn
from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Kind, Limit, Scope

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
    wide = output_format in ("table", "wide")
    answer = await cluster.reader.page(
        resource,
        namespace if resource.namespaced else None,
        labels=label_selector or "",
        fields=field_selector or "",
        limit=limit,
        token=continue_,
        table=wide,
    )
    meta = answer.get("metadata", {})
    rows = answer.get("rows") if wide else answer.get("items")
    shown = len(rows or ())
    return {
        "items": _shown(answer, resource.kind, output_format, namespaced=resource.namespaced and namespace is None),
        "total": shown + int(meta.get("remainingItemCount", 0)),
        "returned": shown,
        "continue": meta.get("continue", ""),
    }


def _shown(answer: dict[str, Any], kind: str, form: str, *, namespaced: bool) -> Any:
    if form in ("table", "wide"):
        return drawn(answer, wide=form == "wide", namespaced=namespaced)
    items = [redacted({"kind": kind, **_without_managed(i)}) for i in answer.get("items") or ()]
    if form == "name":
        return [f"{kind.lower()}/{i['metadata']['name']}" for i in items]
    return yaml.safe_dump_all(items, sort_keys=False, allow_unicode=True, width=120) if form == "yaml" else items


def _without_managed(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "metadata": {k: v for k, v in item["metadata"].items() if k != "managedFields"}}
