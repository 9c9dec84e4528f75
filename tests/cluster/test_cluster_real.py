"""What this room believes of the API server, asked of a real one."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testbed.plane import ControlPlane

from kubemend.cluster import errors
from kubemend.cluster.answers import Allowed
from kubemend.cluster.cache import WatchCache
from kubemend.cluster.collector import collect
from kubemend.cluster.connection import connect
from kubemend.cluster.files import load
from kubemend.cluster.reader import Reader
from kubemend.cluster.writer import PatchKind, Writer
from kubemend.model.access import Access
from kubemend.model.objects import KINDS, ConfigMap, Deployment, Meta, Pod
from kubemend.model.ref import Ref

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"generateName": "web-", "namespace": "default"},
    "spec": {"replicas": 1, "paused": True, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}


@dataclass(frozen=True)
class Real:
    reader: Reader
    writer: Writer
    kubeconfig: Path

    async def at_last(self, ref: Ref, write: Callable[[Meta], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Write with what is there now: controllers write the object's status meanwhile."""
        for _ in range(20):
            try:
                return await write((await self.reader.read(Deployment, ref.namespace, ref.name)).metadata)
            except errors.Conflict:
                continue
        raise AssertionError("always a conflict")

    async def scaled(self, ref: Ref, replicas: int) -> dict[str, Any]:
        return await self.at_last(
            ref, lambda m: self.writer.scale(ref, replicas, uid=m.uid, resource_version=m.resource_version)
        )


@pytest.fixture
async def real(control_plane: ControlPlane) -> AsyncIterator[Real]:
    async with connect(kubeconfig=str(control_plane.kubeconfig)).open() as transport:
        reader = Reader(transport)
        yield Real(reader, Writer(transport, reader), control_plane.kubeconfig)


@pytest.fixture
async def web(real: Real) -> AsyncIterator[Deployment]:
    made = await real.writer.create(DEPLOYMENT)
    name = made["metadata"]["name"]
    yield await real.reader.read(Deployment, "default", name)
    await real.writer.delete(Ref("Deployment", "default", name, "apps"), uid=made["metadata"]["uid"])


BODIES: dict[PatchKind, Any] = {
    "strategic": {"spec": {"minReadySeconds": 5}},
    "merge": {"spec": {"minReadySeconds": 5}},
    "json": [{"op": "add", "path": "/spec/minReadySeconds", "value": 5}],
    "apply": {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"minReadySeconds": 5}},
}


@pytest.mark.parametrize("kind", BODIES)
async def test_every_kind_of_patch_works_and_conflicts_with_another_object_or_version(
    real: Real, web: Deployment, kind: PatchKind
):
    meta, body = web.metadata, BODIES[kind]
    for uid, version in (("another", meta.resource_version), (meta.uid, "1")):
        with pytest.raises(errors.Conflict):
            await real.writer.patch(web.ref, body, kind=kind, uid=uid, resource_version=version)

    async def patched(m: Meta, *, dry_run: bool) -> dict[str, Any]:
        good = {"uid": m.uid, "resource_version": m.resource_version}
        return await real.writer.patch(web.ref, body, kind=kind, dry_run=dry_run, **good)

    tried = await real.at_last(web.ref, lambda m: patched(m, dry_run=True))
    done = await real.at_last(web.ref, lambda m: patched(m, dry_run=False))
    assert tried["spec"]["minReadySeconds"] == done["spec"]["minReadySeconds"] == 5
    assert [f["manager"] for f in done["metadata"]["managedFields"] if "f:minReadySeconds" in str(f)] == ["kubemend"]


async def test_scale_and_delete_conflict_with_another_object_or_version(real: Real, web: Deployment):
    meta = web.metadata
    for uid, version in (("another", meta.resource_version), (meta.uid, "1")):
        with pytest.raises(errors.Conflict):
            await real.writer.scale(web.ref, 3, uid=uid, resource_version=version)
        with pytest.raises(errors.Conflict):
            await real.writer.delete(web.ref, uid=uid, resource_version=version)
    scaled = await real.scaled(web.ref, 3)
    assert scaled["spec"]["replicas"] == 3


async def test_a_misspelt_field_is_invalid(real: Real, web: Deployment):
    body = {"spec": {"replicaz": 3}}
    with pytest.raises(errors.Invalid, match="replicaz"):
        await real.at_last(
            web.ref, lambda m: real.writer.patch(web.ref, body, uid=m.uid, resource_version=m.resource_version)
        )


async def test_an_eviction_means_one_pod(real: Real):
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone", "namespace": "default"}}
    made = await real.writer.create({**manifest, "spec": TEMPLATE["spec"]})
    ref = Ref("Pod", "default", "lone")
    # With another uid the server takes 10 s to say 409 (it tries again itself), too long for a test.
    assert (await real.writer.evict(ref, uid=made["metadata"]["uid"], dry_run=True))["status"] == "Success"
    await real.writer.evict(ref, uid=made["metadata"]["uid"])
    with pytest.raises(errors.NotFound):
        await real.reader.read(Pod, "default", "lone")


async def test_every_kind_we_know_is_served_and_read(real: Real, web: Deployment):
    snapshot = await collect(real.reader, KINDS.values())
    assert snapshot.unread == ()
    assert set(snapshot.objects) == set(KINDS.values())
    assert snapshot.find(web.ref) is not None
    for kind in KINDS.values():
        found = await real.reader.resource(kind.plural, kind.group)
        assert (found.kind, found.version, found.namespaced) == (kind.__name__, kind.version, kind.namespaced)


async def test_what_is_not_there_is_told_from_what_is_not_served(real: Real):
    with pytest.raises(errors.NotFound):
        await real.reader.get(Ref("Secret", "default", "absent"))
    with pytest.raises(errors.NotServed):
        await real.reader.get(Ref("Gadget", "default", "x", "example.com"))
    with pytest.raises(errors.NotServed):
        await real.reader.openapi("example.com/v1")
    assert "components" in await real.reader.openapi("apps/v1")


async def test_permissions_are_those_of_who_asks(real: Real):
    assert (await real.reader.allowed(Access("create", "pods/eviction"), "default")).allowed
    nobody = connect(kubeconfig=str(real.kubeconfig), as_user="mallory")
    async with nobody.open() as transport:
        assert await Reader(transport).allowed(Access("list", "pods")) == Allowed(False, "")
        snapshot = await collect(Reader(transport), (Pod, ConfigMap))
    assert [u.kind for u in snapshot.unread] == ["Pod", "ConfigMap"]
    assert "mallory" in snapshot.unread[0].why


async def test_the_watch_cache_follows_a_real_server(real: Real, web: Deployment):
    async with asyncio.timeout(20), WatchCache(real.reader, KINDS.values()) as cache:
        changes = cache.changes()
        await cache.synced()
        assert cache.snapshot().unread == ()
        await real.scaled(web.ref, 5)
        async for refs in changes:
            seen = cache.snapshot().find(web.ref)
            if web.ref in refs and isinstance(seen, Deployment) and seen.spec.replicas == 5:
                break


async def test_kubectls_own_dump_is_a_snapshot(real: Real, web: Deployment, kubectl: Path, tmp_path: Path):
    dump = [str(kubectl), "--kubeconfig", str(real.kubeconfig), "cluster-info", "dump", "--all-namespaces"]
    await asyncio.to_thread(
        subprocess.run, [*dump, "--output-directory", str(tmp_path / "d")], check=True, capture_output=True
    )
    text = await asyncio.to_thread(subprocess.run, dump, check=True, capture_output=True)
    (tmp_path / "dump.json").write_bytes(text.stdout)
    for path in (tmp_path / "d", tmp_path / "dump.json"):
        found = await load(path)
        assert found.get(Deployment, "default", web.name) is not None
        assert found.was_read(Pod)
        assert not found.was_read(ConfigMap)
