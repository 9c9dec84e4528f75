"""Node lifecycle: a node that went silent becomes NotReady, is tainted, and loses its pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from kubemend.kube.scheduling import tolerates
from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller, World
from kubemend.lab.fields import (
    Key,
    condition,
    deleting,
    finished,
    key,
    name,
    namespace,
    now,
    spec,
    status,
    uid,
    with_condition,
)
from kubemend.model.objects.node import Taint
from kubemend.model.objects.pod import Toleration

GRACE_S, DOUBT_S = 40.0, 10.0
"""Seconds without a sign of life until a node is doubted, and from then on until it counts as unreachable.

Together they are `--node-monitor-grace-period`. They are two, so that a process that stood still for a while hears
the signs that came meanwhile before it judges.
"""
QUARANTINE_S = 40.0
"""Seconds for which a node may be missing before its pods are deleted (pod garbage collector `quarantineTime`)."""
SLOWEST_PACE = 0.02
"""Signs of life aren't sent more often than this pace makes them, so that a fast cluster is no busy one."""

_UNREACHABLE, _NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_CORDONED = "node.kubernetes.io/unschedulable"
_OURS = frozenset({_UNREACHABLE, _NOT_READY, _CORDONED, *_PRESSURES.values()})

_Pair = tuple[str, str]
"""(taint key, effect)"""


class NodeController(Controller):
    """Watches for signs of life, keeps the taints that conditions call for, and evicts what doesn't tolerate them."""

    kind = "Node"
    sees = ("Lease", "Pod")
    component = "node-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._heard: dict[str, float] = {}
        self._doubted: dict[str, float] = {}
        self._missed: dict[str, float] = {}
        self._tainted: dict[tuple[str, _Pair], float] = {}

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """The node itself, or the node that sent a sign of life, or that a pod was bound to."""
        if obj["kind"] == self.kind:
            yield key(obj)
        elif obj["kind"] == "Lease":
            if namespace(obj) == "kube-node-lease":
                silent = name(obj) not in self._heard or self._silence(name(obj)) <= 0
                self._heard[name(obj)] = self._clock()
                self._doubted.pop(name(obj), None)
                if silent:
                    yield "", name(obj)
        elif (node := spec(obj).get("nodeName")) and (before is None or not spec(before).get("nodeName")):
            yield "", node

    def _clock(self) -> float:
        """Seconds of Kubernetes at the pace at which signs of life are sent."""
        return self.world.time() * self.world.pace / max(self.world.pace, SLOWEST_PACE)

    def _silence(self, node: str) -> float:
        """Real seconds that are left until the node counts as unreachable."""
        since, wait = self._heard.setdefault(node, self._clock()), GRACE_S
        if since + GRACE_S <= self._clock():
            since, wait = self._doubted.setdefault(node, self._clock()), DOUBT_S
        return (since + wait - self._clock()) * max(self.world.pace, SLOWEST_PACE)

    async def reconcile(self, obj: Object) -> float | None:
        """Judge it, taint it, clear it."""
        left = self._silence(name(obj))
        if left <= 0:
            obj = await self._lost(obj)
        obj = await self._taint(obj)
        waits = [w for w in (await self._evict(obj), left if left > 0 else None) if w is not None]
        return min(waits, default=None)

    async def gone(self, key: Key) -> float | None:
        """Delete the pods of a node that is no more, or never was: nobody is left to end them."""
        self._heard.pop(key[1], None)
        self._doubted.pop(key[1], None)
        pods = [p for p in self.seen.all("Pod") if spec(p).get("nodeName") == key[1]]
        since = self._missed.setdefault(key[1], self.world.time())
        left = since + QUARANTINE_S - self.world.time()
        if pods and left > 0:
            return left * self.world.pace
        del self._missed[key[1]]
        for pod in pods:
            await self.seen.delete(pod, grace_seconds=0)
        return None

    async def _lost(self, obj: Object) -> Object:
        """Nothing is known of it any longer: its conditions turn Unknown, its pods aren't ready."""
        conditions = list(status(obj).get("conditions") or [])
        was = condition(obj, "Ready")
        if was is None or was["status"] == "Unknown":
            return obj
        for old in list(conditions):
            unknown = {**old, "status": "Unknown", "reason": "NodeStatusUnknown"}
            unknown["message"] = "Kubelet stopped posting node status."
            conditions = with_condition(conditions, unknown)
        body = {"metadata": {"uid": uid(obj)}, "status": {"conditions": conditions}}
        lost = await self.seen.patch(obj, body, subresource="status")
        await self.recorder.normal(obj, "NodeNotReady", f"Node {name(obj)} status is now: NodeNotReady")
        for pod in self._pods(obj):
            await self._unready(pod)
        return lost

    async def _unready(self, pod: Object) -> None:
        old = condition(pod, "Ready")
        if old is None or old["status"] != "True":
            return
        conditions = with_condition(status(pod)["conditions"], {**old, "status": "False"})
        body = {"metadata": {"uid": uid(pod)}, "status": {"conditions": conditions}}
        await self.seen.patch(pod, body, subresource="status")
        await self.recorder.warning(pod, "NodeNotReady", "Node is not ready")

    def _pods(self, obj: Object) -> list[Object]:
        return [p for p in self.seen.all("Pod") if spec(p).get("nodeName") == name(obj) and not finished(p)]

    async def _taint(self, obj: Object) -> Object:
        """Put the taints that its conditions and `unschedulable` call for, and take off those they don't."""
        wanted = _called_for(obj)
        old = spec(obj).get("taints") or []
        kept = [t for t in old if t["key"] not in _OURS or (t["key"], t["effect"]) in wanted]
        held = {(t["key"], t["effect"]) for t in kept}
        stamp = {"timeAdded": now()}
        new = [*kept, *({"key": k, "effect": e, **stamp} for k, e in sorted(wanted - held))]
        if new == old:
            return obj
        return await self.seen.patch(obj, {"metadata": {"uid": uid(obj)}, "spec": {"taints": new}})

    async def _evict(self, obj: Object) -> float | None:
        """Delete the pods that don't tolerate a NoExecute taint (any longer). Returns real seconds to the next."""
        taints = [msgspec.convert(t, Taint) for t in spec(obj).get("taints") or () if t["effect"] == "NoExecute"]
        present = {(name(obj), (t.key, t.effect)) for t in taints}
        self._tainted = {k: v for k, v in self._tainted.items() if k[0] != name(obj) or k in present}
        for each in present:
            self._tainted.setdefault(each, self.world.time())
        waits = []
        for pod in self._pods(obj) if taints else ():
            left = self._tolerated(name(obj), pod, taints)
            if left is not None and left > 0:
                waits.append(left * self.world.pace)
            elif left is not None and not deleting(pod):
                said = f"Marking for deletion Pod {namespace(pod)}/{name(pod)}"
                await self.recorder.normal(pod, "TaintManagerEviction", said)
                await self.seen.delete(pod)
        return min(waits, default=None)

    def _tolerated(self, node: str, pod: Object, taints: list[Taint]) -> float | None:
        """Kubernetes seconds for which the pod still tolerates all of the taints; None is for ever."""
        tolerations = [msgspec.convert(t, Toleration) for t in spec(pod).get("tolerations") or ()]
        ends = []
        for taint in taints:
            matching = [t for t in tolerations if tolerates([t], taint)]
            if not matching:
                return 0.0
            limits = [t.toleration_seconds for t in matching if t.toleration_seconds is not None]
            if limits:
                ends.append(self._tainted[node, (taint.key, taint.effect)] + min(limits) - self.world.time())
        return min(ends, default=None)


def _called_for(obj: Object) -> set[_Pair]:
    states: dict[str, Any] = {c["type"]: c["status"] for c in status(obj).get("conditions") or ()}
    wanted = {(taint, "NoSchedule") for type_, taint in _PRESSURES.items() if states.get(type_) == "True"}
    if spec(obj).get("unschedulable"):
        wanted.add((_CORDONED, "NoSchedule"))
    if states.get("Ready") in ("Unknown", "False"):
        taint = _UNREACHABLE if states["Ready"] == "Unknown" else _NOT_READY
        wanted |= {(taint, "NoSchedule"), (taint, "NoExecute")}
    return wanted
