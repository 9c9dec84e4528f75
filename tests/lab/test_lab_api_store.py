"""The store, and the API for components in the same process."""

from __future__ import annotations

import asyncio
import base64
import copy
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_api_client import config, pod, workload

from kubemend.lab.api import Api, Object
from kubemend.lab.apiserver.status import ApiError
from kubemend.lab.local import LocalApi
from kubemend.lab.server import PracticeServer
from kubemend.lab.store import Compacted, Store

STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=25
)


def thing(name: str, namespace: str = "x") -> Object:
    return {"metadata": {"name": name, "namespace": namespace}}


@given(STEPS)
def test_the_world_as_it_was_can_be_had_again(steps: list[tuple[str, str, str]]) -> None:
    store = Store()
    seen: dict[int, Any] = {store.version: []}
    for what, name, space in steps:
        there = store.find("Thing", space, name)
        if what == "put":
            store.put("Thing", thing(name, space))
        elif there is not None:
            store.drop("Thing", there)
        seen[store.version] = copy.deepcopy(store.all("Thing"))
    for version, objects in seen.items():
        assert [o for _, o in store.at("Thing", None, version)] == objects
        assert [o for _, o in store.at("Thing", "x", version)] == [
            o for o in objects if o["metadata"]["namespace"] == "x"
        ]
    assert [o["metadata"]["name"] for o in store.all("Thing", "x")] == sorted(
        o["metadata"]["name"] for o in store.all("Thing") if o["metadata"]["namespace"] == "x"
    )
    assert len(store.since(1)) == store.version - 1


@given(STEPS)
def test_the_changes_lead_from_any_version_to_the_present(steps: list[tuple[str, str, str]]) -> None:
    store = Store()
    for what, name, space in steps:
        there = store.find("Thing", space, name)
        if what == "put":
            store.put("Thing", thing(name, space))
        elif there is not None:
            store.drop("Thing", there)
    for version in range(1, store.version + 1):
        world = dict(store.at("Thing", None, version))
        for step in store.since(version):
            if step.change == "DELETED":
                del world[step.key]
            else:
                assert (step.key in world) is (step.change == "MODIFIED")
                world[step.key] = step.obj
        assert sorted(world) == [key for key, _ in store.at("Thing", None, store.version)]


def test_an_old_version_is_forgotten_beyond_the_history() -> None:
    store = Store(history=3)
    for i in range(20):
        store.put("Thing", thing(f"t{i}"))
    assert store.version - store.oldest >= 3
    assert len(store.since(store.oldest)) == store.version - store.oldest
    with pytest.raises(Compacted):
        store.since(store.oldest - 1)


@pytest.fixture
async def local() -> LocalApi:
    api = LocalApi(Store())
    await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "x"}}
    await api.create(account)
    return api


def placed(kind: str, body: Object, api_version: str = "v1") -> Object:
    return {"apiVersion": api_version, "kind": kind, **body, "metadata": {**body["metadata"], "namespace": "x"}}


async def test_components_meet_the_same_admission(local: LocalApi) -> None:
    api: Api = local
    made = await api.create(placed("Pod", pod()))
    assert made["spec"]["serviceAccountName"] == "default"
    assert "managedFields" not in made["metadata"]
    with pytest.raises(ApiError, match='pods "web" already exists') as twice:
        await api.create(placed("Pod", pod()))
    assert twice.value.code == "api-alreadyexists"
    with pytest.raises(ApiError, match='serviceaccount "robot" not found'):
        await api.create(placed("Pod", pod("b", spec={"serviceAccountName": "robot"})))


async def test_a_patch_is_for_this_very_object(local: LocalApi) -> None:
    old = await local.create(placed("ConfigMap", config(a="1")))
    await local.delete(old)
    new = await local.create(placed("ConfigMap", config(a="1")))
    with pytest.raises(ApiError, match=r"metadata\.uid: Invalid value: .* field is immutable"):
        await local.patch(old, {"data": {"a": "2"}})
    changed = await local.patch(new, {"data": {"a": "2"}})
    stale = {"metadata": {"resourceVersion": new["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    with pytest.raises(ApiError, match="the object has been modified"):
        await local.patch(changed, stale)
    await local.delete(old)
    assert await local.get("ConfigMap", "x", "settings") == changed
    await local.delete(changed)
    assert await local.get("ConfigMap", "x", "settings") is None


async def test_a_status_is_patched_apart(local: LocalApi) -> None:
    made = await local.create(placed("Deployment", workload(), "apps/v1"))
    told = {"metadata": {"uid": made["metadata"]["uid"]}, "status": {"replicas": 2}, "spec": {"replicas": 9}}
    answer = await local.patch(made, told, subresource="status")
    assert (answer["spec"]["replicas"], answer["status"]) == (1, {"replicas": 2})
    scaled = await local.patch(answer, {"spec": {"replicas": 4}}, subresource="scale")
    assert scaled["spec"] == {"replicas": 4}


async def test_a_pod_is_bound_by_a_binding(local: LocalApi) -> None:
    await local.create(placed("Pod", pod()))
    await local.create(placed("Binding", {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}}))
    bound = await local.get("Pod", "x", "web")
    assert bound is not None
    assert bound["spec"]["nodeName"] == "n1"


async def test_a_watch_has_no_gap(local: LocalApi) -> None:
    await local.create(placed("ConfigMap", config("before")))
    seen: list[tuple[str, str]] = []
    enough = asyncio.Event()

    async def follow(changes: AsyncIterator[tuple[str, Object]]) -> None:
        async for change, obj in changes:
            seen.append((change, obj["metadata"]["name"]))
            if len(seen) == 4:
                enough.set()

    following = asyncio.create_task(follow(local.watch("ConfigMap", "Secret")))
    await asyncio.sleep(0)
    made = await local.create(placed("Secret", {"metadata": {"name": "during"}}))
    await local.create(placed("Pod", pod()))
    await local.patch(made, {"data": {"a": "Yg=="}})
    await local.delete(made)
    await asyncio.wait_for(enough.wait(), 5)
    following.cancel()
    assert seen == [("ADDED", "before"), ("ADDED", "during"), ("MODIFIED", "during"), ("DELETED", "during")]


async def test_a_server_starts_at_once_with_what_every_cluster_has() -> None:
    loop, took = asyncio.get_running_loop(), []
    for _ in range(3):
        began = loop.time()
        server = PracticeServer()
        await server.start()
        took.append(loop.time() - began)
        await server.stop()
    assert min(took) < 0.15
    names = [n["metadata"]["name"] for n in server.store.all("Namespace")]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert [a["metadata"]["namespace"] for a in server.store.all("ServiceAccount")] == names
    roles = {r["metadata"]["name"] for r in server.store.all("ClusterRole")}
    assert roles >= {"cluster-admin", "admin", "edit", "view"}
    (service,) = server.store.all("Service")
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == ("kubernetes", "10.96.0.1")


async def test_a_kubeconfig_is_all_a_client_needs() -> None:
    server = PracticeServer()
    await server.start()
    try:
        told = server.kubeconfig()
        cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        trust = ssl.create_default_context(cadata=authority)
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {user['token']}"}) as session,
            session.get(cluster["server"] + "/api/v1/nodes", ssl=trust) as response,
        ):
            assert (response.status, (await response.json())["kind"]) == (200, "NodeList")
    finally:
        await server.stop()
