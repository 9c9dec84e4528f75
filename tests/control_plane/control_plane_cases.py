"""One repair of each kind of change: what it starts from, its plan, how many writes it takes, and what it ends in.

Every case comes in two sorts: one that holds, and one that does not and is taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubemend.engine.guard.machine import Guard
from kubemend.model.access import Risk
from kubemend.model.finding import Cite
from kubemend.model.objects import Deployment, Node, Obj, PersistentVolumeClaim, Pod, ReplicaSet
from kubemend.model.plan import Change, Create, Delete, Evict, Patch, Plan, RollBack, Scale, Verify
from kubemend.model.pointer import at as at_path
from kubemend.model.ref import Ref

Object = dict[str, Any]

GOOD, WORSE, THEIRS = "registry.lab/web:1.0", "registry.lab/web:1.0-typo", "registry.lab/web:1.1"
STILL_WORSE = "registry.lab/web:1.1-typo"
IMAGE = "/spec/template/spec/containers/0/image"
NO_CLASS, OTHER_CLASS, CLASS = "nope", "nowhere", "standard"
PROOF_S = 120.0
"""Far more than a rollout takes: that the machine is busy must not take a good repair back."""
LABELS = {"kubemend.test": "kills"}
"""On every object, so that a batch of them can be cleared away."""


def web(namespace: str) -> Ref:
    return Ref("Deployment", namespace, "web", "apps")


def api(namespace: str) -> Ref:
    return Ref("Deployment", namespace, "api", "apps")


def claim(namespace: str) -> Ref:
    return Ref("PersistentVolumeClaim", namespace, "data")


def deployment(namespace: str, image: str, *, name: str = "web", replicas: int = 1) -> Object:
    labels = {"app": name}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": image}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def volume_claim(namespace: str, storage_class: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": storage_class,
    }
    metadata = {"name": "data", "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class Case:
    """stages: the manifests of a namespace, applied one after the other, each when the one before has settled.

    changes: what the plan consists of. writes: requests that change something, when it holds and when it does not.
    seen: what of the cluster tells where the repair ended (see `Seen`); before and after: what that is.
    """

    stages: Callable[[str, bool], list[list[Object]]]
    changes: Callable[[Guard, str, bool], Any]
    writes: tuple[int, int]
    seen: str
    before: tuple[str, str]
    after: tuple[str, str]
    kinds: tuple[type[Obj], ...] = (Deployment, ReplicaSet, Pod, Node)
    healthy: Callable[[str], Ref] = web

    def end(self, *, fails: bool, undo: bool = False) -> str:
        """What is to be seen of the cluster when all is over."""
        return self.before[fails] if fails or undo else self.after[fails]


def _image(*, fails: bool) -> str:
    return WORSE if fails else GOOD


def image_patch(target: Ref, uid: str, image: str) -> Patch:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    return Patch(target=target, uid=uid, body=body)


async def _live(guard: Guard, ref: Ref) -> Object:
    live = await guard._hands.live(ref)
    assert live is not None, ref
    return live


async def _uid(guard: Guard, ref: Ref) -> str:
    uid: str = (await _live(guard, ref))["metadata"]["uid"]
    return uid


async def _patch(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    ref = web(namespace)
    return [image_patch(ref, await _uid(guard, ref), _image(fails=fails))]


async def _roll_back(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    ref, image = web(namespace), _image(fails=fails)
    sets = guard._sight.snapshot().all(ReplicaSet, namespace)
    (wanted,) = (s for s in sets if s.spec.template.spec.containers[0].image == image)
    uid = await _uid(guard, ref)
    return [RollBack(target=ref, uid=uid, revision=wanted.ref, revision_uid=wanted.metadata.uid)]


async def _scale(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    was = 0 if fails else 1
    return [Scale(target=web(namespace), uid=await _uid(guard, web(namespace)), was=was, replicas=was + 1)]


async def _evict(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    pods = guard._sight.snapshot().all(Pod, namespace)
    pod = min((p for p in pods if p.metadata.deletion_timestamp is None), key=lambda p: p.name)
    return [Evict(target=pod.ref, uid=pod.metadata.uid)]


async def _recreate(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    ref = claim(namespace)
    manifest = volume_claim(namespace, OTHER_CLASS if fails else CLASS)
    return [Delete(target=ref, uid=await _uid(guard, ref)), Create(target=ref, manifest=manifest)]


async def _both(guard: Guard, namespace: str, fails: bool) -> list[Change]:
    return [image_patch(ref, await _uid(guard, ref), GOOD) for ref in (web(namespace), api(namespace))]


def _revisions(namespace: str, fails: bool) -> list[list[Object]]:
    older, newer = (WORSE, GOOD) if fails else (GOOD, WORSE)
    return [[deployment(namespace, older)], [deployment(namespace, newer)]]


CASES = {
    "patch": Case(
        stages=lambda n, fails: [[deployment(n, GOOD if fails else WORSE)]],
        changes=_patch, writes=(1, 2), seen="image", before=(WORSE, GOOD), after=(GOOD, WORSE),
    ),
    "rollback": Case(
        stages=_revisions,
        changes=_roll_back, writes=(1, 2), seen="image", before=(WORSE, GOOD), after=(GOOD, WORSE),
    ),
    "scale": Case(
        stages=lambda n, fails: [[deployment(n, _image(fails=fails), replicas=0 if fails else 1)]],
        changes=_scale, writes=(1, 2), seen="replicas", before=("1", "0"), after=("2", "1"),
    ),
    "evict": Case(
        stages=lambda n, fails: [[deployment(n, _image(fails=fails))]],
        changes=_evict, writes=(1, 1), seen="image", before=(GOOD, WORSE), after=(GOOD, WORSE),
    ),
    "recreate": Case(
        stages=lambda n, fails: [[volume_claim(n, NO_CLASS)]],
        changes=_recreate, writes=(2, 4), seen="class", before=(NO_CLASS, NO_CLASS), after=(CLASS, OTHER_CLASS),
        kinds=(PersistentVolumeClaim, Node, Pod), healthy=claim,
    ),
    # The second of two changes can't be made (a person has changed its object): the first is taken back.
    "both": Case(
        stages=lambda n, fails: [[deployment(n, WORSE), deployment(n, WORSE, name="api")]],
        changes=_both, writes=(2, 2), seen="image", before=(WORSE, WORSE), after=(GOOD, GOOD),
    ),
}  # fmt: skip


async def plan_for(case: str, guard: Guard, namespace: str, *, fails: bool, title: str = "test") -> Plan:
    """The plan of a case, as a strategy would make it."""
    kind = CASES[case]
    changes = tuple(await kind.changes(guard, namespace, fails))
    target, requires = changes[0].target, ()
    if kind.seen == "image" and case != "evict":
        requires = (Cite(target, IMAGE, at_path(await _live(guard, target), IMAGE)),)
    return Plan(
        strategy="test", code="KM103", fingerprint="f" * 12, target=target, changes=changes, reason=title,
        risk=Risk.LOW, confidence=0.9, requires=requires,
        verify=Verify(healthy=(kind.healthy(namespace),), within_s=0.8 if fails else PROOF_S, steady_s=0.3, gone=False),
    )  # fmt: skip


def describe(objects: list[Object]) -> dict[str, str]:
    """What is to be seen of the objects of one namespace: image and replicas of `web`, class of `data`."""
    told = {}
    for obj in objects:
        if obj["metadata"]["name"] == "web":
            told["image"] = at_path(obj, IMAGE)
            told["replicas"] = json.dumps(obj["spec"]["replicas"])
        if obj["metadata"]["name"] == "data" and "deletionTimestamp" not in obj["metadata"]:
            told["class"] = obj["spec"]["storageClassName"]
    return told
