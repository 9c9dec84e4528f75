"""Writing tools from the call to the proven end and back: without a yes nothing is written, with one it is proven."""

from __future__ import annotations

from typing import Any

import pytest
from tools_world import Everything

from kubemend.model.answer import Answer
from kubemend.model.repair import Repair
from kubemend.tools.remediation import makers

Arguments = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


async def yes(_repair: Repair, _card: dict[str, Any]) -> bool:
    return True


async def no(_repair: Repair, _card: dict[str, Any]) -> bool:
    return False


async def raw(everything: Everything, kind: str, name: str, namespace: str = "shop") -> dict[str, Any] | None:
    from kubemend.cluster.errors import NotFound
    from kubemend.model.ref import Ref

    resource = await everything.gateway._reader.resource(kind)
    try:
        return await everything.gateway._reader.get(
            Ref(resource.kind, namespace if resource.namespaced else "", name, resource.group)
        )
    except NotFound:
        return None


async def said(everything: Everything, tool: str, arguments: Arguments, ask: Any = yes) -> Answer:
    return await everything.gateway.call(tool, arguments, actor="ann", ask=ask)


async def undone(everything: Everything, answer: Answer) -> Answer:
    return await said(everything, "undo_repair", {"repair_id": answer.data["id"]})


WRITES = [
    ("restart_pod", {"pod_name": "store-0", "namespace": "shop"}),
    ("delete_kubernetes_resource", {"resource_type": "configmap", "resource_name": "web", "namespace": "shop"}),
    ("rollback_deployment", {"deployment_name": "api", "namespace": "shop"}),
    ("set_image", {"resource_name": "web", "namespace": "shop", "image": "registry.lab/web:1.1"}),
    ("set_resources", {"resource_name": "web", "namespace": "shop", "limits": {"memory": "192Mi"}}),
    ("patch_resource", {"resource_type": "svc", "resource_name": "web", "namespace": "shop",
                        "patch": {"metadata": {"labels": {"tier": "front"}}}}),
    ("cordon_node", {"node_name": "lab-1"}),
    ("uncordon_node", {"node_name": "lab-3"}),
    ("drain_node", {"node_name": "lab-1", "force": True}),
    ("batch_restart_pods", {"namespace": "shop", "label_selector": "app=web"}),
    ("cleanup_failed_pods", {"namespace": "shop"}),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments"), WRITES, ids=[t for t, _ in WRITES])
async def test_without_a_yes_it_answers_with_the_plan_and_writes_nothing(
    tool: str, arguments: Arguments, everything: Everything
) -> None:
    answer = await said(everything, tool, arguments, ask=None)
    assert answer.error is not None
    assert answer.error.code == "approval-required"
    assert answer.data["plan"]["changes"]
    assert answer.data["approve"].startswith(f"kubemend approvals approve {answer.data['repair']}")
    assert answer.data["success"] is False
    refused = await said(everything, tool, arguments, ask=no)
    assert refused.error is not None
    assert refused.error.code == "rejected"
    assert everything.written() == []


async def test_a_pod_is_restarted_and_its_replacement_is_told(everything: Everything) -> None:
    before = await raw(everything, "pod", "store-0")
    answer = await said(everything, "restart_pod", {"pod_name": "store-0", "namespace": "shop"})
    after = await raw(everything, "pod", "store-0")
    assert answer.ok, answer.error
    assert before is not None
    assert after is not None
    assert answer.data["old_pod_uid"] == before["metadata"]["uid"] != after["metadata"]["uid"]
    assert (answer.data["new_pod_uid"], answer.data["new_pod_status"]) == (after["metadata"]["uid"], "ready")
    assert everything.written() == ["create pods/eviction store-0"]


async def test_the_replacement_of_a_replica_sets_pod_has_another_name(everything: Everything) -> None:
    answer = await said(everything, "restart_pod", {"pod_name": "lone", "namespace": "shop"})
    assert answer.ok, answer.error
    assert answer.data["new_pod_name"] not in (None, "lone")
    assert answer.data["new_pod_status"] == "ready"


async def test_a_pod_that_nothing_would_make_again_is_not_restarted(everything: Everything) -> None:
    answer = await said(everything, "restart_pod", {"pod_name": "crasher", "namespace": "shop"})
    assert answer.error is not None
    assert answer.error.code == "unmanaged-pod"
    assert everything.written() == []


async def test_what_was_deleted_comes_back_by_an_undo(everything: Everything) -> None:
    target = {"resource_type": "configmap", "resource_name": "web", "namespace": "shop"}
    before = await raw(everything, "configmap", "web")
    plan = await said(everything, "delete_kubernetes_resource", target, ask=None)
    assert {"kind": "Pod", "name": "crasher", "how": "uses"} in plan.data["dependents"]
    answer = await said(everything, "delete_kubernetes_resource", target)
    assert answer.ok, answer.error
    assert await raw(everything, "configmap", "web") is None
    back = await undone(everything, answer)
    assert back.ok, back.error
    after = await raw(everything, "configmap", "web")
    assert before is not None
    assert after is not None
    assert after["data"] == before["data"]


async def test_a_deletion_that_breaks_a_neighbour_is_taken_back_at_once(
    everything: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Ingress of that name needs the Service; it is not so new that its rule would still wait for one."""
    monkeypatch.setattr("kubemend.rules.service.selection.GRACE_S", 0.0)
    target = {"resource_type": "service", "resource_name": "web", "namespace": "shop"}
    answer = await said(everything, "delete_kubernetes_resource", target)
    assert answer.error is not None
    assert answer.error.code == "repair-rolled-back", answer.error
    assert "Ingress shop/web" in answer.error.message
    assert await raw(everything, "service", "web") is not None


async def test_a_secret_is_neither_read_nor_deleted(everything: Everything) -> None:
    for tool, more in (("delete_kubernetes_resource", {}), ("patch_resource", {"patch": {"data": None}})):
        target = {"resource_type": "secret", "resource_name": "db", "namespace": "shop", **more}
        answer = await said(everything, tool, target)
        assert answer.error is not None
        assert answer.error.code == "secret"
    assert not any(a.resource == "secrets" for a in everything.recorder.asked)


async def test_a_rollback_takes_the_whole_template_and_an_undo_brings_it_back(everything: Everything) -> None:
    before = await raw(everything, "deployment", "api")
    answer = await said(everything, "rollback_deployment", {"deployment_name": "api", "namespace": "shop"})
    assert answer.ok, answer.error
    assert (answer.data["previous_revision"], answer.data["target_revision"]) == (2, 1)
    after = await raw(everything, "deployment", "api")
    assert before is not None
    assert after is not None
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.lab/web:1.1"
    assert "canary" not in str(answer.data)
    assert (await undone(everything, answer)).ok
    back = await raw(everything, "deployment", "api")
    assert back is not None
    assert back["spec"]["template"] == before["spec"]["template"]


async def test_an_image_that_runs_is_set_and_put_back_by_an_undo(everything: Everything) -> None:
    wanted = {"resource_name": "web", "namespace": "shop", "image": "registry.lab/web:1.1"}
    answer = await said(everything, "set_image", wanted)
    assert answer.ok, answer.error
    assert (await undone(everything, answer)).ok
    found = await raw(everything, "deployment", "web")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.lab/web:1.2"


async def test_an_image_that_can_not_be_pulled_is_taken_back(everything: Everything) -> None:
    wanted = {"resource_name": "web", "namespace": "shop", "image": "registry.lab/web:9.9"}
    answer = await said(everything, "set_image", wanted)
    assert answer.error is not None
    assert answer.error.code == "repair-rolled-back", answer.error
    found = await raw(everything, "deployment", "web")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.lab/web:1.2"


async def test_resources_are_set_and_put_back(everything: Everything) -> None:
    wanted = {"resource_name": "web", "namespace": "shop", "limits": {"memory": "192Mi", "cpu": "1"}}
    answer = await said(everything, "set_resources", wanted)
    assert answer.ok, answer.error
    assert (await undone(everything, answer)).ok
    found = await raw(everything, "deployment", "web")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "128Mi"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"requests": {"memory": "1Gi"}}, "above its limit"), ({"limits": {"cpu": "lots"}}, "no quantity")],
)
async def test_resources_that_the_server_would_refuse_are_refused_before_it(
    asked: Arguments, says: str, everything: Everything
) -> None:
    answer = await said(everything, "set_resources", {"resource_name": "web", "namespace": "shop", **asked})
    assert answer.error is not None
    assert answer.error.code == "invalid-resources"
    assert says in answer.error.message


async def test_requests_that_no_node_has_room_for_are_refused_by_the_guard(everything: Everything) -> None:
    asked = {"requests": {"memory": "900Gi"}, "limits": {"memory": "900Gi"}}
    answer = await said(everything, "set_resources", {"resource_name": "web", "namespace": "shop", **asked})
    assert answer.error is not None
    assert answer.error.code == "repair-refused"
    assert "would fit" in answer.error.message
    assert everything.written() == []


async def test_a_typed_patch_is_made_and_taken_back(everything: Everything) -> None:
    patch = {"metadata": {"labels": {"tier": "front"}}}
    target = {"resource_type": "svc", "resource_name": "web", "namespace": "shop", "patch": patch}
    answer = await said(everything, "patch_resource", target)
    assert answer.ok, answer.error
    found = await raw(everything, "service", "web")
    assert found is not None
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert (await undone(everything, answer)).ok
    back = await raw(everything, "service", "web")
    assert back is not None
    assert "labels" not in back["metadata"]


async def test_a_kind_that_nobody_watches_can_be_patched_and_taken_back(everything: Everything) -> None:
    patch = {"metadata": {"labels": {"tier": "front"}}}
    target = {"resource_type": "priorityclass", "resource_name": "system-node-critical", "patch": patch}
    answer = await said(everything, "patch_resource", target)
    assert answer.ok, answer.error
    assert (await undone(everything, answer)).ok


@pytest.mark.parametrize(
    "patch", [{"status": {"replicas": 9}}, {"metadata": {"name": "other"}}, {"metadata": {"uid": "x"}}, {"kind": "Pod"}]
)
async def test_a_patch_of_what_is_not_its_to_change_is_refused(patch: Arguments, everything: Everything) -> None:
    target = {"resource_type": "deployment", "resource_name": "web", "namespace": "shop", "patch": patch}
    answer = await said(everything, "patch_resource", target)
    assert answer.error is not None
    assert answer.error.code == "invalid-patch"


async def test_an_approved_patch_is_refused_when_its_field_was_changed_since(everything: Everything) -> None:
    patch = {"spec": {"replicas": 1}}
    target = {"resource_type": "deployment", "resource_name": "web", "namespace": "shop", "patch": patch}

    async def late_yes(_repair: Repair, _card: dict[str, Any]) -> bool:
        body = {"spec": {"replicas": 3}}
        send = everything.gateway._reader._transport.send
        await send("PATCH", f"{DEPLOYMENTS}/web", body, content_type="application/merge-patch+json", changes=True)
        return True

    answer = await said(everything, "patch_resource", target, ask=late_yes)
    assert answer.error is not None
    assert answer.error.code == "repair-refused"
    assert "/spec/replicas" in answer.error.message


async def test_a_node_is_closed_and_opened_again(everything: Everything) -> None:
    answer = await said(everything, "cordon_node", {"node_name": "lab-1"})
    assert answer.ok, answer.error
    assert (await raw(everything, "node", "lab-1") or {})["spec"].get("unschedulable") is True
    assert (await undone(everything, answer)).ok
    assert not (await raw(everything, "node", "lab-1") or {})["spec"].get("unschedulable")
    opened = await said(everything, "uncordon_node", {"node_name": "lab-3"})
    assert opened.ok, opened.error


async def pods_on(everything: Everything, node: str) -> set[str]:
    from kubemend.model.objects import Pod

    found = (await everything.gateway._reader.list(Pod)).items
    return {p.name for p in found if p.spec.node_name == node and p.status.phase not in ("Succeeded", "Failed")}


async def test_a_node_is_drained_its_workloads_are_well_and_an_undo_opens_it(everything: Everything) -> None:
    opened = await said(everything, "uncordon_node", {"node_name": "lab-3"})
    assert opened.ok, opened.error
    answer = await said(everything, "drain_node", {"node_name": "lab-1", "force": True, "timeout": 60})
    assert answer.ok, answer.error
    assert await pods_on(everything, "lab-1") == set()
    assert (await raw(everything, "node", "lab-1") or {})["spec"].get("unschedulable") is True
    back = await undone(everything, answer)
    assert back.ok, back.error
    assert not (await raw(everything, "node", "lab-1") or {})["spec"].get("unschedulable")


async def test_a_drain_lets_go_as_many_as_a_disruption_budget_allows_at_a_time(everything: Everything) -> None:
    """Both pods of web are on one node, and one of them must always be there."""
    assert (await said(everything, "cordon_node", {"node_name": "lab-2"})).ok
    for name in await pods_on(everything, "lab-2"):
        if name.startswith("web-"):
            assert (await said(everything, "restart_pod", {"pod_name": name, "namespace": "shop"})).ok
    assert sum(name.startswith("web-") for name in await pods_on(everything, "lab-1")) == 2
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip
    await everything.lab.create(budget)
    assert (await said(everything, "uncordon_node", {"node_name": "lab-3"})).ok
    answer = await said(everything, "drain_node", {"node_name": "lab-1", "force": True, "timeout": 60})
    assert answer.ok, answer.error
    assert await pods_on(everything, "lab-1") == set()


async def test_a_drain_that_a_budget_never_allows_opens_the_node_again(everything: Everything) -> None:
    """The other pod of web can go nowhere, so the second can't go within the time."""
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all", "namespace": "shop"},
        "spec": {"minAvailable": 5, "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
    }  # fmt: skip
    await everything.lab.create(budget)
    answer = await said(everything, "drain_node", {"node_name": "lab-1", "force": True, "timeout": 3})
    assert answer.error is not None
    assert answer.error.code in ("repair-rolled-back", "repair-refused"), answer.error
    assert "disruption budget" in answer.error.message
    assert not (await raw(everything, "node", "lab-1") or {})["spec"].get("unschedulable")


async def test_several_pods_are_restarted_by_rolling_their_workload(everything: Everything) -> None:
    arguments = {"namespace": "shop", "label_selector": "app=web", "wait_for_ready": True}
    answer = await said(everything, "batch_restart_pods", arguments)
    assert answer.ok, answer.error
    assert answer.data["rolled_workloads"] == ["Deployment shop/web"]
    assert (answer.data["ready_count"], answer.data["all_ready"]) == (2, True)
    assert everything.written() == ["patch deployments web"]
    assert (await undone(everything, answer)).ok


async def test_what_helm_owns_may_be_restarted_but_not_changed(everything: Everything) -> None:
    note = {"metadata": {"annotations": {"meta.helm.sh/release-name": "shop"}}}
    send = everything.gateway._reader._transport.send
    await send("PATCH", f"{DEPLOYMENTS}/web", note, content_type="application/merge-patch+json", changes=True)
    wanted = {"resource_name": "web", "namespace": "shop", "image": "registry.lab/web:1.1"}
    refused = await said(everything, "set_image", wanted)
    assert refused.error is not None
    assert "Helm release shop" in refused.error.message
    restarted = await said(everything, "batch_restart_pods", {"namespace": "shop", "label_selector": "app=web"})
    assert restarted.ok, restarted.error


async def test_failed_pods_go_and_an_undo_says_that_it_can_not_be(everything: Everything) -> None:
    answer = await said(everything, "cleanup_failed_pods", {"namespace": "shop"})
    assert answer.ok, answer.error
    assert [p["name"] for p in answer.data["cleaned_pods"]] == ["failed"]
    assert await raw(everything, "pod", "failed") is None
    assert await raw(everything, "pod", "crasher") is not None
    back = await undone(everything, answer)
    assert back.error is not None
    assert back.error.code == "not-undoable"


async def test_a_waiting_plan_is_carried_out_by_its_id(everything: Everything) -> None:
    wanted = {"deployment_name": "web", "namespace": "shop", "replicas": 3}
    plan = await said(everything, "scale_deployment", wanted, ask=None)
    repair = {"repair_id": plan.data["repair"]}
    refused = await said(everything, "apply_plan", repair, ask=None)
    assert refused.error is not None
    assert refused.error.code == "approval-required"
    assert everything.written() == []
    waiting = await said(everything, "list_repairs", {"state": "awaiting_approval"}, ask=None)
    assert [r["id"] for r in waiting.data] == [plan.data["repair"]]
    done = await said(everything, "apply_plan", repair)
    assert done.ok, done.error
    assert done.data["state"] == "succeeded"
    unasked = await said(everything, "undo_repair", repair, ask=None)
    assert unasked.error is not None
    assert unasked.error.code == "approval-required"
    assert "replicas: 2" in unasked.data["diff"]


def test_the_replacement_of_a_daemon_sets_pod_is_on_its_node() -> None:
    from worlds import decode

    def pod(name: str, node: str) -> Any:
        owner = {"kind": "DaemonSet", "name": "agent", "uid": "u1", "controller": True, "apiVersion": "apps/v1"}
        meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": [owner]}
        return decode({"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"nodeName": node}})

    gone, elsewhere, here = pod("a", "n1"), pod("b", "n2"), pod("c", "n1")
    assert makers.replacement(gone, [elsewhere, here], {"uid-a"}) is here
    assert makers.replacement(gone, [elsewhere], {"uid-a"}) is None


async def test_a_command_runs_once_and_what_it_printed_is_told_without_secrets(everything: Everything) -> None:
    command = ["sh", "-c", "echo hello; echo PASSWORD=canary-in-output"]
    arguments = {"pod_name": "store-0", "namespace": "shop", "command": command}
    answer = await said(everything, "exec_in_pod", arguments)
    assert answer.ok, answer.error
    assert (answer.data["exit_code"], answer.data["stdout"].splitlines()[0]) == (0, "hello")
    assert "canary-in-output" not in str(answer)
    assert everything.written() == ["create pods/exec store-0"]
    back = await undone(everything, answer)
    assert back.error is not None
    assert back.error.code == "not-undoable"


async def test_a_command_that_fails_tells_its_exit_code(everything: Everything) -> None:
    arguments = {"pod_name": "store-0", "namespace": "shop", "command": ["sh", "-c", "exit 3"]}
    answer = await said(everything, "exec_in_pod", arguments)
    assert answer.ok, answer.error
    assert answer.data["exit_code"] == 3


async def test_a_program_that_is_not_there_was_not_run(everything: Everything) -> None:
    arguments = {"pod_name": "store-0", "namespace": "shop", "command": ["no-such-program"]}
    answer = await said(everything, "exec_in_pod", arguments)
    assert answer.error is not None
    assert answer.error.code == "repair-failed"
    assert "executable file not found" in answer.error.message


async def test_a_command_whose_end_is_not_seen_is_a_persons_case_and_not_begun_again(everything: Everything) -> None:
    arguments = {"pod_name": "store-0", "namespace": "shop", "command": ["sleep", "1000"], "timeout": 1}
    answer = await said(everything, "exec_in_pod", arguments)
    assert answer.error is not None
    assert answer.error.code == "repair-escalated", answer.error
    assert everything.written() == ["create pods/exec store-0"]


async def test_a_command_waits_for_a_yes(everything: Everything) -> None:
    arguments = {"pod_name": "store-0", "namespace": "shop", "command": ["rm", "-rf", "/data"]}
    answer = await said(everything, "exec_in_pod", arguments, ask=None)
    assert answer.error is not None
    assert answer.error.code == "approval-required"
    assert "rm -rf /data" in answer.data["diff"]
    assert everything.written() == []


def test_the_states_that_can_be_asked_for_are_those_there_are() -> None:
    from typing import get_args

    from kubemend.model.repair import State
    from kubemend.tools.repair.list_repairs import StateName

    assert set(get_args(StateName)) == set(State)
