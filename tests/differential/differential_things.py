"""What controllers, scheduler and nodes make of Services, quotas, claims, sets, budgets, and of pods that can't be."""

from __future__ import annotations

from typing import Any

from differential_steps import (
    APPS,
    FOUND,
    POLICY,
    STRATEGIC,
    Step,
    delete,
    get,
    named,
    patch,
    post,
    typed,
)
from differential_stories import IMAGE, NEWER, PODS, READY, SETS, WEB, come, image, rolled, seen, web

NOT_READY = {**READY, "httpGet": {"path": "/none", "port": 81}}
ENDPOINTS: list[Step] = [
    post(
        "services",
        named("web", spec={"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}),
    ),
    post("services", named("bare", spec={"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]})),
    post("services", named("nobody", spec={"selector": {"app": "nobody"}, "ports": [{"port": 80}]})),
    post("services", named("without", spec={"ports": [{"port": 80}]})),
    post(
        "pods",
        {
            "metadata": {"name": "ready", "labels": {"app": "web"}},
            "spec": {
                "containers": [{"name": "main", "image": IMAGE, "ports": [{"name": "http", "containerPort": 80}]}]
            },
        },
    ),
    post(
        "pods",
        {
            "metadata": {"name": "unready", "labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": IMAGE,
                        "ports": [{"name": "http", "containerPort": 80}],
                        "readinessProbe": NOT_READY,
                    }
                ]
            },
        },
    ),
    get("pods/ready", hold={"/status/conditions/type=Ready/status": "True"}),
    get("pods/unready", hold={"/status/phase": "Running", "/status/containerStatuses/0/started": True}),
    *(
        get(
            f"{FOUND}/endpointslices?labelSelector=kubernetes.io/service-name={name}",
            hold=hold,
            name=f"slices of {name}",
        )
        for name, hold in (
            ("web", {"/items/0/endpoints/#": 2}),
            ("bare", {"/items/0/endpoints/#": 2}),
            ("nobody", {"/items/#": 1}),
            ("without", {"/items/#": 0}),
        )
    ),
    get("endpoints/web", hold={"/subsets/0/addresses/#": 1, "/subsets/0/notReadyAddresses/#": 1}),
]

QUOTA: list[Step] = [
    post("resourcequotas", named("q", spec={"hard": {"pods": "2", "requests.memory": "100Mi", "services": "1"}})),
    come("resourcequotas/q", "counted", status_used_pods="0"),
    post(SETS, {**web("web", replicas=3), "spec": {**web("web", replicas=3)["spec"]}}),
    get(
        f"{SETS}/web",
        hold={"/status/conditions/type=ReplicaFailure/status": "True"},
        name="asks for nothing",
    ),
    delete(f"{SETS}/web?propagationPolicy=Background"),
    post(
        "pods",
        {
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "main", "image": IMAGE, "resources": {"requests": {"memory": "60Mi"}}}]},
        },
    ),
    get("resourcequotas/q", hold={"/status/used/pods": "1", "/status/used/requests.memory": "60Mi"}),
    post(
        "pods",
        {
            "metadata": {"name": "b"},
            "spec": {"containers": [{"name": "main", "image": IMAGE, "resources": {"requests": {"memory": "60Mi"}}}]},
        },
    ),
    post("services", named("s", spec={"ports": [{"port": 80}]})),
    post("services", named("s2", spec={"ports": [{"port": 80}]})),
    get("pods/a", hold={"/status/conditions/type=Ready/status": "True"}, name="a runs"),
    delete("pods/a?gracePeriodSeconds=0"),
    get("resourcequotas/q", hold={"/status/used/pods": "0"}, name="counted anew"),
]

CLAIMS: list[Step] = [
    post(
        "persistentvolumeclaims",
        named("data", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
    ),
    get(
        "persistentvolumeclaims/data",
        hold={"/status/phase": "Bound"},
        keep={"volume": "/spec/volumeName"},
        name="bound",
    ),
    get("/api/v1/persistentvolumes/${volume}", hold={"/status/phase": "Bound"}, name="its volume"),
    post(
        "persistentvolumeclaims",
        named(
            "lost",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        ),
    ),
    come("persistentvolumeclaims/lost", "pending", status_phase="Pending"),
    post(
        "pods",
        {
            "metadata": {"name": "user"},
            "spec": {
                "containers": [{"name": "main", "image": IMAGE}],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        },
    ),
    come("pods/user", "runs with it", status_phase="Running"),
    delete("persistentvolumeclaims/data"),
    get("persistentvolumeclaims/data", name="kept while it is used"),
    delete("pods/user?gracePeriodSeconds=0"),
    get("persistentvolumeclaims/data", until=404, name="then gone"),
]

CLAIMED = web(
    "db",
    replicas=2,
    serviceName="db",
    volumeClaimTemplates=[
        {
            "metadata": {"name": "d"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    ],
)
OTHERS: list[Step] = [
    post(f"{APPS}/statefulsets", CLAIMED),
    come(f"{APPS}/statefulsets/db", "a StatefulSet", status_readyReplicas=2, status_availableReplicas=2),
    seen(PODS, "its pods", 2),
    seen("persistentvolumeclaims", "its claims", 2),
    patch(f"{APPS}/statefulsets/db", image(NEWER), STRATEGIC),
    get(
        f"{APPS}/statefulsets/db",
        hold={"/status/observedGeneration": 2, "/status/updatedReplicas": 2, "/status/currentReplicas": 2},
        name="its second revision",
    ),
    seen(f"{APPS}/controllerrevisions", "its revisions", 2),
    delete(f"{APPS}/statefulsets/db"),
    seen(PODS, "no pods", 0),
    post(f"{APPS}/daemonsets", web("agent")),
    come(f"{APPS}/daemonsets/agent", "a DaemonSet", status_numberReady=3, status_numberAvailable=3),
    delete(f"{APPS}/daemonsets/agent"),
    seen(PODS, "no pods", 0),
    post(
        f"{POLICY}/poddisruptionbudgets",
        named("b", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}),
    ),
    come(f"{POLICY}/poddisruptionbudgets/b", "a budget of nothing", status_observedGeneration=1),
    post(f"{APPS}/deployments", web(replicas=2)),
    get(WEB, hold=rolled(1)),
    come(f"{POLICY}/poddisruptionbudgets/b", "a budget that allows one", status_disruptionsAllowed=1),
    patch(f"{WEB}/scale", {"spec": {"replicas": 1}}),
    come(
        f"{POLICY}/poddisruptionbudgets/b",
        "a budget that allows none",
        status_disruptionsAllowed=0,
        status_currentHealthy=1,
        status_expectedPods=1,
    ),
    get(PODS, hold={"/items/#": 1}, keep={"pod": "/items/0/metadata/name"}, name="the last pod"),
    post("pods/${pod}/eviction", typed("policy/v1", "Eviction", named("${pod}")), name="is not evicted"),
    patch(WEB, {"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}}),
    get(PODS, hold={"/items/#": 2}, name="one that fits nowhere"),
    patch(f"{WEB}", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, STRATEGIC),
    get(PODS, hold={"/items/#": 1}, name="alone after the other has gone"),
]


def claim(storage: str) -> dict[str, Any]:
    resources = {"requests": {"storage": "1Gi"}}
    return {"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": storage, "resources": resources}}


def claimed(name: str, by: str) -> dict[str, Any]:
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": by}}]
    return named(name, spec={"containers": [{"name": "main", "image": IMAGE}], "volumes": volumes})


def busy(replicas: int) -> dict[str, Any]:
    """A Deployment of which a node takes but one pod."""
    body = web(replicas=replicas)
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "3"}}
    return body


FAULTS: list[Step] = [
    post(
        "pods",
        {"metadata": {"name": "image"}, "spec": {"containers": [{"name": "main", "image": "registry.lab/web:none"}]}},
    ),
    post(
        "pods",
        {
            "metadata": {"name": "config"},
            "spec": {"containers": [{"name": "main", "image": IMAGE, "envFrom": [{"configMapRef": {"name": "none"}}]}]},
        },
    ),
    post(
        "pods",
        {
            "metadata": {"name": "large"},
            "spec": {"containers": [{"name": "main", "image": IMAGE, "resources": {"requests": {"cpu": "1000"}}}]},
        },
    ),
    get(
        "pods/image",
        hold={"/status/containerStatuses/0/state/waiting/reason": "ImagePullBackOff"},
        name="no image",
    ),
    get(
        "pods/config",
        hold={"/status/containerStatuses/0/state/waiting/reason": "CreateContainerConfigError"},
        name="no config",
    ),
    get(
        "pods/large",
        hold={"/status/conditions/type=PodScheduled/reason": "Unschedulable"},
        name="no room",
    ),
    post("pods", claimed("missing", "none")),
    post("persistentvolumeclaims", {**claim("none"), **named("unbound")}),
    post("pods", claimed("waiting", "unbound")),
    *(
        get(
            f"pods/{name}",
            hold={"/status/conditions/type=PodScheduled/reason": "Unschedulable"},
            name=f"{name} a claim",
        )
        for name in ("missing", "waiting")
    ),
    post(f"{APPS}/deployments", busy(3)),
    get(WEB, hold=rolled(1, 3), name="all nodes are busy"),
    post("pods", {"metadata": {"name": "fourth"}, "spec": busy(1)["spec"]["template"]["spec"]}),
    get("pods/fourth", hold={"/status/conditions/type=PodScheduled/reason": "Unschedulable"}, name="no room by now"),
    get("pods/image/log", name="log of what never started"),
    get("pods/image/log?previous=true", name="previous log of what never started"),
]
