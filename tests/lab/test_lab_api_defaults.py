"""What the server fills in; that nothing is missing or too much is held against a real one in the differential test."""

from __future__ import annotations

from typing import Any

import pytest
from lab_api_client import APPS, BATCH, CORE, POLICY, RBAC, Client, Object, pod, workload

NET = "/apis/networking.k8s.io/v1/namespaces/default"
PATHS = {
    "claim": f"{CORE}/persistentvolumeclaims",
    "cronjob": f"{BATCH}/cronjobs",
    "daemonset": f"{APPS}/daemonsets",
    "deployment": f"{APPS}/deployments",
    "hpa": "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
    "job": f"{BATCH}/jobs",
    "limits": f"{CORE}/limitranges",
    "policy": f"{NET}/networkpolicies",
    "binding": f"{RBAC}/namespaces/default/rolebindings",
    "secret": f"{CORE}/secrets",
    "service": f"{CORE}/services",
    "statefulset": f"{APPS}/statefulsets",
    "budget": f"{POLICY}/poddisruptionbudgets",
}


def named(**fields: Any) -> Object:
    return {"metadata": {"name": "it"}, **fields}


JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.mark.parametrize(
    ("where", "body", "expected"),
    [
        ("deployment", workload("it"), {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
        (
            "deployment",
            workload("it"),
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}},
        ),
        ("deployment", workload("it", strategy={"type": "Recreate"}), {"strategy": {"type": "Recreate"}}),
        (
            "statefulset",
            workload("it"),
            {"podManagementPolicy": "OrderedReady", "serviceName": "", "revisionHistoryLimit": 10},
        ),
        (
            "daemonset",
            workload("it"),
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
        ),
        ("job", named(spec=JOB), {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": False}),
        (
            "cronjob",
            named(spec={"schedule": "* * * * *", "jobTemplate": {"spec": JOB}}),
            {"concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
        ),
        (
            "service",
            named(spec={"ports": [{"port": 80}]}),
            {"type": "ClusterIP", "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}]},
        ),
        ("service", named(spec={"type": "ExternalName", "externalName": "a.b"}), {"sessionAffinity": "None"}),
        ("hpa", named(spec={"maxReplicas": 3, "scaleTargetRef": TARGET}), {"minReplicas": 1}),
        ("policy", named(spec={"podSelector": {}, "egress": [{}]}), {"policyTypes": ["Ingress", "Egress"]}),
        (
            "limits",
            named(spec={"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]}),
            {
                "limits": [
                    {
                        "type": "Container",
                        "max": {"cpu": "2"},
                        "min": {"memory": "1Mi"},
                        "default": {"cpu": "2"},
                        "defaultRequest": {"cpu": "2", "memory": "1Mi"},
                    }
                ]
            },
        ),
    ],
)
async def test_a_spec_is_completed(api: Client, where: str, body: Object, expected: Object) -> None:
    spec = (await api.made(PATHS[where], body))["spec"]
    assert {field: spec.get(field) for field in expected} == expected


async def test_a_pod_is_completed(api: Client) -> None:
    spec = (
        await api.made(f"{CORE}/pods", pod(livenessProbe={"httpGet": {"port": 80}}, ports=[{"containerPort": 80}]))
    )["spec"]
    wanted = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "priority": 0,
        "enableServiceLinks": True,
    }
    assert {field: spec[field] for field in wanted} == wanted
    assert [(t["key"].rpartition("/")[2], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("not-ready", 300),
        ("unreachable", 300),
    ]
    (container,) = spec["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    probe = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert container["livenessProbe"] == {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **probe}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        (f"nginx@sha256:{'a' * 64}", "IfNotPresent"),
    ],
)
async def test_what_may_change_is_always_pulled(api: Client, image: str, policy: str) -> None:
    made = await api.made(f"{CORE}/pods", pod(image=image))
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


async def test_a_pod_gets_a_token_unless_it_wants_none(api: Client) -> None:
    with_token = await api.made(f"{CORE}/pods", pod("a"))
    (volume,) = with_token["spec"]["volumes"]
    assert volume["projected"]["sources"][1]["configMap"]["name"] == "kube-root-ca.crt"
    assert with_token["spec"]["containers"][0]["volumeMounts"][0]["name"] == volume["name"]
    without = await api.made(f"{CORE}/pods", pod("b", spec={"automountServiceAccountToken": False}))
    assert "volumes" not in without["spec"]


async def test_a_pod_takes_what_its_account_and_priority_class_give(api: Client) -> None:
    account = {"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "registry"}]}
    await api.made(f"{CORE}/serviceaccounts", account)
    await api.made("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 1000})
    made = await api.made(f"{CORE}/pods", pod(spec={"serviceAccountName": "robot", "priorityClassName": "high"}))
    assert (made["spec"]["imagePullSecrets"], made["spec"]["priority"]) == ([{"name": "registry"}], 1000)


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"memory": "1Gi"}}, "Burstable"),
    ],
)
async def test_a_pods_quality_follows_from_its_resources(api: Client, resources: Object, quality: str) -> None:
    made = await api.made(f"{CORE}/pods", pod(resources=resources))
    assert made["status"] == {"phase": "Pending", "qosClass": quality}
    if "limits" in resources:
        given = made["spec"]["containers"][0]["resources"]
        assert given["requests"] == {**resources["limits"], **resources.get("requests", {})}


async def test_services_get_addresses_and_ports_of_their_own(api: Client) -> None:
    one = (await api.made(f"{CORE}/services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}))["spec"]
    two_ports = [{"name": "x", "port": 80}, {"name": "y", "port": 81, "nodePort": 30000}]
    body = {"metadata": {"name": "b"}, "spec": {"type": "NodePort", "ports": two_ports}}
    two = (await api.made(f"{CORE}/services", body))["spec"]
    assert len({one["clusterIP"], two["clusterIP"], "10.96.0.1"}) == 3
    assert sorted(p["nodePort"] for p in two["ports"]) == [30000, 30001]
    taken = {"metadata": {"name": "c"}, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30000}]}}
    refused = await api.post(f"{CORE}/services", taken)
    assert refused.body["details"]["causes"][0]["field"] == "spec.ports[0].nodePort"
    turned = await api.patch(f"{CORE}/services/a", {"spec": {"type": "NodePort"}})
    assert (turned.body["spec"]["clusterIP"], turned.body["spec"]["ports"][0]["nodePort"]) == (one["clusterIP"], 30002)


async def test_a_job_tells_its_pods_by_its_uid(api: Client) -> None:
    made = await api.made(f"{BATCH}/jobs", named(spec=JOB))
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "it"


async def test_a_claim_takes_the_default_class(api: Client) -> None:
    marks = {"storageclass.kubernetes.io/is-default-class": "true"}
    standard = {"metadata": {"name": "standard", "annotations": marks}, "provisioner": "lab"}
    await api.made("/apis/storage.k8s.io/v1/storageclasses", standard)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = await api.made(PATHS["claim"], named(spec=spec))
    assert (made["spec"]["storageClassName"], made["metadata"]["finalizers"]) == (
        "standard",
        ["kubernetes.io/pvc-protection"],
    )


async def test_plain_text_of_a_secret_is_kept_encoded(api: Client) -> None:
    made = await api.made(PATHS["secret"], named(stringData={"a": "b"}))
    assert (made["type"], made["data"]) == ("Opaque", {"a": "Yg=="})
    assert "stringData" not in made


async def test_a_new_node_is_tainted_and_keeps_its_status(api: Client) -> None:
    made = await api.made("/api/v1/nodes", named(status={"capacity": {"cpu": "4"}}))
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    assert made["status"]["allocatable"] == {"cpu": "4"}
