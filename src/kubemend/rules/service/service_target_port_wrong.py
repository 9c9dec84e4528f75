"""KM502: a Service that sends to a port nobody listens on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Pod, Service
from kubemend.model.objects.meta import IntOrString
from kubemend.model.objects.network import ServicePort
from kubemend.model.objects.pod import ContainerPort
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.service.selection import OWNERS, WORKLOADS, selection
from kubemend.rules.workload.words import count


@dataclass(frozen=True)
class Wrong:
    """A Service port whose target no selected pod declares; meant is the one it probably means."""

    index: int
    port: ServicePort
    target: IntOrString
    meant: IntOrString | None


@rule("KM502", severity=Severity.ERROR, reads=(Service, Pod), uses=(*WORKLOADS, *OWNERS))
def service_target_port_wrong(snapshot: Snapshot) -> Iterator[Observation]:
    """A Service sends traffic to a port that its pods don't declare.

    ## What it means
    The `targetPort` is a name that no container of the selected pods gives to a port; or a number that none of
    them declares, while they declare another one that no port of the Service uses. Pods that declare no ports
    at all aren't judged, and a number that a probe asks at is taken to be served.

    ## Why it matters
    Connections through that port are refused, though the pods are ready.

    ## What to do
    Set `targetPort` to the port that the container listens on.
    """
    found = selection(snapshot)
    for service in found.services():
        pods = found.pods(service)
        if pods and all(_declared(p) for p in pods) and (wrong := _wrong(service, pods)):
            yield _observation(service, pods, wrong)


def _declared(pod: Pod) -> list[ContainerPort]:
    return [p for c in (*pod.spec.containers, *pod.spec.init_containers) for p in c.ports]


def _wrong(service: Service, pods: list[Pod]) -> list[Wrong]:
    asked = {port for pod in pods for port in _probed(pod)}
    found = []
    for index, port in enumerate(service.spec.ports):
        mine = [p for pod in pods for p in _declared(pod) if p.protocol == port.protocol]
        named = {p.name: p.container_port for p in mine if p.name}
        spare = {p.container_port for p in mine} - _taken(service, index, named)
        target = _target(port)
        if isinstance(target, str):
            if target not in named:
                meant = near(target, sorted(named)) or (min(spare) if len(spare) == 1 else None)
                found.append(Wrong(index, port, target, meant))
        elif spare and target not in asked and target not in {p.container_port for p in mine}:
            found.append(Wrong(index, port, target, _number(port, spare)))
    return found


def _target(port: ServicePort) -> IntOrString:
    return port.port if port.target_port is None else port.target_port


def _taken(service: Service, but: int, named: dict[str, int]) -> set[int]:
    """The declared ports that the Service's other ports send to."""
    targets = [_target(p) for i, p in enumerate(service.spec.ports) if i != but]
    return {named.get(t, 0) if isinstance(t, str) else t for t in targets}


def _probed(pod: Pod) -> Iterator[IntOrString]:
    for container in pod.spec.containers:
        for probe in (container.readiness_probe, container.liveness_probe, container.startup_probe):
            if probe is not None:
                yield from (a.port for a in (probe.http_get, probe.tcp_socket, probe.grpc) if a is not None)


def _number(port: ServicePort, spare: set[int]) -> int | None:
    """Which of the unused declared ports is meant: the only one, or the one the Service itself listens on."""
    if len(spare) == 1:
        return min(spare)
    return port.port if port.port in spare else None


def _observation(service: Service, pods: list[Pod], wrong: list[Wrong]) -> Observation:
    first = wrong[0]
    ports = sorted({p.container_port for pod in pods for p in _declared(pod)})
    kind = "named port" if isinstance(first.target, str) else "port"
    more = f" (and {count(len(wrong) - 1, 'more port')})" if len(wrong) > 1 else ""
    evidence = [cite(service, "spec", "ports", w.index, "port") for w in wrong]
    evidence += [cite(service, "spec", "ports", w.index, "targetPort") for w in wrong if w.port.target_port is not None]
    at = next(i for i, c in enumerate(pods[0].spec.containers) if c.ports) if _in_app(pods[0]) else None
    if at is not None:
        evidence.append(cite(pods[0], "spec", "containers", at, "ports", 0, "containerPort"))
    return Observation(
        about=service.ref,
        says=f"port {first.port.port} sends to {kind} {first.target}, but what it selects ({count(len(pods), 'pod')}) "
        f"declares {', '.join(map(str, ports))}{more}",
        evidence=tuple(evidence),
        confidence=0.95 if isinstance(first.target, str) else 0.85,
        facts={
            "ports": tuple(str(w.port.port) for w in wrong),
            "targets": tuple(str(w.target) for w in wrong),
            "near": tuple("" if w.meant is None else str(w.meant) for w in wrong),
        },
    )


def _in_app(pod: Pod) -> bool:
    return any(c.ports for c in pod.spec.containers)
