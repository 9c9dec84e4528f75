"""How requests from outside come to a Service: Ingresses, and routes of the Gateway API where it is served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from kubemend.cluster.errors import Forbidden, NotServed, TimedOut, Unreachable
from kubemend.kube.names import near
from kubemend.model.objects import Ingress, IngressClass, Service
from kubemend.model.objects.network import IngressServiceBackend
from kubemend.tools.look import Look
from kubemend.tools.tracing.issues import Issue

DEFAULT = "ingressclass.kubernetes.io/is-default-class"
LEGACY = "kubernetes.io/ingress.class"
GATEWAY = "gateway.networking.k8s.io"
ROUTES = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"})
PAGES = 20
"""Pages of routes that are read at most, 500 each."""


class Entrance(Struct, frozen=True):
    """One Ingress or route that leads to the Service. tls_secrets: named, not read."""

    kind: str
    name: str
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    ingress_class: str
    addresses: tuple[str, ...]
    tls_secrets: tuple[str, ...]


def backends(ingress: Ingress) -> Iterator[tuple[str, str, IngressServiceBackend]]:
    """(host, path, Service backend) of every path, the default backend included."""
    default = ingress.spec.default_backend
    if default is not None and default.service is not None:
        yield "*", "*", default.service
    for rule in ingress.spec.rules:
        for path in rule.http.paths if rule.http else ():
            if path.backend.service is not None:
                yield rule.host or "*", path.path or "/", path.backend.service


def leading(ingresses: Iterable[Ingress], service: str) -> list[Ingress]:
    """The Ingresses that name a Service."""
    return [i for i in ingresses if any(b.name == service for _, _, b in backends(i))]


def entrance(ingress: Ingress, service: str) -> Entrance:
    """An Ingress as the chain shows it."""
    mine = [(host, path) for host, path, b in backends(ingress) if b.name == service]
    return Entrance(
        kind="Ingress",
        name=ingress.name,
        hosts=tuple(dict.fromkeys(h for h, _ in mine)),
        paths=tuple(dict.fromkeys(p for _, p in mine)),
        ingress_class=ingress.spec.ingress_class_name or ingress.metadata.annotations.get(LEGACY, ""),
        addresses=tuple(a.ip or a.hostname for a in ingress.status.load_balancer.ingress),
        tls_secrets=tuple(t.secret_name for t in ingress.spec.tls if t.secret_name),
    )


def ingress_issues(
    ingresses: Sequence[Ingress], classes: Sequence[IngressClass] | None, service: Service | None, name: str
) -> Iterator[Issue]:
    """What keeps Ingresses from leading to the Service; service: None when there is none of that name."""
    for ingress in leading(ingresses, name):
        title = str(ingress.ref)
        if service is None:
            told = f"sends requests to Service {name}, which doesn't exist"
            yield Issue("critical", "ingress", title, told, "create the Service or correct the backend")
        else:
            yield from _ports(title, ingress, service)
        if classes is not None:
            yield from _class(title, ingress, classes)
    if service is not None and not leading(ingresses, name):
        yield from _meant(ingresses, service)


def _ports(title: str, ingress: Ingress, service: Service) -> Iterator[Issue]:
    numbers, names = {p.port for p in service.spec.ports}, {p.name for p in service.spec.ports if p.name}
    for host, path, backend in backends(ingress):
        wanted = backend.port.name or backend.port.number
        if backend.name == service.name and wanted and wanted not in numbers | names:
            has = ", ".join([*map(str, sorted(numbers)), *sorted(names)]) or "none"
            told = f"{host}{path} goes to port {wanted} of Service {service.name}, which has: {has}"
            yield Issue("critical", "ingress", title, told, "correct the backend's port")


def _class(title: str, ingress: Ingress, classes: Sequence[IngressClass]) -> Iterator[Issue]:
    wanted = ingress.spec.ingress_class_name
    known = [c.name for c in classes]
    if wanted and wanted not in known:
        told = f"wants the class {wanted}, and there is: {', '.join(known) or 'none'}"
        yield Issue("critical", "ingress", title, told, "correct ingressClassName or install its controller")
    elif not wanted and LEGACY not in ingress.metadata.annotations:
        if not any(c.metadata.annotations.get(DEFAULT) == "true" for c in classes):
            yield Issue("high", "ingress", title, "names no class, and no class is the default", "set ingressClassName")
    elif not ingress.status.load_balancer.ingress:
        yield Issue("medium", "ingress", title, "no controller has given it an address", "does its controller run?")


def _meant(ingresses: Sequence[Ingress], service: Service) -> Iterator[Issue]:
    """An Ingress whose backend is this Service but for a slip of the keyboard."""
    for ingress in ingresses:
        for host, path, backend in backends(ingress):
            if near(backend.name, [service.name]) is not None:
                told = f"{host}{path} goes to Service {backend.name}; is {service.name} meant?"
                yield Issue("critical", "ingress", str(ingress.ref), told, "correct the backend")


async def routes(cluster: Look, namespace: str, service: str) -> tuple[list[Entrance], list[Issue]] | None:
    """The Gateway API's routes that lead to the Service, and what is wrong with them; None when unread."""
    served = [r for r in await cluster.reader.resources() if r.group == GATEWAY and r.kind in ROUTES]
    found: list[Entrance] = []
    issues: list[Issue] = []
    for resource in served:
        token, pages = "", 0
        while pages == 0 or (token and pages < PAGES):
            try:
                page = await cluster.reader.page(resource, token=token)
            except (Forbidden, NotServed, TimedOut, Unreachable) as error:
                cluster.missing(resource.plural, error.message)
                return None
            mine = [r for r in page.get("items") or () if _leads(r, namespace, service)]
            found += [_route(resource.kind, r) for r in mine]
            issues += [i for r in mine for i in _route_issues(resource.kind, r)]
            token, pages = (page.get("metadata") or {}).get("continue", ""), pages + 1
        if token:
            cluster.missing(resource.plural, f"only the first {PAGES * 500} were read")
    return found, issues


def _leads(route: dict[str, Any], namespace: str, service: str) -> bool:
    place = route["metadata"].get("namespace", "")
    refs = (b for rule in (route.get("spec") or {}).get("rules") or () for b in rule.get("backendRefs") or ())
    return any(
        (b.get("kind", "Service"), b.get("name"), b.get("namespace", place)) == ("Service", service, namespace)
        for b in refs
    )


def _route(kind: str, route: dict[str, Any]) -> Entrance:
    spec = route.get("spec") or {}
    paths = [
        (m.get("path") or {}).get("value", "/") for rule in spec.get("rules") or () for m in rule.get("matches") or ()
    ]
    return Entrance(
        kind=kind,
        name=f"{route['metadata'].get('namespace', '')}/{route['metadata']['name']}",
        hosts=tuple(spec.get("hostnames") or ("*",)),
        paths=tuple(dict.fromkeys(paths)) or ("/",),
        ingress_class=", ".join(p.get("name", "") for p in spec.get("parentRefs") or ()),
        addresses=(),
        tls_secrets=(),
    )


def _route_issues(kind: str, route: dict[str, Any]) -> Iterator[Issue]:
    title = f"{kind} {route['metadata'].get('namespace', '')}/{route['metadata']['name']}"
    parents = (route.get("status") or {}).get("parents") or ()
    if not parents:
        yield Issue("high", "gateway", title, "no gateway has taken it", "does its gateway exist and allow it?")
    for parent in parents:
        for told in parent.get("conditions") or ():
            if told.get("type") in ("Accepted", "ResolvedRefs") and told.get("status") == "False":
                gateway = (parent.get("parentRef") or {}).get("name", "")
                why = f"{told.get('reason', '')} {told.get('message', '')}".strip()
                yield Issue("critical", "gateway", title, f"gateway {gateway}: not {told['type']}: {why}")
