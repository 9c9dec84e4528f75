"""Service (core/v1), EndpointSlice (discovery.k8s.io/v1), Ingress (networking.k8s.io/v1)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubemend.model.objects.meta import IntOrString, Obj, Part


class ServicePort(Part, frozen=True, gc=False):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: IntOrString | None = None
    node_port: int = 0


class ServiceSpec(Part, frozen=True, gc=False):
    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = field(name="clusterIP", default="")
    publish_not_ready_addresses: bool = False
    external_name: str = ""
    external_ips: tuple[str, ...] = field(name="externalIPs", default=())


class Service(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "services"

    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(Part, frozen=True, gc=False):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetRef(Part, frozen=True, gc=False):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(Part, frozen=True, gc=False):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    target_ref: TargetRef | None = None
    node_name: str = ""


class EndpointPort(Part, frozen=True, gc=False):
    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "endpointslices"
    group: ClassVar[str] = "discovery.k8s.io"

    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class IngressServicePort(Part, frozen=True, gc=False):
    name: str = ""
    number: int = 0


class IngressServiceBackend(Part, frozen=True, gc=False):
    name: str
    port: IngressServicePort = IngressServicePort()


class IngressBackend(Part, frozen=True, gc=False):
    service: IngressServiceBackend | None = None


class IngressPath(Part, frozen=True, gc=False):
    path: str = ""
    path_type: str = ""
    backend: IngressBackend = IngressBackend()


class IngressHttp(Part, frozen=True, gc=False):
    paths: tuple[IngressPath, ...] = ()


class IngressRule(Part, frozen=True, gc=False):
    host: str = ""
    http: IngressHttp | None = None


class IngressSpec(Part, frozen=True, gc=False):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()


class Ingress(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "ingresses"
    group: ClassVar[str] = "networking.k8s.io"

    spec: IngressSpec = IngressSpec()
