"""One pod on its node: volumes, init containers in order, then its containers, until it ends or is deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec

from kubemend.kube.references import references
from kubemend.lab.api import Object
from kubemend.lab.fields import (
    condition,
    deleting,
    difference,
    finished,
    name,
    namespace,
    now,
    spec,
    status,
    uid,
    version,
)
from kubemend.lab.node.condition import conditions, phase, quality
from kubemend.lab.node.config import Unmountable, mount
from kubemend.lab.node.container import Container
from kubemend.lab.node.host import Host, Signal
from kubemend.lab.node.life import Seat
from kubemend.model.errors import KubemendError
from kubemend.model.objects import PodSpec

log = logging.getLogger(__name__)

RETRY_S = 0.2
"""Real seconds before a refused status is written again."""

_PULL_SECRET = "kubernetes.io/dockerconfigjson"  # noqa: S105 (a type, no password)


class PodRun:
    """Runs a pod that is bound to this node, and keeps its status."""

    def __init__(self, host: Host, pod: Object) -> None:
        self.host, self.pod = host, pod
        self._changes, self._told = Signal(), Signal()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._scratch: dict[str, set[str]] = {}
        told = status(pod)
        self._address: str = told.get("podIP", "")
        self._verdict = _verdict(pod)
        self._since: str = told.get("startTime") or now()
        inits = spec(pod).get("initContainers") or ()
        self._inits = [self._container(c["name"], told, init=True) for c in inits]
        self._apps = [self._container(c["name"], told, init=False) for c in spec(pod)["containers"]]
        self._logged = [*self._inits, *self._apps]
        self._references = _referred(pod)

    def _container(self, named: str, told: Object, *, init: bool) -> Container:
        waiting = {"reason": "PodInitializing" if spec(self.pod).get("initContainers") else "ContainerCreating"}
        look, told_of = (lambda: self.pod), self._told.fire
        seat = Seat(self.host, look, self._changes, told_of, lambda: self._address, waiting, self._scratch)
        field = "initContainerStatuses" if init else "containerStatuses"
        known = next((s for s in told.get(field) or () if s["name"] == named), None)
        return Container(seat, named, init=init, told=known)

    @property
    def _containers(self) -> list[Container]:
        return [*self._inits, *self._apps]

    def start(self) -> None:
        """Begin."""
        if deleting(self.pod):
            self._end()
        elif not finished(self.pod):
            self._spawn(self._write())
            self._spawn(self._run())

    def update(self, pod: Object) -> None:
        """Take in what the pod has become in the API."""
        if version(pod) <= version(self.pod):
            return
        before, self.pod = self.pod, pod
        if deleting(pod):
            self._end()
        elif spec(pod) != spec(before):
            self._references = _referred(pod)
            self._changes.fire()
            self._told.fire()
        elif _gates(pod) != _gates(before) or _verdict(pod) not in (_verdict(before), self._verdict):
            self._told.fire()

    def concerned(self, obj: Object) -> None:
        """An object of the pod's namespace has come or changed: wake up if the pod refers to it."""
        login = obj["kind"] == "ServiceAccount" or obj.get("type") == _PULL_SECRET
        if login or (obj["kind"], name(obj)) in self._references:
            self._changes.fire()

    async def close(self) -> None:
        """Leave it as it is: its node stops, or the pod is gone."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def forget(self) -> None:
        """The pod is gone: drop its logs, once, for another pod may have its name by now."""
        containers, self._logged = self._logged, []
        for container in containers:
            self.host.forget(container.where)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=f"pod {namespace(self.pod)}/{name(self.pod)}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        """What goes wrong with one pod is reported and stays with it."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s went wrong", task.get_name(), exc_info=error)

    async def _run(self) -> None:
        await self._mount()
        if not self._address:
            hosted = spec(self.pod).get("hostNetwork")
            self._address = self.host.address if hosted else self.host.new_address()
            self._told.fire()
        sidecars = await self._initialize()
        if sidecars is None:
            return
        await asyncio.wait([self._spawn(c.run()) for c in self._apps])
        for container, task in sidecars:
            process = container.process
            task.cancel()
            await asyncio.wait({task})
            if process is not None:
                await container.terminate(process, self._grace())

    async def _mount(self) -> None:
        while True:
            seen = self._changes.count
            try:
                await mount(self.host.api, self.pod)
            except Unmountable as problem:
                await self.host.recorder.warning(self.pod, "FailedMount", str(problem))
                await self._changes.wait(seen)
            else:
                return

    async def _initialize(self) -> list[tuple[Container, asyncio.Task[int]]] | None:
        """Run the init containers in order. Returns the sidecars, which run on, or None when one failed for good."""
        sidecars = []
        for container in self._inits:
            if not container.sidecar:
                if await container.run() != 0:
                    return None
                continue
            sidecars.append((container, self._spawn(container.run())))
            while not container.vitals.started:
                await self._told.wait(self._told.count)
        return sidecars

    def _end(self) -> None:
        """Its deletion has begun."""
        if not self._stopping:
            self._stopping = True
            self._spawn(self._stop(set(self._tasks)))

    async def _stop(self, running: set[asyncio.Task[Any]]) -> None:
        """End every container in its grace period, then let the API forget the pod."""
        processes = [(c, c.process) for c in self._containers]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        grace = self._grace()
        await asyncio.gather(*(c.terminate(p, grace) for c, p in processes if p is not None))
        await self._publish()
        self.forget()
        await self.host.api.delete(self.pod, grace_seconds=0)

    def _grace(self) -> float:
        """Seconds that containers have to end."""
        asked = self.pod["metadata"].get("deletionGracePeriodSeconds")
        if asked is None:
            asked = spec(self.pod).get("terminationGracePeriodSeconds")
        return 30.0 if asked is None else float(asked)

    async def _write(self) -> None:
        """Keep the status in the API what it is here. Changes that come together are written together."""
        while True:
            seen = self._told.count
            if not await self._publish():
                await asyncio.sleep(RETRY_S)
                continue
            await self._told.wait(seen)

    async def _publish(self) -> bool:
        """Write the status where it differs; whether it is as it should be."""
        pod = self.pod
        wanted = self._status(pod)
        self._verdict = _verdict({"status": wanted})
        patch = difference(status(pod), wanted)
        if not patch:
            return True
        meta = {"uid": uid(pod), "resourceVersion": pod["metadata"].get("resourceVersion")}
        try:
            self.update(await self.host.api.patch(pod, {"metadata": meta, "status": patch}, subresource="status"))
        except KubemendError as refused:
            log.debug("status of %s/%s refused: %s", namespace(pod), name(pod), refused)
            fresh = await self.host.api.get("Pod", namespace(pod), name(pod))
            if fresh is None or uid(fresh) != uid(pod):
                return True
            moved = version(fresh) > version(pod)
            self.update(fresh)
            return moved and await self._publish()
        return True

    def _status(self, pod: Object) -> dict[str, Any]:
        statuses = {c.name: c.status() for c in self._containers}
        phase_ = phase(pod, statuses)
        address = {"podIP": self._address, "podIPs": [{"ip": self._address}]} if self._address else {}
        inits = {"initContainerStatuses": [statuses[c.name] for c in self._inits]} if self._inits else {}
        return {
            **{k: v for k, v in status(pod).items() if k not in ("nominatedNodeName", "reason", "message")},
            "phase": phase_,
            "conditions": conditions(pod, statuses, phase_, sandbox=bool(self._address)),
            "hostIP": self.host.address,
            "hostIPs": [{"ip": self.host.address}],
            **address,
            "startTime": self._since,
            **inits,
            "containerStatuses": [statuses[c.name] for c in self._apps],
            "qosClass": status(pod).get("qosClass") or quality(pod),
        }


def _referred(pod: Object) -> set[tuple[str, str]]:
    """(kind, name) of what the pod can't do without."""
    return {(r.kind, r.name) for r in references(msgspec.convert(spec(pod), PodSpec))}


def _verdict(pod: Object) -> tuple[Any, ...]:
    """What others may have overwritten of what this node says: only things that no API server rewrites in form."""
    return status(pod).get("phase"), *((condition(pod, t) or {}).get("status") for t in ("Ready", "ContainersReady"))


def _gates(pod: Object) -> list[Any]:
    """The conditions that the pod's readiness waits for."""
    return [condition(pod, g["conditionType"]) for g in spec(pod).get("readinessGates") or ()]
