"""Which port of which pod a Service's port means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubemend.model.objects.meta import IntOrString
from kubemend.model.objects.network import Service, ServicePort
from kubemend.model.objects.pod import ContainerPort


def aim(port: ServicePort) -> IntOrString:
    """`targetPort`, which is the Service's own port when it is left out."""
    return port.port if port.target_port in (None, 0, "") else port.target_port


def container_port(port: ServicePort, declared: Iterable[ContainerPort]) -> int | None:
    """The number a Service's port has on a pod (`k8s.io/component-helpers/resource.FindPort`).

    A name must be that of a declared port of the same protocol, else None; a number needn't be declared.
    """
    target = aim(port)
    if isinstance(target, int):
        return target
    return next((p.container_port for p in declared if p.name == target and p.protocol == port.protocol), None)


def asked_ports(service: Service, asked: int | str | None) -> Iterator[ServicePort]:
    """The ports of a Service that a number or name means; all when none is asked for."""
    for port in service.spec.ports:
        if asked is None or asked in (port.port, port.name) or str(port.port) == asked:
            yield port
