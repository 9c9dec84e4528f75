"""Deleting: at once, with grace, with finalizers, many at a time."""

from __future__ import annotations

import pytest
from lab_api_client import APPS, CORE, Client, Object, config, pod, workload

WEB = f"{CORE}/pods/web"


async def _placed(api: Client, **spec: object) -> Object:
    made = await api.made(f"{CORE}/pods", pod(spec=dict(spec)))
    await api.post(f"{WEB}/binding", {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}})
    return made


async def test_an_object_is_gone_at_once(api: Client) -> None:
    made = await api.made(f"{APPS}/deployments", workload())
    answer = await api.delete(f"{APPS}/deployments/web")
    details = {"name": "web", "group": "apps", "kind": "deployments", "uid": made["metadata"]["uid"]}
    assert (answer.body["status"], answer.body["details"]) == ("Success", details)
    assert (await api.get(f"{APPS}/deployments/web")).code == 404


async def test_a_pod_on_no_node_is_gone_at_once(api: Client) -> None:
    await api.made(f"{CORE}/pods", pod())
    answer = await api.delete(WEB)
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert (await api.get(WEB)).code == 404


async def test_a_pod_on_a_node_is_given_its_grace(api: Client) -> None:
    await _placed(api, terminationGracePeriodSeconds=7)
    answer = await api.delete(WEB)
    meta = answer.body["metadata"]
    assert (meta["deletionGracePeriodSeconds"], meta["generation"]) == (7, 2)
    assert (await api.delete(WEB)).body == answer.body
    hurried = await api.delete(f"{WEB}?gracePeriodSeconds=3")
    assert hurried.body["metadata"]["deletionGracePeriodSeconds"] == 3
    assert (await api.delete(f"{WEB}?gracePeriodSeconds=20")).body == hurried.body
    await api.delete(WEB, {"gracePeriodSeconds": 0})
    assert (await api.get(WEB)).code == 404


async def test_a_pod_that_has_ended_needs_no_grace(api: Client) -> None:
    await _placed(api)
    await api.patch(f"{WEB}/status", {"status": {"phase": "Succeeded"}})
    await api.delete(WEB)
    assert (await api.get(WEB)).code == 404


@pytest.mark.parametrize(
    ("preconditions", "message"),
    [
        ({"uid": "x"}, "the UID in the precondition (x) does not match the UID in record ("),
        ({"resourceVersion": "1"}, "the ResourceVersion in the precondition (1) does not match the ResourceVersion"),
    ],
)
async def test_a_precondition_that_doesnt_hold_is_a_conflict(
    api: Client, preconditions: dict[str, str], message: str
) -> None:
    await api.made(f"{APPS}/deployments", workload())
    answer = await api.delete(f"{APPS}/deployments/web", {"preconditions": preconditions})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"].startswith('Operation cannot be fulfilled on Deployment.apps "web": ' + message)
    assert (await api.get(f"{APPS}/deployments/web")).code == 200


async def test_a_finalizer_holds_an_object_until_it_is_taken_off(api: Client) -> None:
    held = {"metadata": {"name": "settings", "finalizers": ["lab.kubemend.dev/hold"]}}
    await api.made(f"{CORE}/configmaps", held)
    left = await api.delete(f"{CORE}/configmaps/settings")
    assert left.body["metadata"]["deletionTimestamp"]
    more = await api.patch(f"{CORE}/configmaps/settings", {"metadata": {"finalizers": ["a.b/c", "x.y/z"]}})
    assert (more.code, more.body["details"]["causes"][0]["field"]) == (422, "metadata.finalizers")
    await api.patch(f"{CORE}/configmaps/settings", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{CORE}/configmaps/settings")).code == 404


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_what_becomes_of_dependents_is_left_to_the_garbage_collector(
    api: Client, policy: str, finalizer: str
) -> None:
    await api.made(f"{APPS}/deployments", workload())
    answer = await api.delete(f"{APPS}/deployments/web?propagationPolicy={policy}")
    assert answer.body["metadata"]["finalizers"] == [finalizer]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"propagationPolicy": "x"}, 'propagationPolicy: Unsupported value: "x": supported values: "Foreground"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "orphanDependents and deletionPropagation cannot"),
    ],
)
async def test_options_that_cant_be_are_refused(api: Client, options: Object, message: str) -> None:
    await api.made(f"{CORE}/configmaps", config())
    answer = await api.delete(f"{CORE}/configmaps/settings", options)
    assert answer.code == 422
    assert message in answer.body["message"]


async def test_a_collection_is_deleted_by_selector(api: Client) -> None:
    for name, app in (("a", "web"), ("b", "db"), ("c", "web")):
        await api.made(f"{CORE}/pods", pod(name, labels={"app": app}))
    tried = await api.delete(f"{CORE}/pods?labelSelector=app%3Dweb&dryRun=All")
    assert tried.names == ["a", "c"]
    assert (await api.delete(f"{CORE}/pods?labelSelector=app%3Dweb")).names == ["a", "c"]
    assert (await api.get(f"{CORE}/pods")).names == ["b"]
    assert (await api.delete("/api/v1/namespaces")).code == 405


async def test_a_namespace_ends_when_it_is_finalized(api: Client) -> None:
    await api.made("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await api.made("/api/v1/namespaces/shop/configmaps", config())
    ending = await api.delete("/api/v1/namespaces/shop")
    assert ending.body["status"] == {"phase": "Terminating"}
    refused = await api.post("/api/v1/namespaces/shop/configmaps", config("late"))
    assert refused.code == 403
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await api.put("/api/v1/namespaces/shop/finalize", {"metadata": {"name": "shop"}, "spec": {}})
    assert (await api.get("/api/v1/namespaces/shop")).code == 404


async def test_the_clusters_own_namespaces_stay(api: Client) -> None:
    answer = await api.delete("/api/v1/namespaces/kube-system")
    assert answer.body["message"] == 'namespaces "kube-system" is forbidden: this namespace may not be deleted'
