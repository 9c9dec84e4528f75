"""The seed's scenarios 4 to 6: a pod restarted, a workload scaled, a release taken back: shown, made, and proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tools_ground import Ground, deployment, ground
from tools_scenarios import Acts

from kubemend.model.objects import ReplicaSet

pytestmark = pytest.mark.timeout(150)

PLACE = {"namespace": "shop"}
PROVEN = ["awaiting_approval", "preflight", "snapshotted", "applying", "verifying", "succeeded"]
"""The states that the audit trail has of a change that came to its proven end."""
PROBES = """ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          resources: {requests: {cpu: 500m, memory: 64Mi}, limits: {memory: 128Mi}}"""


async def raw(here: Ground, kind: str, name: str, namespace: str = "shop") -> Any:
    """An object as the cluster has it; None when there is none."""
    return await here.api.get(kind, namespace, name)


async def states(here: Ground, acts: Acts, repair: str) -> list[str]:
    """The states of a repair as the audit trail has them, without the first entry (which proposes it)."""
    story = await acts.story(repair)
    return [s for s in story if s in PROVEN or s in ("rolling_back", "rolled_back", "refused", "failed", "escalated")]


# --- 4: this pod has failed, restart it ------------------------------------------------------------------------------

WRONG_PORT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: shop}
data: {PORT: "9090"}
"""
APP = WRONG_PORT + deployment(
    "app", replicas=1, container=f"envFrom: [{{configMapRef: {{name: app}}}}]\n          {PROBES}"
)
BUDGET = """
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all, namespace: shop}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
"""
ALONE = """
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop, labels: {app: alone}}
spec: {containers: [{name: crasher, image: "busybox:1.36", command: [sh, -c, "exit 3"]}]}
"""


async def _started(here: Ground, app: str, count: int = 1) -> None:
    """So many pods have a container that runs."""

    async def running() -> bool:
        pods = await here.pods(app)
        return sum(s.state.running is not None for p in pods for s in p.status.container_statuses) == count

    await here.until(running)


async def _corrected(here: Ground) -> None:
    """Somebody corrects the ConfigMap; a program that runs goes on with what it was started with."""
    await here.api.patch(await raw(here, "ConfigMap", "app"), {"data": {"PORT": "8080"}})


async def test_4_a_pod_that_failed_is_restarted_and_its_successor_is_ready(tmp_path: Path) -> None:
    async with ground(tmp_path, APP, changes=True) as here:
        await _started(here, "app")
        await _corrected(here)
        acts, (pod,) = Acts(here), await here.pods("app")
        waited = await here.data("wait_for_pod_ready", pod_name=pod.name, timeout=1, **PLACE)
        assert (waited["success"], waited["waiting_for"]) == (False, ["web: runs, but is not ready"])
        plan = await acts.planned("restart_pod", pod_name=pod.name, **PLACE)
        assert [c["target"]["name"] for c in plan["plan"]["changes"]] == [pod.name]
        done = await acts.done("restart_pod", pod_name=pod.name, **PLACE)
        (after,) = await here.pods("app")
        ready = await here.data("wait_for_pod_ready", pod_name=after.name, timeout=5, **PLACE)
        chain = await here.data("diagnose_kubernetes_pod_issues", pod_name=after.name, **PLACE)
        story = await states(here, acts, done["id"])
    assert done["old_pod_uid"] == pod.metadata.uid != after.metadata.uid == done["new_pod_uid"]
    assert (done["new_pod_name"], done["new_pod_status"], ready["status"]) == (after.name, "ready", "ready")
    assert acts.written() == [f"create pods/eviction {pod.name}"]
    assert all(c["ready"] for c in chain["containers"])
    assert story == PROVEN


async def test_4_one_of_several_failed_pods_is_restarted_and_judged_by_its_own_successor(tmp_path: Path) -> None:
    async with ground(tmp_path, APP.replace("replicas: 1", "replicas: 2"), changes=True) as here:
        await _started(here, "app", 2)
        await _corrected(here)
        acts, (pod, other) = Acts(here), await here.pods("app")
        done = await acts.done("restart_pod", pod_name=pod.name, **PLACE)
        left = {p.metadata.uid: p for p in await here.pods("app")}
    assert (done["new_pod_status"], done["not_ready_before"]) == ("ready", [other.name])
    assert set(left) == {other.metadata.uid, done["new_pod_uid"]}
    assert not any(s.ready for s in left[other.metadata.uid].status.container_statuses)
    assert acts.written() == [f"create pods/eviction {pod.name}"]


async def test_4_a_restart_that_mends_nothing_is_not_called_a_success(tmp_path: Path) -> None:
    async with ground(tmp_path, APP, changes=True) as here:
        await _started(here, "app")
        acts, (pod,) = Acts(here), await here.pods("app")
        message = await acts.failed("restart_pod", "repair-rolled-back", pod_name=pod.name, timeout=3, **PLACE)
        (after,) = await here.pods("app")
    assert message.startswith("nothing could be taken back, for a pod that was evicted is gone: ")
    assert "0 of 1 replicas are available" in message
    assert after.metadata.uid != pod.metadata.uid


async def test_4_a_pod_that_nobody_would_make_again_is_deleted_only_as_such_and_comes_back_by_an_undo(
    tmp_path: Path,
) -> None:
    async with ground(tmp_path, ALONE, changes=True) as here:
        acts, target = Acts(here), {"resource_type": "pod", "resource_name": "alone", **PLACE}
        before = await raw(here, "Pod", "alone")
        await acts.failed("restart_pod", "unmanaged-pod", pod_name="alone", **PLACE)
        plan = await acts.planned("delete_kubernetes_resource", grace_period=0, **target)
        assert plan["dependents"] == []
        done = await acts.done("delete_kubernetes_resource", grace_period=0, **target)
        assert await raw(here, "Pod", "alone") is None
        back = await acts.call("undo_repair", repair_id=done["id"])
        assert back.ok, back.error
        after = await raw(here, "Pod", "alone")
    assert acts.written() == ["delete pods alone", "create pods "]  # the name is in what is sent
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["containers"][0]["command"] == before["spec"]["containers"][0]["command"]


async def test_4_a_pod_that_a_budget_holds_is_not_evicted(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", container=PROBES) + BUDGET, changes=True) as here:
        await here.settled()

        async def counted() -> bool:
            return (await raw(here, "PodDisruptionBudget", "all"))["status"].get("currentHealthy") == 2

        await here.until(counted)
        acts, pods = Acts(here), await here.pods("web")
        message = await acts.failed("restart_pod", "repair-refused", pod_name=pods[0].name, **PLACE)
        assert [p.metadata.uid for p in await here.pods("web")] == [p.metadata.uid for p in pods]
    assert "disruption budget" in message
    assert acts.written() == []


# --- 5: traffic has grown, scale to ten replicas ---------------------------------------------------------------------

WEB = deployment("web", container=PROBES)
TEN = {"deployment_name": "web", "replicas": 10, **PLACE}
QUOTA = """
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: few, namespace: shop}
spec: {hard: {requests.cpu: "3"}}
"""
SCALER = """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
"""


async def _size(here: Ground) -> tuple[int, int]:
    """Replicas that are wanted, and that are ready, as the cluster has them."""
    found = await raw(here, "Deployment", "web")
    return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)


async def test_5_ten_replicas_are_checked_shown_made_followed_and_ready(tmp_path: Path) -> None:
    async with ground(tmp_path, WEB, changes=True) as here:
        await here.settled()
        acts = Acts(here)
        room = await here.data("check_scaling_capacity", replicas=8, workload="web", **PLACE)
        # 3 nodes of 4 cores; a pod asks for half a core: 24 would fit, and 2 are there.
        assert (room["can_scale"], room["fits_on_nodes"], room["max_replicas"]) == (True, 8, 22)
        assert sum(n["would_take"] for n in room["node_capacity"]) == 8
        plan = await acts.planned("scale_deployment", **TEN)
        assert "replicas: 10" in plan["diff"]
        assert await _size(here) == (2, 2)
        done = await acts.done("scale_deployment", **TEN)
        assert await _size(here) == (10, 10)
        seen = await here.data("monitor_scaling_progress", resource_type="deployment", resource_name="web", **PLACE)
        listed = await here.data("list_kubernetes_deployments", **PLACE)
        story = await states(here, acts, done["id"])
        left = await here.data("check_scaling_capacity", replicas=8, workload="web", **PLACE)
    assert (done["previous_replicas"], done["target_replicas"], done["operation"]) == (2, 10, "scale_up")
    assert acts.written() == ["patch deployments/scale web"]
    assert (seen["status"], seen["steps"][-1]["desired"], seen["steps"][-1]["ready"]) == ("done", 10, 10)
    assert next(d for d in listed if d["name"] == "web")["ready_replicas"] == 10
    assert story == PROVEN
    assert left["max_replicas"] == 14


TOO_MANY = {
    "more than the nodes hold": ("", 30, "repair-refused", "would fit", 22),
    "more than the quota allows": (QUOTA, 10, "repair-refused", "quota", 4),
    "more than the autoscaler allows": (SCALER, 10, "autoscaled", "between 2 and 5", 22),
}


@pytest.mark.parametrize("why", TOO_MANY)
async def test_5_more_replicas_than_there_may_be_are_refused(why: str, tmp_path: Path) -> None:
    extra, replicas, code, says, fits = TOO_MANY[why]
    async with ground(tmp_path, WEB + extra, changes=True) as here:
        await here.settled()

        async def counted() -> bool:
            found = await raw(here, "ResourceQuota", "few")
            return not extra.count("ResourceQuota") or found["status"].get("used", {}).get("requests.cpu") == "1"

        await here.until(counted)
        acts = Acts(here)
        room = await here.data("check_scaling_capacity", replicas=replicas - 2, workload="web", **PLACE)
        message = await acts.failed("scale_deployment", code, **{**TEN, "replicas": replicas})
        assert await _size(here) == (2, 2)
    assert (room["can_scale"], room["max_replicas"]) == (fits >= replicas - 2, fits)
    assert says in message
    assert acts.written() == []


async def test_5_replicas_that_do_not_come_up_are_taken_away_again(tmp_path: Path) -> None:
    """The ConfigMap that the pods were started with is gone, so no new one can be made."""
    container = f"envFrom: [{{configMapRef: {{name: app}}}}]\n          {PROBES}"
    text = WRONG_PORT.replace("9090", "8080") + deployment("web", container=container)
    async with ground(tmp_path, text, changes=True) as here:
        await here.settled()
        await here.api.delete(await raw(here, "ConfigMap", "app"))
        acts = Acts(here)
        message = await acts.failed("scale_deployment", "repair-rolled-back", **{**TEN, "replicas": 4})

        async def two() -> bool:
            return await _size(here) == (2, 2) and len(await here.pods("web")) == 2

        await here.until(two)
    assert "needs ConfigMap 'app', which doesn't exist in shop" in message
    assert acts.written() == ["patch deployments/scale web"] * 2


# --- 6: the new version is bad, go back to the last stable one -------------------------------------------------------

API = {"deployment_name": "api", **PLACE}


async def _released(here: Ground, image: str) -> None:
    container = {"name": "web", "image": image}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    send = here.gateway._reader._transport.send
    path = "/apis/apps/v1/namespaces/shop/deployments/api"
    await send("PATCH", path, body, content_type="application/strategic-merge-patch+json", changes=True)


async def _revisions(here: Ground, count: int) -> None:
    async def there() -> bool:
        return len(await here.list(ReplicaSet)) == count

    await here.until(there)


async def _three_releases(here: Ground) -> None:
    """1.0 and 1.1 ran well; 9.9 can't be pulled, and its rollout hangs."""
    await here.settled()
    await _released(here, "registry.lab/web:1.1")
    await _revisions(here, 2)
    await here.settled()

    async def rolled() -> bool:
        status = (await raw(here, "Deployment", "api"))["status"]
        return status.get("updatedReplicas") == status.get("replicas") == 2

    await here.until(rolled)
    await _released(here, "registry.lab/web:9.9")
    await _revisions(here, 3)

    async def hangs() -> bool:
        states_ = [s.state.waiting for p in await here.pods("api") for s in p.status.container_statuses]
        return any(w is not None and "ImagePull" in w.reason for w in states_)

    await here.until(hangs)


async def _image(here: Ground) -> str:
    return (await raw(here, "Deployment", "api"))["spec"]["template"]["spec"]["containers"][0]["image"]


async def test_6_a_bad_release_is_compared_and_rolled_back_to_the_last_that_ran(tmp_path: Path) -> None:
    first = deployment("api", container=PROBES).replace("web:1.2", "web:1.0")
    async with ground(tmp_path, first, changes=True) as here:
        await _three_releases(here)
        acts = Acts(here)
        history = await here.data("get_deployment_revision_history", **API)
        assert (history["current_revision"], history["last_stable_revision"]) == (3, 2)
        assert history["last_stable_proven"]
        assert {r["revision"]: r["image"].partition(":")[2] for r in history["revisions"]} == {
            1: "1.0", 2: "1.1", 3: "9.9",
        }  # fmt: skip
        apart = await here.data("compare_deployment_revisions", revision1=2, revision2=3, **API)
        assert [(d["field"], d["revision1_value"], d["revision2_value"]) for d in apart["differences"]] == [
            ("image", "registry.lab/web:1.1", "registry.lab/web:9.9"),
        ]
        plan = await acts.planned("rollback_deployment", **API)
        assert plan["target_revision"] == 2
        assert await _image(here) == "registry.lab/web:9.9"
        done = await acts.done("rollback_deployment", **API)
        assert await _image(here) == "registry.lab/web:1.1"
        seen = await here.data("monitor_scaling_progress", resource_type="deployment", resource_name="api", **PLACE)
        pods = await here.pods("api")
        after = await here.data("get_deployment_revision_history", **API)
        story = await states(here, acts, done["id"])
    assert (done["previous_revision"], done["target_revision"]) == (3, 2)
    assert seen["status"] == "done"
    assert {c.image for p in pods for c in p.spec.containers} == {"registry.lab/web:1.1"}
    # The controller gives the template that is back in use a number of its own.
    assert (after["current_revision"], after["revisions"][0]["health"]) == (4, "available")
    assert acts.written() == ["patch deployments api"]
    assert story == PROVEN


async def test_6_a_rollback_to_a_revision_that_never_ran_is_taken_back(tmp_path: Path) -> None:
    first = deployment("api", container=PROBES).replace("web:1.2", "web:1.0")
    async with ground(tmp_path, first, changes=True) as here:
        await _three_releases(here)
        await _released(here, "registry.lab/web:1.1")  # somebody puts it right by hand, as revision 4

        async def whole() -> bool:
            status = (await raw(here, "Deployment", "api"))["status"]
            return status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == 2

        await here.until(whole)
        acts = Acts(here)
        await acts.failed("rollback_deployment", "no-such-revision", revision=9, **API)
        await acts.failed("rollback_deployment", "nothing-to-do", revision=4, **API)
        assert acts.written() == []
        message = await acts.failed("rollback_deployment", "repair-rolled-back", revision=3, **API)
        assert await _image(here) == "registry.lab/web:1.1"
        await here.until(whole)
    assert "9.9" in message or "ImagePull" in message, message
    assert acts.written() == ["patch deployments api"] * 2
