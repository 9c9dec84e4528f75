"""Writes: what is sent, under which conditions, and what a refusal means."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_api import Api, cut, fails, says, text

from kubemend.cluster import errors
from kubemend.cluster.writer import Writer
from kubemend.model.errors import InvalidInput
from kubemend.model.ref import Ref

WEB = Ref("Deployment", "shop", "web", "apps")
PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
POD = Ref("Pod", "shop", "web-1")
MADE = {"kind": "Deployment", "metadata": {"name": "web", "uid": "u1"}}
SENT = {"fieldManager": "kubemend", "fieldValidation": "Strict"}


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("strategic", "application/strategic-merge-patch+json"),
        ("merge", "application/merge-patch+json"),
    ],
)
async def test_a_merging_patch_carries_uid_and_version(api: Api, writer: Writer, kind: Any, content_type: str):
    api.on(PATH, MADE, method="PATCH")
    body = {"metadata": {"labels": {"a": "b"}, "uid": "planner's"}, "spec": {"replicas": 2}}
    assert await writer.patch(WEB, body, kind=kind, uid="u1", resource_version="7") == MADE
    assert api.last.body == {
        "metadata": {"labels": {"a": "b"}, "uid": "u1", "resourceVersion": "7"},
        "spec": {"replicas": 2},
    }
    assert api.last.headers["Content-Type"] == content_type
    assert api.last.query == SENT
    assert body["metadata"]["uid"] == "planner's"


async def test_a_json_patch_sets_uid_and_version_so_that_the_server_compares_them(api: Api, writer: Writer):
    api.on(PATH, MADE, method="PATCH")
    await writer.patch(WEB, [{"op": "remove", "path": "/spec/paused"}], kind="json", uid="u1", resource_version="7")
    assert api.last.body == [
        {"op": "replace", "path": "/metadata/uid", "value": "u1"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": "/spec/paused"},
    ]
    assert api.last.headers["Content-Type"] == "application/json-patch+json"


async def test_an_apply_names_the_object_and_takes_nothing_by_force(api: Api, writer: Writer):
    api.on("/apis/apps/v1beta9/namespaces/shop/deployments/web", MADE, method="PATCH")
    body = {"apiVersion": "apps/v1beta9", "kind": "Deployment", "spec": {}}
    await writer.patch(WEB, body, kind="apply", uid="u1", resource_version="7")
    assert api.last.body["metadata"] == {"name": "web", "uid": "u1", "resourceVersion": "7"}
    assert api.last.headers["Content-Type"] == "application/apply-patch+yaml"
    assert "force" not in api.last.query


async def test_a_dry_run_is_one_for_every_write(api: Api, writer: Writer):
    api.on(PATH, MADE, method="PATCH")
    api.on(f"{PATH}/scale", MADE, method="PATCH")
    api.on("/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "c", "uid": "u2"}}, method="POST")
    await writer.patch(WEB, {}, uid="u1", resource_version="7", dry_run=True)
    await writer.scale(WEB, 3, uid="u1", resource_version="7", dry_run=True)
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
    await writer.create(manifest, dry_run=True)
    assert [a.query.get("dryRun") for a in api.asked] == ["All"] * 3
    api.on(PATH, {}, method="DELETE")
    api.on("/api/v1/namespaces/shop/pods/web-1/eviction", {}, method="POST")
    await writer.delete(WEB, uid="u1", dry_run=True)
    assert api.last.body["dryRun"] == ["All"]
    await writer.evict(POD, uid="u1", dry_run=True)
    assert api.last.body["deleteOptions"]["dryRun"] == ["All"]
    assert api.last.query["dryRun"] == "All"


async def test_scale_patches_the_scale_subresource(api: Api, writer: Writer):
    api.on(f"{PATH}/scale", MADE | {"kind": "Scale"}, method="PATCH")
    await writer.scale(WEB, 3, uid="u1", resource_version="7")
    assert api.last.body == {"spec": {"replicas": 3}, "metadata": {"uid": "u1", "resourceVersion": "7"}}
    assert api.last.headers["Content-Type"] == "application/merge-patch+json"


async def test_delete_means_one_object_in_one_version(api: Api, writer: Writer):
    api.on(PATH, {}, method="DELETE")
    await writer.delete(WEB, uid="u1", resource_version="7", grace=0, propagation="Foreground")
    assert api.last.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u1", "resourceVersion": "7"},
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
    }
    await writer.delete(WEB, uid="u1")
    assert api.last.body["preconditions"] == {"uid": "u1"}
    assert "gracePeriodSeconds" not in api.last.body


async def test_evict_asks_for_an_eviction_of_this_very_pod(api: Api, writer: Writer):
    api.on("/api/v1/namespaces/shop/pods/web-1/eviction", says({"status": "Success"}, 201), method="POST")
    await writer.evict(POD, uid="u1", resource_version="7")
    assert api.last.body == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "deleteOptions": {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": "u1", "resourceVersion": "7"},
        },
    }


async def test_an_eviction_that_a_budget_forbids_is_not_tried_again(api: Api, writer: Writer):
    path = "/api/v1/namespaces/shop/pods/web-1/eviction"
    causes = [{"reason": "DisruptionBudget", "message": "needs 2 healthy pods"}]
    forbidden = fails(429, "TooManyRequests", "Cannot evict pod", causes=causes, headers={"Retry_After": "0"})
    api.on(path, forbidden, method="POST")
    with pytest.raises(errors.TooManyRequests) as caught:
        await writer.evict(POD, uid="u1")
    assert caught.value.causes[0].reason == "DisruptionBudget"
    assert api.times(path) == 1


async def test_create_goes_to_the_collection_in_the_manifests_version(api: Api, writer: Writer):
    api.on("/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers", says({"ok": 1}, 201), method="POST")
    manifest = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"generateName": "web-", "namespace": "shop"},
    }
    assert await writer.create(manifest) == {"ok": 1}
    assert api.last.body == manifest
    assert api.last.query == SENT


@pytest.mark.parametrize(
    "manifest",
    [
        {"kind": "Pod"},
        {"apiVersion": "v1"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "namespace": "shop"}},
    ],
)
async def test_a_manifest_that_has_no_place_is_not_sent(api: Api, writer: Writer, manifest: dict[str, Any]):
    with pytest.raises(InvalidInput):
        await writer.create(manifest)
    assert api.asked == []


async def test_a_write_without_a_uid_or_a_patch_without_a_version_is_not_sent(api: Api, writer: Writer):
    for write in (
        writer.patch(WEB, {}, uid="", resource_version="7"),
        writer.patch(WEB, {}, uid="u1", resource_version=""),
        writer.scale(WEB, 1, uid="", resource_version="7"),
        writer.delete(WEB, uid=""),
        writer.evict(POD, uid=""),
    ):
        with pytest.raises(InvalidInput):
            await write
    assert api.asked == []


async def test_a_patch_of_an_object_that_was_replaced_is_a_conflict(api: Api, writer: Writer):
    """Kubernetes 1.34 answers 422 with this cause when a patch names another uid."""
    causes = [{"reason": "FieldValueInvalid", "message": "field is immutable", "field": "metadata.uid"}]
    api.on(PATH, fails(422, "Invalid", "is invalid", name="web", causes=causes), method="PATCH")
    with pytest.raises(errors.Conflict, match="another has its name"):
        await writer.patch(WEB, {}, uid="u1", resource_version="7")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (fails(409, "Conflict", "has been modified", name="web"), errors.Conflict),
        (fails(422, "Invalid", "no such field", name="web"), errors.Invalid),
        (fails(404, "NotFound", name="web"), errors.NotFound),
        (fails(403, "Forbidden"), errors.Forbidden),
        (cut, errors.OutcomeUnknown),
        (text("<html>"), errors.OutcomeUnknown),
        (fails(500, "InternalError", "etcdserver: request timed out"), errors.OutcomeUnknown),
    ],
)
async def test_a_refused_write_says_how(api: Api, writer: Writer, answer: Any, wanted: type[errors.ClusterError]):
    api.on(PATH, answer, method="PATCH")
    with pytest.raises(wanted):
        await writer.patch(WEB, {}, uid="u1", resource_version="7")
    assert api.times(PATH) == 1


@pytest.mark.parametrize("uid", ["another", ""])
async def test_an_answer_that_is_not_the_written_object_leaves_the_outcome_unknown(api: Api, writer: Writer, uid: str):
    api.on(PATH, {"metadata": {"name": "web", "uid": uid}}, method="PATCH")
    with pytest.raises(errors.OutcomeUnknown):
        await writer.patch(WEB, {}, uid="u1", resource_version="7")


async def test_an_unreadable_answer_to_a_dry_run_is_only_garbled(api: Api, writer: Writer):
    api.on(PATH, text("<html>"), method="PATCH")
    with pytest.raises(errors.Garbled):
        await writer.patch(WEB, {}, uid="u1", resource_version="7", dry_run=True)


@pytest.mark.parametrize("name", ["../x", "a/b", ""])
async def test_a_name_can_not_lead_to_another_object_nor_an_empty_one_to_all(api: Api, writer: Writer, name: str):
    for write in (
        writer.delete(Ref("Pod", "shop", name), uid="u1"),
        writer.delete(Ref("Pod", name, "web"), uid="u1"),
        writer.patch(Ref("Pod", "shop", name), {}, uid="u1", resource_version="7"),
        writer.evict(Ref("Pod", "shop", name), uid="u1"),
    ):
        with pytest.raises(InvalidInput):
            await write
    assert api.asked == []
