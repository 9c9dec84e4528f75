"""Service (core/v1), EndpointSlice (discovery/v1); Ingress, IngressClass, NetworkPolicy (networking.k8s.io/v1)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubemend.model.objects.meta import IntOrString, LabelSelector, Obj, Part


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


class BalancerAddress(Part, frozen=True, gc=False):
    ip: str = ""
    hostname: str = ""


class Balancer(Part, frozen=True, gc=False):
    ingress: tuple[BalancerAddress, ...] = ()


class BalancerStatus(Part, frozen=True, gc=False):
    """What a Service or Ingress got from outside."""

    load_balancer: Balancer = Balancer()


class Service(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "services"

    spec: ServiceSpec = ServiceSpec()
    status: BalancerStatus = BalancerStatus()


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


class IngressTls(Part, frozen=True, gc=False):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Part, frozen=True, gc=False):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class Ingress(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "ingresses"
    group: ClassVar[str] = "networking.k8s.io"

    spec: IngressSpec = IngressSpec()
    status: BalancerStatus = BalancerStatus()


class IngressClassSpec(Part, frozen=True, gc=False):
    controller: str = ""


class IngressClass(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "ingressclasses"
    group: ClassVar[str] = "networking.k8s.io"
    namespaced: ClassVar[bool] = False

    spec: IngressClassSpec = IngressClassSpec()


class IPBlock(Part, frozen=True, gc=False):
    cidr: str
    except_: tuple[str, ...] = field(name="except", default=())


class NetworkPolicyPeer(Part, frozen=True, gc=False):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Part, frozen=True, gc=False):
    protocol: str = "TCP"
    port: IntOrString | None = None
    end_port: int | None = None


class IngressPolicyRule(Part, frozen=True, gc=False):
    from_: tuple[NetworkPolicyPeer, ...] = field(name="from", default=())
    ports: tuple[NetworkPolicyPort, ...] = ()


class EgressPolicyRule(Part, frozen=True, gc=False):
    to: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Part, frozen=True, gc=False):
    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[IngressPolicyRule, ...] = ()
    egress: tuple[EgressPolicyRule, ...] = ()


class NetworkPolicy(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "networkpolicies"
    group: ClassVar[str] = "networking.k8s.io"

    spec: NetworkPolicySpec = NetworkPolicySpec()
