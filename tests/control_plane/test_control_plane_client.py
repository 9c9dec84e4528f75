"""The adapter through which node stand-ins work on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from testbed.client import ClientApi, since
from testbed.plane import ControlPlane

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import AlreadyExists, Forbidden, Invalid
from kubemend.lab.api import Object


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[ClientApi]:
    async with connect(kubeconfig=str(control_plane.nodes_kubeconfig)).open() as transport:
        yield ClientApi(transport)


def config_map(name: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


async def test_an_object_lives_from_create_to_delete(api: ClientApi) -> None:
    made = await api.create(config_map("whole-life", colour="red"))
    with pytest.raises(AlreadyExists):
        await api.create(config_map("whole-life"))
    await api.patch(made, {"data": {"colour": "blue"}})
    read = await api.get("ConfigMap", "default", "whole-life")
    assert read is not None
    assert read["data"] == {"colour": "blue"}
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    await api.delete(read)
    assert await api.get("ConfigMap", "default", "whole-life") is None


async def test_a_namesake_is_neither_patched_nor_deleted_in_its_predecessors_place(api: ClientApi) -> None:
    first = await api.create(config_map("namesake"))
    await api.delete(first)
    await api.delete(first)
    second = await api.create(config_map("namesake"))
    await api.delete(first)
    with pytest.raises(Invalid, match=r"metadata\.uid"):
        await api.patch(first, {"data": {"colour": "blue"}})
    assert await api.get("ConfigMap", "default", "namesake") == second
    await api.delete(second)


async def test_a_status_is_patched_apart_from_the_spec(api: ClientApi) -> None:
    node = await api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "apart"}})
    body = {"status": {"phase": "Running"}, "spec": {"unschedulable": True}}
    patched = await api.patch(node, body, subresource="status")
    assert patched["status"]["phase"] == "Running"
    assert "unschedulable" not in patched["spec"]
    await api.delete(patched)


async def test_items_of_a_list_say_what_they_are(api: ClientApi) -> None:
    accounts = await api.list("ServiceAccount", "default")
    assert [(a["apiVersion"], a["kind"], a["metadata"]["name"]) for a in accounts] == [
        ("v1", "ServiceAccount", "default")
    ]


async def test_a_watch_tells_what_is_there_and_then_what_happens(api: ClientApi) -> None:
    made = await api.create(config_map("watched"))
    told: list[str] = []
    async with asyncio.timeout(10):
        async for change, obj in api.watch("ConfigMap", "Node"):
            if obj["metadata"]["name"] != "watched":
                continue
            told.append(change)
            if change == "ADDED":
                await api.patch(made, {"data": {"colour": "blue"}})
            elif change == "MODIFIED":
                await api.delete(made)
            else:
                break
    assert told == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_watch_that_is_refused_says_so(control_plane: ControlPlane) -> None:
    nobody = connect(kubeconfig=str(control_plane.kubeconfig), as_user="mallory")
    async with nobody.open() as transport:
        with pytest.raises(Forbidden, match="mallory"):
            await anext(ClientApi(transport).watch("Secret"))


def seen(name: str, uid: str, version: str) -> Object:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": version}}


def test_a_new_list_tells_what_a_lost_watch_missed() -> None:
    kept, changed, gone, replaced = (seen(n, f"{n}-1", "1") for n in ("kept", "changed", "gone", "replaced"))
    known = {("shop", o["metadata"]["name"]): o for o in (kept, changed, gone, replaced)}
    later, new, other = (
        seen("changed", "changed-1", "2"),
        seen("new", "new-1", "3"),
        seen("replaced", "replaced-2", "4"),
    )
    assert since(known, [kept, later, new, other]) == [
        ("DELETED", gone),
        ("DELETED", replaced),
        ("MODIFIED", later),
        ("ADDED", new),
        ("ADDED", other),
    ]
