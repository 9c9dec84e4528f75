"""The tracing tools on practice clusters with trouble in them: the answer names what is wrong, and where."""

from __future__ import annotations

import pytest
from tools_shop import data, pods, shop

from kubemend.model.objects import Condition
from kubemend.tools.tracing.moments import is_bad, of_raw

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.lab/web:1.2
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  containers: [{name: redis, image: "redis:7"}]
"""


def policies(text: str) -> str:
    return "".join(
        f"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{part.strip()}\n" for part in text.split("|||")
    )


DENY = "metadata: {name: deny}\nspec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}"
ALLOW = """
metadata: {name: allow}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: http}]}]
"""
NO_EGRESS = """
metadata: {name: no-egress}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]
"""


async def path(gateway, **more):
    return await data(
        gateway, "analyze_network_path", source_namespace="shop", source_pod="client", target_namespace="shop",
        target_service="web", **more,
    )  # fmt: skip


async def test_a_path_without_policies_is_open_on_every_port(practice, tmp_path):
    async with shop(practice, tmp_path, WEB) as gateway:
        await practice.until(pods(2, "web"))
        found = await path(gateway)
    assert found["result"] == "allowed"
    assert found["paths"][0]["open_ports"] == ["1-65535"]
    assert found["paths"][0]["target_count"] == 2
    assert found["ready_endpoints"] == 2
    assert found["dns"]["allowed"]


async def test_a_policy_without_rules_closes_the_path_and_is_named(practice, tmp_path):
    async with shop(practice, tmp_path, WEB + policies(DENY)) as gateway:
        await practice.until(pods(2, "web"))
        found = await path(gateway)
        blocks = await data(gateway, "check_network_policies_blocking", source_namespace="shop", target_service="web")
    assert found["result"] == "blocked"
    assert found["blocked_by"] == [
        {
            "policy": "shop/deny",
            "direction": "Ingress",
            "why": "selects it and has no ingress rule: allows nothing",
        }
    ]
    assert blocks["ingress_blocked"]
    assert not blocks["egress_blocked"]
    assert [b["policy"] for b in blocks["blocking_policies"]] == ["deny"]
    assert blocks["recommendations"]


async def test_a_named_port_of_a_second_policy_opens_the_path_and_its_rule_is_named(practice, tmp_path):
    async with shop(practice, tmp_path, WEB + policies(f"{DENY}|||{ALLOW}")) as gateway:
        await practice.until(pods(2, "web"))
        found = await path(gateway)
    assert found["result"] == "allowed"
    (row,) = found["paths"]
    assert (row["port"], row["open_ports"]) == (8080, ["8080"])
    assert row["ingress"]["allowed_by"] == ["shop/allow rule 0 (peer 0, port entry 0)"]
    assert sorted(row["ingress"]["isolated_by"]) == ["shop/allow", "shop/deny"]


async def test_an_egress_policy_that_forgets_dns_is_told(practice, tmp_path):
    async with shop(practice, tmp_path, WEB + policies(NO_EGRESS)) as gateway:
        await practice.until(pods(2, "web"))
        found = await path(gateway)
    assert found["result"] == "allowed"
    assert not found["dns"]["allowed"]
    assert found["dns"]["judged_on"].startswith("assumed")
    assert found["dns"]["blocked"] == [f"{p} from client: egress closed by shop/no-egress" for p in ("UDP", "TCP")]


async def test_a_port_that_the_service_does_not_have_is_an_error_with_the_ports_it_has(practice, tmp_path):
    async with shop(practice, tmp_path, WEB) as gateway:
        asked = {"source_namespace": "shop", "target_namespace": "shop", "target_service": "web", "port": 81}
        answer = await gateway.call("analyze_network_path", asked, actor="test")
    assert answer.error.code == "no-such-port"
    assert "it has: 80" in answer.error.message


async def test_a_whole_chain_is_healthy(practice, tmp_path):
    async with shop(practice, tmp_path, WEB) as gateway:
        await practice.until(pods(2, "web"))
        await practice.until(
            lambda s: sum(len(e["endpoints"]) for e in s.all("EndpointSlice", "shop") if e.get("endpoints")) == 2
        )
        found = await data(gateway, "trace_service_chain", service_name="web", namespace="shop")
    assert found["health_status"] == "healthy", found["issues"]
    assert found["first_broken_hop"] is None
    assert found["chain"]["endpoints"]["ready_count"] == 2
    health = {h["hop"]: h["health"] for h in found["hops"]}
    assert health == {
        "ingress": "unused", "gateway": "unused", "service": "ok", "endpoints": "ok", "pod": "ok", "node": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "hop", "says"),
    [
        (("selector: {app: web}", "selector: {app: wbe}"), "service", "selects no pod (app=wbe); pod web-"),
        (("targetPort: http", "targetPort: htpp"), "service", "goes to the port named htpp"),
        (
            ("path: /ready", "path: /gone"),
            "pod",
            "the readiness probe of web (GET /gone on port http) does not succeed",
        ),
        (("web:1.2", "web:9.9"), "pod", "container web waits:"),
    ],
)
async def test_the_first_broken_hop_is_named_with_what_is_wrong_there(practice, tmp_path, change, hop, says):
    async with shop(practice, tmp_path, WEB.replace(*change)) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        await practice.until(lambda s: any(_shows(p) for p in s.all("Pod", "shop")))
        found = await data(gateway, "trace_service_chain", service_name="web", namespace="shop")
    assert found["health_status"] == "critical"
    assert found["first_broken_hop"] == hop
    assert any(says in i["message"] for i in found["issues"]), found["issues"]


def _shows(pod) -> bool:
    """Whether a web pod has come as far as it will."""
    if not pod["metadata"]["name"].startswith("web-"):
        return False
    states = [s["state"] for s in (pod.get("status") or {}).get("containerStatuses") or ()]
    return any(
        "running" in s or (s.get("waiting") or {}).get("reason", "").endswith(("BackOff", "Pull")) for s in states
    )


INGRESS = """---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.example], secretName: shop-tls}]
  rules:
    - host: shop.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]}
"""


async def test_an_ingress_with_a_wrong_port_and_an_unknown_class_breaks_the_first_hop(practice, tmp_path):
    async with shop(practice, tmp_path, WEB + INGRESS) as gateway:
        await practice.until(pods(2, "web"))
        answer = await gateway.call("trace_service_chain", {"service_name": "web", "namespace": "shop"}, actor="test")
    told = [i["message"] for i in answer.data["issues"] if i["component"] == "ingress"]
    assert told == [
        "shop.example/ goes to port 8080 of Service web, which has: 80, http",
        "wants the class nginx, and there is: none",
    ]
    assert answer.data["first_broken_hop"] == "ingress"
    assert [g.what for g in answer.incomplete] == ["Secret shop/shop-tls"]


async def test_a_service_that_does_not_exist_is_an_answer_with_the_name_that_may_be_meant(practice, tmp_path):
    async with shop(practice, tmp_path, WEB) as gateway:
        found = await data(gateway, "trace_service_chain", service_name="wbe", namespace="shop")
    assert not found["chain"]["service"]["exists"]
    assert found["health_status"] == "critical"
    assert found["issues"][0]["message"] == "doesn't exist; did you mean web?"


async def test_a_timeline_holds_rollouts_ends_and_conditions_the_newest_first(practice, tmp_path):
    broken = WEB.replace("image: registry.lab/web:1.2", 'image: busybox:1.36\n          command: [sh, -c, "exit 3"]')
    async with shop(practice, tmp_path, broken) as gateway:
        await practice.until(
            lambda s: any(
                c.get("lastState", {}).get("terminated")
                for p in s.all("Pod", "shop")
                for c in (p.get("status") or {}).get("containerStatuses") or ()
            )
        )
        found = await data(
            gateway, "get_resource_events_timeline", resource_type="deploy", resource_name="web", namespace="shop"
        )
    times = [m["timestamp"] for m in found["timeline"]]
    assert times == sorted(times, reverse=True)
    assert {"event", "condition", "container", "rollout", "created"} <= {m["source"] for m in found["timeline"]}
    assert found["event_summary"]["Error"] >= 1
    assert found["total_events"] == sum(found["event_summary"].values())
    assert any(o.startswith("Pod/web-") for o in found["objects"])
    assert not any("client" in m["object"] for m in found["timeline"])


def test_the_last_write_of_every_field_manager_is_a_moment_with_what_it_wrote():
    raw = {
        "metadata": {
            "name": "web",
            "creationTimestamp": "2026-01-01T10:00:00Z",
            "managedFields": [
                {
                    "manager": "kubectl-edit",
                    "operation": "Update",
                    "time": "2026-01-01T11:00:00Z",
                    "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {}}}}},
                }
            ],
        },
        "status": {
            "conditions": [{"type": "Available", "status": "False", "reason": "Lost", "lastTransitionTime": "x"}]
        },
    }
    made, write = of_raw("Deployment/web", raw)
    assert (made.source, write.source) == ("created", "write")
    assert write.message == "kubectl-edit wrote spec.replicas, spec.template.spec"


@pytest.mark.parametrize(
    ("type_", "status", "bad"),
    [
        ("Ready", "False", True),
        ("Ready", "True", False),
        ("MemoryPressure", "True", True),
        ("Suspended", "False", False),
    ],
)
def test_a_condition_is_bad_by_its_name(type_, status, bad):
    assert is_bad(Condition(type_, status)) is bad


async def test_failing_pods_on_one_node_point_to_the_node(practice, tmp_path):
    async with shop(practice, tmp_path, WEB.replace("replicas: 2", "replicas: 9")) as gateway:
        await practice.until(pods(9, "web"))
        victim = practice.store.all("Pod", "shop")[0]["spec"]["nodeName"]
        on_it = {p["metadata"]["name"] for p in practice.store.all("Pod", "shop") if p["spec"]["nodeName"] == victim}
        await practice.nodes[victim].stop()
        await practice.until(
            lambda s: all(not _ready(p) for p in s.all("Pod", "shop") if p["metadata"]["name"] in on_it)
        )
        found = await data(gateway, "correlate_pod_issues", namespace="shop")
    assert found["likely_common_cause"].startswith(f"node {victim}: ")
    assert found["clusters"][0]["trouble"] == ["not ready"]
    assert found["failing_pods"] == len(on_it)


def _ready(pod) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


async def test_what_healthy_pods_have_too_is_no_cause(practice, tmp_path):
    bad = WEB.partition("---")[0].replace("name: web}", "name: bad}").replace("app: web", "app: bad")
    bad = bad.replace("image: registry.lab/web:1.2", "image: registry.lab/web:9.9")
    async with shop(practice, tmp_path, WEB + "---" + bad) as gateway:
        await practice.until(pods(2, "web"))
        await practice.until(
            lambda s: (
                sum(
                    "BackOff" in str(p.get("status")) or "ErrImagePull" in str(p.get("status"))
                    for p in s.all("Pod", "shop")
                )
                == 2
            )
        )
        found = await data(gateway, "correlate_pod_issues", namespace="shop")
    assert found["failing_pods"] == 2
    assert found["likely_common_cause"].startswith("image registry.lab/web:9.9: 2 of 2 pods with it fail, 0 of 3")
    assert {p["name"].partition("-")[0] for p in found["pods"]} == {"bad"}


async def test_no_failing_pod_is_an_answer(practice, tmp_path):
    async with shop(practice, tmp_path, WEB) as gateway:
        await practice.until(pods(2, "web"))
        await practice.until(pods(1, "client"))
        found = await data(gateway, "correlate_pod_issues", namespace="shop")
    assert found["summary"] == "no failing pod"
    assert found["clusters"] == []
