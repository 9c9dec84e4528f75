"""Generated worlds on a real control plane, and its scheduler asked about one pod at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from control_plane_asker import Asker

from scheduling_corpus import OVERHEAD, SPACES, Raw, World
from scheduling_verdicts import Seen, seen

PLURALS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/{}pods",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "PersistentVolumeClaim": "/api/v1/{}persistentvolumeclaims",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
SETTLED_S = 180
DECIDED_S = 180
BEAT_S = 10
MARK = "kubemend.dev/asked"


class Answer(NamedTuple):
    """What the scheduler decided: the node, or the reason and the message why there is none."""

    node: str
    reason: str = ""
    message: str = ""


def path_of(obj: Raw) -> str:
    """Where objects of its kind, in its namespace, are."""
    space = obj["metadata"].get("namespace")
    return PLURALS[obj["kind"]].format(f"namespaces/{space}/" if space else "")


class RealScheduler:
    """A real scheduler, which decides about every pod that is made while `running`."""

    def __init__(self, server: Asker) -> None:
        self.server = server
        self._told: dict[str, asyncio.Queue[Raw]] = {}
        self._nodes: list[str] = []

    async def prepare(self) -> None:
        """What all worlds share."""
        for name, labels in SPACES.items():
            await self._made("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        for name, value in (("never-preempts", 1000), ("lowly", -10)):
            body = {"metadata": {"name": name}, "value": value, "preemptionPolicy": "Never"}
            await self._made("/apis/scheduling.k8s.io/v1/priorityclasses", body)
        heavy = {"metadata": {"name": "heavy"}, "handler": "heavy", "overhead": {"podFixed": OVERHEAD}}
        await self._made("/apis/node.k8s.io/v1/runtimeclasses", heavy)
        async with asyncio.timeout(SETTLED_S):
            for name in SPACES:
                account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
                while (await self.server.ask("GET", account)).status != 200:  # noqa: ASYNC110  (as people poll)
                    await asyncio.sleep(0.1)

    async def _made(self, path: str, body: Raw) -> Raw:
        answer = await self.server.ask("POST", path, body)
        assert answer.status == 201, (body, answer.body)
        made: Raw = answer.body
        return made

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen to what is decided, and let the nodes of the world be heard of."""
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._listen()), tasks.create_task(self._beat())]
            yield
            for task in background:
                task.cancel()

    async def _listen(self) -> None:
        while True:
            async for _, pod in self.server.watch(f"/api/v1/pods?watch=1&labelSelector={MARK}"):
                if (told := self._told.get(pod["metadata"]["name"])) is not None:
                    told.put_nowait(pod)

    async def _beat(self) -> None:
        """A node that isn't heard of for 50 seconds is tainted as out of reach."""
        while True:
            for name in self._nodes:
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
                body = {**lease, "spec": {"holderIdentity": name, "renewTime": now}}
                path, kind = f"{LEASES}/{name}?fieldManager=kubelet&force=true", "application/apply-patch+yaml"
                assert (await self.server.ask("PATCH", path, body, kind=kind)).status in (200, 201)
            await asyncio.sleep(BEAT_S)

    async def make(self, world: World) -> Seen:
        """The world, as the API server tells it once its controllers have come to rest."""
        stored = _stored(world)
        # Classes first: as long as the volume controller knows of none it binds what should wait for a pod.
        await asyncio.gather(*(self._store(o) for o in _of_kind(stored, "StorageClass")))
        for node in world.nodes:
            await self._made(path_of(node), node)
        self._nodes = [n["metadata"]["name"] for n in world.nodes]
        await asyncio.gather(*(self._place(p) for p in world.pods))
        await self._settled(world.nodes, _taints)
        await self.store(stored)
        return await self.seen()

    async def store(self, objects: Sequence[Raw]) -> None:
        """Make volumes and claims, and wait until they have the phase that they should come to.

        A claim that names a volume which its controller doesn't know yet would wait for the next round, for 15 s.
        """
        volumes, claims = (_of_kind(objects, kind) for kind in ("PersistentVolume", "PersistentVolumeClaim"))
        await asyncio.gather(*(self._store(o) for o in volumes))
        await self._settled(volumes, lambda o: o["status"].get("phase") in ("Available", "Bound"))
        await asyncio.gather(*(self._store(o) for o in claims))
        await self._settled([*volumes, *claims], lambda o: o["status"].get("phase"))

    async def _store(self, obj: Raw) -> None:
        """What it says of its status is for its controller to say."""
        await self._made(path_of(obj), {k: v for k, v in obj.items() if k != "status"})

    async def _place(self, pod: Raw) -> None:
        """A pod with its node, and how far it has come."""
        path = f"{path_of(pod)}/{pod['metadata']['name']}"
        await self._made(path_of(pod), pod)
        if pod["status"]["phase"] != "Pending":
            body = {"status": pod["status"]}
            kind = "application/merge-patch+json"
            assert (await self.server.ask("PATCH", f"{path}/status", body, kind=kind)).status == 200
        if "deletionTimestamp" in pod["metadata"]:
            # Nobody runs it, so nobody ends it: it leaves for as long as the world is there.
            assert (await self.server.ask("DELETE", path, {"gracePeriodSeconds": 3600})).status == 200

    async def _settled(self, objects: Iterable[Raw], part: Callable[[Raw], object]) -> None:
        for one in objects:
            path = f"{path_of(one)}/{one['metadata']['name']}"
            until = time.monotonic() + SETTLED_S
            while (found := part((await self.server.ask("GET", path)).body)) != part(one):
                assert time.monotonic() < until, f"{path}: {found}, not {part(one)}"
                await asyncio.sleep(0.05)

    async def seen(self) -> Seen:
        """All there is."""
        found: list[Raw] = []
        for kind, path in PLURALS.items():
            listed = (await self.server.ask("GET", path.format(""))).body["items"]
            found += ({**o, "kind": kind} for o in listed if MARK not in o["metadata"].get("labels", {}))
        spaces = (await self.server.ask("GET", "/api/v1/namespaces")).body["items"]
        return seen(found, {s["metadata"]["name"]: s["metadata"].get("labels", {}) for s in spaces})

    async def ask(self, pod: Raw) -> tuple[Raw, Answer] | None:
        """The pod as the server keeps it, and what the scheduler decides. None for one that isn't valid."""
        name, labels = pod["metadata"]["name"], {**pod["metadata"]["labels"], MARK: "yes"}
        self._told[name] = told = asyncio.Queue()
        try:
            body = {**pod, "metadata": {**pod["metadata"], "labels": labels}}
            answer = await self.server.ask("POST", path_of(pod), body)
            if answer.status == 422:
                return None
            assert answer.status == 201, (body, answer.body)
            try:
                return answer.body, await _decision(told, answer.body["metadata"]["uid"])
            finally:
                # Nobody runs it, so with no time to end in it is gone at once.
                await self.server.ask("DELETE", f"{path_of(pod)}/{name}", {"gracePeriodSeconds": 0})
        finally:
            del self._told[name]

    async def gone(self, objects: Iterable[Raw]) -> None:
        """Delete these, at once, and wait until nothing is left of them."""
        await asyncio.gather(*map(self._gone, objects))

    async def _gone(self, obj: Raw) -> None:
        path = f"{path_of(obj)}/{obj['metadata']['name']}"
        await self.server.ask("DELETE", path, {"gracePeriodSeconds": 0})
        async with asyncio.timeout(SETTLED_S):
            while (await self.server.ask("GET", path)).status != 404:  # noqa: ASYNC110  (as people poll)
                await asyncio.sleep(0.02)

    async def release(self, objects: Sequence[Raw]) -> None:
        """Delete storage: the claims before their volumes."""
        await self.gone(_of_kind(objects, "PersistentVolumeClaim"))
        await self.gone(_of_kind(objects, "PersistentVolume"))

    async def clear(self, world: World) -> None:
        """Take the world away again."""
        await self.gone(world.pods)
        await self.release(_stored(world))
        await self.gone(_of_kind(_stored(world), "StorageClass"))
        self._nodes = []
        await self.gone(world.nodes)


def _stored(world: World) -> list[Raw]:
    kinds = ("StorageClass", "PersistentVolume", "PersistentVolumeClaim")
    return [o for kind in kinds for o in world.objects(kind)]


def _of_kind(objects: Iterable[Raw], kind: str) -> list[Raw]:
    return [o for o in objects if o["kind"] == kind]


def _taints(node: Raw) -> set[tuple[str, ...]]:
    return {(t["key"], t.get("value", ""), t["effect"]) for t in node["spec"].get("taints", ())}


async def _decision(told: asyncio.Queue[Raw], uid: str) -> Answer:
    """The first that is told of this very pod; one of the same name may have been there before."""
    async with asyncio.timeout(DECIDED_S):
        while True:
            pod = await told.get()
            if pod["metadata"]["uid"] == uid and (answer := decided(pod)) is not None:
                return answer


def decided(pod: Raw) -> Answer | None:
    """What the scheduler has written on a pod, if anything."""
    if node := pod["spec"].get("nodeName"):
        return Answer(node)
    for one in pod["status"].get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return Answer("", one["reason"], one.get("message", ""))
    return None
