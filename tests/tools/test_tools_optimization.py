"""How workloads stand up to losses: found gaps are there, and patches that are recommended apply and work."""

from __future__ import annotations

import json
from pathlib import Path

from tools_ground import deployment, ground

from kubemend.model.ref import Ref

PIN = "nodeSelector: {kubernetes.io/hostname: lab-1}"
PROBES = "readinessProbe: {httpGet: {path: /ready, port: 8080}}"
READY = f"{PROBES}\n          resources: {{requests: {{cpu: 10m}}}}"


async def test_one_replica_costs_more_than_any_other_gap_and_zero_replicas_are_not_judged(tmp_path: Path) -> None:
    text = (
        deployment("one", replicas=1, container=READY) + deployment("none", replicas=0) + deployment("web", replicas=3)
    )
    async with ground(tmp_path, text) as here:
        await here.settled()
        told = await here.data("analyze_high_availability", namespace="shop")
        only = await here.data("analyze_high_availability", namespace="shop", workload="deployment/web")
    rows = {r["name"]: r for r in told["workloads"]}
    assert told["scaled_to_zero"] == [str(Ref("Deployment", "shop", "none", "apps"))]
    assert set(rows) == {"one", "web"}
    assert [g["code"] for g in rows["one"]["gaps"]] == ["one-replica", "no-liveness"]
    assert rows["one"]["score"] == 57
    assert {"not-spread", "no-budget", "no-readiness", "no-requests"} <= {g["code"] for g in rows["web"]["gaps"]}
    assert [r["name"] for r in only["workloads"]] == ["web"]
    assert only["score"] == 100 - sum(g["costs"] for g in rows["web"]["gaps"])


BUDGETS = """
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: strict, namespace: shop}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: second, namespace: shop}
spec: {maxUnavailable: 1, selector: {}}
"""


async def test_budgets_that_never_let_go_or_overlap_are_gaps(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", container=READY) + BUDGETS) as here:
        await here.settled()

        async def told() -> bool:
            data = await here.data("analyze_high_availability", namespace="shop")
            return {"budget-too-strict", "budgets-overlap"} <= {g["code"] for g in data["workloads"][0]["gaps"]}

        await here.until(told)


async def test_pods_that_one_node_loss_would_take_are_a_single_point_of_failure(tmp_path: Path) -> None:
    text = deployment("web", replicas=3)
    async with ground(tmp_path, text) as here:
        await here.settled()
        pods = await here.pods("web")
        spread = await here.data("check_pod_distribution", deployment_name="web", namespace="shop")
        # The practice scheduler spreads by itself: put them together as a busy cluster would have.
        for pod in pods:
            raw = here.store.find("Pod", "shop", pod.name)
            raw["spec"]["nodeName"] = "lab-1"
        alone = await here.data("check_pod_distribution", deployment_name="web", namespace="shop")
    assert spread["total_pods"] == 3
    assert set(spread["node_distribution"]) == {"lab-1", "lab-2", "lab-3"}
    assert (spread["distribution_score"] == "good") == (spread["zone_skew"] <= 1)
    assert alone["single_points_of_failure"] == ["node/lab-1", f"zone/{_zone(alone)}"]
    assert (alone["node_skew"], alone["distribution_score"]) == (3, "needs_improvement")
    assert {n: p["pod_count"] for n, p in alone["node_distribution"].items()} == {"lab-1": 3, "lab-2": 0, "lab-3": 0}


def _zone(told: dict) -> str:  # type: ignore[type-arg]
    return next(z for z, p in told["zone_distribution"].items() if p["pod_count"])


async def test_the_recommended_patch_applies_and_rolls_out_as_rehearsed(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=3)) as here:
        await here.settled()
        advice = await here.data("recommend_anti_affinity", deployment_name="web", namespace="shop")
        chosen = advice["recommended"]
        assert chosen["schedules"]
        assert chosen["hard"]
        api = here.lab._cluster.api
        raw = await api.get("Deployment", "shop", "web")
        # A strategic merge patch of lists that were empty is the same as a merge patch.
        await api.patch(raw, chosen["patch"])

        async def rolled() -> bool:
            pods = await here.pods("web")
            return len(pods) == 3 and all(p.spec.topology_spread_constraints for p in pods)

        await here.until(rolled)
        await here.settled()
        after = await here.data("recommend_anti_affinity", deployment_name="web", namespace="shop")
    assert chosen["by_zone"] == {"lab-a": 1, "lab-b": 1, "lab-c": 1}
    assert after["recommended"] is None
    assert after["reason"] == "its pods are kept apart already, as a must"
    assert json.loads(chosen["command"].partition("-p '")[2].rstrip("'")) == chosen["patch"]


async def test_a_pinned_workload_and_a_single_replica_have_nothing_to_spread(tmp_path: Path) -> None:
    text = deployment("pinned", pod=PIN) + deployment("single", replicas=1)
    async with ground(tmp_path, text) as here:
        pinned = await here.data("recommend_anti_affinity", deployment_name="pinned", namespace="shop")
        single = await here.data("recommend_anti_affinity", deployment_name="single", namespace="shop")
    assert (pinned["recommended"], pinned["eligible_nodes"]) == (None, 1)
    assert single["reason"] == "one replica can't be spread: run two or more"


async def test_a_must_that_would_not_schedule_is_passed_over_for_a_wish(tmp_path: Path) -> None:
    full = deployment("full", replicas=1, pod="nodeSelector: {kubernetes.io/hostname: lab-3}", container=_asks("3900m"))
    async with ground(tmp_path, full + deployment("web", replicas=6, container=_asks("500m"))) as here:
        await here.settled()
        advice = await here.data("recommend_anti_affinity", deployment_name="web", namespace="shop")
    musts = [o for o in advice["options"] if o["hard"]]
    assert musts
    assert not any(o["schedules"] for o in musts)
    assert "cpu" in musts[0]["why_not"]
    assert advice["recommended"]["hard"] is False


def _asks(cpu: str) -> str:
    return f"resources: {{requests: {{cpu: {cpu}}}}}"


BAD_PROBES = """ports: [{name: http, containerPort: 8080}]
          livenessProbe: {httpGet: {path: /live, port: htpp}, periodSeconds: 5, failureThreshold: 1}
          readinessProbe: {httpGet: {path: /ready, port: 9999, scheme: HTTP}, timeoutSeconds: 20, periodSeconds: 10}"""
SAME = """ports: [{name: http, containerPort: 8080}]
          livenessProbe: {httpGet: {path: /ready, port: http}}
          readinessProbe: {httpGet: {path: /ready, port: http}}"""
GOOD = """ports: [{name: http, containerPort: 8080}]
          livenessProbe: {httpGet: {path: /live, port: http}, initialDelaySeconds: 30}
          readinessProbe: {httpGet: {path: /ready, port: http}}"""


async def test_each_flaw_of_a_probe_is_found_and_a_sound_one_has_none(tmp_path: Path) -> None:
    text = deployment("bad", container=BAD_PROBES) + deployment("same", container=SAME)
    text += deployment("good", container=GOOD) + deployment("bare", container="ports: [{containerPort: 8080}]")
    async with ground(tmp_path, text) as here:
        told = {
            name: await here.data("validate_probe_configuration", deployment_name=name, namespace="shop")
            for name in ("bad", "same", "good", "bare")
        }
    codes = {n: {f["code"] for c in t["containers_analysis"] for f in c["flaws"]} for n, t in told.items()}
    assert {
        "liveness-port-unknown",
        "readiness-port-undeclared",
        "readiness-timeout-over-period",
        "liveness-tight",
    } <= codes["bad"]
    assert "liveness-is-readiness" in codes["same"]
    assert codes["good"] == set()
    assert codes["bare"] == {"no-readiness", "no-liveness"}
    assert {n: t["overall_status"] for n, t in told.items()} == {
        "bad": "critical", "same": "needs_improvement", "good": "good", "bare": "critical"
    }  # fmt: skip
    assert (told["good"]["probe_score"], told["bare"]["probe_coverage_percent"]) == ("2/2", 0.0)


CLAIMS = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: used, namespace: shop}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: projected, namespace: shop}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: forgotten, namespace: shop}
data: {a: b}
---
apiVersion: v1
kind: Service
metadata: {name: lost, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: forgotten, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop}
spec: {containers: [{name: web, image: "registry.lab/web:1.2"}]}
"""
USES = """volumes:
        - {name: a, configMap: {name: used}}
        - {name: b, projected: {sources: [{configMap: {name: projected}}]}}"""


async def test_what_nothing_uses_is_found_and_what_anything_names_is_not(tmp_path: Path) -> None:
    text = deployment("web", replicas=0, pod=USES) + CLAIMS
    async with ground(tmp_path, text) as here:
        orphans = await here.ask("get_kubernetes_orphaned_resources", namespace="shop")
        idle = await here.data("identify_idle_resources", namespace="shop")
    assert orphans.ok
    found = {k: [r["name"] for r in v] for k, v in orphans.data.items() if isinstance(v, list)}
    assert found == {
        "pods": ["alone"], "services": ["lost"], "persistent_volume_claims": ["forgotten"],
        "config_maps": ["forgotten"],
    }  # fmt: skip
    assert orphans.data["secrets"] is None
    assert [g.what for g in orphans.incomplete] == ["secrets"]
    assert [w["name"] for w in idle["stopped_workloads"]] == ["web"]
    assert [c["name"] for c in idle["unused_config_maps"]] == ["forgotten"]
    assert idle["empty_nodes"] is None  # they belong to no namespace


async def test_a_node_that_runs_nothing_is_empty_and_one_that_runs_a_pod_is_not(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=1, pod=PIN)) as here:
        await here.settled()
        idle = await here.data("identify_idle_resources")
    names = {n["name"] for n in idle["empty_nodes"]}
    assert "lab-1" not in names
    assert names <= {"lab-2", "lab-3"}
    # 4 cores and 8 GiB for 730 h: 4 * 0.031611 * 730 + 8 * 0.004237 * 730
    assert {n["monthly_cost"] for n in idle["empty_nodes"]} == {117.05}
