"""Making, reading and replacing objects, and the words in which that is refused."""

from __future__ import annotations

from typing import Any

import pytest
from lab_api_client import APPS, CORE, Client, Object, config, pod, workload

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def status(code: int, reason: str, message: str, **details: Any) -> Object:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return {**body, "reason": reason, "details": details, "code": code}


async def test_a_created_object_has_what_the_server_gives_it(api: Client) -> None:
    made = await api.made(f"{CORE}/configmaps", config(colour="red"))
    meta = made.pop("metadata")
    assert made == {"kind": "ConfigMap", "apiVersion": "v1", "data": {"colour": "red"}}
    assert meta.keys() >= {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}
    assert (await api.get(f"{CORE}/configmaps/settings")).body["metadata"] == meta


async def test_what_isnt_there_is_not_found(api: Client) -> None:
    answer = await api.get(f"{APPS}/deployments/none")
    message = 'deployments.apps "none" not found'
    assert answer.body == status(404, "NotFound", message, name="none", group="apps", kind="deployments")


async def test_a_name_can_be_taken_once(api: Client) -> None:
    await api.made(f"{CORE}/configmaps", config())
    answer = await api.post(f"{CORE}/configmaps", config())
    message = 'configmaps "settings" already exists'
    assert answer.body == status(409, "AlreadyExists", message, name="settings", kind="configmaps")


async def test_an_object_needs_its_namespace(api: Client) -> None:
    answer = await api.post("/api/v1/namespaces/nowhere/configmaps", config())
    assert answer.body == status(404, "NotFound", 'namespaces "nowhere" not found', name="nowhere", kind="namespaces")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{bad", "the object provided is unrecognized"),
        ([1], "the object provided is unrecognized (must be of type Pod)"),
        ({"kind": "Service", "apiVersion": "v1"}, "converting (v1.Service) to (core.Pod): unknown conversion"),
        ({"kind": "Pod", "apiVersion": "v9"}, 'no kind "Pod" is registered for version "v9"'),
        ({**pod(), "metadata": {"name": "web", "namespace": "other"}}, "the namespace of the provided object does not"),
        ({"spec": {"containers": "x"}}, "cannot unmarshal string into Go struct field PodSpec.spec.containers of type"),
        (pod(resources={"limits": {"cpu": "1x"}}), "quantities must match the regular expression"),
    ],
)
async def test_what_is_no_pod_is_a_bad_request(api: Client, body: Any, message: str) -> None:
    answer = await api.post(f"{CORE}/pods", body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    assert message in answer.body["message"]


async def test_a_generated_name_begins_as_asked(api: Client) -> None:
    made = await api.made(f"{CORE}/configmaps", {"metadata": {"generateName": "settings-"}})
    assert made["metadata"]["name"].startswith("settings-")
    assert len(made["metadata"]["name"]) == len("settings-") + 5


async def test_a_put_needs_the_current_version(api: Client) -> None:
    made = await api.made(f"{CORE}/configmaps", config(colour="red"))
    changed = await api.put(f"{CORE}/configmaps/settings", {**made, "data": {"colour": "blue"}})
    assert changed.body["data"] == {"colour": "blue"}
    stale = await api.put(f"{CORE}/configmaps/settings", {**made, "data": {"colour": "green"}})
    message = f'Operation cannot be fulfilled on configmaps "settings": {MODIFIED}'
    assert stale.body == status(409, "Conflict", message, name="settings", kind="configmaps")


async def test_a_put_of_another_object_by_that_name_is_a_conflict(api: Client) -> None:
    await api.made(f"{CORE}/configmaps", config())
    other = {"metadata": {"name": "settings", "uid": "another"}}
    answer = await api.put(f"{CORE}/configmaps/settings", other)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert "Precondition failed: UID in precondition: another, UID in object meta: " in answer.body["message"]


async def test_a_write_that_changes_nothing_is_none(api: Client) -> None:
    made = await api.made(f"{APPS}/deployments", workload())
    same = await api.put(f"{APPS}/deployments/web", made)
    assert same.body == made


async def test_the_generation_counts_changes_of_the_spec_alone(api: Client) -> None:
    made = await api.made(f"{APPS}/deployments", workload())
    labelled = await api.put(
        f"{APPS}/deployments/web", {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    )
    scaled = await api.put(f"{APPS}/deployments/web", {**labelled.body, "spec": {**made["spec"], "replicas": 3}})
    assert [o["metadata"]["generation"] for o in (made, labelled.body, scaled.body)] == [1, 1, 2]


async def test_the_object_and_its_status_are_written_apart(api: Client) -> None:
    made = await api.made(f"{APPS}/deployments", {**workload(), "status": {"replicas": 9}})
    assert made["status"] == {}
    both = {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 7}}
    by_status = await api.put(f"{APPS}/deployments/web/status", both)
    assert (by_status.body["spec"]["replicas"], by_status.body["status"]) == (1, {"replicas": 7})
    fresh = {**both, "metadata": by_status.body["metadata"], "status": {"replicas": 8}}
    by_object = await api.put(f"{APPS}/deployments/web", fresh)
    assert (by_object.body["spec"]["replicas"], by_object.body["status"]) == (5, {"replicas": 7})


@pytest.mark.parametrize(
    ("validation", "code", "warning"),
    [
        ("Strict", 400, None),
        ("Warn", 201, '299 - "unknown field \\"spec.containers[0].imagee\\""'),
        ("Ignore", 201, None),
    ],
)
async def test_an_unknown_field_is_refused_warned_of_or_dropped(
    api: Client, validation: str, code: int, warning: str | None
) -> None:
    answer = await api.post(f"{CORE}/pods?fieldValidation={validation}", pod(imagee="typo"))
    assert (answer.code, answer.headers.get("Warning")) == (code, warning)
    if code == 400:
        assert answer.body["message"].endswith('strict decoding error: unknown field "spec.containers[0].imagee"')
    else:
        assert "imagee" not in answer.body["spec"]["containers"][0]


async def test_a_dry_run_does_everything_but_keep(api: Client) -> None:
    tried = await api.post(f"{CORE}/pods?dryRun=All", pod())
    assert tried.body["spec"]["serviceAccountName"] == "default"
    assert "resourceVersion" not in tried.body["metadata"]
    assert (await api.get(f"{CORE}/pods/web")).code == 404
    refused = await api.post(f"{CORE}/pods?dryRun=All", pod(spec={"serviceAccountName": "nobody"}))
    assert refused.code == 403
    made = await api.made(f"{APPS}/deployments", workload())
    scaled = await api.patch(f"{APPS}/deployments/web?dryRun=All", {"spec": {"replicas": 4}})
    assert scaled.body["spec"]["replicas"] == 4
    assert scaled.version == made["metadata"]["resourceVersion"]
    assert (await api.get(f"{APPS}/deployments/web")).body == made


async def test_only_all_is_a_dry_run(api: Client) -> None:
    answer = await api.post(f"{CORE}/pods?dryRun=Some", pod())
    assert answer.code == 422
    assert 'dryRun: Unsupported value: ["Some"]: supported values: "All"' in answer.body["message"]


async def test_quantities_are_kept_in_their_canonical_spelling(api: Client) -> None:
    limits = {"cpu": 0.5, "memory": "1.5Gi", "ephemeral-storage": "1000M"}
    made = await api.made(f"{CORE}/pods", pod(resources={"limits": limits}))
    wanted = {"cpu": "500m", "memory": "1536Mi", "ephemeral-storage": "1G"}
    assert made["spec"]["containers"][0]["resources"]["limits"] == wanted


async def test_events_are_the_same_in_both_groups(api: Client) -> None:
    about = {"kind": "Pod", "namespace": "default", "name": "web"}
    event = {"metadata": {"name": "e"}, "involvedObject": about, "reason": "Why", "message": "because", "count": 2}
    await api.made(f"{CORE}/events", event)
    new = (await api.get("/apis/events.k8s.io/v1/namespaces/default/events/e")).body
    assert (new["apiVersion"], new["regarding"], new["note"]) == ("events.k8s.io/v1", about, "because")
    later = {"metadata": {"name": "f"}, "regarding": about, "note": "again", "reason": "Why", "eventTime": None}
    await api.made("/apis/events.k8s.io/v1/namespaces/default/events", later)
    assert (await api.get(f"{CORE}/events/f")).body["message"] == "again"


async def test_every_request_for_a_change_is_noted(api: Client) -> None:
    await api.made(f"{CORE}/configmaps", config())
    await api.get(f"{CORE}/configmaps")
    await api.post(f"{CORE}/configmaps?dryRun=All", config("other"))
    await api.delete(f"{CORE}/configmaps/settings", {"dryRun": ["All"]})
    await api.delete(f"{CORE}/configmaps/none")
    await api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    noted = [(a.verb, a.resource, a.name, a.user, a.code, a.dry_run) for a in api.server.audit]
    who = "kubernetes-admin"
    assert noted == [
        ("create", "configmaps", "", who, 201, False),
        ("create", "configmaps", "", who, 201, True),
        ("delete", "configmaps", "settings", who, 200, True),
        ("delete", "configmaps", "none", who, 404, False),
    ]


async def test_paths_that_lead_nowhere(api: Client) -> None:
    assert (await api.get("/api/v1/foos")).body["message"] == "the server could not find the requested resource"
    assert (await api.get("/apis/no.such.group/v1")).body == "404 page not found\n"
    assert (await api.get(f"{APPS}/deployments/web/foo")).code == 404
    assert (await api.post(f"{CORE}/configmaps/settings", config())).code == 405
    assert (await api.post(f"{CORE}/pods", b"a", kind="text/plain")).code == 415
