"""The four kinds of patch, preconditions among them, and the subresource scale."""

from __future__ import annotations

from typing import Any

import pytest
from lab_api_client import APPLY, APPS, CORE, JSON_PATCH, MERGE, STRATEGIC, Client, Object, config, pod, workload

WEB = f"{APPS}/deployments/web"


@pytest.fixture
async def web(api: Client) -> Object:
    return await api.made(f"{APPS}/deployments", workload())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON_PATCH, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "new:2"}]),
        (MERGE, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "new:2"}]}}}}),
        (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "new:2"}]}}}}),
    ],
)
async def test_an_image_can_be_changed_by_any_kind_of_patch(api: Client, web: Object, kind: str, body: Any) -> None:
    answer = await api.patch(WEB, body, kind)
    assert answer.body["spec"]["template"]["spec"]["containers"][0]["image"] == "new:2"
    assert answer.body["metadata"]["generation"] == web["metadata"]["generation"] + 1


async def test_a_strategic_patch_keeps_what_it_doesnt_name(api: Client, web: Object) -> None:
    added = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    await api.patch(WEB, added, STRATEGIC)
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "main", "$patch": "delete"}]}}}}
    answer = await api.patch(WEB, gone, STRATEGIC)
    assert [c["name"] for c in answer.body["spec"]["template"]["spec"]["containers"]] == ["side"]


@pytest.mark.parametrize(
    ("kind", "body", "code", "message"),
    [
        (JSON_PATCH, {"a": 1}, 400, "cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        (JSON_PATCH, [{"op": "remove", "path": "/spec/x"}], 422, "the server rejected our request due to an error"),
        (JSON_PATCH, [{"op": "test", "path": "/metadata/name", "value": "x"}], 422, "the server rejected our request"),
        (MERGE, [1], 400, "cannot unmarshal array into Go value of type map[string]interface {}"),
        (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}, 500, "merge key"),
        (MERGE, {"spec": {"replicas": "a"}}, 422, "cannot unmarshal string into Go struct field DeploymentSpec"),
        (MERGE, {"kind": "Pod"}, 422, 'no kind "Pod" is registered for version "apps/v1"'),
        (MERGE, {"metadata": {"name": "other"}}, 400, "the name of the object (other) does not match"),
        ("application/json", {}, 415, "415: Unsupported Media Type"),
    ],
)
@pytest.mark.usefixtures("web")
async def test_a_patch_that_cant_be_applied_is_refused(
    api: Client, kind: str, body: Any, code: int, message: str
) -> None:
    before = (await api.get(WEB)).body
    answer = await api.patch(WEB, body, kind)
    assert answer.code == code
    assert message in answer.body["message"]
    assert (await api.get(WEB)).body == before


async def test_a_strict_patch_is_refused_for_an_unknown_field(api: Client, web: Object) -> None:
    answer = await api.patch(f"{WEB}?fieldValidation=Strict", {"spec": {"replica": 3}})
    assert answer.code == 422
    assert answer.body["message"].endswith('strict decoding error: unknown field "spec.replica"')


async def test_a_version_in_a_patch_is_a_precondition(api: Client, web: Object) -> None:
    version = web["metadata"]["resourceVersion"]
    assert (await api.patch(WEB, {"metadata": {"resourceVersion": version}, "spec": {"replicas": 2}})).code == 200
    stale = await api.patch(WEB, {"metadata": {"resourceVersion": version}, "spec": {"replicas": 3}})
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")


async def test_another_uid_in_a_patch_is_a_change_that_cant_be(api: Client, web: Object) -> None:
    """Unlike in a delete or a PUT, where it is a conflict: so says the real server."""
    answer = await api.patch(WEB, {"metadata": {"uid": "another"}})
    assert answer.code == 422
    assert 'metadata.uid: Invalid value: "another": field is immutable' in answer.body["message"]


async def test_scale_shows_and_sets_replicas(api: Client, web: Object) -> None:
    shown = (await api.get(f"{WEB}/scale")).body
    assert (shown["kind"], shown["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (shown["spec"], shown["status"]) == ({"replicas": 1}, {"replicas": 0, "selector": "app=web"})
    put = await api.put(f"{WEB}/scale", {**shown, "spec": {"replicas": 2}})
    assert put.body["spec"] == {"replicas": 2}
    assert (await api.patch(f"{WEB}/scale", {"spec": {"replicas": 5}})).body["spec"] == {"replicas": 5}
    assert (await api.get(WEB)).body["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"spec": {"replicas": -3}}, 422, "spec.replicas: Invalid value: -3: must be greater than or equal to 0"),
        ({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 3}}, 409, "the object has been modified"),
        ({"metadata": {"uid": "x"}, "spec": {"replicas": 3}}, 409, 'on deployments/scale.apps "web": Precondition'),
    ],
)
async def test_scale_refuses_what_cant_be(api: Client, web: Object, body: Object, code: int, message: str) -> None:
    answer = await api.patch(f"{WEB}/scale", body)
    assert answer.code == code
    assert message in answer.body["message"]


async def test_a_stateful_set_scales_by_its_selector(api: Client) -> None:
    terms = [{"key": "app", "operator": "In", "values": ["web"]}, {"key": "old", "operator": "DoesNotExist"}]
    body = workload()
    body["spec"]["selector"] = {"matchExpressions": terms}
    await api.made(f"{APPS}/statefulsets", body)
    assert (await api.get(f"{APPS}/statefulsets/web/scale")).body["status"]["selector"] == "app=web,!old"


async def test_a_pod_changes_its_image_and_little_else(api: Client) -> None:
    await api.made(f"{CORE}/pods", pod())
    image = await api.patch(f"{CORE}/pods/web", {"spec": {"containers": [{"name": "main", "image": "new"}]}}, STRATEGIC)
    assert image.code == 200
    account = await api.patch(f"{CORE}/pods/web", {"spec": {"serviceAccountName": "other"}})
    assert account.code == 422
    assert "spec: Forbidden: pod updates may not change fields other than" in account.body["message"]
    limits = {"spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "1Gi"}}}]}}
    assert (await api.patch(f"{CORE}/pods/web", limits, STRATEGIC)).code == 422
    resized = await api.patch(f"{CORE}/pods/web/resize", limits, STRATEGIC)
    assert resized.body["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def manifest(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", **config(**data)}


async def _apply(api: Client, manager: str, *, force: bool = False, **data: str) -> Any:
    query = f"fieldManager={manager}{'&force=true' if force else ''}"
    return await api.patch(f"{CORE}/configmaps/settings?{query}", manifest(**data), APPLY)


async def test_apply_makes_changes_and_takes_back(api: Client) -> None:
    made = await _apply(api, "one", a="1", b="2")
    assert (made.code, made.body["data"]) == (201, {"a": "1", "b": "2"})
    changed = await _apply(api, "one", a="1", c="3")
    assert (changed.code, changed.body["data"]) == (200, {"a": "1", "c": "3"})
    (entry,) = changed.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}, "f:c": {}}}


async def test_apply_doesnt_take_what_is_anothers(api: Client) -> None:
    await _apply(api, "one", a="1", b="2")
    refused = await _apply(api, "two", a="x", b="2")
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    assert refused.body["details"] == {"causes": [cause]}
    forced = await _apply(api, "two", force=True, a="x")
    assert forced.body["data"] == {"a": "x", "b": "2"}
    owners = {e["manager"]: e["fieldsV1"] for e in forced.body["metadata"]["managedFields"]}
    assert owners == {"one": {"f:data": {"f:b": {}}}, "two": {"f:data": {"f:a": {}}}}


async def test_apply_sees_what_was_set_otherwise(api: Client) -> None:
    await _apply(api, "one", a="1")
    edited = await api.patch(f"{CORE}/configmaps/settings?fieldManager=editor", {"data": {"a": "2", "d": "4"}})
    assert {e["manager"]: e["operation"] for e in edited.body["metadata"]["managedFields"]} == {"editor": "Update"}
    refused = await _apply(api, "one", a="1")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a'


async def test_apply_names_elements_of_keyed_lists(api: Client) -> None:
    first = {"apiVersion": "apps/v1", "kind": "Deployment", **workload()}
    await api.patch(f"{WEB}?fieldManager=one", first, APPLY)
    other = {"apiVersion": "apps/v1", "kind": "Deployment", **workload()}
    other["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": "other"}]}
    refused = await api.patch(f"{WEB}?fieldManager=two", other, APPLY)
    assert refused.body["message"].endswith('"one": .spec.template.spec.containers[name="main"].image')
    other["spec"]["template"]["spec"] = {"containers": [{"name": "side", "image": "side"}]}
    both = await api.patch(f"{WEB}?fieldManager=two", other, APPLY)
    assert sorted(c["name"] for c in both.body["spec"]["template"]["spec"]["containers"]) == ["main", "side"]


@pytest.mark.parametrize(
    ("query", "change", "code", "message"),
    [
        ("", {}, 422, "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=a", {"kind": ""}, 400, "invalid object type: /, Kind="),
        ("fieldManager=a", {"metadata": {"managedFields": []}}, 400, "metadata.managedFields must be nil"),
        ("fieldManager=a", {"spec": {}}, 500, ".spec: field not declared in schema"),
        ("fieldManager=a", {"metadata": {"uid": "x"}}, 409, "uid mismatch: the provided object specified uid x"),
    ],
)
async def test_apply_refuses_what_cant_be(api: Client, query: str, change: Object, code: int, message: str) -> None:
    answer = await api.patch(f"{CORE}/configmaps/settings?{query}", {**manifest(), **change}, APPLY)
    assert answer.code == code
    assert message in answer.body["message"]


async def test_force_is_for_apply_alone(api: Client, web: Object) -> None:
    answer = await api.patch(f"{WEB}?force=true", {})
    assert answer.body["message"].endswith("force: Forbidden: may not be specified for non-apply patch")


async def test_apply_takes_yaml_and_leaves_dates_text(api: Client) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {day: '2026-11-21'}\n"
    answer = await api.patch(f"{CORE}/configmaps/settings?fieldManager=one", body, APPLY)
    assert answer.body["data"] == {"day": "2026-11-21"}


async def test_an_annotation_makes_a_deployment_a_new_generation_but_by_way_of_its_status_none(
    api: Client, web: Object
) -> None:
    assert (await api.patch(WEB, {"metadata": {"labels": {"a": "b"}}})).body["metadata"]["generation"] == 1
    assert (await api.patch(WEB, {"metadata": {"annotations": {"a": "b"}}})).body["metadata"]["generation"] == 2
    told = (await api.patch(f"{WEB}/status", {"metadata": {"annotations": {"c": "d"}}})).body["metadata"]
    assert (told["generation"], told["annotations"]) == (2, {"a": "b", "c": "d"})


async def test_a_scale_is_noted_as_set_by_way_of_the_scale(api: Client, web: Object) -> None:
    await api.patch(f"{WEB}/scale?fieldManager=me", {"spec": {"replicas": 3}})
    entries = (await api.get(WEB)).body["metadata"]["managedFields"]
    mine = next(e for e in entries if e["manager"] == "me")
    assert (mine["subresource"], mine["fieldsV1"]) == ("scale", {"f:spec": {"f:replicas": {}}})
    assert all("f:replicas" not in e["fieldsV1"]["f:spec"] for e in entries if e is not mine)
