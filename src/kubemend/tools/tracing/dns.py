"""Whether a pod may still ask the cluster's DNS: what an egress policy most often forgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from kubemend.cluster.errors import Forbidden, NotFound, TimedOut, Unreachable
from kubemend.kube.networkpolicy import End, judge
from kubemend.kube.services import container_port
from kubemend.model.objects import Namespace, NetworkPolicy, Service, wide
from kubemend.tools.look import Look
from kubemend.tools.tracing.ends import active, alike, pod_end, policies_of

PLACE, LABEL = "kube-system", "kubernetes.io/cluster-service=true,k8s-app=kube-dns"
USUAL = {"k8s-app": "kube-dns"}
PROTOCOLS = ("UDP", "TCP")
PORT = 53


class Dns(Struct, frozen=True):
    """allowed: whether every source may ask by UDP and TCP. blocked: "UDP from store-0: …" for each that may not.

    judged_on: the DNS pods, or "assumed" with the usual labels when none was found.
    """

    allowed: bool
    blocked: tuple[str, ...]
    judged_on: str


async def dns_of(cluster: Look, sources: Sequence[End], policies: Sequence[NetworkPolicy]) -> Dns:
    """The answer for some pods, given the policies of their namespace; those of kube-system are read too."""
    servers, judged_on = await _servers(cluster)
    held = (*policies, *(p for p in await policies_of(cluster, PLACE) if p not in policies))
    blocked = [text for group in alike(sources, held) for text in _blocked(group, servers, held)]
    return Dns(not blocked, tuple(blocked), judged_on)


async def _servers(cluster: Look) -> tuple[list[tuple[End, str, int]], str]:
    """The ports that the DNS Service leads to, as (pod, protocol, port); the usual ones when there is none."""
    place = await _place(cluster)
    services = await cluster.beside(Service, PLACE, labels=LABEL) or ()
    pods = await cluster.beside(wide.Pod, PLACE, labels="k8s-app=kube-dns") or ()
    ends = [pod_end(p, place) for p in pods if active(p)]
    ports = [p for s in services for p in s.spec.ports if p.port == PORT]
    found = [(e, p.protocol, n) for e in ends for p in ports if (n := container_port(p, e.ports)) is not None]
    if found:
        return found, ", ".join(sorted({e.name for e, _, _ in found}))
    assumed = End(namespace=PLACE, name="dns", labels=USUAL, namespace_labels=place.metadata.labels)
    return [(assumed, p, PORT) for p in PROTOCOLS], f"assumed: {PLACE}, k8s-app=kube-dns, port {PORT}"


async def _place(cluster: Look) -> Namespace:
    try:
        return await cluster.one(Namespace, "", PLACE)
    except (NotFound, Forbidden, TimedOut, Unreachable) as error:
        cluster.missing(f"namespace {PLACE}", error.message)
        named = {"kubernetes.io/metadata.name": PLACE}
        return Namespace(metadata=Namespace().metadata.__class__(name=PLACE, labels=named))


def _blocked(group: list[End], servers: list[tuple[End, str, int]], policies: Sequence[NetworkPolicy]) -> Iterator[str]:
    for protocol in PROTOCOLS:
        verdicts = [judge(policies, group[0], e, port, protocol) for e, p, port in servers if p == protocol]
        if verdicts and not any(v.allowed for v in verdicts):
            side = verdicts[0].egress if not verdicts[0].egress.allowed else verdicts[0].ingress
            by = ", ".join(f"{p.namespace}/{p.name}" for p in side.isolated_by)
            more = f" and {len(group) - 1} more" if len(group) > 1 else ""
            yield f"{protocol} from {group[0].name}{more}: {side.direction.lower()} closed by {by}"
