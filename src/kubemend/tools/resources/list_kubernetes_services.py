"""Tool: Services."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Service
from kubemend.model.objects.meta import IntOrString
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class PortRow(Struct, frozen=True):
    """One port of a Service. node_port: 0 when it has none."""

    name: str
    port: int
    target_port: IntOrString | None
    protocol: str
    node_port: int


class ServiceRow(Struct, frozen=True):
    """One Service. cluster_ip "None": headless. external_name: what an ExternalName Service stands for."""

    name: str
    namespace: str
    type: str
    cluster_ip: str
    external_ips: tuple[str, ...]
    external_name: str
    ports: tuple[PortRow, ...]
    selector: dict[str, str]
    creation_time: datetime | None


@tool(risk=Risk.READ, needs={Access("list", "services")}, examples=({"namespace": "shop"},))
async def list_kubernetes_services(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[ServiceRow]:
    """List Services with type, addresses, ports and selector."""
    return page(await cluster.list(Service, namespace), _row, limit=limit, after=continue_)


def _row(service: Service) -> ServiceRow:
    spec = service.spec
    return ServiceRow(
        name=service.name,
        namespace=service.namespace,
        type=spec.type,
        cluster_ip=spec.cluster_ip,
        external_ips=spec.external_ips,
        external_name=spec.external_name,
        ports=tuple(PortRow(p.name, p.port, p.target_port, p.protocol, p.node_port) for p in spec.ports),
        selector=spec.selector,
        creation_time=service.metadata.creation_timestamp,
    )
