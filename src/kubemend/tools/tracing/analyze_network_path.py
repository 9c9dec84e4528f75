"""Tool: whether network policies let one pod reach another."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.tracing.between import Asked, NetworkPath, path_between
from kubemend.tools.words import MaybeName, Namespace

Pod = Annotated[MaybeName, Meta(description="Pod; all of the namespace when omitted.")]
Port = Annotated[
    Annotated[int, Meta(ge=1, le=65535)] | None,
    Meta(description="Port of the Service, or of the pods without a Service; all when omitted."),
]
Protocol = Annotated[
    Literal["TCP", "UDP", "SCTP"], Meta(description="Protocol; a Service's own when there is a Service.")
]


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "namespaces"),
        Access("get", "pods"),
        Access("list", "pods"),
        Access("get", "services"),
        Access("list", "services"),
        Access("list", "endpointslices", "discovery.k8s.io"),
        Access("list", "networkpolicies", "networking.k8s.io"),
    },
    examples=(
        {"source_namespace": "shop", "source_pod": "store-0", "target_namespace": "shop", "target_service": "web"},
        {"source_namespace": "shop", "target_namespace": "shop", "target_pod": "store-0", "port": 6379},
    ),
)
async def analyze_network_path(
    cluster: Look,
    *,
    source_namespace: Namespace,
    target_namespace: Namespace,
    source_pod: Pod = None,
    target_service: Annotated[MaybeName, Meta(description="Service that is asked; or name a pod.")] = None,
    target_pod: Pod = None,
    port: Port = None,
    protocol: Protocol = "TCP",
) -> NetworkPath:
    """Judge by all network policies whether one pod may reach another, and name the rule that decides.

    Both directions, every selector, ipBlocks, named ports and ranges, and whether the source may still ask DNS.
    Policies only have an effect where the network plugin carries them out; whether it does can't be read.
    """
    asked = Asked(
        source_namespace=source_namespace,
        target_namespace=target_namespace,
        source_pod=source_pod,
        target_service=target_service,
        target_pod=target_pod,
        port=port,
        protocol=protocol,
    )
    path, _ = await path_between(cluster, asked)
    return path
