"""Tool: a request's whole way to a Service's pods, hop by hop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from kubemend.kube.names import near
from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.objects import EndpointSlice, Ingress, IngressClass, Node, Pod, Service
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_services import PortRow
from kubemend.tools.tracing.chain import Chain, is_ready, issues_of
from kubemend.tools.tracing.entrances import Entrance, entrance, ingress_issues, leading, routes
from kubemend.tools.tracing.issues import Component, Hop, Issue, health_of, hops
from kubemend.tools.words import Name, Namespace


class ServiceChain(Struct, frozen=True):
    """chain: what stands at each hop. first_broken_hop: the first, from outside in, where nothing gets through."""

    service_name: str
    namespace: str
    trace_time: datetime
    health_status: str
    summary: str
    first_broken_hop: str | None
    hops: tuple[Hop, ...]
    chain: dict[str, Any]
    issues: tuple[Issue, ...]
    recommendations: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "services"),
        Access("list", "pods"),
        Access("list", "nodes"),
        Access("list", "endpointslices", "discovery.k8s.io"),
        Access("list", "ingresses", "networking.k8s.io"),
        Access("list", "ingressclasses", "networking.k8s.io"),
    },
    examples=({"service_name": "web", "namespace": "shop"},),
)
async def trace_service_chain(cluster: Look, *, service_name: Name, namespace: Namespace) -> ServiceChain:
    """Follow a request from Ingress or Gateway over Service and EndpointSlices to pods and nodes.

    Every hop with its health and every mismatch: selector, port name or number, readiness, class, missing backend.
    TLS Secrets are named, not read. Network policies: analyze_network_path.
    """
    services = await cluster.list(Service, namespace)
    service = next((s for s in services if s.name == service_name), None)
    ingresses = await cluster.beside(Ingress, namespace)
    classes = await cluster.beside(IngressClass)
    gateways = await routes(cluster, namespace, service_name)
    issues = list(ingress_issues(ingresses or (), classes, service, service_name))
    issues += gateways[1] if gateways is not None else []
    chain = None if service is None else await _chain(cluster, service)
    issues += [_absent(services, service_name)] if chain is None else issues_of(chain)
    mine = [entrance(i, service_name) for i in leading(ingresses or (), service_name)]
    way = hops(issues, _objects(chain, ingresses, mine, gateways))
    for secret in sorted({s for e in mine for s in e.tls_secrets}):
        cluster.missing(
            f"Secret {namespace}/{secret}", "Secrets are not read: whether it holds a certificate is not known"
        )
    return ServiceChain(
        service_name=service_name,
        namespace=namespace,
        trace_time=datetime.now(UTC),
        health_status=health_of(issues),
        summary=_summary(service_name, chain, issues),
        first_broken_hop=next((h.hop for h in way if h.health == "broken"), None),
        hops=way,
        chain=_shown(service, chain, mine, gateways, unread=ingresses is None),
        issues=tuple(issues),
        recommendations=tuple(dict.fromkeys(f"{i.object}: {i.fix}" for i in issues if i.fix)),
    )


async def _chain(cluster: Look, service: Service) -> Chain:
    name = f"kubernetes.io/service-name={service.name}"
    return Chain(
        service=service,
        slices=await cluster.list(EndpointSlice, service.namespace, labels=name),
        pods=await cluster.list(Pod, service.namespace),
        nodes=await cluster.beside(Node),
    )


def _absent(services: tuple[Service, ...], name: str) -> Issue:
    guess = near(name, [s.name for s in services])
    return Issue(
        "critical", "service", f"Service {name}", "doesn't exist" + (f"; did you mean {guess}?" if guess else "")
    )


def _objects(
    chain: Chain | None,
    ingresses: tuple[Ingress, ...] | None,
    mine: list[Entrance],
    gateways: tuple[list[Entrance], list[Issue]] | None,
) -> dict[Component, tuple[str, ...] | None]:
    found: dict[Component, tuple[str, ...] | None] = {
        "ingress": None if ingresses is None else tuple(e.name for e in mine),
        "gateway": None if gateways is None else tuple(e.name for e in gateways[0]),
    }
    if chain is not None:
        on = sorted({p.spec.node_name for p in chain.selected if p.spec.node_name})
        found["service"] = (chain.service.name,)
        found["endpoints"] = tuple(s.name for s in chain.slices)
        found["pod"] = tuple(p.name for p in chain.selected)
        found["node"] = None if chain.nodes is None else tuple(on)
    return found


def _shown(
    service: Service | None,
    chain: Chain | None,
    mine: list[Entrance],
    gateways: tuple[list[Entrance], list[Issue]] | None,
    *,
    unread: bool,
) -> dict[str, Any]:
    """The chain under upstream's keys."""
    told: dict[str, Any] = {"service": {"exists": service is not None}}
    if service is not None and chain is not None:
        ports = [PortRow(p.name, p.port, p.target_port, p.protocol, p.node_port) for p in service.spec.ports]
        told["service"] |= {"type": service.spec.type, "cluster_ip": service.spec.cluster_ip, "ports": ports}
        told["service"] |= {"selector": service.spec.selector, "external_name": service.spec.external_name}
        told["endpoints"] = _endpoints(chain)
        told["pods"] = {"count": len(chain.selected), "pods": [_pod(p) for p in chain.selected]}
    told["ingress"] = {"exists": None if unread else bool(mine), "ingresses": mine}
    told["gateway"] = {"exists": None if gateways is None else bool(gateways[0]), "routes": gateways and gateways[0]}
    return told


def _endpoints(chain: Chain) -> dict[str, Any]:
    good = [a for e in chain.endpoints if is_ready(e) for a in e.addresses]
    bad = [a for e in chain.endpoints if not is_ready(e) for a in e.addresses]
    return {
        "exists": bool(chain.slices),
        "ready_addresses": good,
        "not_ready_addresses": bad,
        "ready_count": len(good),
        "not_ready_count": len(bad),
    }


def _pod(pod: Pod) -> dict[str, Any]:
    return {
        "name": pod.name,
        "phase": pod.status.phase,
        "ready": ready(pod),
        "pod_ip": pod.status.pod_ip,
        "node": pod.spec.node_name,
        "containers": [c.name for c in pod.spec.containers],
    }


def _summary(name: str, chain: Chain | None, issues: list[Issue]) -> str:
    if chain is None:
        return f"Service {name} doesn't exist"
    if chain.outside:
        return f"Service {name} stands for {chain.service.spec.external_name}, outside of the cluster"
    good = sum(map(is_ready, chain.endpoints))
    told = f"Service {name}: {good} ready endpoints, {len(chain.selected)} pods"
    worst = next((i for s in ("critical", "high", "medium") for i in issues if i.severity == s), None)
    return told if worst is None else f"{told}; {worst.object} {worst.message}"
