"""One watch cache over a replayed cluster: its memory, and the time from a change to the diagnosis. Prints JSON.

`python bench/watching.py URL ROUNDS`, run by bench_watch.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from tempfile import NamedTemporaryFile
from typing import Any

import aiohttp
import msgspec
import told
from fleet import pod_status

from kubemend.cluster.cache import Changes, WatchCache
from kubemend.cluster.connection import Connection, connect
from kubemend.cluster.reader import Reader
from kubemend.engine import catalogue
from kubemend.engine.judge import judge
from kubemend.engine.standing import Standing
from kubemend.model.objects import Deployment, Node, Obj, Pod, Service
from kubemend.model.ref import Ref

Object = dict[str, Any]
Took = tuple[float, float, float]
"""Seconds until the diagnosis: from the sending of an event, from its arrival in the cache; and of CPU since then."""

RNG = random.Random(7)
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: replay
contexts: [{{name: replay, context: {{cluster: replay, user: replay}}}}]
clusters: [{{name: replay, cluster: {{server: "{url}"}}}}]
users: [{{name: replay, user: {{}}}}]
"""


class Bench:
    """A watch cache, a standing report on it, and a hand that changes the cluster."""

    def __init__(self, url: str, cache: WatchCache, session: aiohttp.ClientSession) -> None:
        self._url, self._cache, self._session = url, cache, session
        self._standing = Standing(catalogue.rules())
        self._version = 1_000_001
        self._changes: Changes = cache.changes()

    async def begin(self) -> float:
        """Judge for the first time. Returns the seconds that takes."""
        await anext(self._changes)
        began = time.perf_counter()
        self.look()
        return time.perf_counter() - began

    def look(self) -> None:
        """Bring the report up to date."""
        self._standing.look(self._cache.snapshot())

    def check(self) -> None:
        """See that the report is that of a full judgement."""
        snapshot = self._cache.snapshot()
        exact = Standing(catalogue.rules())
        if exact.look(snapshot) != judge(snapshot, catalogue.rules()):
            raise SystemExit("the standing report is not that of a full judgement")

    def full(self) -> float:
        """Seconds of judging everything."""
        snapshot = self._cache.snapshot()
        began = time.perf_counter()
        judge(snapshot, catalogue.rules())
        return time.perf_counter() - began

    def some(self, kind: type[Obj], wanted: Callable[[Any], bool]) -> Ref:
        """Any object of a kind that is as wanted."""
        held = [o for o in self._cache.snapshot().all(kind) if wanted(o)]
        return RNG.choice(held).ref

    async def raw(self, ref: Ref) -> Object:
        """An object as the server sent it first."""
        listed = await self._session.get(f"{self._url}/raw/{ref.kind}/{ref.namespace}/{ref.name}")
        found: Object = await listed.json()
        return found

    async def send(self, obj: Object, type_: str = "MODIFIED") -> Took:
        """Have an event sent, and see how long the diagnosis takes."""
        kind = next(k for k in catalogue.kinds() if k.__name__ == obj["kind"])
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        line = msgspec.json.encode({"type": type_, "object": obj})
        arrived = asyncio.create_task(self._arrival(Ref(obj["kind"], *_key(obj), kind.group)))
        sent = time.perf_counter()
        async with self._session.post(f"{self._url}/push/{kind.plural}", data=line) as answer:
            answer.raise_for_status()
        there, told, cpu = await arrived
        return told - sent, told - there, cpu

    async def _arrival(self, ref: Ref) -> tuple[float, float, float]:
        async for refs in self._changes:
            there, cpu = time.perf_counter(), time.process_time()
            self.look()
            if ref in refs:
                return there, time.perf_counter(), time.process_time() - cpu
        raise SystemExit("the watch ended")


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def crashed(obj: Object) -> Object:
    """A pod whose first container loops."""
    return {**obj, "status": pod_status(obj["spec"], 1, 1, "crash")}


def unready(obj: Object) -> Object:
    """A node that has stopped reporting."""
    held = [{**c, "status": "Unknown"} if c["type"] == "Ready" else c for c in obj["status"]["conditions"]]
    return {**obj, "status": {**obj["status"], "conditions": held}}


def misselecting(obj: Object) -> Object:
    """A Service whose selector matches nothing."""
    wrong = {k: v + "x" for k, v in obj["spec"]["selector"].items()}
    return {**obj, "spec": {**obj["spec"], "selector": wrong}}


def stalled(obj: Object) -> Object:
    """A Deployment that has missed its progress deadline."""
    said = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    return {**obj, "status": {**obj["status"], "conditions": [said]}}


def annotated(obj: Object) -> Object:
    """A pod of which only an annotation changed."""
    return {**obj, "metadata": {**obj["metadata"], "annotations": {"seen": str(time.time())}}}


def well(pod: Any) -> bool:
    """Whether a pod runs and is placed."""
    return pod.status.phase == "Running" and bool(pod.spec.node_name) and pod.status.container_statuses[0].ready


KINDS_OF_CHANGE: tuple[tuple[str, type[Obj], Callable[[Any], bool], Callable[[Object], Object]], ...] = (
    ("a pod begins to crash", Pod, well, crashed),
    ("a pod changes, but not for worse", Pod, well, annotated),
    ("a Deployment stalls", Deployment, lambda d: d.status.ready_replicas, stalled),
    ("a Service selects nothing", Service, lambda s: bool(s.spec.selector), misselecting),
    ("a node stops reporting", Node, lambda n: n.status.conditions[-1].status == "True", unready),
)


async def measure(bench: Bench, rounds: int) -> dict[str, list[Took]]:
    """Each kind of change and its taking back, `rounds` times, in turn."""
    took: dict[str, list[Took]] = defaultdict(list)
    for _ in range(rounds):
        for name, kind, wanted, change in KINDS_OF_CHANGE:
            before = await bench.raw(bench.some(kind, wanted))
            took[name].append(await bench.send(change(before)))
            took["taking one of these back"].append(await bench.send(before))
        pod = await bench.raw(bench.some(Pod, well))
        took["a pod is deleted, which makes room on its node"].append(await bench.send(pod, "DELETED"))
        took["a pod is made and placed"].append(await bench.send(pod, "ADDED"))
    return took


def connection(url: str) -> Connection:
    """To the replayed cluster."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(KUBECONFIG.format(url=url))
        file.flush()
        return connect(kubeconfig=file.name)


async def main(url: str, rounds: int) -> Object:
    """All figures of one size."""
    kinds = catalogue.kinds()
    async with connection(url).open() as transport, aiohttp.ClientSession() as session:
        reader = Reader(transport)
        gc.collect()
        before, began = told.resident(), time.perf_counter()
        async with WatchCache(reader, kinds) as cache:
            bench = Bench(url, cache, session)
            await cache.synced()
            synced = time.perf_counter() - began
            gc.collect()
            held = told.resident() - before
            first = await bench.begin()
            judged = told.resident() - before
            gc.freeze()
            took = await measure(bench, rounds)
            bench.check()
            counts = {k.plural: len(cache.snapshot().all(k)) for k in kinds}
            fulls = [bench.full() for _ in range(3)]
    figures = {"synced": synced, "first": first, "full": sorted(fulls)[1], "held": held, "judged": judged}
    return {**figures, "took": took, "counts": counts}


print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2])))))
