"""The seed's scenarios 7 to 9: cost, safety and availability in numbers reckoned by hand, and patches that cure."""

from __future__ import annotations

import json
import math
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from tools_ground import Ground, deployment, ground
from tools_scenarios import Acts

from kubemend.model.objects import PersistentVolumeClaim

pytestmark = pytest.mark.timeout(150)

PLACE = {"namespace": "shop"}
MI = 2**20
WEB = {"resource_type": "deployment", "resource_name": "web", **PLACE}


# --- 7: what is wasted, and what would it save -----------------------------------------------------------------------

PIN = "nodeSelector: {kubernetes.io/hostname: lab-1}"


def _asks(cpu: str, memory: str, limit: str) -> str:
    return f"resources: {{requests: {{cpu: {cpu}, memory: {memory}}}, limits: {{memory: {limit}}}}}"


LEFT = """
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: left, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: left, namespace: shop}
data: {a: b}
---
apiVersion: v1
kind: Service
metadata: {name: left, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
"""
DEAR = (
    deployment("web", pod=PIN, container=_asks("'1'", "1Gi", "2Gi"))
    + deployment("quiet", replicas=1, pod=PIN, container=_asks("500m", "512Mi", "512Mi"))
    + deployment("fit", replicas=1, pod=PIN, container=_asks("200m", "256Mi", "256Mi"))
    + deployment("stopped", replicas=0)
    + LEFT
)
USED = {"web": ("100m", "300Mi"), "quiet": ("200u", "16Mi"), "fit": ("150m", "200Mi")}
"""What each pod uses."""
CORE, GIB = 0.031611 * 730, 0.004237 * 730
"""What a core and a GiB cost in a month, by OpenCost's default prices."""
NODE = 117.05  # 4 cores and 8 GiB
STORAGE = 0.40  # 10 GiB at $0.04


def _bucket(first: float, value: float) -> float:
    """Where the bucket ends that holds a value: they grow by a twentieth, from `first` on (VPA's histograms)."""
    number = math.ceil(math.log(value * 0.05 / first + 1) / math.log(1.05))
    return first * (1.05**number - 1) / 0.05


async def _metered(here: Ground) -> None:
    for app, (cpu, memory) in USED.items():
        for pod in await here.pods(app):
            here.store.usage["shop", pod.name, "web"] = {"cpu": cpu, "memory": memory}


async def _remembered(here: Ground) -> None:
    """Two days of samples of web, alike for each of its pods: 0.1 cores of the one that it asks for, and 300 MiB."""
    memory, now = here.gateway._memory, time.time()
    assert memory is not None
    for minute in range(2 * 24 * 60, 0, -20):
        looks = [(0.1, 300.0 * MI, 1.0)] * 2
        await memory.learn({("shop", "Deployment", "web", "web"): looks}, at=now - 60 * minute)


async def _dear(here: Ground) -> None:
    await _remembered(here)
    await here.settled()

    async def bound() -> bool:
        return all(c.status.phase == "Bound" for c in await here.list(PersistentVolumeClaim))

    await here.until(bound)
    await _metered(here)


async def test_7_waste_idleness_and_cost_are_what_a_person_reckons(tmp_path: Path) -> None:
    async with ground(tmp_path, DEAR) as here:
        await _dear(here)
        waste = await here.data("analyze_resource_waste", **PLACE)
        idle = await here.data("identify_idle_resources")
        cost = await here.data("calculate_cost_savings")
    rows = {r["name"]: r for r in waste["workloads"]}
    assert [r["name"] for r in waste["workloads"]] == ["web", "quiet", "fit"]
    assert {n: r["state"] for n, r in rows.items()} == {"web": "over-provisioned", "quiet": "idle", "fit": "fitting"}
    # web: 2 x (1 core, 1 GiB) asked, 2 x (0.1 cores, 300 MiB) used.
    assert (rows["web"]["wasted_cpu_cores"], rows["web"]["wasted_memory_bytes"]) == (1.8, (2048 - 600) * MI)
    assert (rows["web"]["cpu_used_percent"], rows["web"]["memory_used_percent"]) == (10.0, 29.3)
    assert (rows["fit"]["cpu_used_percent"], rows["fit"]["memory_used_percent"]) == (75.0, 78.1)
    assert (waste["requested_cpu_cores"], waste["wasted_cpu_cores"]) == (2.7, 2.35)  # 1.8 + 0.4998 + 0.05
    assert (waste["requested_memory_bytes"], waste["wasted_memory_bytes"]) == (2816 * MI, (1448 + 496 + 56) * MI)

    found = {k: [(i["name"], i["monthly_cost"]) for i in v] for k, v in idle.items() if isinstance(v, list)}
    assert found["empty_nodes"] == [("lab-2", NODE), ("lab-3", NODE)]
    assert found["unmounted_claims"] == [("left", STORAGE)]
    assert found["unused_config_maps"] == found["unused_services"] == [("left", None)]
    assert [n for n, _ in found["stopped_workloads"]] == ["stopped"]
    assert found["idle_workloads"] == [("quiet", round(0.5 * CORE + 0.5 * GIB, 2))]
    assert idle["monthly_cost"] == round(2 * NODE + STORAGE, 2)

    (shop,) = (n for n in cost["namespaces"] if n["namespace"] == "shop")
    assert shop["compute"] == round(2.7 * CORE + 2.75 * GIB, 2)
    assert (shop["storage"], cost["node_cost"]) == (STORAGE, round(3 * 4 * CORE + 3 * 8 * GIB, 2))
    saved = {(s["kind"], s["name"]): s["monthly_saving"] for s in cost["savings"]}
    right_sized = round(2 * ((1 - 0.127) * CORE + (1 - 363 / 1024) * GIB), 2)
    assert saved == {
        ("Node", "lab-2"): NODE,
        ("Node", "lab-3"): NODE,
        ("Deployment", "web"): right_sized,
        ("PersistentVolumeClaim", "left"): STORAGE,
    }
    assert cost["monthly_savings"] == round(2 * NODE + right_sized + STORAGE, 2)


async def test_7_the_sizes_that_are_recommended_apply_and_end_the_waste(tmp_path: Path) -> None:
    async with ground(tmp_path, DEAR, changes=True) as here:
        await _dear(here)
        acts = Acts(here)
        told = await here.data("recommend_resource_right_sizing", **PLACE)
        (who,) = told["patches"]
        plan = await acts.planned("patch_resource", **WEB, patch=told["patches"][who])
        await acts.done("patch_resource", **WEB, patch=told["patches"][who])
        await here.settled()
        await _metered(here)
        container = (await here.pods("web"))[0].spec.container("web")
        again = await here.data("recommend_resource_right_sizing", **PLACE)
        waste = await here.data("analyze_resource_waste", **PLACE)
        cost = await here.data("calculate_cost_savings", **PLACE)
    # Its 90th percentiles lie in the buckets of 0.1 cores and 300 MiB; 15 % more, rounded up to 1m and 1 MiB.
    cpu, memory = math.ceil(1150 * _bucket(0.01, 0.1)), math.ceil(1.15 * _bucket(1e7, 300 * MI) / MI)
    assert (cpu, memory) == (127, 363)
    assert told["basis"]["strategy"] == "VPA recommender"
    assert "VPA recommender" in told["formula"]["cpu"]
    assert (told["freed_cpu_cores"], told["freed_memory_bytes"]) == (round(2 * (1 - 0.127), 3), 2 * (1024 - 363) * MI)
    assert told["by_severity"]["unknown"] == 3  # nothing is known of the others' past
    assert "cpu: 127m" in plan["diff"]
    assert container is not None
    assert dict(container.resources.requests) == {"cpu": "127m", "memory": "363Mi"}
    assert dict(container.resources.limits) == {"memory": "726Mi"}  # twice the request, as before
    assert (again["patches"], again["freed_cpu_cores"]) == ({}, 0.0)
    assert next(r["state"] for r in waste["workloads"] if r["name"] == "web") == "fitting"
    assert [s["kind"] for s in cost["savings"]] == ["PersistentVolumeClaim"]


# --- 8: how safe is it, and what would make it safer -----------------------------------------------------------------

UNSAFE = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostPID: true
      containers:
        - name: web
          image: registry.lab/web:1.2
          ports: [{containerPort: 8080, hostPort: 8080}]
          env: [{name: DB_PASSWORD, value: canary-in-clear}]
          securityContext: {privileged: true, capabilities: {add: [NET_ADMIN, CHOWN]}}
"""
OWNER = """
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: builder-owns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: builder, namespace: shop}]
"""
BOX = {"privileged": 2, "hostNamespaces": 2, "capabilities_baseline": 2, "hostPorts": 2}
"""What the template and its pod violate at baseline."""
FAILING = {"pod-out-of-its-box": 10, "pod-violates-baseline": 5, "secret-in-clear": 5, "namespace-enforces-nothing": 2,
           "ingress-uncovered": 2, "egress-uncovered": 1, "default-token-mounted": 1, "image-not-pinned": 1,
           "memory-unlimited": 1}  # fmt: skip
"""Each fails for all that was judged, so its weight is lost; `PASSING` is what was judged besides, and holds."""
PASSING = {"pod-not-restricted": 1, "image-tag-moves": 2, "secret-in-environment": 1}


def _score(failing: dict[str, int]) -> float:
    return round(100 * (1 - sum(failing.values()) / (sum(FAILING.values()) + sum(PASSING.values()))), 1)


async def _patched(here: Ground, acts: Acts, level: str) -> Any:
    """The patch that is recommended for the template, applied; and what the standard says then."""
    told = await here.data("check_pod_security_standards", level=level, **PLACE)
    (template,) = (v for v in told["violations"] if v["kind"] == "Deployment")
    assert template["left"] == []
    await acts.done("patch_resource", **WEB, patch=template["patch"])
    await acts.rested()

    async def one() -> bool:
        return len(await here.pods("web")) == 1

    await here.until(one)
    return await here.data("check_pod_security_standards", level=level, **PLACE)


async def test_8_the_score_is_what_a_person_reckons_and_the_patches_cure(tmp_path: Path) -> None:
    async with ground(tmp_path, UNSAFE, changes=True) as here:
        await here.settled()
        acts = Acts(here)
        before = await here.data("audit_security_policies", **PLACE)
        baseline = await here.data("check_pod_security_standards", level="baseline", **PLACE)
        report = await here.data("generate_security_report", format="json", **PLACE)
        at_baseline = await _patched(here, acts, "baseline")
        raw = (await here.api.get("Deployment", "shop", "web"))["spec"]["template"]["spec"]
        at_restricted = await _patched(here, acts, "restricted")
        label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
        await acts.done("patch_resource", resource_type="namespace", resource_name="shop", patch=label)
        after = await here.data("audit_security_policies", **PLACE)
        standards = await here.data("check_pod_security_standards", level="restricted", **PLACE)
    assert baseline["by_check"] == BOX
    assert {f["code"]: f["count"] / f["of"] for f in before["findings"]} == dict.fromkeys(FAILING, 1.0)
    assert set(PASSING) <= set(before["passed"])
    assert before["score"] == report["content"]["score"] == _score(FAILING) == 12.5
    assert at_baseline["violating"] == 0
    # The patch takes what baseline forbids, and nothing else.
    assert raw["containers"][0]["securityContext"] == {"privileged": False, "capabilities": {"add": ["CHOWN"]}}
    assert raw["containers"][0]["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert not raw.get("hostPID")
    assert (at_restricted["violating"], at_restricted["passed"]) == (0, 2)
    cured = ("pod-out-of-its-box", "pod-violates-baseline", "namespace-enforces-nothing")
    assert {f["code"] for f in after["findings"]} == set(FAILING) - set(cured)
    assert after["score"] == _score({k: v for k, v in FAILING.items() if k not in cured})
    assert [(n["enforce"], n["refused"]) for n in standards["namespaces"]] == [("restricted:latest", 0)]
    assert acts.written() == ["patch deployments web"] * 2 + ["patch namespaces shop"]


async def test_8_a_hardening_that_the_image_can_not_bear_is_taken_back(tmp_path: Path) -> None:
    """nginx runs as root: it passes the standard on paper only."""
    text = deployment("web", replicas=1).replace("registry.lab/web:1.2", "nginx:1.27")
    async with ground(tmp_path, text, changes=True) as here:
        await here.settled()
        acts = Acts(here)
        told = await here.data("check_pod_security_standards", **PLACE)
        (template,) = (v for v in told["violations"] if v["kind"] == "Deployment")
        message = await acts.failed("patch_resource", "repair-rolled-back", **WEB, patch=template["patch"])
        spec = (await here.api.get("Deployment", "shop", "web"))["spec"]["template"]["spec"]
        await here.settled()
    assert "run as" in message or "root" in message, message
    assert "securityContext" not in spec["containers"][0]


async def test_8_who_owns_the_cluster_is_told_and_no_more_when_the_binding_is_gone(tmp_path: Path) -> None:
    async with ground(tmp_path, OWNER, changes=True) as here:
        before = await here.data("analyze_rbac_permissions")
        audit = await here.data("audit_security_policies", **PLACE)
        acts, target = Acts(here), {"resource_type": "clusterrolebinding", "resource_name": "builder-owns"}
        await acts.planned("delete_kubernetes_resource", **target)
        await acts.done("delete_kubernetes_resource", **target)
        after = await here.data("analyze_rbac_permissions")
        again = await here.data("audit_security_policies", **PLACE)
    (row,) = (r for r in before["subjects"] if r["subject"] == "ServiceAccount shop/builder")
    assert row["path_to_owner"] == [
        "ServiceAccount shop/builder owns the cluster "
        "(ClusterRoleBinding builder-owns of ClusterRole cluster-admin: * * of *)"
    ]
    assert row["wildcards"]
    assert [f["objects"] for f in audit["findings"] if f["code"] == "subject-owns-cluster"] == [
        ["ServiceAccount shop/builder"]
    ]
    assert after["subjects"] == []
    assert not [f for f in again["findings"] if f["category"] == "rbac"]


WEAK = {
    "Results": [
        {
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-1", "Severity": "LOW", "PkgName": "a", "InstalledVersion": "1"},
                {"VulnerabilityID": "CVE-2", "Severity": "CRITICAL", "PkgName": "b", "InstalledVersion": "1",
                 "FixedVersion": "2", "Title": "bad", "PrimaryURL": "https://x"},
            ]
        }
    ]
}  # fmt: skip


async def test_8_weak_images_are_counted_with_the_pods_that_run_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "trivy"
    program.write_text(f"#!/bin/sh\ncase \"$*\" in *1.1) cat <<'E'\n{json.dumps(WEAK)}\nE\n;; *) echo '{{}}';; esac\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    text = deployment("old", replicas=3).replace("web:1.2", "web:1.1") + deployment("new", replicas=1)
    async with ground(tmp_path, text, changes=True) as here:
        await here.settled()
        before = await here.data("scan_image_vulnerabilities", **PLACE)
        wanted = {"resource_name": "old", "image": "registry.lab/web:1.2", **PLACE}
        await Acts(here).done("set_image", **wanted)

        async def rolled() -> bool:
            return {p.spec.containers[0].image for p in await here.pods("old")} == {"registry.lab/web:1.2"}

        await here.until(rolled)
        after = await here.data("scan_image_vulnerabilities", **PLACE)
    assert [(i["image"], i["pods"], i["by_severity"], i["fixable"]) for i in before["images"]] == [
        ("registry.lab/web:1.1", 3, {"critical": 1, "low": 1}, 1),
        ("registry.lab/web:1.2", 1, {}, 0),
    ]
    assert (before["by_severity"]["critical"], before["images_scanned"]) == (1, 2)
    assert (sum(after["by_severity"].values()), after["images"][0]["pods"]) == (0, 4)


# --- 9: would it stand the loss of a node ----------------------------------------------------------------------------

COSTS = {"all-on-one-node": 25, "all-on-one-zone": 10, "not-spread": 5, "no-budget": 10, "no-readiness": 15,
         "no-liveness": 3, "no-requests": 5}  # fmt: skip
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
"""
PROBES = {
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 10},
}


async def _closed(here: Ground, *nodes: str, closed: bool = True) -> None:
    for node in nodes:
        await here.api.patch(await here.api.get("Node", "", node), {"spec": {"unschedulable": closed or None}})


async def _available(here: Ground) -> tuple[set[str], int]:
    """The gaps of web, and its score."""
    told = await here.data("analyze_high_availability", workload="deployment/web", **PLACE)
    (row,) = told["workloads"]
    assert row["score"] == 100 - sum(g["costs"] for g in row["gaps"])
    assert {g["code"]: g["costs"] for g in row["gaps"]}.items() <= COSTS.items()
    return {g["code"] for g in row["gaps"]}, row["score"]


def _of_pods(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": fields}}}


async def test_9_each_gap_is_counted_and_closed_by_what_the_tools_recommend(tmp_path: Path) -> None:
    """All three pods came to the only node that was open; then the others are opened again."""
    async with ground(tmp_path, changes=True) as here:
        await _closed(here, "lab-2", "lab-3")
        await here.create(deployment("web", replicas=3))
        await here.settled()
        await _closed(here, "lab-2", "lab-3", closed=False)
        acts, name = Acts(here), {"deployment_name": "web", **PLACE}
        assert await _available(here) == (set(COSTS), 100 - sum(COSTS.values()))
        places = await here.data("check_pod_distribution", **name)
        assert {n: p["pod_count"] for n, p in places["node_distribution"].items()} == {
            "lab-1": 3, "lab-2": 0, "lab-3": 0,
        }  # fmt: skip
        assert (places["node_skew"], places["zone_skew"]) == (3, 3)
        advice = (await here.data("recommend_anti_affinity", **name))["recommended"]
        assert (advice["schedules"], advice["hard"]) == (True, True)
        await acts.done("patch_resource", **WEB, patch=advice["patch"])
        await acts.rested()
        await _settled(here)
        spread = await here.data("check_pod_distribution", **name)
        left = set(COSTS) - {"all-on-one-node", "all-on-one-zone", "not-spread"}
        assert await _available(here) == (left, 67)
        probes = await here.data("validate_probe_configuration", **name)
        assert (probes["probe_score"], probes["overall_status"]) == ("0/2", "needs_improvement")
        await acts.done("patch_resource", **WEB, patch=_of_pods(containers=[{"name": "web", **PROBES}]))
        await acts.rested()
        await _settled(here)
        sound = await here.data("validate_probe_configuration", **name)
        await acts.done("set_resources", resource_name="web", requests={"cpu": "50m", "memory": "64Mi"}, **PLACE)
        await here.create(BUDGET)
        await _settled(here)
        assert await _available(here) == (set(), 100)
    assert (spread["node_skew"], spread["zone_skew"], spread["distribution_score"]) == (0, 0, "good")
    assert spread["single_points_of_failure"] == []
    assert advice["by_node"] == {n: p["pod_count"] for n, p in spread["node_distribution"].items()}
    assert (sound["probe_score"], sound["overall_status"]) == ("2/2", "good")
    assert acts.written() == ["patch deployments web"] * 3


async def _settled(here: Ground) -> None:
    """The rollout is over, and old pods are gone."""

    async def over() -> bool:
        found = await here.api.get("Deployment", "shop", "web")
        status = found["status"]
        full = status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == 3
        return full and len(await here.pods("web")) == 3

    await here.until(over)


async def test_9_a_workload_that_stands_the_loss_of_a_node_is_not_accused(tmp_path: Path) -> None:
    must = "maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}"
    keys = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    rows = ", ".join(f"{{topologyKey: {key}, {must}}}" for key in keys)
    container = f"""ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /ready, port: http}}}}
          livenessProbe: {{httpGet: {{path: /healthz, port: http}}, initialDelaySeconds: 10}}
          {_asks("50m", "64Mi", "128Mi")}"""
    web = deployment("web", replicas=3, pod=f"topologySpreadConstraints: [{rows}]", container=container)
    async with ground(tmp_path, f"{BUDGET}{web}") as here:
        await _settled(here)
        name = {"deployment_name": "web", **PLACE}
        assert await _available(here) == (set(), 100)
        places = await here.data("check_pod_distribution", **name)
        probes = await here.data("validate_probe_configuration", **name)
        advice = await here.data("recommend_anti_affinity", **name)
    assert (places["distribution_score"], places["issues"]) == ("good", [])
    assert (probes["overall_status"], probes["issues"]) == ("good", [])
    assert (advice["recommended"], advice["reason"]) == (None, "its pods are kept apart already, as a must")
