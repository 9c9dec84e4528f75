"""Reads: lists in pages, answers that are not quite right, logs, permissions, names."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest
from cluster_api import Api, cut, fails, page, pod, says, stream, text

from kubemend.cluster import errors
from kubemend.cluster import reader as reader_module
from kubemend.cluster.answers import Allowed, Version
from kubemend.cluster.reader import Reader
from kubemend.model.access import Access
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import ConfigMap, Deployment, EndpointSlice, Node, Pod
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Unread

PODS = "/api/v1/pods"


async def test_a_list_is_read_page_by_page(api: Api, reader: Reader):
    api.on(PODS, page(pod("a"), pod("b"), version="7", token="t1"), page(pod("c"), version="7"))
    listed = await reader.list(Pod, labels="app=web", fields="spec.nodeName=n1")
    assert [p.name for p in listed.items] == ["a", "b", "c"]
    assert (listed.resource_version, listed.unread) == ("7", ())
    same = {"labelSelector": "app=web", "fieldSelector": "spec.nodeName=n1", "limit": "500"}
    assert [a.query for a in api.asked] == [same, {**same, "continue": "t1"}]


async def test_a_list_of_one_namespace_asks_there(api: Api, reader: Reader):
    api.on("/apis/apps/v1/namespaces/shop/deployments", page())
    assert (await reader.list(Deployment, "shop")).items == ()


async def test_a_cluster_scoped_kind_has_no_namespace_in_its_path(api: Api, reader: Reader):
    api.on("/api/v1/nodes", page())
    await reader.list(Node, "shop")
    assert api.last.path == "/api/v1/nodes"


async def test_pages_that_expire_are_read_anew_in_one(api: Api, reader: Reader):
    api.on(PODS, page(pod("a"), token="t1"), fails(410, "Expired"), page(pod("b"), pod("c"), version="9"))
    listed = await reader.list(Pod)
    assert [p.name for p in listed.items] == ["b", "c"]
    assert listed.resource_version == "9"
    assert "limit" not in api.last.query


async def test_pages_that_expire_twice_are_gone(api: Api, reader: Reader):
    api.on(PODS, fails(410, "Expired"))
    with pytest.raises(errors.Gone):
        await reader.list(Pod)
    assert api.times(PODS) == 2


async def test_a_null_where_go_has_an_empty_slice_is_read_as_absent(api: Api, reader: Reader):
    odd = pod("a", status={"phase": "Running", "containerStatuses": None})
    odd["metadata"]["ownerReferences"] = None
    odd["spec"]["containers"][0]["args"] = None
    api.on(PODS, page(odd, pod("b")))
    listed = await reader.list(Pod)
    assert [p.name for p in listed.items] == ["a", "b"]
    assert listed.items[0].status.container_statuses == ()
    assert listed.unread == ()


async def test_no_items_written_as_null_is_an_empty_list(api: Api, reader: Reader):
    api.on("/apis/discovery.k8s.io/v1/endpointslices", {"metadata": {"resourceVersion": "3"}, "items": None})
    assert (await reader.list(EndpointSlice)).resource_version == "3"


async def test_an_object_that_makes_no_sense_is_named_and_the_others_are_kept(api: Api, reader: Reader):
    bad = pod("bad", spec={"containers": "none"})
    api.on(PODS, page(pod("a"), bad, token="t"), page(pod("c")))
    listed = await reader.list(Pod)
    assert [p.name for p in listed.items] == ["a", "c"]
    [unread] = listed.unread
    assert (unread.kind, unread.namespace) == ("Pod", "shop")
    assert unread.why.startswith("shop/bad: ")
    assert "spec.containers" in unread.why


@pytest.mark.parametrize("item", ["text", None, 5, {"metadata": None}, {"metadata": {"name": {"a": 1}}}])
async def test_an_item_that_is_no_object_never_fails_the_list(api: Api, reader: Reader, item: Any):
    api.on(PODS, page(pod("a"), item))
    listed = await reader.list(Pod)
    assert listed.items[0].name == "a"
    assert len(listed.items) + len(listed.unread) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b'{"items": [',
        b'{"kind": "Status", "status": "Success"}',
        b"[]",
        b'{"items": {}}',
        b'{"items": ["\xff"]}',
    ],
)
async def test_an_answer_that_is_no_list_is_garbled_and_never_empty(api: Api, reader: Reader, body: bytes):
    api.on(PODS, text(body))
    with pytest.raises(errors.Garbled):
        await reader.list(Pod)


async def test_values_of_a_config_map_are_dropped_while_decoding(api: Api, reader: Reader):
    api.on("/api/v1/configmaps", page({"metadata": {"name": "c"}, "data": {"password": "s3cret"}}))
    [found] = (await reader.list(ConfigMap)).items
    assert set(found.data) == {"password"}
    assert "s3cret" not in repr(found)
    api.on("/api/v1/configmaps", page({"metadata": {"name": "c", "labels": None}, "data": {"password": "s3cret"}}))
    assert "s3cret" not in repr((await reader.list(ConfigMap)).items)


async def test_the_collector_runs_again_after_a_large_list(api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch):
    from kubemend.cluster import decoding

    monkeypatch.setattr(decoding, "LARGE", 10)
    api.on(PODS, page(pod("a")), text("{"))
    await reader.list(Pod)
    assert gc.isenabled()
    with pytest.raises(errors.Garbled):
        await reader.list(Pod)
    assert gc.isenabled()


async def test_one_object_is_read_raw_or_as_a_struct(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web", {"kind": "Pod", "extra": [None], **pod("web")})
    assert (await reader.get(Ref("Pod", "shop", "web")))["extra"] == [None]
    assert (await reader.read(Pod, "shop", "web")).ref == Ref("Pod", "shop", "web")


async def test_one_object_that_is_not_there_is_not_found(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web", fails(404, "NotFound", name="web", kind="pods"))
    with pytest.raises(errors.NotFound):
        await reader.read(Pod, "shop", "web")


async def test_one_object_that_makes_no_sense_is_garbled(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web", pod("web", spec=5), text("[]"))
    with pytest.raises(errors.Garbled, match="shop/web"):
        await reader.read(Pod, "shop", "web")
    with pytest.raises(errors.Garbled):
        await reader.get(Ref("Pod", "shop", "web"))


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "..", ".", "", "a%2fb"])
async def test_a_name_can_not_lead_to_another_object_nor_an_empty_one_to_all(api: Api, reader: Reader, name: str):
    for ref in (Ref("Pod", "shop", name), Ref("Pod", name, "web")):
        with pytest.raises(InvalidInput):
            await reader.get(ref)
    assert api.asked == []


async def test_an_odd_but_legal_name_is_escaped(api: Api, reader: Reader):
    api.on("/api/v1/nodes/system%3Anode%3Fa", {"metadata": {"name": "system:node?a", "uid": "u1"}})
    assert await reader.get(Ref("Node", "", "system:node?a"))


@pytest.mark.parametrize(
    "body", [{}, {"metadata": None}, {"metadata": {"name": "b", "uid": "u1"}}, {"metadata": {"name": "a"}}]
)
async def test_an_answer_that_is_another_object_or_none_is_garbled(api: Api, reader: Reader, body: dict[str, object]):
    api.on("/api/v1/nodes/a", body)
    with pytest.raises(errors.Garbled, match="not the object a"):
        await reader.get(Ref("Node", "", "a"))


async def test_a_raw_page_of_any_resource_gives_its_token(api: Api, reader: Reader):
    from kubemend.cluster.resource import Resource

    things = Resource("Thing", "things", "example.com", "v2")
    api.on("/apis/example.com/v2/namespaces/shop/things", page({"a": 1}, token="next"))
    got = await reader.page(things, "shop", limit=1, token="here")
    assert got["metadata"]["continue"] == "next"
    assert api.last.query == {"limit": "1", "continue": "here"}


async def test_logs_ask_for_what_is_wanted(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web/log", text("one\ntwo ✓\n"))
    assert await reader.logs("shop", "web", container="app", previous=True, tail=2, since=60) == "one\ntwo ✓\n"
    assert api.last.query == {"container": "app", "previous": "true", "tailLines": "2", "sinceSeconds": "60"}
    await reader.logs("shop", "web", tail=0)
    assert api.last.query == {"tailLines": "0"}


async def test_of_a_long_log_the_end_is_kept_in_whole_lines(api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader_module, "LOG_BYTES", 1000)
    lines = [f"line {i}\n" for i in range(5000)]
    api.on("/api/v1/namespaces/shop/pods/web/log", text("".join(lines)))
    log = await reader.logs("shop", "web")
    assert 900 < len(log) <= 1000
    assert "".join(lines).endswith("\n" + log)


async def test_a_log_that_is_cut_off_is_not_taken_for_the_log(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web/log", stream(b"half", then="cut"))
    with pytest.raises(errors.Unreachable):
        await reader.logs("shop", "web")


async def test_a_container_that_has_not_started_says_so(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods/web/log", fails(400, "BadRequest", "container is waiting to start"))
    with pytest.raises(errors.Refused, match="waiting to start"):
        await reader.logs("shop", "web")


async def test_the_version_is_numbers_and_text(api: Api, reader: Reader):
    api.on(
        "/version", {"major": "1", "minor": "34+", "gitVersion": "v1.34.4-eks", "platform": "linux/amd64"}, text("?")
    )
    assert await reader.version() == Version(1, 34, "v1.34.4-eks", "linux/amd64")
    with pytest.raises(errors.Garbled):
        await reader.version()


async def test_a_permission_is_asked_of_the_server(api: Api, reader: Reader):
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    api.on(path, says({"status": {"allowed": True, "reason": "by role"}}, 201), method="POST")
    access = Access("create", "deployments/scale", "apps")
    assert await reader.allowed(access, "shop", "web") == Allowed(True, "by role")
    assert api.last.body["spec"]["resourceAttributes"] == {
        "verb": "create",
        "group": "apps",
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "shop",
        "name": "web",
    }


@pytest.mark.parametrize("answer", [says({}), text("no"), says({"status": {}})])
async def test_a_permission_that_can_not_be_told_is_not_a_no(api: Api, reader: Reader, answer: Any):
    api.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", answer, method="POST")
    with pytest.raises(errors.Garbled):
        await reader.allowed(Access("get", "pods"))


async def test_a_lost_permission_review_is_no_unknown_outcome(api: Api, reader: Reader):
    api.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", cut, method="POST")
    with pytest.raises(errors.Unreachable):
        await reader.allowed(Access("get", "pods"))


async def test_openapi_is_read_for_one_group_version(api: Api, reader: Reader):
    api.on("/openapi/v3/apis/apps/v1", {"openapi": "3.0.0"})
    api.on("/openapi/v3/api/v1", {"openapi": "3.0.1"})
    assert (await reader.openapi("apps/v1"))["openapi"] == "3.0.0"
    assert (await reader.openapi("v1"))["openapi"] == "3.0.1"
    with pytest.raises(errors.NotServed):
        await reader.openapi("no/v1")


def test_the_reader_has_no_way_to_write():
    source = Path(reader_module.__file__).read_text()
    assert source.count(".send(") == 1
    assert "selfsubjectaccessreviews" in source


def test_unread_is_said_of_the_kind_it_is_about():
    from kubemend.cluster.decoding import convert, is_about

    made = convert(Pod, json.loads('{"metadata": {"name": "a", "namespace": "n"}, "spec": 1}'))
    assert isinstance(made, Unread)
    assert is_about(made, "n", "a")
    assert not is_about(made, "n", "ab")
    assert not is_about(made, "m", "a")
