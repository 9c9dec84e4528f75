"""Tool: what stands behind each Service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import EndpointSlice, Service
from kubemend.model.objects.network import Endpoint
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.words import After, Limit, Scope

OWNER = "kubernetes.io/service-name"
"""The label by which a slice names its Service (discovery.k8s.io/v1 LabelServiceName)."""

Key = tuple[str, str]


class PortRow(Struct, frozen=True):
    """One port. port None: any."""

    name: str
    port: int | None
    protocol: str


class AddressRow(Struct, frozen=True):
    """One address of one endpoint. target_ref: "Kind/name". terminating: its pod is going away."""

    ip: str
    target_ref: str
    node: str
    terminating: bool
    ports: tuple[PortRow, ...]


class EndpointsRow(Struct, frozen=True):
    """What stands behind one Service. name: the Service's. service_exists: None when Services could not be read."""

    name: str
    namespace: str
    ready_addresses: tuple[AddressRow, ...]
    not_ready_addresses: tuple[AddressRow, ...]
    ready_count: int
    not_ready_count: int
    slices: int
    service_exists: bool | None


@tool(
    risk=Risk.READ,
    needs={Access("list", "endpointslices", "discovery.k8s.io"), Access("list", "services")},
    examples=({"namespace": "shop"},),
)
async def check_kubernetes_endpoints(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[EndpointsRow]:
    """Show ready and not ready addresses behind each Service, from its EndpointSlices.

    A Service that should have endpoints and has none is listed with 0; one of type ExternalName has none by nature.
    """
    slices: defaultdict[Key, list[EndpointSlice]] = defaultdict(list)
    for found in await cluster.list(EndpointSlice, namespace):
        if owner := found.metadata.labels.get(OWNER):
            slices[found.namespace, owner].append(found)
    services = await cluster.beside(Service, namespace)
    wanted = {(s.namespace, s.name) for s in services or () if s.spec.type != "ExternalName"}
    known = None if services is None else {(s.namespace, s.name) for s in services}
    keys = sorted(wanted | slices.keys())
    return paged(
        keys,
        lambda k: _row(k, slices.get(k, ()), None if known is None else k in known),
        key=lambda k: k,
        limit=limit,
        after=continue_,
    )


def _row(key: Key, slices: Sequence[EndpointSlice], exists: bool | None) -> EndpointsRow:
    found = {(a.ip, a.ports): (ready, a) for s in slices for ready, a in _addresses(s)}
    ready = tuple(a for good, a in found.values() if good)
    rest = tuple(a for good, a in found.values() if not good)
    return EndpointsRow(
        name=key[1],
        namespace=key[0],
        ready_addresses=ready,
        not_ready_addresses=rest,
        ready_count=len(ready),
        not_ready_count=len(rest),
        slices=len(slices),
        service_exists=exists,
    )


def _addresses(found: EndpointSlice) -> Iterator[tuple[bool, AddressRow]]:
    ports = tuple(PortRow(p.name or "", p.port, p.protocol) for p in found.ports or ())
    for endpoint in found.endpoints or ():
        for ip in endpoint.addresses:
            yield is_ready(endpoint), _address(endpoint, ip, ports)


def is_ready(endpoint: Endpoint) -> bool:
    """A `ready` that is not told means yes (discovery.k8s.io/v1 EndpointConditions)."""
    return endpoint.conditions.ready is not False


def _address(endpoint: Endpoint, ip: str, ports: tuple[PortRow, ...]) -> AddressRow:
    target = endpoint.target_ref
    return AddressRow(
        ip=ip,
        target_ref="" if target is None else f"{target.kind}/{target.name}",
        node=endpoint.node_name,
        terminating=endpoint.conditions.terminating is True,
        ports=ports,
    )
