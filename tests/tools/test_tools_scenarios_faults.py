"""The seed's scenarios 1 to 3: what is broken is named by the tools that the seed names, and nothing else is blamed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tools_ground import Ground, deployment, ground
from tools_scenarios import Accused, Accusers, Acts, accused, named

from kubemend.model.objects import Event
from kubemend.model.objects.pod import Terminated
from kubemend.tools.diagnostics.analyze_pod_restart_pattern import cause_of

# A machine that is busy with ten other things takes long over a cluster; every wait below has its own end.
pytestmark = pytest.mark.timeout(120)

SHOP = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: example.com/nginx}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
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
          resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: shop}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec: {containers: [{name: redis, image: "redis:7"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: http}]}]
"""
NO_WAY_OUT = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-way-out, namespace: shop}
spec: {podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}
"""

REACHING: Accusers = {
    "trace_service_chain": lambda d: [f"{d['first_broken_hop']}: {i['object']} {i['message']}" for i in d["issues"]],
    "analyze_network_path": lambda d: [
        *(f"{b['direction']} {b['policy']}: {b['why']}" for b in d["blocked_by"]),
        *d["dns"]["blocked"],
        *d["notes"],
    ],
    "get_resource_events_timeline": lambda d: [
        f"{m['object']} {m['reason']}: {m['message']}" for m in d["timeline"] if m["type"] != "Normal"
    ],
    "correlate_pod_issues": lambda d: [*filter(None, [d["likely_common_cause"]]), *(p["symptom"] for p in d["pods"])],
    "diagnose_kubernetes_pod_issues": lambda d: [
        e["message"] for e in d["recent_events"] if e["type"] == "Warning" and "Back-off" not in e["message"]
    ],
    "check_kubernetes_endpoints": lambda d: [f"{s['name']} has no ready pod" for s in d if not s["ready_count"]],
    "check_kubernetes_ingress": lambda d: [
        f"{b['service_name']}:{b['service_port']} is missing" for i in d for b in i["backends"] if b["missing"]
    ],
}
NONE_READY = {"check_kubernetes_endpoints": "^web has no ready pod"}
DEAF = {**NONE_READY, "analyze_network_path": "^the Service has no ready endpoint"}
REVISION = "^revision shop/ReplicaSet/web-|^not ready$"
UNREACHABLE: dict[str, tuple[str, str, dict[str, str]]] = {
    "the selector fits no pod": (
        "selector: {app: web}\n  ports", "selector: {app: wbe}\n  ports",
        {"trace_service_chain": r"^service: Service shop/web selects no pod \(app=wbe\); pod web-\S+ has app=web$",
         "analyze_network_path": "^the Service selects no pod|^the Service has no ready endpoint", **NONE_READY},
    ),
    "the port's name is misspelt": (
        "targetPort: http", "targetPort: htpp",
        {"trace_service_chain": r"^service: .* goes to the port named htpp, .*\(named: http\)$",
         "analyze_network_path": "^no pod that the Service selects has this port"},
    ),
    "a policy lets others in": (
        "{app: client}}}], ports", "{app: customer}}}], ports",
        {"analyze_network_path": "^Ingress shop/web: rule 0 allows port 8080/TCP, but not for this peer$"},
    ),
    "a policy lets nothing out": (
        "metadata: {name: web, namespace: shop}\nspec:\n  podSelector", "NO_WAY_OUT",
        {"analyze_network_path": "^Egress shop/no-way-out: .*allows nothing$|^(UDP|TCP) from client.* shop/no-way-out"},
    ),
    "the readiness probe asks for a page that is not there": (
        "path: /ready", "path: /gone",
        {"trace_service_chain": r"^pod: .* the readiness probe of web \(GET /gone on port http\) does not succeed$",
         "get_resource_events_timeline": r"statuscode: 404|Unavailable|NotReady|False",
         "correlate_pod_issues": REVISION,
         "diagnose_kubernetes_pod_issues": "^Readiness probe failed: HTTP probe failed with statuscode: 404$", **DEAF},
    ),
    "the image can't be pulled": (
        "web:1.2", "web:9.9",
        {"trace_service_chain": "^pod: .* container web waits: (ErrImagePull|ImagePullBackOff).*web:9.9",
         "get_resource_events_timeline": "web:9.9|ErrImagePull|ImagePullBackOff|Unavailable|NotReady|False",
         "correlate_pod_issues": "^image registry.lab/web:9.9: 2 of 2 |^ErrImagePull$|^ImagePullBackOff$",
         "diagnose_kubernetes_pod_issues": "web:9.9|ErrImagePull|ImagePullBackOff", **DEAF},
    ),
    "the Ingress leads to a Service that is not there": (
        "service: {name: web,", "service: {name: wbe,",
        {"trace_service_chain": "^ingress: Ingress shop/web shop.example/ goes to Service wbe; is web meant",
         "check_kubernetes_ingress": "^wbe:http is missing"},
    ),
    "the Ingress leads to a port that is not there": (
        "port: {name: http}}}}]", "port: {number: 8080}}}}]",
        {"trace_service_chain": "^ingress: .* shop.example/ goes to port 8080 of Service web, which has: 80, http$",
         "check_kubernetes_ingress": "^web:8080 is missing"},
    ),
}  # fmt: skip


async def _reaching(here: Ground) -> Accused:
    pod, client = (await here.pods("web"))[0], (await here.pods("client"))[0]
    place = {"namespace": "shop"}
    return await accused(
        here,
        REACHING,
        {
            "trace_service_chain": {"service_name": "web", **place},
            "analyze_network_path": {
                "source_namespace": "shop", "source_pod": client.name,
                "target_namespace": "shop", "target_service": "web",
            },
            "get_resource_events_timeline": {"resource_type": "deployment", "resource_name": "web", **place},
            "correlate_pod_issues": place,
            "diagnose_kubernetes_pod_issues": {"pod_name": pod.name, **place},
            "check_kubernetes_endpoints": place,
            "check_kubernetes_ingress": place,
        },
    )  # fmt: skip


async def _published(here: Ground) -> None:
    """An Ingress controller takes the Ingress up, and the pods are there."""
    body = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    await here.api.patch(await here.api.get("Ingress", "shop", "web"), body, subresource="status")

    async def there() -> bool:
        return len(await here.pods("web")) == 2 and any(p.status.pod_ip for p in await here.pods("client"))

    await here.until(there)


async def test_1_a_shop_that_can_be_reached_is_not_accused_of_anything(tmp_path: Path) -> None:
    async with ground(tmp_path, SHOP) as here:
        await _published(here)
        await named(lambda: _reaching(here), {})
        chain = await here.data("trace_service_chain", service_name="web", namespace="shop")
    assert chain["health_status"] == "healthy"
    assert {h["hop"]: h["health"] for h in chain["hops"]} == {
        "ingress": "ok", "gateway": "unused", "service": "ok", "endpoints": "ok", "pod": "ok", "node": "ok",
    }  # fmt: skip


@pytest.mark.parametrize("fault", UNREACHABLE)
async def test_1_why_an_application_can_not_be_reached_is_named(fault: str, tmp_path: Path) -> None:
    before, after, causes = UNREACHABLE[fault]
    text = SHOP + NO_WAY_OUT if after == "NO_WAY_OUT" else SHOP.replace(before, after)
    assert text != SHOP
    async with ground(tmp_path, text) as here:
        await _published(here)
        await named(lambda: _reaching(here), causes)


async def test_1_pods_on_a_node_that_fell_silent_point_to_the_node(tmp_path: Path) -> None:
    text = SHOP.replace("replicas: 2", "replicas: 6")
    async with ground(tmp_path, text) as here:

        async def ready() -> bool:
            return sum(s.ready for p in await here.pods("web") for s in p.status.container_statuses) == 6

        await here.until(ready)
        victim = (await here.pods("web"))[0].spec.node_name
        await here.lab._cluster.nodes[victim].stop()
        place = {"namespace": "shop"}
        accusers = {t: REACHING[t] for t in ("trace_service_chain", "correlate_pod_issues")}
        arguments = {"trace_service_chain": {"service_name": "web", **place}, "correlate_pod_issues": place}

        async def hear() -> Accused:
            found = await accused(here, accusers, arguments)
            chain = [s for s in found["trace_service_chain"] if "no controller has given it" not in s]
            return {**found, "trace_service_chain": chain}

        causes = {
            "trace_service_chain": f"Node {victim} is not ready|Pod shop/web-.* not ready",
            "correlate_pod_issues": f"^node {victim}: .*; the node: not ready$|^not ready$",
        }
        await named(hear, causes)


GOOD = """ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: app}}]
          livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 2}
          resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}}"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: shop}
data: {MODE: fast}
"""


def _app(container: str = GOOD, image: str = "registry.lab/web:1.2") -> str:
    made = deployment("app", replicas=1, container=container).replace("registry.lab/web:1.2", image)
    return CONFIG + made


HUNGRY = """args: [--vm, "1", --vm-bytes, 200M]
          resources: {requests: {memory: 64Mi}, limits: {memory: 128Mi}}"""
CRASHES = 'command: [sh, -c, "echo starting; echo fatal: no such database; exit 3"]'
ENDS = 'command: [sh, -c, "echo done; exit 0"]'

RESTARTING: Accusers = {
    "get_high_restart_kubernetes_pods": lambda d: [
        f"{c['last_reason']} ({c['last_exit_code']})" for p in d for c in p["containers"]
    ],
    "analyze_pod_restart_pattern": lambda d: [
        " ".join([a["cause"], *a["restart_reasons"], *a["node_trouble"]]) for a in d["analysis"]
    ],
    "check_oom_events": lambda d: [f"{p['container_name']} at {p['memory_limit']}" for p in d["oom_pods"]],
    "get_pod_crash_report": lambda d: [] if d["probable_cause"] == "none" else [f"{d['probable_cause']}: {d['says']}"],
    "recommend_resource_limits": lambda d: [s for s in d["summary"] if "not enough data" not in s],
    "get_failed_kubernetes_pods": lambda d: [
        s["state"]["reason"] for p in d for s in p["container_statuses"] if s["state"]["status"] == "waiting"
    ],
    "correlate_pod_issues": lambda d: [p["symptom"] for p in d["pods"]],
}
LOOPS = {"get_failed_kubernetes_pods": "^CrashLoopBackOff$"}
RESTARTS: dict[str, tuple[str, dict[str, str]]] = {
    "it needs more memory than its limit": (
        _app(HUNGRY, "polinux/stress"),
        {"get_high_restart_kubernetes_pods": "^OOMKilled", "analyze_pod_restart_pattern": "^oom-killed OOMKilled",
         "check_oom_events": "^web at 128Mi$",
         "get_pod_crash_report": "^oom-killed: web was killed for memory at its limit of 128Mi$",
         "recommend_resource_limits": "memory request 64Mi -> 228Mi", "correlate_pod_issues": "^OOMKilled$", **LOOPS},
    ),
    "its program crashes": (
        _app(CRASHES, "busybox:1.36"),
        {"get_high_restart_kubernetes_pods": r"^Error \(3\)$",
         "analyze_pod_restart_pattern": r"^crash Error \(exit code 3\)$",
         "get_pod_crash_report": "^crash: web ended with exit code 3; it said: fatal: no such database$",
         "correlate_pod_issues": "^exit code 3$", **LOOPS},
    ),
    "its program comes to its end": (
        _app(ENDS, "busybox:1.36"),
        {"get_high_restart_kubernetes_pods": r"^Completed \(0\)$",
         "analyze_pod_restart_pattern": "^ended-by-itself Completed", "correlate_pod_issues": "^CrashLoopBackOff$",
         "get_pod_crash_report": r"^ended-by-itself: web ended well \(exit code 0\)", **LOOPS},
    ),
    "its liveness probe asks for a page that is not there": (
        _app(GOOD.replace("/healthz", "/alive")),
        {"get_high_restart_kubernetes_pods": r"\(0\)$", "analyze_pod_restart_pattern": "^killed-by-probe ",
         "get_pod_crash_report": "^killed-by-probe: the kubelet ended web for its probe: Liveness probe failed: .*404$",
         "correlate_pod_issues": "^CrashLoopBackOff$", **LOOPS},
    ),
    "its ConfigMap is not there": (
        _app(GOOD.replace("{name: app}", "{name: ap}")),
        {"get_pod_crash_report": "^missing-dependency: web can't be made: there is no ConfigMap ap$",
         "get_failed_kubernetes_pods": "^CreateContainerConfigError$",
         "correlate_pod_issues": "^CreateContainerConfigError$"},
    ),
    "a key of its ConfigMap is not there": (
        _app(GOOD.replace("envFrom: [{configMapRef: {name: app}}]",
                          "env: [{name: MODE, valueFrom: {configMapKeyRef: {name: app, key: MOD}}}]")),
        {"get_pod_crash_report": "^missing-dependency: web can't be made: there is no key MOD in ConfigMap app$",
         "get_failed_kubernetes_pods": "^CreateContainerConfigError$",
         "correlate_pod_issues": "^CreateContainerConfigError$"},
    ),
}  # fmt: skip


async def _restarting(here: Ground) -> Accused:
    (pod,) = await here.pods("app")
    place = {"namespace": "shop"}
    arguments: dict[str, dict[str, Any]] = dict.fromkeys(RESTARTING, place)
    arguments["get_high_restart_kubernetes_pods"] = {**place, "restart_threshold": 2}
    arguments["analyze_pod_restart_pattern"] = {**place, "min_restarts": 2}
    arguments["get_pod_crash_report"] = {**place, "pod_name": pod.name}
    arguments["recommend_resource_limits"] = {**place, "workload": "app"}
    return await accused(here, RESTARTING, arguments)


async def _begun(here: Ground) -> None:
    """The pod's container has a status."""

    async def told() -> bool:
        return any(p.status.container_statuses for p in await here.pods("app"))

    await here.until(told)


async def test_2_a_pod_that_runs_well_is_not_accused_of_anything(tmp_path: Path) -> None:
    async with ground(tmp_path, _app()) as here:
        await _begun(here)
        await here.settled()
        await named(lambda: _restarting(here), {})


@pytest.mark.parametrize("fault", RESTARTS)
async def test_2_why_a_pod_restarts_is_named(fault: str, tmp_path: Path) -> None:
    text, causes = RESTARTS[fault]
    async with ground(tmp_path, text) as here:
        await _begun(here)
        await named(lambda: _restarting(here), causes)


@pytest.mark.parametrize(
    ("probe", "killed", "code", "cause"),
    [
        ("liveness", 30, 1, "killed-by-probe"),
        ("startup", 30, 1, "killed-by-probe"),
        ("liveness", 5, 1, "crash"),
        ("liveness", 5, 137, "killed-by-probe"),
        ("readiness", 30, 1, "crash"),
    ],
)
def test_2_a_probe_is_blamed_for_the_end_that_it_brought_about(probe: str, killed: int, code: int, cause: str) -> None:
    """The last run began in minute 10: what a probe ended before says nothing of a crash, and much of a kill."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ended = Terminated(
        exit_code=code, started_at=noon + timedelta(minutes=10), finished_at=noon + timedelta(minutes=30)
    )
    said = f"Container web failed {probe} probe, will be restarted"
    event = Event(reason="Killing", message=said, last_timestamp=noon + timedelta(minutes=killed))
    assert cause_of(ended, [event]) == cause


async def test_2_the_limits_that_are_recommended_after_a_kill_end_the_kills(tmp_path: Path) -> None:
    async with ground(tmp_path, _app(HUNGRY, "polinux/stress"), changes=True) as here:
        await _begun(here)

        async def advised() -> bool:
            return bool((await here.data("recommend_resource_limits", namespace="shop", workload="app"))["patch"])

        await here.until(advised)
        advice = await here.data("recommend_resource_limits", namespace="shop", workload="app")
        # Killed at 128 Mi: max(1.2 * 128, 128 + 100) = 228 Mi requested, and a limit that stays twice the request.
        resources = {"requests": {"memory": "228Mi"}, "limits": {"memory": "456Mi"}}
        assert advice["patch"]["spec"]["template"]["spec"]["containers"] == [{"name": "web", "resources": resources}]
        target = {"resource_type": "deployment", "resource_name": "app", "namespace": "shop"}
        await Acts(here).done("patch_resource", **target, patch=advice["patch"])
        await named(lambda: _restarting(here), {})
        # The pod that was killed is gone, and with it what was known of the kill.
        after = await here.data("recommend_resource_limits", namespace="shop", workload="app")
    assert after["patch"] is None


ASKS = "resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {memory: 1Gi}}"


def _scaler(most: int, least: int = 2) -> str:
    return f"""
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web, namespace: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  minReplicas: {least}
  maxReplicas: {most}
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}}}]
"""


CALM = deployment("web", replicas=3, container=ASKS) + _scaler(6)
HUGE = deployment("huge", replicas=2, container="resources: {requests: {cpu: '100'}}")
SLOW: Accusers = {
    "analyze_cluster_performance": lambda d: d["findings"],
    "identify_resource_hotspots": lambda d: [
        f"{n['name']}: {word}"
        for word in ("cpu", "memory")
        for n in d[f"nodes_by_{word}"]
        if n["percent"] >= 80 and d[f"{word}_imbalance"] > 0.3
    ],
    "check_pod_eviction_pressure": lambda d: [
        *(f"{n['name']} {n['risk']}" for n in d["nodes"] if n["risk"] != "none"),
        *d["recommendations"],
        *(f"{e['name']} was evicted: {e['message']}" for e in d["evicted"]),
    ],
    "analyze_scheduling_latency": lambda d: (
        [f"{r['nodes']} nodes: {r['reason']}" for r in d["failed_scheduling"]] + [f"{p} waits" for p in d["waiting"]]
    ),
    "check_kubernetes_hpa_status": lambda d: [p for h in d for p in h["problems"]],
    "get_pending_kubernetes_pods": lambda d: [f"{p['name']} {p['reason']}: {p['message']}" for p in d],
}


async def _slow(here: Ground) -> Accused:
    place = {"namespace": "shop"}
    return await accused(here, SLOW, {"check_kubernetes_hpa_status": place, "get_pending_kubernetes_pods": place})


async def _measured(here: Ground) -> None:
    """What nodes measure of a calm cluster: each pod 0.15 cores and 300 MiB, each node 1 core of 4 and 2 GiB of 8."""

    async def available() -> bool:
        return sum(s.ready for p in await here.pods("web") for s in p.status.container_statuses) == 3

    await here.until(available)
    for pod in await here.pods("web"):
        here.store.usage["shop", pod.name, "web"] = {"cpu": "150m", "memory": "300Mi"}
    for node in here.lab._cluster.nodes:
        here.store.node_usage[node] = {"cpu": "1", "memory": "2Gi"}


async def test_3_a_cluster_at_ease_is_not_accused_of_anything(tmp_path: Path) -> None:
    async with ground(tmp_path, CALM) as here:
        await _measured(here)
        await named(lambda: _slow(here), {})
        load = await here.data("analyze_cluster_performance")
    # 3 of 12 cores and 6 of 24 GiB are used; 3 x 0.5 cores and 3 x 512 MiB are requested.
    cluster = load["cluster"]
    assert (cluster["cpu_used_percent"], cluster["memory_used_percent"]) == (25.0, 25.0)
    assert (cluster["cpu_requested_percent"], cluster["memory_requested_percent"]) == (12.5, 6.2)
    assert len(load["nodes"]) == 3


async def test_3_a_node_that_is_hot_is_named_with_the_pod_that_heats_it(tmp_path: Path) -> None:
    async with ground(tmp_path, CALM) as here:
        await _measured(here)
        pod = (await here.pods("web"))[1]
        node = pod.spec.node_name
        here.store.usage["shop", pod.name, "web"] = {"cpu": "3400m", "memory": "900Mi"}
        here.store.node_usage[node] = {"cpu": "3800m", "memory": "3Gi"}
        said = rf"^node {node} uses 95.0 % of its CPU, most of its pods shop/{pod.name} 3400m$"
        causes = {"analyze_cluster_performance": said, "identify_resource_hotspots": f"^{node}: cpu$"}
        await named(lambda: _slow(here), causes)
        hot = await here.data("identify_resource_hotspots", top=1)
    assert [p["name"] for p in hot["pods_by_cpu"]] == [pod.name]
    assert hot["cpu_imbalance"] == 0.683  # of 25, 25 and 95 %: the standard deviation 32.998 over the mean 48.333


@pytest.mark.parametrize(
    ("extra", "causes"),
    [
        pytest.param(
            HUGE,
            {"analyze_cluster_performance": "^2 pods are pending: Unschedulable: 0/3 nodes .*: 3 Insufficient cpu$",
             "analyze_scheduling_latency": "^3 nodes: Insufficient cpu$|^shop/huge-.* waits$",
             "get_pending_kubernetes_pods": "^huge-.* Unschedulable: .*Insufficient cpu"},
            id="pods ask for more than any node has",
        ),
        pytest.param(
            _scaler(3),
            {"analyze_cluster_performance": "^autoscaler shop/web is at its maximum of 3$",
             "check_kubernetes_hpa_status": "more than the maximum replica count"},
            id="an autoscaler has no replicas left to give",
        ),
    ],
)  # fmt: skip
async def test_3_what_slows_the_cluster_is_named(extra: str, causes: dict[str, str], tmp_path: Path) -> None:
    text = CALM + extra if extra is HUGE else deployment("web", replicas=3, container=ASKS) + extra
    async with ground(tmp_path, text) as here:
        await _measured(here)
        await named(lambda: _slow(here), causes)


async def test_3_an_autoscaler_that_was_never_meant_to_move_is_not_accused(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=3, container=ASKS) + _scaler(3, 3)) as here:
        await _measured(here)
        load = await here.data("analyze_cluster_performance")
    assert (load["findings"], load["autoscalers_at_max"]) == ([], [])


async def test_3_a_node_short_of_memory_is_named_with_who_goes_first(tmp_path: Path) -> None:
    async with ground(tmp_path, CALM) as here:
        await _measured(here)
        pod = (await here.pods("web"))[0]
        node = pod.spec.node_name
        here.store.usage["shop", pod.name, "web"] = {"cpu": "150m", "memory": "900Mi"}
        here.store.node_usage[node] = {"cpu": "1", "memory": "7.6Gi"}
        pressed = {"metadata": {"annotations": {"lab.kubemend.dev/pressure": "Memory"}}}
        await here.api.patch(await here.api.get("Node", "", node), pressed)
        causes = {
            "analyze_cluster_performance": f"^node {node} (has MemoryPressure|uses 95.0 % of its memory, .*{pod.name})",
            "identify_resource_hotspots": f"^{node}: memory$",
            "check_pod_eviction_pressure": f"^{node} evicting$|^nodes under pressure evict|was evicted",
        }
        await named(lambda: _slow(here), causes)
        told = await here.data("check_pod_eviction_pressure")
    first = next(n for n in told["nodes"] if n["name"] == node)
    assert told["nodes"][0] is first or told["nodes"][0] == first
    assert first["eviction_order"][0]["name"] == pod.name
    assert first["eviction_order"][0]["over_request_bytes"] == (900 - 512) * 2**20
