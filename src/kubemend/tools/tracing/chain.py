"""What is wrong between a Service and its pods: pure judgement of objects that were read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kubemend.kube.rollout import active, ready
from kubemend.kube.selectors import subset
from kubemend.kube.services import aim, container_port
from kubemend.model.objects import EndpointSlice, Node, Pod, Service
from kubemend.model.objects.meta import condition
from kubemend.model.objects.network import Endpoint, ServicePort
from kubemend.model.objects.pod import ContainerPort, ContainerStatus, Waiting
from kubemend.tools.tracing.issues import Issue, Severity

NAMED = 5
"""Pods that are named in one issue."""
MESSAGE = 300
"""Characters shown of a kubelet's message."""


@dataclass(frozen=True)
class Chain:
    """A Service and what stands behind it. pods: all of the namespace; nodes: None when they could not be read."""

    service: Service
    slices: Sequence[EndpointSlice]
    pods: Sequence[Pod]
    nodes: Sequence[Node] | None

    @property
    def selected(self) -> list[Pod]:
        """The pods that the Service selects and that are neither finished nor going away."""
        wanted = self.service.spec.selector
        return [p for p in self.pods if wanted and active(p) and subset(wanted, p.metadata.labels)]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Every endpoint of every slice."""
        return [e for s in self.slices for e in s.endpoints or ()]

    @property
    def outside(self) -> bool:
        """Whether the Service stands for a name outside of the cluster."""
        return self.service.spec.type == "ExternalName"


def declared(pod: Pod) -> list[ContainerPort]:
    """The ports of a pod's running containers, those of init containers that run on included."""
    sidecars = (c for c in pod.spec.init_containers if c.restart_policy == "Always")
    return [p for c in (*pod.spec.containers, *sidecars) for p in c.ports]


def is_ready(endpoint: Endpoint) -> bool:
    """Whether traffic is sent there; an unset condition counts as true (`discovery.k8s.io/v1`)."""
    return endpoint.conditions.ready is not False


def issues_of(chain: Chain) -> list[Issue]:
    """Everything wrong from the Service to the nodes."""
    return [*_service(chain), *_endpoints(chain), *_pods(chain), *_nodes(chain)]


def _service(chain: Chain) -> Iterator[Issue]:
    service, title = chain.service, str(chain.service.ref)
    if chain.outside:
        return
    if service.spec.selector and not chain.selected:
        wanted = ",".join(f"{k}={v}" for k, v in sorted(service.spec.selector.items()))
        yield Issue("critical", "service", title, f"selects no pod ({wanted}){_closest(chain)}", "correct the selector")
    for port in service.spec.ports:
        yield from _port(title, port, chain.selected)
    if service.spec.type == "LoadBalancer" and not service.status.load_balancer.ingress:
        yield Issue("high", "service", title, "its load balancer has no address yet", "look at the Service's events")


def _closest(chain: Chain) -> str:
    """The labels of the pods that match the selector best, if any of it matches."""
    wanted = chain.service.spec.selector
    scored = [(sum(p.metadata.labels.get(k) == v for k, v in wanted.items()), p) for p in chain.pods if active(p)]
    by_key = [(sum(k in p.metadata.labels for k in wanted), p) for _, p in scored]
    best = max(
        [s for s in scored if s[0]] or [b for b in by_key if b[0]], key=lambda s: (s[0], s[1].name), default=None
    )
    if best is None:
        return ""
    has = ",".join(f"{k}={best[1].metadata.labels[k]}" for k in sorted(wanted) if k in best[1].metadata.labels)
    return f"; pod {best[1].name} has {has}" if has else ""


def _port(title: str, port: ServicePort, pods: Sequence[Pod]) -> Iterator[Issue]:
    target, where = aim(port), f"port {port.port}/{port.protocol}"
    lacking = [p for p in pods if container_port(port, declared(p)) is None]
    if lacking:
        severity: Severity = "critical" if len(lacking) == len(pods) else "high"
        has = sorted({p.name for pod in lacking for p in declared(pod) if p.name})
        told = f"{where} goes to the port named {target}, which {_names(lacking)} don't declare (named: {_list(has)})"
        yield Issue(severity, "service", title, told, "correct targetPort or name the container's port")
        return
    if isinstance(target, str) or not pods or not all(map(declared, pods)):
        return
    same = {p.container_port for pod in pods for p in declared(pod) if p.protocol == port.protocol}
    other = {p.protocol for pod in pods for p in declared(pod) if p.container_port == target}
    if target not in same and other:
        told = f"{where} goes to {target}/{port.protocol}, which is declared for {_list(sorted(other))}"
        yield Issue("high", "service", title, told, "make the protocols agree")
    elif target not in same:
        told = f"{where} goes to {target}, and the pods declare {_list(map(str, sorted(same)))}"
        yield Issue("medium", "service", title, told, "correct targetPort, if nothing listens there")


def _endpoints(chain: Chain) -> Iterator[Issue]:
    service, title = chain.service, str(chain.service.ref)
    if chain.outside:
        return
    known = {e.target_ref.uid for e in chain.endpoints if e.target_ref is not None}
    if not service.spec.selector and not chain.endpoints:
        told = "has no selector, and nobody wrote EndpointSlices for it"
        yield Issue("critical", "endpoints", title, told, "give it a selector or EndpointSlices")
    missing = [p for p in chain.selected if ready(p) and p.metadata.uid not in known and p.status.pod_ip]
    if missing:
        told = f"{_names(missing)} are ready and in no EndpointSlice"
        yield Issue("high", "endpoints", title, told, "is the EndpointSlice controller running?")
    here = {p.metadata.uid for p in chain.pods}
    stale = [e.target_ref.name for e in chain.endpoints if e.target_ref and e.target_ref.uid not in here]
    if stale and service.spec.selector:
        yield Issue("medium", "endpoints", title, f"EndpointSlices name pods that are gone: {_list(stale[:NAMED])}")


def _pods(chain: Chain) -> Iterator[Issue]:
    waiting = [p for p in chain.selected if not ready(p)]
    severity: Severity = "critical" if len(waiting) == len(chain.selected) else "high"
    alike: dict[str, list[Pod]] = {}
    for pod in waiting:
        alike.setdefault(_why(pod), []).append(pod)
    for why, pods in alike.items():
        told = f"is not ready: {why}" if len(pods) == 1 else f"and {len(pods) - 1} more like it are not ready: {why}"
        yield Issue(severity, "pod", str(pods[0].ref), told, "diagnose_kubernetes_pod_issues")


def _why(pod: Pod) -> str:
    """The plainest reason a pod isn't ready."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.state.waiting is not None and status.state.waiting.reason not in ("", "PodInitializing"):
            return f"container {status.name} waits: {_waits(status)}"
        if status.state.terminated is not None and status.state.terminated.exit_code:
            return f"container {status.name} ended with exit code {status.state.terminated.exit_code}"
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return f"not scheduled: {scheduled.message or scheduled.reason}"
    unready = [_probe(pod, s.name) for s in pod.status.container_statuses if s.state.running and not s.ready]
    if unready:
        return f"the readiness probe of {_list(unready)} does not succeed"
    told = condition(pod.status.conditions, "Ready")
    return (told.message or told.reason if told is not None else "") or pod.status.phase or "no status yet"


def _waits(status: ContainerStatus) -> str:
    """Why a container isn't begun: of one that crashes again and again, how it ended last."""
    waiting, ended = status.state.waiting or Waiting(), status.last_state.terminated
    if waiting.reason == "CrashLoopBackOff" and ended is not None:
        return f"{waiting.reason}, for it ended with {ended.reason or 'Error'} (exit code {ended.exit_code})"
    # A crash's message has the pod's own name in it, which would tell pods apart that fail alike.
    plain = waiting.message if waiting.reason != "CrashLoopBackOff" else ""
    return f"{waiting.reason}: {plain[:MESSAGE]}" if plain else waiting.reason


def _probe(pod: Pod, name: str) -> str:
    """A container and what its readiness probe asks: "web (GET /ready on port http)"."""
    container = pod.spec.container(name)
    asked = None if container is None else container.readiness_probe
    if asked is None:
        return name
    if asked.http_get is not None:
        return f"{name} (GET {asked.http_get.path or '/'} on port {asked.http_get.port})"
    if asked.tcp_socket is not None:
        return f"{name} (TCP port {asked.tcp_socket.port})"
    return f"{name} (gRPC)" if asked.grpc is not None else f"{name} (a command)"


def _nodes(chain: Chain) -> Iterator[Issue]:
    used = {p.spec.node_name for p in chain.selected if p.spec.node_name}
    for node in chain.nodes or ():
        if node.name not in used:
            continue
        told = condition(node.status.conditions, "Ready")
        if told is None or told.status != "True":
            on_it = [p for p in chain.selected if p.spec.node_name == node.name]
            severity: Severity = "critical" if len(on_it) == len(chain.selected) else "high"
            why = "is not ready" + (f": {told.message or told.reason}" if told is not None else "")
            yield Issue(severity, "node", str(node.ref), why, "diagnose_node_issues")
        for pressure in node.status.conditions:
            if pressure.type.endswith("Pressure") and pressure.status == "True":
                yield Issue("medium", "node", str(node.ref), f"has {pressure.type}", "check_pod_eviction_pressure")


def _names(pods: Sequence[Pod]) -> str:
    more = f" and {len(pods) - NAMED} more" if len(pods) > NAMED else ""
    return f"pods {_list(p.name for p in pods[:NAMED])}{more}"


def _list(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
