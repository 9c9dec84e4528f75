"""Tool: Ingresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from kubemend.cluster.resource import resource_of
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Ingress, Service
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.raws import Raw, key, raws
from kubemend.tools.words import After, Limit, Scope

CLASS = "kubernetes.io/ingress.class"
"""The annotation that named the class before `spec.ingressClassName` did."""


class BackendRow(Struct, frozen=True):
    """Where a path leads. service_port: name or number. missing: there is no such Service, or not that port of it.

    missing is None when Services could not be read, or when the backend is no Service.
    """

    host: str
    path: str
    path_type: str
    service_name: str
    service_port: str
    resource: str
    missing: bool | None


class BalancerRow(Struct, frozen=True):
    """An address that the ingress controller has published. type: "ip" or "hostname"."""

    type: str
    value: str


class TlsRow(Struct, frozen=True):
    """Hosts for which TLS ends here, with the Secret named for it (which isn't read)."""

    hosts: tuple[str, ...]
    secret_name: str


class IngressRow(Struct, frozen=True):
    """One Ingress. load_balancers: empty until a controller has taken it up."""

    name: str
    namespace: str
    hosts: tuple[str, ...]
    load_balancers: tuple[BalancerRow, ...]
    backends: tuple[BackendRow, ...]
    ingress_class: str
    tls: tuple[TlsRow, ...]


Ports = Mapping[tuple[str, str], frozenset[str]]
"""Port names and numbers by (namespace, name) of a Service."""


@tool(
    risk=Risk.READ,
    needs={Access("list", "ingresses", "networking.k8s.io"), Access("list", "services")},
    examples=({"namespace": "shop"},),
)
async def check_kubernetes_ingress(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[IngressRow]:
    """Show Ingresses with hosts, paths, class, TLS and addresses, and which backends lead nowhere."""
    found = await raws(cluster, resource_of(Ingress), namespace)
    services = await cluster.beside(Service, namespace)
    ports = None if services is None else {(s.namespace, s.name): _ports(s) for s in services}
    return paged(found, lambda i: _row(i, ports), key=key, limit=limit, after=continue_)


def _ports(service: Service) -> frozenset[str]:
    return frozenset(text for p in service.spec.ports for text in (p.name, str(p.port)) if text)


def _row(ingress: Raw, ports: Ports | None) -> IngressRow:
    namespace, name = key(ingress)
    spec = ingress.get("spec") or {}
    balancers = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return IngressRow(
        name=name,
        namespace=namespace,
        hosts=tuple(sorted({r.get("host") or "*" for r in spec.get("rules") or ()})),
        load_balancers=tuple(BalancerRow(t, b[t]) for b in balancers for t in ("ip", "hostname") if b.get(t)),
        backends=tuple(_backends(namespace, spec, ports)),
        ingress_class=spec.get("ingressClassName") or (ingress["metadata"].get("annotations") or {}).get(CLASS, ""),
        tls=tuple(TlsRow(tuple(t.get("hosts") or ()), t.get("secretName", "")) for t in spec.get("tls") or ()),
    )


def _backends(namespace: str, spec: dict[str, Any], ports: Ports | None) -> Iterator[BackendRow]:
    if spec.get("defaultBackend"):
        yield _backend(namespace, "*", {"backend": spec["defaultBackend"]}, ports)
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield _backend(namespace, rule.get("host") or "*", path, ports)


def _backend(namespace: str, host: str, path: dict[str, Any], ports: Ports | None) -> BackendRow:
    service, other = path["backend"].get("service") or {}, path["backend"].get("resource") or {}
    wanted = service.get("port") or {}
    port = str(wanted.get("name") or wanted.get("number") or "")
    name = service.get("name", "")
    return BackendRow(
        host=host,
        path=path.get("path", ""),
        path_type=path.get("pathType", ""),
        service_name=name,
        service_port=port,
        resource=f"{other.get('kind', '')}/{other.get('name', '')}" if other else "",
        missing=None if ports is None or not name else port not in ports.get((namespace, name), frozenset()),
    )
