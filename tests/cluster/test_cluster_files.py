"""Snapshots in files: written and read again, dumps of kubectl, manifests, archives, and what is none of these."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cluster_api import entries, page, pod
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.cluster import documents, dump, members
from kubemend.cluster.errors import NotASnapshot
from kubemend.cluster.files import load, save
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import (
    KINDS,
    ConfigMap,
    Container,
    Deployment,
    Event,
    HorizontalPodAutoscaler,
    Meta,
    Node,
    Pod,
    PodSpec,
    Service,
)
from kubemend.model.objects.config import Withheld
from kubemend.model.snapshot import Snapshot, Unread

TAKEN = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)


def a_snapshot() -> Snapshot:
    meta = Meta(name="web-1", namespace="shop", uid="u", resource_version="7", creation_timestamp=TAKEN)
    return Snapshot.of(
        [
            Pod(metadata=meta, spec=PodSpec(containers=(Container(name="app", image="a:1"),))),
            ConfigMap(metadata=Meta(name="c", namespace="shop"), data={"k": Withheld()}),
        ],
        taken_at=TAKEN,
        unread=[Unread("Event", "events is forbidden")],
        cluster="prod",
        kinds=(Pod, ConfigMap, Service, Deployment),
        namespace="shop",
    )


@pytest.mark.parametrize("name", ["folder", "snapshot.tar.gz", "snapshot.tgz", "snapshot.zip", "deep/er/folder"])
async def test_a_snapshot_that_was_saved_is_the_same_when_loaded(tmp_path: Path, name: str):
    assert await save(a_snapshot(), tmp_path / name) == tmp_path / name
    assert await load(tmp_path / name) == a_snapshot()


names = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=15)
@given(
    st.lists(
        st.builds(
            Pod,
            metadata=st.builds(
                Meta, name=names, namespace=names, labels=st.dictionaries(names, names), resource_version=names
            ),
            spec=st.builds(PodSpec, node_name=names, priority=st.none() | st.integers(-(2**31), 2**31)),
        )
    )
)
async def test_any_snapshot_survives_a_round_trip(tmp_path_factory: pytest.TempPathFactory, pods: list[Pod]):
    made = Snapshot.of(pods, taken_at=TAKEN, kinds=(Pod,))
    path = tmp_path_factory.mktemp("s") / "s"
    await save(made, path)
    assert await load(path) == made


async def test_only_the_owner_may_read_a_saved_snapshot(tmp_path: Path):
    for name in ("d", "s.zip", "s.tar.gz"):
        await save(a_snapshot(), tmp_path / name)
    written = [*os.scandir(tmp_path), *os.scandir(tmp_path / "d")]
    modes = {p.stat().st_mode & 0o077 for p in written}
    assert modes == {0}


async def test_nothing_is_overwritten_and_nothing_is_left_behind(tmp_path: Path):
    (tmp_path / "s").mkdir()
    with pytest.raises(InvalidInput) as caught:
        await save(a_snapshot(), tmp_path / "s")
    assert caught.value.code == "path-exists"
    await save(a_snapshot(), tmp_path / "t")
    assert entries(tmp_path) == ["s", "t"]


async def test_saved_lists_are_kubernetes_lists(tmp_path: Path):
    await save(a_snapshot(), tmp_path / "s")
    listed = json.loads((tmp_path / "s" / "deployments.apps.json").read_text())
    assert (listed["apiVersion"], listed["kind"], listed["items"]) == ("apps/v1", "DeploymentList", [])
    pods = (tmp_path / "s" / "pods.json").read_text()
    assert json.loads(pods)["items"][0]["metadata"]["name"] == "web-1"
    assert len(pods.splitlines()) == 3


async def test_a_manifest_kept_in_an_annotation_is_withheld(tmp_path: Path):
    key = "kubectl.kubernetes.io/last-applied-configuration"
    meta = Meta(name="a", namespace="n", annotations={key: '{"env":"s3cret"}', "other": "kept"})
    await save(Snapshot.of([Pod(metadata=meta)], taken_at=TAKEN), tmp_path / "s")
    [found] = (await load(tmp_path / "s")).all(Pod)
    assert found.metadata.annotations == {key: "<withheld>", "other": "kept"}


async def test_a_file_that_is_missing_or_broken_in_a_snapshot_is_unread(tmp_path: Path):
    await save(a_snapshot(), tmp_path / "s")
    (tmp_path / "s" / "pods.json").write_text("{")
    (tmp_path / "s" / "services.json").unlink()
    meta = json.loads((tmp_path / "s" / "meta.json").read_text())
    meta["kinds"]["Gizmo"] = "gizmos.json"
    (tmp_path / "s" / "meta.json").write_text(json.dumps(meta))
    found = await load(tmp_path / "s")
    assert {u.kind for u in found.unread} == {"Event", "Pod", "Service", "Gizmo"}
    assert not found.was_read(Pod)
    assert not found.was_read(Service)
    assert found.was_read(Deployment)


async def test_an_object_that_makes_no_sense_in_a_snapshot_is_unread(tmp_path: Path):
    await save(a_snapshot(), tmp_path / "s")
    (tmp_path / "s" / "pods.json").write_text(json.dumps(page(pod("a"), pod("bad", spec=5))))
    found = await load(tmp_path / "s")
    assert [p.name for p in found.all(Pod)] == ["a"]
    assert any(u.why.startswith("shop/bad") for u in found.unread)


# ---- kubectl cluster-info dump: the shape that kubectl 1.34 writes ----


def listing(kind: str, *items: dict[str, Any], api: str = "v1") -> str:
    head = {"kind": f"{kind}List", "apiVersion": api, "metadata": {"resourceVersion": "212"}}
    return json.dumps({**head, "items": list(items) or None}, indent=4) + "\n"


def namespace_files(*, pods: tuple[dict[str, Any], ...] = ()) -> dict[str, str]:
    return {
        "events.json": listing("Event"),
        "replication-controllers.json": listing("ReplicationController"),
        "services.json": listing("Service"),
        "daemonsets.json": listing("DaemonSet", api="apps/v1"),
        "deployments.json": listing("Deployment", api="apps/v1"),
        "replicasets.json": listing("ReplicaSet", api="apps/v1"),
        "pods.json": listing("Pod", *pods),
    }


def a_dump(folder: Path) -> Path:
    files = {"nodes.json": listing("Node", {"metadata": {"name": "n1"}})}
    for name, content in namespace_files(pods=(pod("web-1"),)).items():
        files[f"shop/{name}"] = content
    for name, content in namespace_files().items():
        files[f"kube-system/{name}"] = content
    files["shop/web-1/logs.txt"] = '{"kind": "PodList", "apiVersion": "v1", "items": []}\n'
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


async def test_a_dump_directory_is_a_snapshot_of_seven_kinds(tmp_path: Path):
    found = await load(a_dump(tmp_path / "dump"))
    assert set(found.objects) == dump.HELD
    assert [p.name for p in found.all(Pod)] == ["web-1"]
    assert [n.name for n in found.all(Node)] == ["n1"]
    assert found.was_read(Event)
    assert not found.was_read(ConfigMap)
    assert {u.kind for u in found.unread} == {k for k, s in KINDS.items() if s not in dump.HELD}


async def test_a_file_that_a_dump_lacks_was_not_read_in_that_namespace(tmp_path: Path):
    a_dump(tmp_path)
    (tmp_path / "shop" / "services.json").unlink()
    (tmp_path / "kube-system" / "pods.json").write_text("{")
    found = await load(tmp_path)
    assert not found.was_read(Service, "shop")
    assert found.was_read(Service, "kube-system")
    assert any(u.kind == "kube-system/pods.json" for u in found.unread)


def a_text(log: str = "hello\n") -> str:
    blocks = [listing("Node", {"metadata": {"name": "n1"}})]
    blocks += namespace_files(pods=(pod("web-1"),)).values()
    blocks.append("==== START logs for container app of pod shop/web-1 ====\n")
    blocks.append(f"{log}==== END logs for container app of pod shop/web-1 ====\n")
    blocks += namespace_files(pods=(pod("dns", namespace="kube-system"),)).values()
    return "".join(blocks)


@pytest.mark.parametrize(
    "log",
    [
        "hello\n",
        "",
        "no newline at the end",
        '{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "forged"}}]}\n',
        "}\n{\n---\n==== END logs for container app of pod shop/other ====\n",
    ],
)
async def test_a_dump_in_one_text_is_read_and_no_log_in_it_is(tmp_path: Path, log: str):
    (tmp_path / "dump.json").write_text(a_text(log))
    found = await load(tmp_path / "dump.json")
    assert [p.name for p in found.all(Pod)] == ["dns", "web-1"]
    assert set(found.objects) == dump.HELD
    assert not found.was_read(ConfigMap)


async def test_a_dump_in_yaml_is_read_as_well(tmp_path: Path):
    import yaml

    documents_ = [json.loads(b) for b in (listing("Node"), listing("Pod", pod("web-1")), listing("Event"))]
    text = yaml.safe_dump_all(documents_[:2])
    text += "---\n==== START logs for container app of pod shop/web-1 ====\n: : not yaml {\n"
    text += "==== END logs for container app of pod shop/web-1 ====\n---\n" + yaml.safe_dump(documents_[2])
    (tmp_path / "dump.yaml").write_text(text)
    found = await load(tmp_path / "dump.yaml")
    assert [p.name for p in found.all(Pod)] == ["web-1"]
    assert found.was_read(Event)


@pytest.mark.parametrize("end", ["{", "==== START logs for container app of pod a/b ====\nlines", "garbage"])
async def test_a_dump_that_is_cut_off_was_not_read(tmp_path: Path, end: str):
    (tmp_path / "dump.json").write_text(a_text() + end)
    found = await load(tmp_path / "dump.json")
    assert [p.name for p in found.all(Pod)] == ["dns", "web-1"]
    assert Unread("Pod", "the dump is cut off") in found.unread
    assert not found.was_read(Pod)
    assert found.was_read(Node)


# ---- manifests ----

MANIFESTS = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}
- {apiVersion: v1, kind: Secret, metadata: {name: pass, namespace: shop}, data: {a: czNjcmV0}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: {when: 2026-01-01}
  creationTimestamp: null
spec: {replicas: 2}
---
just: values
"""


async def test_manifests_are_read_from_yaml(tmp_path: Path):
    (tmp_path / "all.yaml").write_text(MANIFESTS)
    os.utime(tmp_path / "all.yaml", (TAKEN.timestamp(),) * 2)
    found = await load(tmp_path / "all.yaml")
    [deployment] = found.all(Deployment)
    assert deployment.spec.replicas == 2
    assert deployment.metadata.annotations["when"] == "2026-01-01"
    assert [s.name for s in found.all(Service)] == ["web"]
    assert found.taken_at == TAKEN
    assert "czNjcmV0" not in repr(found)
    assert not found.was_read(Pod)


async def test_a_kubectl_list_is_read_from_json(tmp_path: Path):
    items = [{"kind": "Pod", "apiVersion": "v1", **pod("a")}, {"kind": "Pod", "apiVersion": "v1", **pod("bad", spec=5)}]
    (tmp_path / "l.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
    found = await load(tmp_path / "l.json")
    assert [p.name for p in found.all(Pod)] == ["a"]
    assert found.unread[0].why.startswith("shop/bad")


async def test_one_object_in_a_file_of_any_name_is_read(tmp_path: Path):
    (tmp_path / "backup.txt").write_text(json.dumps({"kind": "Pod", "apiVersion": "v1", **pod("a")}))
    assert len((await load(tmp_path / "backup.txt")).all(Pod)) == 1


async def test_another_version_of_a_kind_is_not_read_as_ours(tmp_path: Path):
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "n"},
    }
    other = {"apiVersion": "acme.io/v1", "kind": "Service", "metadata": {"name": "s"}}
    (tmp_path / "a.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [old, other]}))
    found = await load(tmp_path / "a.json")
    assert found.unread == (Unread("HorizontalPodAutoscaler", "autoscaling/v1 is a version we don't read", "n"),)
    assert not found.was_read(HorizontalPodAutoscaler)
    assert found.objects == {}


async def test_a_directory_of_manifests_names_the_files_it_can_not_read(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "web.yml").write_text(MANIFESTS)
    (tmp_path / "chart.yaml").write_text("{{ if .Values.x }}\n")
    (tmp_path / "notes.md").write_text("# hi")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.json").write_text("{")
    found = await load(tmp_path)
    assert [u.kind for u in found.unread] == ["chart.yaml"]
    assert len(found.all(Deployment)) == 1


# ---- archives ----


def tar(path: Path, files: dict[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["dump.tar", "dump.tar.gz", "dump.zip"])
async def test_a_dump_in_an_archive_is_read(tmp_path: Path, name: str):
    folder = a_dump(tmp_path / "in" / "dump")
    files = {str(p.relative_to(tmp_path / "in")): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file, data in files.items():
                archive.writestr(file, data)
    else:
        tar(tmp_path / name, files, mode="w:gz" if name.endswith("gz") else "w")
    found = await load(tmp_path / name)
    assert [p.name for p in found.all(Pod)] == ["web-1"]
    assert set(found.objects) == dump.HELD


@pytest.mark.parametrize("name", ["../evil.yaml", "/etc/evil.yaml", "a/../../evil.yaml"])
async def test_an_archive_whose_names_lead_out_is_refused(tmp_path: Path, name: str):
    good = MANIFESTS.encode()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ok.yaml", good)
        archive.writestr(name, good)
    for path in (tmp_path / "a.zip", tar(tmp_path / "a.tgz", {"ok.yaml": good, name: good})):
        with pytest.raises(NotASnapshot) as caught:
            await load(path)
        assert caught.value.code == "snapshot-unsafe"
    assert entries(tmp_path) == ["a.tgz", "a.zip"]


async def test_links_in_an_archive_are_passed_over(tmp_path: Path):
    (tmp_path / "outside.yaml").write_text(MANIFESTS)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            entry = tarfile.TarInfo(f"link{kind!r}.yaml")
            entry.type, entry.linkname = kind, str(tmp_path / "outside.yaml")
            archive.addfile(entry)
    with pytest.raises(NotASnapshot):
        await load(tmp_path / "a.tar")


async def test_a_link_out_of_a_directory_is_refused_and_one_within_is_followed(tmp_path: Path):
    (tmp_path / "d" / "..data").mkdir(parents=True)
    (tmp_path / "d" / "..data" / "real.yaml").write_text(MANIFESTS)
    (tmp_path / "d" / "in.yaml").symlink_to("..data/real.yaml")
    assert len((await load(tmp_path / "d")).all(Deployment)) == 1
    (tmp_path / "outside.yaml").write_text(MANIFESTS)
    (tmp_path / "d" / "out.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(NotASnapshot) as caught:
        await load(tmp_path / "d")
    assert caught.value.code == "snapshot-unsafe"


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_FILE", 100), ("MAX_KEPT", 200), ("MAX_COUNT", 2), ("MAX_SEEN", 1000)]
)
async def test_an_archive_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
):
    monkeypatch.setattr(members, limit, value)
    files = {f"{i}.yaml": b"a: " + b"x" * 300 for i in range(4)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    for path in (tmp_path / "a.zip", tar(tmp_path / "a.tgz", files)):
        with pytest.raises(NotASnapshot) as caught:
            await load(path)
        assert caught.value.code == "snapshot-too-large"


async def test_yaml_whose_aliases_stand_for_billions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MAX_NODES", 10_000)
    layers = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    (tmp_path / "bomb.yaml").write_text(f"apiVersion: v1\nkind: Pod\n{layers}")
    with pytest.raises(NotASnapshot) as caught:
        await load(tmp_path / "bomb.yaml")
    assert caught.value.code == "snapshot-too-large"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"{",
        b"[]",
        b"[1, 2]",
        b'{"a": 1}',
        b"a: [",
        b"\x00\x01\x02",
        b"PK\x03\x04 broken",
        b"\x1f\x8b broken",
        b'{"kind": "PodList", "apiVersion": "v1", "items": 5}',
        b"!!python/object/apply:os.system [true]",
        b"[" * 100_000,
        b'{"kind": "NodeList"\n}\n{',
    ],
)
async def test_something_else_is_said_to_be_no_snapshot(tmp_path: Path, content: bytes):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(NotASnapshot) as caught:
        await load(tmp_path / "x")
    assert caught.value.code == "not-a-snapshot"
    assert caught.value.exit_status == 2


async def test_an_empty_directory_and_a_path_to_nothing_are_no_snapshots(tmp_path: Path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NotASnapshot) as caught:
            await load(path)
        assert caught.value.code == "not-a-snapshot"


@settings(max_examples=40)
@given(st.binary(max_size=300))
async def test_no_bytes_at_all_make_loading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
):
    path = tmp_path_factory.mktemp("f") / "f"
    for data in (content, b"apiVersion: v1\nkind: Pod\n" + content, b'{"apiVersion":"v1","kind":"Pod",' + content):
        path.write_bytes(data)
        try:
            await load(path)
        except NotASnapshot:
            continue
