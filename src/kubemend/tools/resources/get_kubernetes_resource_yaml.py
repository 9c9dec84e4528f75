"""Tool: one object of any kind, as YAML."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from msgspec import Meta

from kubemend.kube.redaction import redacted
from kubemend.model.access import Access, Risk
from kubemend.model.ref import Ref
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Kind, Name

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@tool(
    risk=Risk.READ,
    needs={Access("get", "deployments", "apps"), Access("get", "secrets")},
    examples=(
        {"namespace": "shop", "resource_type": "deployment", "resource_name": "web"},
        {"namespace": "shop", "resource_type": "secret", "resource_name": "db"},
    ),
)
async def get_kubernetes_resource_yaml(
    cluster: Look,
    *,
    resource_type: Kind,
    resource_name: Name,
    namespace: Annotated[
        str,
        Meta(description="Its namespace; empty for what has none.", pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"),
    ] = "",
) -> str:
    """Show one object of any kind as YAML, custom resources too.

    Values of Secrets are redacted; `status`, managed fields and kubectl's copy of the object are left out.
    It needs the right to get that kind.
    """
    resource = await cluster.reader.resource(resource_type)
    ref = Ref(resource.kind, namespace if resource.namespaced else "", resource_name, resource.group)
    return yaml.safe_dump(redacted(_plain(await cluster.raw(ref))), sort_keys=False, allow_unicode=True, width=120)


def _plain(obj: dict[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    notes = {k: v for k, v in meta.get("annotations", {}).items() if k != APPLIED}
    if "annotations" in meta:
        meta["annotations"] = notes
    first = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}
    return first | {k: v for k, v in obj.items() if k not in (*first, "status")}
