"""The question whether one pod may reach another, answered from the cluster for every tool that asks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import Struct

from kubemend.kube.networkpolicy import End
from kubemend.kube.selectors import subset
from kubemend.kube.services import asked_ports, container_port
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import EndpointSlice, Namespace, NetworkPolicy, Service, wide
from kubemend.tools.look import Look
from kubemend.tools.tracing.dns import Dns, dns_of
from kubemend.tools.tracing.ends import active, pod_end, pods_of, policies_of
from kubemend.tools.tracing.paths import Door, PathRow, blocking, overall, path_rows


class Block(Struct, frozen=True):
    """A policy that closes a blocked path, and why none of its rules opens it."""

    policy: str
    direction: str
    why: str


class NetworkPath(Struct, frozen=True):
    """result: "allowed", "blocked", "partly" or "unknown". ready_endpoints: of the Service; None without one."""

    source_namespace: str
    target_namespace: str
    target: str
    result: str
    blocked_by: tuple[Block, ...]
    paths: tuple[PathRow, ...]
    dns: Dns
    ready_endpoints: int | None
    policies_judged: int
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who wants to reach whom. Without a pod or Service every pod of the namespace is meant."""

    source_namespace: str
    target_namespace: str
    source_pod: str | None = None
    target_service: str | None = None
    target_pod: str | None = None
    port: int | None = None
    protocol: str = "TCP"


async def path_between(cluster: Look, asked: Asked) -> tuple[NetworkPath, tuple[NetworkPolicy, ...]]:
    """The answer, and the policies that it rests on."""
    here = await cluster.one(Namespace, "", asked.source_namespace)
    same = asked.source_namespace == asked.target_namespace
    there = here if same else await cluster.one(Namespace, "", asked.target_namespace)
    policies = await policies_of(cluster, here.name, there.name)
    sources = await pods_of(cluster, here, asked.source_pod)
    ready = None
    if asked.target_service is None:
        ends = await pods_of(cluster, there, asked.target_pod)
        doors = list(_doors(ends, asked.port, asked.protocol))
        target = f"pod {asked.target_pod}" if asked.target_pod else f"every pod of {there.name}"
    else:
        service = await cluster.one(Service, there.name, asked.target_service)
        slices = await _slices(cluster, service)
        ends, doors = await _behind(cluster, there, service, slices, asked.port)
        target = f"service {service.name}"
        ready = sum(e.conditions.ready is not False for s in slices for e in s.endpoints or ())
    rows, left = path_rows(sources, doors, policies)
    if left:
        cluster.missing("paths", f"{left} more pairs of source and target were not judged: name a pod, Service or port")
    path = NetworkPath(
        source_namespace=here.name,
        target_namespace=there.name,
        target=target,
        result=overall(rows),
        blocked_by=tuple(Block(*b) for b in blocking(rows)),
        paths=tuple(rows),
        dns=await dns_of(cluster, sources, policies),
        ready_endpoints=ready,
        policies_judged=len(policies),
        notes=tuple(_notes(policies, sources, doors, ends, ready)),
    )
    return path, policies


def _doors(ends: Sequence[End], port: int | None, protocol: str) -> Iterator[Door]:
    """The port that was asked for, else every one that is declared, else none in particular."""
    for end in ends:
        declared = [p.container_port for p in end.ports if p.protocol == protocol]
        numbers: list[int | None] = [port] if port else [*declared] or [None]
        yield from (Door(end, number, protocol) for number in numbers)


async def _slices(cluster: Look, service: Service) -> tuple[EndpointSlice, ...]:
    return await cluster.list(EndpointSlice, service.namespace, labels=f"kubernetes.io/service-name={service.name}")


async def _behind(
    cluster: Look, namespace: Namespace, service: Service, slices: Sequence[EndpointSlice], port: int | None
) -> tuple[list[End], list[Door]]:
    """The pods that a Service selects and their ports; the addresses of its slices when it has no selector."""
    ports = list(asked_ports(service, port))
    if not ports:
        has = ", ".join(str(p.port) for p in service.spec.ports) or "none"
        raise InvalidInput(f"{service.ref} has no port {port}; it has: {has}", code="no-such-port")
    if not service.spec.selector:
        outside = [(End(addresses=e.addresses), s.ports or ()) for s in slices for e in s.endpoints or ()]
        return [e for e, _ in outside], [Door(e, p.port, p.protocol) for e, ports in outside for p in ports]
    found = await cluster.list(wide.Pod, service.namespace)
    ends = [pod_end(p, namespace) for p in found if active(p) and subset(service.spec.selector, p.metadata.labels)]
    numbered = ((e, container_port(p, e.ports), p.protocol) for e in ends for p in ports)
    return ends, [Door(end, number, protocol) for end, number, protocol in numbered if number is not None]


def _notes(
    policies: Sequence[NetworkPolicy],
    sources: Sequence[End],
    doors: Sequence[Door],
    targets: Sequence[End],
    ready: int | None,
) -> Iterator[str]:
    if not policies:
        yield "there is no NetworkPolicy in these namespaces: all traffic is allowed as far as policies go"
    if any(not s.addresses for s in sources):
        yield "a source has no address (yet): ipBlocks don't match it"
    if ready is not None and not doors:
        lacks = "no pod that the Service selects has this port" if targets else "the Service selects no pod"
        yield f"{lacks}: trace_service_chain tells what is wrong"
    if ready == 0:
        yield "the Service has no ready endpoint: connections fail whatever the policies say"
