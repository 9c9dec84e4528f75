"""Where pods of one kind would go, one after the other, and how many of them there is room for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import structs

from kubemend.kube.scheduling.admission import admitted
from kubemend.kube.scheduling.disks import disk_misfits, has_own_disk
from kubemend.kube.scheduling.neighbours import Labels, Neighbours
from kubemend.kube.scheduling.node import Misfit, closed, room_misfits
from kubemend.kube.scheduling.ports import host_ports, port_misfits
from kubemend.kube.scheduling.resources import free, needs
from kubemend.kube.scheduling.volumes import Storage, claims_of, volume_misfits
from kubemend.model.objects.meta import Meta
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Pod, PodSpec, PodStatus


class Room:
    """The nodes as new pods with this spec and these labels see them. Each that is placed takes its share.

    All hard filters of the scheduler that this package knows are asked. storage: None where claims aren't known;
    then they are taken to fit. namespaces: labels per namespace, for selectors on them.
    Raises `QuantityError` or `SelectorError` for what the API server would have refused.
    """

    def __init__(
        self,
        spec: PodSpec,
        namespace: str,
        labels: Labels,
        nodes: Iterable[Node],
        pods: Iterable[Pod],
        *,
        storage: Storage | None = None,
        namespaces: Mapping[str, Labels] | None = None,
    ) -> None:
        spec = admitted(spec)
        self._spec, self._namespace, self._labels = spec, namespace, labels
        self.nodes = tuple(nodes)
        self._here: dict[str, list[Pod]] = defaultdict(list)
        everybody = list(pods)
        for pod in everybody:
            if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
                self._here[pod.spec.node_name].append(pod)
        self._free = {n.name: free(n, self._here[n.name]) for n in self.nodes}
        self._need = needs(spec)
        self._ported, self._disk = bool(host_ports(spec)), has_own_disk(spec)
        self._sole = storage is not None and any(c.is_sole for c in claims_of(spec, namespace, storage))
        self._neighbours = Neighbours(spec, namespace, labels, self.nodes, everybody, namespaces=namespaces)
        self._closed = {
            n.name: (*closed(spec, n), *(volume_misfits(spec, namespace, n, storage, everybody) if storage else ()))
            for n in self.nodes
        }
        self.placed: Counter[str] = Counter()

    @property
    def minds(self) -> bool:
        """Whether such pods mind where others are, so that each must be tried after the one before."""
        return self._sole or self._neighbours.matter

    def misfits(self, node: Node) -> tuple[Misfit, ...]:
        """Every reason why the next pod can't go to the node; empty when it can."""
        return (
            *self._closed[node.name],
            *room_misfits(self._need, self._free[node.name]),
            *self._taken(node),
            *self._neighbours.misfits(node),
        )

    def _taken(self, node: Node) -> tuple[Misfit, ...]:
        """Host ports, disks and claims that are gone, to the pods that were there or to one of these."""
        here = self._here[node.name]
        found = (*port_misfits(self._spec, here), *disk_misfits(self._spec, here))
        if self._ported and self.placed[node.name]:
            found += (Misfit("port", "one such pod has the host ports of the node"),)
        if self._disk and self.placed[node.name]:
            found += (Misfit("volume", "disk of such a pod is in use by another of them"),)
        if self._sole and self.placed:
            found += (Misfit("volume", "a claim of such pods is for one pod, and one of them has it"),)
        return found

    def place(self) -> Node | None:
        """Give the next pod a place: where fewest of these are, then where most is left. None when there is none."""
        open_ = [n for n in self.nodes if not self._closed[n.name] and not self.misfits(n)]
        if not open_:
            return None
        node = min(open_, key=lambda n: (self.placed[n.name], -self._share(n), n.name))
        self._take(node)
        return node

    def fill(self, most: int) -> int:
        """Place pods until there is no room, `most` at most. Returns how many were placed in all."""
        if self.minds:
            while self.placed.total() < most and self.place() is not None:
                pass
        else:
            self._pour(most)
        return self.placed.total()

    def _pour(self, most: int) -> None:
        """The same where pods don't mind one another: what each node holds is reckoned, not tried."""
        holds = {n.name: self._holds(n) for n in self.nodes if not self.misfits(n)}
        left = most - self.placed.total()
        while left > 0 and holds:
            # In rounds, as the scheduler spreads pods of one kind: each node gets its share of what is left.
            share = max(1, left // len(holds))
            for name in sorted(holds):
                here = min(share, holds[name], left)
                self._give(name, here)
                holds[name] -= here
                left -= here
            holds = {name: room for name, room in holds.items() if room > 0}

    def _holds(self, node: Node) -> int:
        """How many the node would hold beside what is there."""
        if self._ported or self._disk:
            return 1
        left = self._free[node.name]
        return min(int(left.get(k, Decimal()) // v) for k, v in self._need.items() if v > 0)

    def stand_in(self, node: Node) -> Pod:
        """A pod as it would be on the node."""
        number = self.placed.total()
        meta = Meta(name=f"next-{number}", namespace=self._namespace, labels=dict(self._labels), uid=f"next-{number}")
        return Pod(
            metadata=meta, spec=structs.replace(self._spec, node_name=node.name), status=PodStatus(phase="Running")
        )

    def _take(self, node: Node) -> None:
        self._give(node.name, 1)
        self._neighbours.add(self.stand_in(node))

    def _give(self, node: str, count: int) -> None:
        """So many more pods are on the node."""
        self.placed[node] += count
        left = self._free[node]
        for name, amount in self._need.items():
            left[name] = left.get(name, Decimal()) - amount * count

    def _share(self, node: Node) -> Decimal:
        """The smaller of the free shares of CPU and memory."""
        left, has = self._free[node.name], free(node, ())
        return min((left[k] / has[k] for k in ("cpu", "memory") if has.get(k)), default=Decimal())
