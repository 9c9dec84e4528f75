"""What makes a cluster of an API server: controllers, a scheduler and nodes, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kubemend.lab.api import Api, Doors
from kubemend.lab.controllers.autoscaler import AutoscalerController
from kubemend.lab.controllers.claims import ClaimController, VolumeController
from kubemend.lab.controllers.controller import Worker, World
from kubemend.lab.controllers.cronjob import CronJobController
from kubemend.lab.controllers.daemonset import DaemonSetController
from kubemend.lab.controllers.deployment import DeploymentController
from kubemend.lab.controllers.disruption import DisruptionController
from kubemend.lab.controllers.endpoints import EndpointsController
from kubemend.lab.controllers.garbage import GarbageCollector
from kubemend.lab.controllers.job import JobController
from kubemend.lab.controllers.namespace import NamespaceController
from kubemend.lab.controllers.nodes import NodeController
from kubemend.lab.controllers.quota import QuotaController
from kubemend.lab.controllers.replicaset import ReplicaSetController
from kubemend.lab.controllers.statefulset import StatefulSetController
from kubemend.lab.images import CATALOGUE, Catalogue
from kubemend.lab.informer import Informer
from kubemend.lab.kubelet import NodeStandIn
from kubemend.lab.node.host import Logs, Usage
from kubemend.lab.node.presence import CAPACITY
from kubemend.lab.scheduler import Scheduler
from kubemend.lab.store import Store
from kubemend.model.errors import KubemendError

T = TypeVar("T")

WORKERS: tuple[type[Worker[Any]], ...] = (
    NamespaceController,
    GarbageCollector,
    DeploymentController,
    ReplicaSetController,
    StatefulSetController,
    DaemonSetController,
    JobController,
    CronJobController,
    EndpointsController,
    ClaimController,
    VolumeController,
    QuotaController,
    DisruptionController,
    AutoscalerController,
    NodeController,
    Scheduler,
)


class NotReached(KubemendError):
    """What was waited for didn't come in time."""

    code = "lab-not-reached"


class Machinery:
    """All components over one API. kinds: what there is, so that garbage and namespaces are emptied of every kind."""

    def __init__(
        self,
        api: Api,
        kinds: Iterable[str],
        *,
        pace: float,
        logs: Logs,
        usage: Usage,
        images: Catalogue = CATALOGUE,
        doors: Doors | None = None,
    ) -> None:
        self.api, self.pace, self._images = api, pace, images
        self.seen = Informer(api, [k for k in kinds if k != "Event"])
        self.nodes: dict[str, NodeStandIn] = {}
        self._logs, self._usage, self._doors = logs, usage, {} if doors is None else doors
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, nodes: Iterable[str]) -> None:
        """Begin, with nodes of these names."""
        world = World(self.seen, pace=self.pace)
        workers = [make(world) for make in WORKERS]
        await self.seen.start()
        self._tasks = [asyncio.create_task(w.run(), name=w.component) for w in workers]
        for name in nodes:
            await self.add_node(name)

    async def stop(self) -> None:
        """End all of it."""
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.seen.stop()

    async def add_node(
        self, name: str, *, capacity: Mapping[str, str] = CAPACITY, labels: Mapping[str, str] | None = None
    ) -> NodeStandIn:
        """One more node."""
        node = self.nodes[name] = NodeStandIn(
            self.api,
            name,
            capacity=capacity,
            labels=labels,
            pace=self.pace,
            logs=self._logs,
            usage=self._usage,
            doors=self._doors,
            images=self._images,
        )
        await node.start()
        return node


async def until(store: Store, predicate: Callable[[Store], T], seconds: float = 10.0) -> T:
    """Wait until `predicate` of the store returns something true; asked again after each write.

    Returns what it returned. Raises `NotReached` after that many real seconds.
    """
    version = store.version
    if found := predicate(store):
        return found
    try:
        async with asyncio.timeout(seconds):
            async for _ in store.steps(version):
                if found := predicate(store):
                    return found
    except TimeoutError as error:
        raise NotReached(f"not reached within {seconds:g} s", where=getattr(predicate, "__name__", None)) from error
    raise NotReached("the store ended")
