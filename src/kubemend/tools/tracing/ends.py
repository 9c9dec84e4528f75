"""The two ends of a path through the cluster, read for the network policies that decide about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from kubemend.kube.networkpolicy import End
from kubemend.model.objects import Namespace, NetworkPolicy, wide
from kubemend.model.objects.network import NetworkPolicyPeer
from kubemend.tools.look import Look

OTHERS = frozenset(
    {
        "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy", "CiliumNetworkPolicy",
        "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "AntreaNetworkPolicy",
    }
)  # fmt: skip
"""Policies of network plugins and of the policy API to come: not judged here, and said so when they are served."""
ANY = "a pod without labels"


def active(pod: wide.Pod) -> bool:
    """Whether a pod still sends and receives."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is None


def pod_end(pod: wide.Pod, namespace: Namespace) -> End:
    """A pod as an end of a path. Ports of init containers count when they run as long as the pod does."""
    running = (*pod.spec.containers, *(c for c in pod.spec.init_containers if c.restart_policy == "Always"))
    return End(
        addresses=pod.status.addresses,
        namespace=pod.namespace,
        name=pod.name,
        labels=pod.metadata.labels,
        namespace_labels=namespace.metadata.labels,
        ports=tuple(p for c in running for p in c.ports),
        host_network=pod.spec.host_network,
        node=pod.spec.node_name,
    )


async def policies_of(cluster: Look, *namespaces: str) -> tuple[NetworkPolicy, ...]:
    """The policies of some namespaces; what other kinds of policies there are becomes a gap."""
    found: list[NetworkPolicy] = []
    for namespace in sorted(set(namespaces)):
        found += await cluster.list(NetworkPolicy, namespace)
    for other in sorted({r.kind for r in await cluster.reader.resources()} & OTHERS):
        cluster.missing(other, "the cluster serves this kind of policy too, and it is not judged here")
    return tuple(found)


async def pods_of(cluster: Look, namespace: Namespace, name: str | None) -> list[End]:
    """The active pods of a namespace, or the one that is named; a stand-in when there is none."""
    if name is not None:
        return [pod_end(await cluster.one(wide.Pod, namespace.name, name), namespace)]
    found = [pod_end(p, namespace) for p in await cluster.list(wide.Pod, namespace.name) if active(p)]
    return found or [End(namespace=namespace.name, name=ANY, namespace_labels=namespace.metadata.labels)]


def alike(ends: Iterable[End], policies: Sequence[NetworkPolicy]) -> list[list[End]]:
    """Ends that no policy can tell apart, together: of many equal pods one is judged."""
    by_address = any(p.ip_block for policy in policies for p in _peers(policy))
    groups: dict[Hashable, list[End]] = defaultdict(list)
    for end in ends:
        place = (end.addresses, end.node) if by_address or end.host_network else ()
        key = (end.namespace, frozenset(end.labels.items()), frozenset(end.ports), end.host_network, place)
        groups[key].append(end)
    return list(groups.values())


def _peers(policy: NetworkPolicy) -> Iterator[NetworkPolicyPeer]:
    for allowed_in in policy.spec.ingress:
        yield from allowed_in.from_
    for allowed_out in policy.spec.egress:
        yield from allowed_out.to
