"""Load, pressure and latency are told as nodes and the scheduler have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools_ground import deployment, ground

from kubemend.tools.performance.analyze_scheduling_latency import reasons
from kubemend.tools.performance.loads import imbalance

MI = 2**20


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: 0/3 …",
            {"Insufficient cpu": 1, "node(s) had untolerated taint {a: b}": 2},
        ),
        ("0/1 nodes are available: 1 Too many pods. preemption: none.", {"Too many pods": 1}),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            {"node(s) didn't match Pod's node affinity/selector": 2},
        ),
        ("0/4 nodes are available: 4 Insufficient memory", {"Insufficient memory": 4}),
        ('persistentvolumeclaim "data" not found', {'persistentvolumeclaim "data" not found': 0}),
    ],
)
def test_the_schedulers_message_is_taken_apart_by_reason(message: str, expected: dict[str, int]) -> None:
    assert dict(reasons(message)) == expected


def test_imbalance_is_the_deviation_over_the_mean() -> None:
    assert imbalance([50.0, 50.0, 50.0]) == 0.0
    assert imbalance([0.0, 100.0]) == 1.0
    assert imbalance([]) is None
    assert imbalance([0.0, 0.0]) is None


def _asks(cpu: str) -> str:
    return f"resources: {{requests: {{cpu: {cpu}, memory: 64Mi}}, limits: {{memory: 5Gi}}}}"


async def test_pods_that_find_no_place_are_grouped_by_what_the_scheduler_says(tmp_path: Path) -> None:
    text = deployment("web", replicas=1) + deployment("huge", replicas=2, container=_asks("100"))
    async with ground(tmp_path, text) as here:

        async def refused() -> bool:
            told = await here.data("analyze_scheduling_latency")
            return len(told["waiting"]) == 2 and bool(told["failed_scheduling"]) and told["ready"]["pods"] >= 1

        await here.until(refused)
        told = await here.data("analyze_scheduling_latency")
        load = await here.data("analyze_cluster_performance")
        pod = (await here.pods("huge"))[0]
        why = await here.data("diagnose_pending_pod_issues", pod_name=pod.name, namespace="shop")
    cpu = next(r for r in told["failed_scheduling"] if r["reason"] == "Insufficient cpu")
    assert (cpu["nodes"], len(cpu["pods"])) == (3, 2)
    assert told["scheduled"]["p50_s"] is not None
    assert (load["pending"][0]["reason"], load["pending"][0]["count"]) == ("Unschedulable", 2)
    assert why["issues"][0]["category"] == "resource"
    assert "3 of 3 nodes: cpu: 100 requested" in why["issues"][0]["message"]
    assert [c["fits"] for c in why["node_candidates"]] == [False] * 3
    assert why["recommendations"] == ["lower its requests (recommend_resource_limits), free room, or add a node"]


async def test_a_pod_whose_claim_does_not_exist_is_told_so(tmp_path: Path) -> None:
    pod = "volumes: [{name: data, persistentVolumeClaim: {claimName: gone}}]"
    async with ground(tmp_path, deployment("web", replicas=1, pod=pod)) as here:

        async def there() -> bool:
            return bool(await here.pods("web"))

        await here.until(there)
        (found,) = await here.pods("web")
        why = await here.data("diagnose_pending_pod_issues", pod_name=found.name, namespace="shop")
    assert [(i["category"], i["message"]) for i in why["issues"]] == [("pvc", "there is no claim gone")]


async def test_a_running_pod_has_no_reason_to_wait(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=1)) as here:
        await here.settled()
        (found,) = await here.pods("web")
        why = await here.data("diagnose_pending_pod_issues", pod_name=found.name, namespace="shop")
    assert why["diagnosis_summary"] == "the pod is Running, not Pending"
    assert why["issues"] == []


async def test_who_uses_more_than_it_requests_heads_the_eviction_order(tmp_path: Path) -> None:
    pin = "nodeSelector: {kubernetes.io/hostname: lab-1}"
    text = deployment("greedy", replicas=1, pod=pin, container=_asks("10m")) + deployment(
        "modest", replicas=1, pod=pin, container=_asks("10m")
    )
    async with ground(tmp_path, text) as here:
        await here.settled()
        (greedy,), (modest,) = await here.pods("greedy"), await here.pods("modest")
        here.store.usage["shop", greedy.name, "web"] = {"cpu": "10m", "memory": "900Mi"}
        here.store.usage["shop", modest.name, "web"] = {"cpu": "10m", "memory": "60Mi"}
        here.store.node_usage["lab-1"] = {"cpu": "1", "memory": "7.5Gi"}
        told = await here.data("check_pod_eviction_pressure")
        hot = await here.data("identify_resource_hotspots", top=1)
        node = await here.data("diagnose_node_issues", node_name="lab-1")
    first = told["nodes"][0]
    assert (first["name"], first["risk"], first["memory_used_percent"]) == ("lab-1", "near", 93.8)
    assert first["memory_limited_percent"] == 125.0  # two limits of 5 GiB on a node of 8
    assert [p["name"] for p in first["eviction_order"]] == [greedy.name, modest.name]
    assert first["eviction_order"][0]["over_request_bytes"] == (900 - 64) * MI
    assert first["eviction_order"][1]["over_request_bytes"] < 0
    assert hot["nodes_by_memory"] == [{"name": "lab-1", "used": 7.5 * 2**30, "percent": 93.8}]
    assert [p["name"] for p in hot["pods_by_memory"]] == [greedy.name]
    assert hot["pods_by_network"] is None
    assert (node["health_status"], node["pod_summary"]["total_pods"]) == ("healthy", 2)


async def test_a_cordoned_node_is_a_warning_with_what_to_do(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        api = here.lab._cluster.api
        await api.patch(await api.get("Node", "", "lab-2"), {"spec": {"unschedulable": True}})
        node = await here.data("diagnose_node_issues", node_name="lab-2")
    assert (node["health_status"], node["is_cordoned"]) == ("warning", True)
    assert node["recommendations"] == ["uncordon_node, if nobody means it to be cordoned"]


async def test_without_metrics_use_is_unknown_and_said_to_be(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=1)) as here:
        await here.settled()
        page = here.gateway._reader.page

        async def away(resource, *rest, **more):  # type: ignore[no-untyped-def]
            if resource.group == "metrics.k8s.io":
                from kubemend.cluster.errors import ServerError

                raise ServerError("the server is currently unable to handle the request", status=503)
            return await page(resource, *rest, **more)

        here.gateway._reader.page = away  # type: ignore[method-assign]
        hot = await here.ask("identify_resource_hotspots")
        waste = await here.ask("analyze_resource_waste", namespace="shop")
    assert hot.ok
    assert hot.data["pods_by_cpu"] is None
    assert {g.what for g in hot.incomplete} >= {"nodes.metrics.k8s.io", "pods.metrics.k8s.io"}
    assert waste.data["workloads"][0]["state"] == "not-known"
    assert waste.data["workloads"][0]["used_cpu_cores"] is None
