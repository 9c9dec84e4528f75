"""A node that runs nothing: it registers, breathes, and lets pods behave as their spec would have them behave.

It relies on the API alone, so the same stand-in serves as a node of the practice cluster and of a real
control plane.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from kubemend.lab.api import Api, Change, Doors, Object
from kubemend.lab.events import Recorder
from kubemend.lab.fields import annotated, name, namespace, spec, uid
from kubemend.lab.images import CATALOGUE, Catalogue
from kubemend.lab.informer import Informer
from kubemend.lab.node.host import Host, Logs, Usage
from kubemend.lab.node.pod import PodRun
from kubemend.lab.node.presence import CAPACITY, STOPPED, Presence, number_of

log = logging.getLogger(__name__)

_KINDS = ("Pod", "Node", "ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim")


class NodeStandIn:
    """One node.

    pace: real seconds per second of Kubernetes; 1.0 behaves like a real kubelet. logs, usage and doors: where they
    are left for whoever serves them. capacity: over 4 cores, 8Gi, 110 pods. labels: over those every node has.
    """

    def __init__(
        self,
        api: Api,
        name: str,
        *,
        capacity: Mapping[str, str] = CAPACITY,
        labels: Mapping[str, str] | None = None,
        pace: float = 1.0,
        logs: Logs,
        usage: Usage,
        images: Catalogue = CATALOGUE,
        doors: Doors | None = None,
    ) -> None:
        self.name, self._api = name, api
        self._presence = Presence(api, name, capacity=capacity, labels=labels or {}, pace=pace)
        number = number_of(name)
        self._host = Host(
            name=name,
            address=self._presence.address,
            api=api,
            recorder=Recorder(api, "kubelet", host=name, pace=pace),
            pace=pace,
            images=images,
            logs=logs,
            usage=usage,
            doors={} if doors is None else doors,
            subnet=f"10.{64 + number // 250 % 180}.{number % 250}",
        )
        self._pods: dict[str, PodRun] = {}
        self._hangs = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: Informer | None = None

    async def start(self) -> None:
        """Register the node and begin to run what is bound to it."""
        await self._presence.register()
        self._seen = Informer(self._api, _KINDS)
        self._seen.listen(self._notice)
        await self._seen.start(complete=False)
        self._spawn(self._presence.breathe(self._hangs))

    async def stop(self) -> None:
        """Fall silent at once, as a machine does that lost its power. `start` brings it back."""
        if self._seen is not None:
            await self._seen.stop()
        await asyncio.gather(*(run.close() for run in self._pods.values()))
        self._pods.clear()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _notice(self, change: Change, obj: Object, _before: Object | None) -> None:
        match obj["kind"]:
            case "Pod":
                self._pod(change, obj)
            case "Node":
                if name(obj) == self.name and change != "DELETED":
                    self._node(obj)
            case _ if change != "DELETED":
                for run in self._pods.values():
                    if namespace(run.pod) == namespace(obj):
                        run.concerned(obj)

    def _pod(self, change: Change, pod: Object) -> None:
        run = self._pods.get(uid(pod))
        if change == "DELETED":
            if run is not None:
                del self._pods[uid(pod)]
                run.forget()
                self._spawn(run.close())
        elif run is not None:
            run.update(pod)
        elif spec(pod).get("nodeName") == self.name and not self._hangs.is_set():
            run = self._pods[uid(pod)] = PodRun(self._host, pod)
            run.start()

    def _node(self, node: Object) -> None:
        """Somebody changed the node, to break it perhaps, or to mend it."""
        hangs = annotated(node).get(STOPPED) == "true"
        if hangs and not self._hangs.is_set():
            self._hangs.set()
            for run in self._pods.values():
                self._spawn(run.close())
            self._pods.clear()
        elif not hangs:
            if self._hangs.is_set():
                self._hangs.clear()
                self._spawn(self._wake())
            if not self._presence.is_true(node):
                self._spawn(self._presence.tell())

    async def _wake(self) -> None:
        """Go on where it was when it began to hang."""
        await self._presence.renew()
        for pod in await self._api.list("Pod"):
            self._pod("ADDED", pod)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"node {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s went wrong", task.get_name(), exc_info=error)
