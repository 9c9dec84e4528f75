"""What validation refuses, in the real server's words."""

from __future__ import annotations

import pytest
from lab_api_client import APPS, BATCH, CORE, POLICY, RBAC, Client, Object, config, pod, workload

DEPLOYMENTS = f"{APPS}/deployments"
PODS = f"{CORE}/pods"
HPA = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
ALWAYS = {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}


def deployment(**template: object) -> Object:
    body = workload()
    body["spec"]["template"]["spec"] |= template
    return body


@pytest.mark.parametrize(
    ("path", "body", "causes"),
    [
        (PODS, pod("Bad_Name"), ["metadata.name"]),
        (PODS, {"spec": {"containers": [{"name": "c", "image": "x"}]}}, ["metadata.name"]),
        (PODS, {"metadata": {"name": "a"}, "spec": {}}, ["spec.containers"]),
        (PODS, pod(labels={"a b": "c d"}), ["metadata.labels", "metadata.labels"]),
        (PODS, pod(image=""), ["spec.containers[0].image"]),
        (PODS, pod(imagePullPolicy="Sometimes"), ["spec.containers[0].imagePullPolicy"]),
        (PODS, pod(volumeMounts=[{"name": "v", "mountPath": "/x"}]), ["spec.containers[0].volumeMounts[0].name"]),
        (PODS, pod(ports=[{"containerPort": 0}]), ["spec.containers[0].ports[0].containerPort"]),
        (PODS, pod(ports=[{"containerPort": 80, "name": "x" * 16}]), ["spec.containers[0].ports[0].name"]),
        (PODS, pod(readinessProbe={}), ["spec.containers[0].readinessProbe"]),
        (PODS, pod(livenessProbe={"httpGet": {}}), ["spec.containers[0].livenessProbe.httpGet.port"]),
        (PODS, pod(env=[{"name": "A", "valueFrom": {}}]), ["spec.containers[0].env[0].valueFrom"]),
        (
            PODS,
            pod(resources={"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}}),
            ["spec.containers[0].resources.requests"],
        ),
        (PODS, pod(spec={"restartPolicy": "Perhaps"}), ["spec.restartPolicy"]),
        (PODS, pod(spec={"volumes": [{"name": "v", "configMap": {}}]}), ["spec.volumes[0].configMap.name"]),
        (DEPLOYMENTS, workload(replicas=-1), ["spec.replicas"]),
        (
            DEPLOYMENTS,
            {"metadata": {"name": "a"}, "spec": {}},
            ["spec.selector", "spec.template.metadata.labels", "spec.template.spec.containers"],
        ),
        (DEPLOYMENTS, workload(selector={}), ["spec.selector"]),
        (DEPLOYMENTS, workload(selector={"matchLabels": {"app": "x"}}), ["spec.template.metadata.labels"]),
        (DEPLOYMENTS, deployment(restartPolicy="Never"), ["spec.template.spec.restartPolicy"]),
        (
            DEPLOYMENTS,
            workload(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            ["spec.strategy.rollingUpdate.maxUnavailable"],
        ),
        (DEPLOYMENTS, workload(progressDeadlineSeconds=5, minReadySeconds=9), ["spec.progressDeadlineSeconds"]),
        (f"{BATCH}/jobs", {"metadata": {"name": "j"}, "spec": ALWAYS}, ["spec.template.spec.restartPolicy"]),
        (
            f"{BATCH}/cronjobs",
            {
                "metadata": {"name": "j"},
                "spec": {
                    "schedule": "hourly",
                    "jobTemplate": {
                        "spec": {"template": {"spec": {**ALWAYS["template"]["spec"], "restartPolicy": "Never"}}}
                    },
                },
            },
            ["spec.schedule"],
        ),
        (f"{CORE}/services", {"metadata": {"name": "s"}, "spec": {}}, ["spec.ports"]),
        (f"{CORE}/services", {"metadata": {"name": "1s"}, "spec": {"ports": [{"port": 80}]}}, ["metadata.name"]),
        (
            f"{CORE}/services",
            {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}, {"port": 81}]}},
            ["spec.ports[0].name", "spec.ports[1].name"],
        ),
        (
            f"{CORE}/persistentvolumeclaims",
            {"metadata": {"name": "c"}, "spec": {}},
            ["spec.accessModes", "spec.resources[storage]"],
        ),
        (
            HPA,
            {"metadata": {"name": "h"}, "spec": {"maxReplicas": 1, "minReplicas": 2, "scaleTargetRef": {}}},
            [
                "spec.maxReplicas",
                "spec.scaleTargetRef.kind",
                "spec.scaleTargetRef.name",
                "spec.scaleTargetRef.apiVersion",
            ],
        ),
        (
            f"{POLICY}/poddisruptionbudgets",
            {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "maxUnavailable": 1}},
            ["spec"],
        ),
        (
            INGRESSES,
            {"metadata": {"name": "i"}, "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": {}}]}}]}},
            ["spec.rules[0].http.paths[0].pathType"],
        ),
        (f"{CORE}/configmaps", config(**{"a b": "x"}), ["data[a b]"]),
        (f"{RBAC}/namespaces/default/rolebindings", {"metadata": {"name": "b"}}, ["roleRef.kind", "roleRef.name"]),
        ("/api/v1/namespaces", {"metadata": {"name": "a.b"}}, ["metadata.name"]),
    ],
)
async def test_an_object_that_cant_be_is_refused_with_every_fault(
    api: Client, path: str, body: Object, causes: list[str]
) -> None:
    answer = await api.post(path, body)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert [c["field"] for c in answer.body["details"]["causes"]] == causes
    for cause in answer.body["details"]["causes"]:
        assert f"{cause['field']}: {cause['message']}" in answer.body["message"]


@pytest.mark.parametrize(
    ("path", "body", "change", "field"),
    [
        (
            DEPLOYMENTS,
            workload("it"),
            {"spec": {"selector": {"matchLabels": {"app": None, "x": "y"}}}},
            "spec.selector",
        ),
        (f"{APPS}/statefulsets", workload("it"), {"spec": {"serviceName": "other"}}, "spec"),
        (
            f"{BATCH}/jobs",
            {
                "metadata": {"name": "it"},
                "spec": {"template": {"spec": {**ALWAYS["template"]["spec"], "restartPolicy": "Never"}}},
            },
            {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}},
            "spec.template",
        ),
        (
            f"{CORE}/services",
            {"metadata": {"name": "it"}, "spec": {"ports": [{"port": 80}]}},
            {"spec": {"clusterIP": "10.96.9.9"}},
            "spec.clusterIPs[0]",
        ),
        (
            f"{CORE}/persistentvolumeclaims",
            {
                "metadata": {"name": "it"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            },
            {"spec": {"resources": {"requests": {"storage": "2Gi"}}}},
            "spec",
        ),
        (
            f"{RBAC}/namespaces/default/rolebindings",
            {"metadata": {"name": "it"}, "roleRef": {"kind": "Role", "name": "a"}},
            {"roleRef": {"name": "b"}},
            "roleRef",
        ),
        (f"{CORE}/configmaps", {**config("it", a="b"), "immutable": True}, {"data": {"a": "c"}}, "data"),
    ],
)
async def test_some_fields_never_change(api: Client, path: str, body: Object, change: Object, field: str) -> None:
    await api.made(path, body)
    answer = await api.patch(f"{path}/it", change)
    assert answer.code == 422
    assert field in [c["field"] for c in answer.body["details"]["causes"]]


async def test_a_pod_needs_its_account_and_priority_class(api: Client) -> None:
    nobody = await api.post(PODS, pod(spec={"serviceAccountName": "nobody"}))
    why = 'error looking up service account default/nobody: serviceaccount "nobody" not found'
    assert (nobody.code, nobody.body["message"]) == (403, f'pods "web" is forbidden: {why}')
    classless = await api.post(PODS, pod(spec={"priorityClassName": "vip"}))
    assert classless.body["message"] == 'pods "web" is forbidden: no PriorityClass with name vip was found'
