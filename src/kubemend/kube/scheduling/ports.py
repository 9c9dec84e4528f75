"""Host ports: two pods of one node can't both have the same (filter NodePorts)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from kubemend.kube.scheduling.node import Misfit
from kubemend.model.objects.pod import Pod, PodSpec

ANY = ("", "0.0.0.0")  # noqa: S104  (an address to compare with, none to listen on)


class HostPort(Struct, frozen=True):
    """A port that a pod takes of its node."""

    port: int
    protocol: str
    address: str

    def collides(self, other: HostPort) -> bool:
        """Same port and protocol, at the same address, or one of them at all addresses (`HostPortInfo`)."""
        everywhere = self.address in ANY or other.address in ANY or self.address == other.address
        return everywhere and (self.port, self.protocol) == (other.port, other.protocol)


def host_ports(spec: PodSpec) -> frozenset[HostPort]:
    """The host ports of the app containers and sidecars; on the host's network every port is one."""
    return frozenset(_ports(spec))


def _ports(spec: PodSpec) -> Iterator[HostPort]:
    for container in (*spec.containers, *(c for c in spec.init_containers if c.restart_policy == "Always")):
        for port in container.ports:
            taken = port.host_port or (port.container_port if spec.host_network else 0)
            if taken:
                yield HostPort(taken, port.protocol or "TCP", port.host_ip)


def port_misfits(spec: PodSpec, pods: Iterable[Pod]) -> tuple[Misfit, ...]:
    """Why the pods of a node keep a new one off it by their host ports."""
    wanted = host_ports(spec)
    if not wanted:
        return ()
    return tuple(
        Misfit("port", f"host port {w.port}/{w.protocol} is taken by {pod.namespace}/{pod.name}")
        for pod in pods
        if pod.status.phase not in ("Succeeded", "Failed")
        for w in sorted(wanted, key=lambda p: (p.port, p.protocol, p.address))
        if any(w.collides(t) for t in host_ports(pod.spec))
    )
