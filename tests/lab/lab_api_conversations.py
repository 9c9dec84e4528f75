"""What a client may say to an API server, as data: the same is said to the practice server and to a real one.

A step is (method, path, body, media type). `{ns}` in a path is the conversation's own namespace; a path without a
leading slash is of the core group in it.
"""

from __future__ import annotations

from typing import Any

from lab_api_client import APPLY, JSON_PATCH, MERGE, STRATEGIC, config, pod, workload

Step = tuple[str, str, Any, str]

JSON = "application/json"
APPS, BATCH, POLICY = (f"/apis/{g}/v1/namespaces/{{ns}}" for g in ("apps", "batch", "policy"))
NET, RBAC = (f"/apis/{g}.k8s.io/v1/namespaces/{{ns}}" for g in ("networking", "rbac.authorization"))
HPA = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers"
JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}


def post(path: str, body: Any) -> Step:
    return ("POST", path, body, JSON)


def put(path: str, body: Any) -> Step:
    return ("PUT", path, body, JSON)


def get(path: str) -> Step:
    return ("GET", path, None, JSON)


def delete(path: str, body: Any = None) -> Step:
    return ("DELETE", path, body, JSON)


def patch(path: str, body: Any, kind: str = MERGE) -> Step:
    return ("PATCH", path, body, kind)


def named(name: str = "it", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **fields}


TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
SELECTOR = {"matchLabels": {"a": "b"}}
USER = {"kind": "User", "name": "a"}
LIMIT = {"type": "Container", "max": {"memory": "1Gi"}, "min": {"cpu": "1m"}}
PROBES = {
    "livenessProbe": {"httpGet": {"port": 80}},
    "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 3},
    "startupProbe": {"exec": {"command": ["true"]}},
    "ports": [{"name": "http", "containerPort": 80}],
    "env": [
        {"name": "A", "value": ""},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": False}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ],
    "resources": {"limits": {"cpu": "0.5", "memory": "1.5Gi"}, "requests": {"cpu": 0.25}},
    "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
    "securityContext": {"runAsUser": 0, "privileged": False, "readOnlyRootFilesystem": False},
}
VOLUMES = [
    {"name": "a"},
    {"name": "b", "configMap": {"name": "c"}},
    {"name": "c", "secret": {"secretName": "s", "optional": False}},
    {"name": "d", "hostPath": {"path": "/x"}},
    {"name": "e", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    {"name": "f", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
    {"name": "g", "persistentVolumeClaim": {"claimName": "p", "readOnly": False}},
]
BROKEN_POD = {
    "restartPolicy": "x",
    "containers": [
        {
            "name": "c",
            "image": "x",
            "volumeMounts": [{"name": "none", "mountPath": "/x"}],
            "ports": [{"containerPort": 0}, {"containerPort": 70000, "name": "waytoolongnameforaport"}],
            "livenessProbe": {"httpGet": {"path": "/"}},
            "readinessProbe": {},
            "imagePullPolicy": "Foo",
            "env": [{"name": "B", "valueFrom": {}}],
        }
    ],
}

CONVERSATIONS: dict[str, list[Step]] = {
    "pods": [
        post("pods", pod("a")),
        post("pods", pod("b", labels={"app": "b"}, spec={"volumes": VOLUMES}, **PROBES)),
        post("pods", pod("c", spec={"initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always"}]})),
        post("pods", pod("d", spec={"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}, **PROBES)),
        post("pods", pod("a")),
        post("pods", pod("Bad_Name")),
        post("pods", named(spec={})),
        post("pods", pod(labels={"a b": "c"})),
        post("pods", named(spec=BROKEN_POD)),
        post("pods", pod(spec={"serviceAccountName": "nobody"})),
        post("pods", pod(spec={"priorityClassName": "vip"})),
        post("pods", pod(resources={"limits": {"cpu": "1x"}})),
        post("pods?fieldValidation=Strict", pod(foo=1)),
        post("pods?dryRun=All", pod("tried")),
        get("pods/tried"),
        get("pods/none/log"),
        get("pods/a/log?container=none"),
        get("pods/c/log"),
        get("pods/a/log"),
        patch("pods/a", {"spec": {"containers": [{"name": "main", "image": "other"}]}}, STRATEGIC),
        patch("pods/a", {"spec": {"serviceAccountName": "other"}}),
        patch("pods/a", {"metadata": {"uid": "x"}}),
        patch("pods/a/status", {"status": {"phase": "Running", "podIP": "1.2.3.4"}}),
        post("pods/b/binding", named("b", target={"kind": "Node", "name": "n1"})),
        post("pods/b/binding", named("b", target={"kind": "Node", "name": "n1"})),
        get("pods?fieldSelector=spec.nodeName%3Dn1"),
        get("pods?fieldSelector=status.phase!%3DRunning&labelSelector=app"),
        get("pods?fieldSelector=foo%3Dbar"),
        delete("pods/b", {"preconditions": {"uid": "x"}}),
        delete("pods/b"),
        delete("pods/b?gracePeriodSeconds=5"),
        delete("pods/b?gracePeriodSeconds=0"),
        get("pods/b"),
        post("pods/a/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", **named("a")}),
        delete("pods"),
    ],
    "workloads": [
        post(f"{APPS}/deployments", workload()),
        post(f"{APPS}/deployments", workload("b", strategy={"type": "Recreate"}, replicas=0, paused=True)),
        post(f"{APPS}/replicasets", workload()),
        post(f"{APPS}/statefulsets", workload()),
        post(f"{APPS}/daemonsets", workload()),
        post(f"{BATCH}/jobs", named(spec=JOB)),
        post(f"{BATCH}/cronjobs", named(spec={"schedule": "* * * * *", "jobTemplate": {"spec": JOB}})),
        post(f"{APPS}/deployments", named(spec={})),
        post(f"{APPS}/deployments", workload("c", replicas=-1, selector={"matchLabels": {"app": "x"}})),
        post(f"{APPS}/deployments", workload("c", strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
        post(f"{APPS}/deployments", workload("c", strategy={"type": "X"})),
        post(f"{APPS}/statefulsets", workload("c", podManagementPolicy="X")),
        post(f"{BATCH}/jobs", named("j2", spec={"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}})),
        post(f"{BATCH}/cronjobs", named("j2", spec={"schedule": "bad", "jobTemplate": {"spec": JOB}})),
        patch(f"{APPS}/deployments/web", {"spec": {"selector": {"matchLabels": {"x": "y"}}}}),
        patch(f"{APPS}/statefulsets/web", {"spec": {"serviceName": "x"}}),
        patch(f"{APPS}/deployments/web", {"spec": {"replicas": 2}, "status": {"replicas": 7}}),
        patch(f"{APPS}/deployments/web/status", {"spec": {"replicas": 9}, "status": {"replicas": 7}}),
        get(f"{APPS}/deployments/web/scale"),
        patch(f"{APPS}/deployments/web/scale", {"spec": {"replicas": 3}}),
        patch(f"{APPS}/deployments/web/scale", {"spec": {"replicas": -3}}),
        patch(f"{APPS}/deployments/web/scale", {"metadata": {"uid": "x"}, "spec": {"replicas": 1}}),
        put(f"{APPS}/deployments/web/scale", {**named("web"), "spec": {"replicas": 1}}),
        put(f"{APPS}/deployments/web/scale", {"metadata": {"name": "web", "resourceVersion": "1"}}),
        get(f"{APPS}/deployments/none/scale"),
        get(f"{APPS}/deployments"),
        delete(f"{APPS}/deployments/web", {"preconditions": {"resourceVersion": "1"}}),
        delete(f"{APPS}/deployments/web?propagationPolicy=Foreground&dryRun=All"),
        delete(f"{APPS}/deployments/web?propagationPolicy=Wrong"),
        delete(f"{APPS}/deployments/web"),
        delete(f"{APPS}/deployments/b?propagationPolicy=Orphan"),
    ],
    "patches": [
        post("configmaps", config(a="1")),
        put("configmaps/settings", config(a="2")),
        put("configmaps/settings", {"metadata": {"name": "settings", "resourceVersion": "1"}}),
        put("configmaps/settings", {"metadata": {"name": "settings", "uid": "x"}}),
        put("configmaps/none", config("none")),
        put("configmaps/settings", config("other")),
        patch("configmaps/settings", {"data": {"b": "2"}}),
        patch("configmaps/settings", {"metadata": {"resourceVersion": "1"}}),
        patch("configmaps/settings", {"metadata": {"name": "other"}}),
        patch("configmaps/settings", [{"op": "add", "path": "/data/c", "value": "3"}], JSON_PATCH),
        patch("configmaps/settings", [{"op": "test", "path": "/data/c", "value": "4"}], JSON_PATCH),
        patch("configmaps/settings", {"a": 1}, JSON_PATCH),
        patch("configmaps/settings", [1]),
        patch("configmaps/settings", {}, JSON),
        patch("configmaps/settings", {}, APPLY),
        patch("configmaps/settings?force=true", {}),
        patch("configmaps/none", {}),
        *(
            patch(
                f"configmaps/applied?fieldManager={who}",
                {"apiVersion": "v1", "kind": "ConfigMap", **config("applied", **data)},
                APPLY,
            )
            for who, data in (
                ("one", {"a": "1", "b": "2"}),
                ("one", {"a": "1"}),
                ("two", {"a": "x"}),
                ("two&force=true", {"a": "x", "c": "3"}),
                ("one", {}),
            )
        ),
        post("configmaps", {"metadata": {"name": "held", "finalizers": ["a.b/c"]}}),
        delete("configmaps/held"),
        patch("configmaps/held", {"metadata": {"finalizers": ["a.b/c", "x.y/z"]}}),
        patch("configmaps/held", {"metadata": {"finalizers": None}}),
        get("configmaps/held"),
        delete("configmaps?labelSelector=none"),
        post("configmaps", {"metadata": {"name": "rv", "resourceVersion": "5"}}),
        post("configmaps", {"metadata": {"name": 5}}),
        post("configmaps", named(data={"a b": "1"})),
        post("configmaps", {"kind": "Secret", "apiVersion": "v1", **named()}),
        post("configmaps/x", config("x")),
        get("configmaps/settings/x"),
        get("foos"),
    ],
    "objects": [
        post("services", named(spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})),
        post("services", named("lb", spec={"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": "http"}]})),
        post("services", named("bare", spec={"clusterIP": "None", "selector": {"a": "b"}, "ports": [{"port": 80}]})),
        post("services", named("ext", spec={"type": "ExternalName", "externalName": "a.b"})),
        post("services", named("1x", spec={"type": "Foo", "ports": [{"port": 0}, {"port": 1, "protocol": "x"}]})),
        post("services", named("x", spec={})),
        patch("services/it", {"spec": {"clusterIP": "10.96.77.77"}}),
        post("persistentvolumeclaims", named(spec={})),
        post(
            "persistentvolumeclaims",
            named(spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
        ),
        patch("persistentvolumeclaims/it", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
        patch("persistentvolumeclaims/it", {"spec": {"storageClassName": "x"}}),
        post(
            HPA, named(spec={"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "d"}})
        ),
        post(HPA, named("h2", spec={"maxReplicas": 0, "minReplicas": 3, "scaleTargetRef": {}})),
        post(
            f"{POLICY}/poddisruptionbudgets", named(spec={"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}})
        ),
        post(f"{POLICY}/poddisruptionbudgets", named("b2", spec={"minAvailable": 1, "maxUnavailable": 1})),
        post(
            f"{NET}/ingresses",
            named(
                spec={
                    "rules": [
                        {
                            "host": "a",
                            "http": {
                                "paths": [
                                    {
                                        "path": "/",
                                        "pathType": "Prefix",
                                        "backend": {"service": {"name": "s", "port": {"number": 80}}},
                                    }
                                ]
                            },
                        }
                    ]
                }
            ),
        ),
        post(f"{NET}/ingresses", named("i2", spec={"rules": [{"http": {"paths": [{"path": "x", "backend": {}}]}}]})),
        post(f"{NET}/networkpolicies", named(spec={"podSelector": {}, "ingress": [{"ports": [{"port": 1}]}]})),
        post("secrets", named(stringData={"a": "b"})),
        post("secrets", named("s2", data={"a": "!!"})),
        post("serviceaccounts", named()),
        post("events", named(involvedObject={"kind": "Pod", "name": "p", "namespace": "objects"}, reason="x")),
        get("/apis/events.k8s.io/v1/namespaces/{ns}/events/it"),
        post(f"{RBAC}/roles", named(rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
        post(
            f"{RBAC}/rolebindings",
            named(roleRef={"kind": "Role", "name": "it"}, subjects=[{"kind": "User", "name": "a"}]),
        ),
        post(f"{RBAC}/rolebindings", named("b2")),
        patch(f"{RBAC}/rolebindings/it", {"roleRef": {"name": "z"}}),
        post(
            "limitranges",
            named(spec={"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "min": {"cpu": "1m"}}]}),
        ),
        post("pods", pod("limited", resources={"limits": {"memory": "2Gi"}})),
        post("pods", pod("given")),
        post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {}}),
    ],
}
