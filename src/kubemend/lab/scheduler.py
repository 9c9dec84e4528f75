"""The scheduler: binds a pod to a node that can take it, or says why none can."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kubemend.lab.api import Change, Object
from kubemend.lab.controllers.claims import SELECTED_NODE, claims_of
from kubemend.lab.controllers.controller import Worker, World
from kubemend.lab.fields import (
    Key,
    annotated,
    deleting,
    finished,
    key,
    name,
    namespace,
    spec,
    status,
    uid,
    with_condition,
)
from kubemend.lab.placement import Site, best, blocked, message, ours, outlook, refusals, resolvable, victims
from kubemend.model.objects import Node, Pod

_STORAGE = ("PersistentVolumeClaim", "PersistentVolume", "StorageClass")


class Scheduler(Worker[Key]):
    """One pod after the other. A pod that fits nowhere waits until something changes that may help it."""

    component = "default-scheduler"

    def __init__(self, world: World) -> None:
        self._unplaced: dict[Key, None] = {}
        self._on: dict[str, dict[str, Pod]] = {}
        self._kept: dict[str, Site] = {}
        super().__init__(world)

    def notice(self, change: Change, obj: Object, before: Object | None) -> None:
        """New pods, and what may give an unplaced one its place."""
        if obj["kind"] == "Pod":
            self._pod(change, obj, before)
        elif obj["kind"] == "Node":
            if change == "DELETED" or before is None or outlook(obj) != outlook(before):
                self._kept.pop(name(obj), None)
                self._again()
        elif obj["kind"] in _STORAGE:
            self._again()

    def _pod(self, change: Change, pod: Object, before: Object | None) -> None:
        there = self._on.setdefault(spec(pod).get("nodeName", ""), {})
        self._kept.pop(spec(pod).get("nodeName", ""), None)
        held = there.pop(uid(pod), None) is not None
        alive = change != "DELETED" and not finished(pod)
        if spec(pod).get("nodeName"):
            self._unplaced.pop(key(pod), None)
            if alive:
                there[uid(pod)] = msgspec.convert(pod, Pod)
            elif held:
                self._again()
        elif not alive:
            self._unplaced.pop(key(pod), None)
        elif ours(pod) and not deleting(pod) and (before is None or outlook(pod) != outlook(before)):
            self.queue.add(key(pod))

    def _again(self) -> None:
        for waiting in self._unplaced:
            self.queue.add(waiting)

    async def work(self, due: Key) -> float | None:
        """Place one pod, or say why not."""
        pod = self.seen.find("Pod", *due)
        if pod is None or deleting(pod) or finished(pod) or not ours(pod):
            self._unplaced.pop(due, None)
            return None
        self._unplaced[due] = None
        if spec(pod).get("schedulingGates"):
            said = "Scheduling is blocked due to non-empty scheduling gates"
            await self._tell(pod, "SchedulingGated", said)
            return None
        sites = self._sites()
        claims = [self.seen.find("PersistentVolumeClaim", namespace(pod), c) for c in sorted(claims_of(pod))]
        why = self._lacking(pod, [c for c in claims if c is not None])
        if why:
            await self._refuse(pod, blocked(why, len(sites)))
            return None
        await self._place(pod, [c for c in claims if c is not None], sites)
        return None

    def _sites(self) -> list[Site]:
        return [self._site(node) for node in self.seen.all("Node") if not deleting(node)]

    def _site(self, node: Object) -> Site:
        """A node with its pods, kept until either changes in what matters here."""
        if (site := self._kept.get(name(node))) is None:
            pods = tuple(self._on.get(name(node), {}).values())
            site = self._kept[name(node)] = Site(msgspec.convert(node, Node), pods)
        return site

    def _lacking(self, pod: Object, claims: Sequence[Object]) -> str:
        """What its claims lack, whatever the node; "" when nothing."""
        known = {name(c) for c in claims}
        if missing := sorted(claims_of(pod) - known):
            return f'persistentvolumeclaim "{missing[0]}" not found'
        if going := next((c for c in claims if deleting(c)), None):
            return f'persistentvolumeclaim "{name(going)}" is being deleted'
        if any(status(c).get("phase") == "Lost" for c in claims):
            return "persistentvolumeclaim bound to non-existent persistentvolume"
        if any(not _bound(c) and not self._may_wait(c) for c in claims):
            return "pod has unbound immediate PersistentVolumeClaims"
        return ""

    def _may_wait(self, claim: Object) -> bool:
        """Whether the claim is bound only once its pod has a node."""
        storage = self.seen.find("StorageClass", "", spec(claim).get("storageClassName") or "")
        return storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"

    async def _place(self, raw: Object, claims: list[Object], sites: list[Site]) -> None:
        pod = msgspec.convert(raw, Pod)
        volumes = [v for c in claims if (v := self._volume(c)) is not None]
        told = {s.node.name: refusals(pod, s, sites, volumes) for s in sites}
        chosen = [annotated(c).get(SELECTED_NODE) for c in claims if not _bound(c)]
        fitting = [s for s in sites if not told[s.node.name]]
        kept = [s for s in fitting if all(c in (None, s.node.name) for c in chosen)] or fitting
        if not kept:
            if not await self._preempt(raw, pod, sites, told):
                await self._refuse(raw, message(told))
            return
        node = best(pod, kept).node.name
        unbound = [c for c in claims if not _bound(c)]
        for claim in unbound:
            if annotated(claim).get(SELECTED_NODE) != node:
                body = {"metadata": {"uid": uid(claim), "annotations": {SELECTED_NODE: node}}}
                await self.seen.patch(claim, body)
        if not unbound:
            await self._bind(raw, node)

    def _volume(self, claim: Object) -> Object | None:
        return self.seen.find("PersistentVolume", "", spec(claim).get("volumeName") or "")

    async def _bind(self, pod: Object, node: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name(pod), "namespace": namespace(pod), "uid": uid(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self.seen.api.create(binding)
        await self.seen.refresh(pod)
        said = f"Successfully assigned {namespace(pod)}/{name(pod)} to {node}"
        await self.recorder.normal(pod, "Scheduled", said)

    async def _preempt(self, raw: Object, pod: Pod, sites: list[Site], told: dict[str, tuple[str, ...]]) -> bool:
        """Delete pods of lower priority where that makes room. Whether there was such a place."""
        if spec(raw).get("preemptionPolicy") == "Never":
            return False
        found = {
            s.node.name: gone
            for s in sites
            if resolvable(told[s.node.name]) and (gone := victims(pod, s, sites)) is not None
        }
        if not found:
            return False
        node = min(found, key=lambda n: (max(p.spec.priority or 0 for p in found[n]), len(found[n]), n))
        await self.seen.patch(
            raw, {"metadata": {"uid": uid(raw)}, "status": {"nominatedNodeName": node}}, subresource="status"
        )
        await self._refuse(raw, message(told))
        for victim in found[node]:
            there = self.seen.find("Pod", victim.namespace, victim.name)
            if there is not None and not deleting(there):
                await self.recorder.normal(there, "Preempted", f"Preempted by pod {uid(raw)} on node {node}")
                await self.seen.delete(there)
        return True

    async def _refuse(self, pod: Object, said: str) -> None:
        await self.recorder.warning(pod, "FailedScheduling", said)
        await self._tell(pod, "Unschedulable", said)

    async def _tell(self, pod: Object, reason: str, said: str) -> None:
        fresh = self.seen.find("Pod", *key(pod)) or pod
        new = {"type": "PodScheduled", "status": "False", "reason": reason, "message": said, "lastProbeTime": None}
        new["observedGeneration"] = fresh["metadata"].get("generation", 0)
        old = status(fresh).get("conditions") or []
        conditions = with_condition(old, new)
        if conditions != old:
            body = {"metadata": {"uid": uid(pod)}, "status": {"conditions": conditions}}
            await self.seen.patch(fresh, body, subresource="status")


def _bound(claim: Object) -> bool:
    return status(claim).get("phase") == "Bound"
