"""The tools that look at one kind at a time tell what matters of it."""

from __future__ import annotations

from pathlib import Path

from tools_ground import deployment, ground

from kubemend.model.objects import Job, ResourceQuota

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: few, namespace: shop}
spec: {hard: {pods: "2", services: "10", persistentvolumeclaims: "0"}}
"""


async def test_a_quota_that_is_used_up_is_told_and_one_of_nothing_too(tmp_path: Path) -> None:
    async with ground(tmp_path, QUOTA) as here:

        async def counted() -> bool:
            return bool((await here.list(ResourceQuota))[0].status.used)

        await here.until(counted)
        await here.create(deployment("web", replicas=2))
        await here.settled()

        async def full() -> bool:
            return (await here.list(ResourceQuota))[0].status.used.get("pods") == "2"

        await here.until(full)
        (row,) = await here.data("check_kubernetes_resource_quotas", namespace="shop")
    assert row["usage_percentage"] == {"pods": 100.0, "services": 0.0, "persistentvolumeclaims": 100.0}
    assert row["exhausted"] == ["persistentvolumeclaims", "pods"]


POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{namespaceSelector: {}}]}]
"""


async def test_policies_show_their_rules_whom_they_select_and_what_they_close(tmp_path: Path) -> None:
    async with ground(tmp_path, POLICIES + deployment("web")) as here:
        await here.settled()
        closed, opened = await here.data("check_kubernetes_network_policies", namespace="shop")
    assert (closed["name"], closed["denies_all"], closed["selected_pods"]) == ("closed", ["Ingress"], 2)
    assert opened["denies_all"] == ["Egress"]
    assert opened["ingress_rules"] == [{"from": [{"namespaceSelector": {}}]}]


JOBS = """
apiVersion: batch/v1
kind: Job
metadata: {name: bad, namespace: shop}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "busybox:1.36", command: [sh, -c, "exit 1"]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "busybox:1.36", command: [sh, -c, "exit 0"]}]
"""


async def test_a_job_that_failed_comes_first_with_the_controllers_reason(tmp_path: Path) -> None:
    async with ground(tmp_path, JOBS) as here:

        async def failed() -> bool:
            return any(c.type == "Failed" for j in await here.list(Job) for c in j.status.conditions)

        await here.until(failed)
        told = await here.data("check_kubernetes_jobs", namespace="shop")
    assert (told["jobs"][0]["state"], told["failed_jobs"]) == ("failed", 1)
    assert "BackoffLimitExceeded" in told["jobs"][0]["why"]
    assert told["cronjobs"][0]["suspend"]
    assert told["cronjobs_note"] == "1 suspended: they make no Jobs"


SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: lost, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  tls: [{hosts: [shop.example], secretName: cert}]
  rules:
    - host: shop.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
          - {path: /old, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
          - {path: /port, pathType: Prefix, backend: {service: {name: web, port: {name: grpc}}}}
"""


async def test_a_service_with_nobody_behind_it_is_listed_with_none(tmp_path: Path) -> None:
    async with ground(tmp_path, SERVICES + deployment("web")) as here:
        await here.settled()

        async def known() -> bool:
            rows = await here.data("check_kubernetes_endpoints", namespace="shop")
            return [r["ready_count"] for r in rows] == [0, 2]

        await here.until(known)
        lost, web = await here.data("check_kubernetes_endpoints", namespace="shop")
        pods = await here.pods("web")
    assert (lost["name"], lost["service_exists"]) == ("lost", True)
    assert sorted(a["target_ref"] for a in web["ready_addresses"]) == sorted(f"Pod/{p.name}" for p in pods)
    assert web["ready_addresses"][0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


async def test_backends_that_lead_nowhere_are_marked_by_service_and_by_port(tmp_path: Path) -> None:
    async with ground(tmp_path, SERVICES) as here:
        (row,) = await here.data("check_kubernetes_ingress", namespace="shop")
    assert [b["missing"] for b in row["backends"]] == [False, True, True]
    assert row["tls"] == [{"hosts": ["shop.example"], "secret_name": "cert"}]
    assert row["hosts"] == ["shop.example"]


SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nobody}
  minReplicas: 1
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""


async def test_an_autoscaler_shows_its_metrics_as_written_and_what_keeps_it_from_working(tmp_path: Path) -> None:
    async with ground(tmp_path, SCALER) as here:

        async def judged() -> bool:
            (row,) = await here.data("check_kubernetes_hpa_status", namespace="shop")
            return bool(row["problems"])

        await here.until(judged)
        (row,) = await here.data("check_kubernetes_hpa_status", namespace="shop")
    assert row["target_metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert row["target_ref"] == "Deployment/nobody"
    assert any(p.startswith("FailedGetScale") for p in row["problems"])


async def test_what_deployments_lack_is_counted_by_kind_and_told_by_container(tmp_path: Path) -> None:
    good = """resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          readinessProbe: {httpGet: {path: /ready, port: 8080}}
          livenessProbe: {httpGet: {path: /live, port: 8080}}
          securityContext: {runAsNonRoot: true}"""
    spread = (
        "topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: "
        "DoNotSchedule, labelSelector: {matchLabels: {app: good}}}]"
    )
    budget = """
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: good, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: good}}}
"""
    text = deployment("bare", replicas=1) + deployment("good", pod=spread, container=good) + budget
    async with ground(tmp_path, text) as here:
        told = await here.data("analyze_deployment_configurations", namespace="shop")
        one = await here.data("analyze_deployment_configurations", namespace="shop", name="good")
        missing = await here.ask("analyze_deployment_configurations", namespace="shop", name="goood")
    assert (told["total"], told["healthy"], told["problematic"]) == (2, 1, 1)
    assert told["deployments"][0]["name"] == "bare"
    codes = {i["code"] for i in told["issues_detail"]}
    assert {"one-replica", "no-requests", "no-memory-limit", "no-readiness-probe", "may-run-as-root"} <= codes
    assert one["deployments"][0]["config_analysis"]["containers"][0]["issues"] == []
    assert missing.error is not None
    assert (missing.error.code, missing.error.hint) == ("not-found", "did you mean good?")


async def test_a_forbidden_list_of_what_only_adds_makes_an_answer_incomplete_not_wrong(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=3)) as here:
        reader = here.gateway._reader
        list_ = reader.list

        async def guarded(kind, *rest, **more):  # type: ignore[no-untyped-def]
            if kind.__name__ == "PodDisruptionBudget":
                from kubemend.cluster.errors import Forbidden

                raise Forbidden("you may not list budgets", status=403)
            return await list_(kind, *rest, **more)

        reader.list = guarded  # type: ignore[method-assign]
        answer = await here.ask("analyze_deployment_configurations", namespace="shop")
    assert answer.ok
    assert [g.what for g in answer.incomplete] == ["poddisruptionbudgets in shop"]
    assert "no-disruption-budget" not in {i["code"] for i in answer.data["issues_detail"]}
