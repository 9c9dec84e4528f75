"""Probes as the kubelet runs them (core/v1 Probe): what they ask, where, and how long they are patient."""

from __future__ import annotations

from typing import Literal

from kubemend.model.objects import Container, Probe
from kubemend.model.objects.meta import IntOrString

Handler = Literal["httpGet", "tcpSocket", "grpc", "exec", ""]


def handler(probe: Probe) -> Handler:
    """What the probe does; "" when it names nothing."""
    if probe.http_get is not None:
        return "httpGet"
    if probe.tcp_socket is not None:
        return "tcpSocket"
    if probe.grpc is not None:
        return "grpc"
    return "exec" if probe.exec is not None else ""


def port(probe: Probe) -> IntOrString | None:
    """The port as written, a number or a name; None for a command."""
    asks = probe.http_get or probe.tcp_socket or probe.grpc
    return None if asks is None else asks.port


def number(written: IntOrString, container: Container) -> int | None:
    """The number of a port: a name is looked up among the container's own (`probe.ResolveContainerPort`).

    None when it has no port of that name; then the kubelet can't ask, and the probe fails for ever.
    """
    if isinstance(written, int):
        return written
    if written.isdigit():
        return int(written)
    return next((p.container_port for p in container.ports if p.name == written), None)


def window(probe: Probe) -> int:
    """Seconds from the container's start within which it must succeed for the first time."""
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold


def tolerance(probe: Probe) -> int:
    """Seconds that a container which worked may fail before it counts."""
    return probe.period_seconds * probe.failure_threshold


def same(a: Probe, b: Probe) -> bool:
    """Whether both ask the very same thing."""
    return (a.http_get, a.tcp_socket, a.grpc, a.exec) == (b.http_get, b.tcp_socket, b.grpc, b.exec)
