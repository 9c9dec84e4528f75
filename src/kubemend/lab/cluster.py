"""The practice cluster: an API server on loopback with all that makes it live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from kubemend.lab.api import Object
from kubemend.lab.controllers.claims import DEFAULT_CLASS, PROVISIONER
from kubemend.lab.fields import holds, spec
from kubemend.lab.images import CATALOGUE, Catalogue
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.kubelet import NodeStandIn
from kubemend.lab.local import LocalApi
from kubemend.lab.machinery import Machinery, until
from kubemend.lab.server import PracticeServer
from kubemend.lab.store import Store

T = TypeVar("T")

START_S = 10.0
"""Real seconds within which every node must be ready."""

STANDARD: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": PROVISIONER,
    "allowVolumeExpansion": True,
}
"""The default StorageClass: claims are bound at once."""


class PracticeCluster:
    """Up while the `async with` block runs; nothing of it is kept.

    nodes: how many (named lab-1, lab-2 …), or their names. pace: real seconds for each of Kubernetes' own waits.
    images: what its registries hold. port: where the API server listens; any free port for 0.
    """

    def __init__(
        self, nodes: int | Sequence[str] = 3, *, pace: float = 0.05, images: Catalogue = CATALOGUE, port: int = 0
    ) -> None:
        self._names = [f"lab-{i}" for i in range(1, nodes + 1)] if isinstance(nodes, int) else list(nodes)
        self._port = port
        self.server = PracticeServer()
        self.store: Store = self.server.store
        self.api = LocalApi(self.store)
        self._machinery = Machinery(
            self.api,
            BY_KIND,
            pace=pace,
            logs=self.store.logs,
            usage=self.store.usage,
            images=images,
            doors=self.store.doors,
        )

    @property
    def url(self) -> str:
        """Where its API server listens."""
        return self.server.url

    @property
    def nodes(self) -> dict[str, NodeStandIn]:
        """The nodes by name; `stop` one to see what becomes of its pods."""
        return self._machinery.nodes

    def kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig with all rights."""
        return self.server.kubeconfig()

    async def until(self, predicate: Callable[[Store], T], seconds: float = 30.0) -> T:
        """Wait until `predicate` of the store is true; see `kubemend.lab.machinery.until`."""
        return await until(self.store, predicate, seconds)

    async def __aenter__(self) -> Self:
        """Start it; every node is ready when this returns."""
        await self.server.start(self._port)
        await self.api.create(STANDARD)
        await self._machinery.start(self._names)
        await self.until(lambda store: all(map(_takes_pods, store.all("Node"))), START_S)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """End it."""
        await self._machinery.stop()
        await self.server.stop()


def _takes_pods(node: Object) -> bool:
    return holds(node, "Ready") and not spec(node).get("taints")
