"""Reads around repairs: waiting, following, revisions, room, who uses what, and alerts with their evidence."""

from __future__ import annotations

import asyncio
from typing import Any

from tools_world import Everything

from kubemend.model.answer import Answer

POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late", "namespace": "shop"},
    "spec": {"containers": [{"name": "redis", "image": "redis:7"}]},
}  # fmt: skip


async def asked(everything: Everything, tool: str, **arguments: Any) -> Answer:
    answer = await everything.gateway.call(tool, arguments, actor="test")
    assert answer.ok, answer.error
    return answer


async def test_a_pod_that_is_not_there_yet_is_waited_for(everything: Everything) -> None:
    waiting = asyncio.create_task(
        asked(everything, "wait_for_pod_ready", pod_name="late", namespace="shop", timeout=20)
    )
    await everything.recorder.until("watch", "pods")
    await everything.lab.create(POD)
    answer = await waiting
    assert (answer.data["success"], answer.data["status"]) == (True, "ready")


async def test_a_pod_that_has_ended_is_not_waited_for(everything: Everything) -> None:
    answer = await asked(everything, "wait_for_pod_ready", pod_name="failed", namespace="shop", timeout=20)
    assert (answer.data["success"], answer.data["status"]) == (False, "Failed")
    assert answer.data["waiting_for"] == ["failed: ended with exit code 4"]


async def test_a_pod_that_never_comes_is_called_missing(everything: Everything) -> None:
    answer = await asked(everything, "wait_for_pod_ready", pod_name="nobody", namespace="shop", timeout=1)
    assert (answer.data["success"], answer.data["status"]) == (False, "missing")


async def test_what_keeps_a_workload_from_its_end_is_told(everything: Everything) -> None:
    answer = await asked(
        everything, "monitor_scaling_progress", resource_type="deployment", resource_name="homeless",
        namespace="shop", timeout=1,
    )  # fmt: skip
    assert (answer.data["status"], answer.data["success"]) == ("timeout", False)
    (why,) = next(iter(answer.data["blockers"].values()))
    assert why.startswith("Unschedulable: 0/3 nodes are available")


async def test_pods_that_a_quota_forbids_are_stuck_at_once(everything: Everything) -> None:
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "shop"},
        "spec": {"hard": {"pods": "1"}},
    }  # fmt: skip
    await everything.lab.create(quota)
    send = everything.gateway._reader._transport.send
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    await send("PATCH", path, {"spec": {"replicas": 9}}, content_type="application/merge-patch+json", changes=True)
    answer = await asked(
        everything, "monitor_scaling_progress", resource_type="deployment", resource_name="web", namespace="shop"
    )
    assert answer.data["status"] == "stuck", answer.data
    assert "exceeded quota" in answer.data["why"]


async def test_the_history_says_which_revision_is_in_use_and_which_one_was_stable(everything: Everything) -> None:
    data = (await asked(everything, "get_deployment_revision_history", deployment_name="api", namespace="shop")).data
    assert (data["current_revision"], data["total_revisions"], data["last_stable_revision"]) == (2, 2, 1)
    assert [(r["revision"], r["is_current"], r["health"]) for r in data["revisions"]] == [
        (2, True, "available"), (1, False, "unknown"),
    ]  # fmt: skip
    assert data["last_stable_proven"] is False


async def test_two_revisions_differ_in_what_was_changed_and_no_secret_is_told(everything: Everything) -> None:
    answer = await asked(
        everything, "compare_deployment_revisions", deployment_name="api", namespace="shop", revision1=1, revision2=2
    )
    (found,) = answer.data["differences"]
    assert (found["field"], found["revision1_value"], found["revision2_value"]) == (
        "image", "registry.lab/web:1.1", "registry.lab/web:1.2",
    )  # fmt: skip
    assert "canary" not in str(answer.data)


async def test_a_revision_that_is_not_kept_is_an_error_that_names_those_that_are(everything: Everything) -> None:
    arguments = {"deployment_name": "api", "namespace": "shop", "revision1": 1, "revision2": 9}
    answer = await everything.gateway.call("compare_deployment_revisions", arguments, actor="test")
    assert answer.error is not None
    assert answer.error.code == "no-such-revision"
    assert "kept are: 2, 1" in answer.error.hint


async def test_room_is_reckoned_node_by_node_and_a_closed_node_takes_nothing(everything: Everything) -> None:
    """Three nodes of 4 cores, one of them closed; each pod asks 3 cores, so two fit."""
    answer = await asked(
        everything, "check_scaling_capacity", namespace="shop", replicas=3, resource_requirements={"cpu": "3"}
    )
    assert (answer.data["can_scale"], answer.data["fits_on_nodes"], answer.data["max_replicas"]) == (False, 2, 2)
    assert {n["node_name"]: n["would_take"] for n in answer.data["node_capacity"]} == {
        "lab-1": 1, "lab-2": 1, "lab-3": 0,
    }  # fmt: skip
    assert answer.data["refusals"]["unschedulable"] == 1


async def test_a_quota_bounds_what_the_nodes_would_take(everything: Everything) -> None:
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "shop"},
        "spec": {"hard": {"requests.cpu": "1"}},
    }  # fmt: skip
    await everything.lab.create(quota)
    async with asyncio.timeout(10):
        while True:
            answer = await asked(
                everything, "check_scaling_capacity", namespace="shop", replicas=2,
                resource_requirements={"cpu": "500m"},
            )  # fmt: skip
            if answer.data["quotas"]:
                break
    assert (answer.data["can_scale"], answer.data["quota_allows"]) == (False, 1)


async def test_a_workload_that_fits_nowhere_has_its_reason(everything: Everything) -> None:
    answer = await asked(everything, "check_scaling_capacity", namespace="shop", replicas=1, workload="homeless")
    assert answer.data["max_replicas"] == 0
    assert answer.data["refusals"]["node-selector"] == 3


async def test_a_workload_is_found_by_a_part_of_its_name_and_a_slip_is_told(everything: Everything) -> None:
    found = (await asked(everything, "search_workload_across_namespaces", workload_name="sto")).data
    assert (found["unique"], found["locations"][0]["kind"], found["locations"][0]["name"]) == (
        True, "StatefulSet", "store",
    )  # fmt: skip
    slip = (await asked(everything, "search_workload_across_namespaces", workload_name="stroe")).data
    assert (slip["found"], slip["near"]) == (False, "store")


async def test_users_of_a_config_map_are_found_and_who_needs_a_restart(everything: Everything) -> None:
    data = (await asked(everything, "find_configmap_consumers", configmap_name="web", namespace="shop")).data
    assert {c["controller"] for c in data["consumers"]} == {"Deployment/web", ""}
    (affected,) = data["affected_controllers"]
    assert (affected["name"], affected["pods"], affected["needs_restart"]) == ("web", 2, True)
    gone = (await asked(everything, "find_configmap_consumers", configmap_name="nobody", namespace="shop")).data
    assert (gone["configmap_exists"], gone["total_consumers"]) == (False, 0)


async def test_an_alert_without_a_namespace_is_resolved_only_when_one_place_fits(everything: Everything) -> None:
    alert = {"labels": {"alertname": "x", "deployment": "web"}}
    one = (await asked(everything, "resolve_k8s_target_from_alert", normalized_alert=alert)).data
    assert (one["resolved"], one["namespace"]) == (True, "shop")
    send = everything.gateway._reader._transport.send
    twin = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "redis:7"}]}}},
    }  # fmt: skip
    await send("POST", "/apis/apps/v1/namespaces/default/deployments", twin, changes=True)
    two = (await asked(everything, "resolve_k8s_target_from_alert", normalized_alert=alert)).data
    assert (two["resolved"], two["namespace_candidates"]) == (False, ["default", "shop"])


async def test_of_a_pod_that_is_gone_its_workload_is_taken(everything: Everything) -> None:
    alert = {"labels": {"alertname": "x", "namespace": "shop", "pod": "web-5d4f8c7b9d-abcde"}}
    found = (await asked(everything, "resolve_k8s_target_from_alert", normalized_alert=alert)).data
    assert (found["resolved"], found["resource_type"], found["resource_name"]) == (True, "deployment", "web")
    assert "gone" in found["reason"]


async def test_the_evidence_about_a_pod_is_whole_and_what_is_missing_is_named(everything: Everything) -> None:
    target = {"resource_type": "pod", "resource_name": "crasher", "namespace": "shop"}
    context = await asked(everything, "collect_k8s_context_by_target_type", target=target)
    data = context.data
    assert "no such database" in data["pod_logs"]["previous"]
    assert any(e["reason"] == "BackOff" for e in data["events_timeline"])
    assert data["missing_data"] == []
    package = await asked(
        everything, "build_incident_evidence_package", alert={"title": "x"}, target={**target, "resolved": True},
        resource_snapshot=data["resource_snapshot"], events_timeline=data["events_timeline"],
        errors={"node_context": "forbidden"},
    )  # fmt: skip
    blocks = {k: v["status"] for k, v in package.data["blocks"].items()}
    assert blocks == {
        "resource_snapshot": "success", "events_timeline": "success", "pod_logs": "skipped",
        "node_context": "failed", "service_topology": "skipped", "change_context": "skipped",
    }  # fmt: skip
    assert package.data["ready_for_analysis"] is True


async def test_a_package_without_a_target_or_events_is_not_ready(everything: Everything) -> None:
    package = await asked(everything, "build_incident_evidence_package", alert={}, target={"resolved": False})
    assert package.data["ready_for_analysis"] is False
    assert package.data["missing_data"] == ["target", "resource_snapshot", "events_timeline"]
