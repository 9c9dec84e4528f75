"""A cluster in a dictionary that keeps the API server's promises the guard relies on, and a list of what was written.

It refuses writes whose uid or resourceVersion does not match, answers dry runs without keeping anything, and lets a
rollout be complete at once. What it can't do is checked on the practice cluster and on a real control plane.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubemend.cluster.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from kubemend.cluster.reader import Allowed
from kubemend.kube.diff import without_server_fields
from kubemend.kube.patch import merge, strategic
from kubemend.model.access import Access
from kubemend.model.objects import KINDS
from kubemend.model.objects.config import decode_withheld
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot

Object = dict[str, Any]


def ref_of(obj: Object) -> Ref:
    group = obj["apiVersion"].rpartition("/")[0]
    return Ref(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"], group)


@dataclass
class FakeCluster:
    """Reader, writer and sight in one."""

    objects: dict[Ref, Object] = field(default_factory=dict)
    writes: list[tuple[str, Ref]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    invalid: str = ""
    mutate: dict[str, Any] = field(default_factory=dict)
    never_ready: bool = False
    edit_before_write: Ref | None = None
    """A person edits this object between the guard's last look and its write."""
    versions: Any = field(default_factory=lambda: itertools.count(1000))

    def put(self, obj: Object) -> Object:
        obj = copy.deepcopy(obj)
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(next(self.versions))
        metadata.setdefault("uid", f"uid-{metadata['name']}-{metadata['resourceVersion']}")
        metadata.setdefault("generation", 1)
        for empty in [k for k in ("labels", "annotations") if metadata.get(k) == {}]:
            # As the API server stores it: an empty map is no map.
            del metadata[empty]
        if obj["kind"] == "Deployment":
            self._roll(obj)
        self.objects[ref_of(obj)] = obj
        return obj

    def _roll(self, obj: Object) -> None:
        replicas = obj["spec"].get("replicas", 1)
        ready = 0 if self.never_ready else replicas
        obj["status"] = {
            "observedGeneration": obj["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": replicas - ready,
        }

    # --- Reader

    async def get(self, ref: Ref) -> Object:
        if ref not in self.objects:
            raise NotFound(f"{ref} not found", status=404)
        return copy.deepcopy(self.objects[ref])

    async def allowed(self, access: Access, namespace: str = "", name: str = "") -> Allowed:
        return Allowed(access.verb not in self.forbidden, "no role")

    # --- Writer

    def _check(self, ref: Ref, uid: str, version: str, *, dry_run: bool = False) -> Object:
        if ref == self.edit_before_write and not dry_run:
            self.edit_before_write = None
            self.put(merge(self.objects[ref], {"spec": {"paused": True}}))
        obj = self.objects.get(ref)
        if obj is None:
            raise NotFound(f"{ref} not found", status=404)
        if obj["metadata"]["uid"] != uid or (version and obj["metadata"]["resourceVersion"] != version):
            raise Conflict(f"{ref}: the object has been modified", status=409)
        return obj

    def _admit(self, verb: str) -> None:
        if verb in self.forbidden:
            raise Forbidden(f"{verb} is forbidden", status=403)
        if self.invalid:
            raise Invalid(self.invalid, status=422)

    async def patch(
        self, ref: Ref, body: Object, *, kind: str, uid: str, resource_version: str, dry_run: bool = False, **_: Any
    ) -> Object:
        self._admit("patch")
        before = self._check(ref, uid, resource_version, dry_run=dry_run)
        after = merge(before, body) if kind == "merge" else strategic(before, body, kind=ref.kind)
        after = merge(after, self.mutate)
        if after["spec"] != before["spec"]:
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        if dry_run:
            return after
        self.writes.append(("patch", ref))
        return copy.deepcopy(self.put(after))

    async def scale(self, ref: Ref, replicas: int, *, uid: str, resource_version: str, dry_run: bool = False) -> Object:
        body = {"spec": {"replicas": replicas}}
        return await self.patch(ref, body, kind="merge", uid=uid, resource_version=resource_version, dry_run=dry_run)

    async def delete(
        self, ref: Ref, *, uid: str, resource_version: str = "", grace: int | None = None, dry_run: bool = False
    ) -> Object:
        self._admit("delete")
        self._check(ref, uid, resource_version)
        if not dry_run:
            self.writes.append(("delete", ref))
            del self.objects[ref]
        return {}

    async def evict(self, ref: Ref, *, uid: str, resource_version: str = "", dry_run: bool = False) -> Object:
        return await self.delete(ref, uid=uid, resource_version=resource_version, dry_run=dry_run)

    async def create(self, manifest: Object, *, dry_run: bool = False) -> Object:
        self._admit("create")
        if ref_of(manifest) in self.objects:
            raise AlreadyExists("already exists", status=409)
        if dry_run:
            return manifest
        self.writes.append(("create", ref_of(manifest)))
        return copy.deepcopy(self.put(manifest))

    # --- Sight

    def snapshot(self) -> Snapshot:
        typed = [msgspec.convert(o, type=KINDS[r.kind], dec_hook=decode_withheld) for r, o in self.objects.items()]
        return Snapshot.of(typed, taken_at=datetime.now(UTC), kinds=list(KINDS.values()))

    async def changed(self, within_s: float) -> None:
        """Nothing changes by itself here: the caller may look again at once."""

    def spec(self, ref: Ref) -> Object:
        return without_server_fields(self.objects[ref])


def deployment(name: str = "web", namespace: str = "shop", *, memory: str = "100Mi", replicas: int = 1) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "app", "image": "registry.lab/web:1.0", "resources": {"limits": {"memory": memory}}}
                    ]
                },
            },
        },
    }


def node(name: str = "node-1", *, memory: str = "4Gi", cpu: str = "4") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
