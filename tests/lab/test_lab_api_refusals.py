"""What validation and admission refuse, in the real server's words."""

from __future__ import annotations

import pytest
from lab_api_client import APPS, BATCH, CORE, POLICY, RBAC, STRATEGIC, Client, Object, config, pod, workload

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


GENEROUS = {"limits": {"memory": "600Mi"}, "requests": {"cpu": "100m"}}


async def test_a_quota_lets_nothing_beyond_it_be_made(api: Client) -> None:
    hard = {"pods": "3", "limits.memory": "1Gi", "requests.cpu": "1"}
    await api.made(f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    silent = await api.post(PODS, pod())
    must = "failed quota: q: must specify limits.memory for: main; requests.cpu for: main"
    assert (silent.code, silent.body["message"]) == (403, f'pods "web" is forbidden: {must}')
    await api.made(PODS, pod("a", resources=GENEROUS))
    for path in (PODS, f"{PODS}?dryRun=All"):
        refused = await api.post(path, pod("b", resources={"limits": {"memory": "600Mi"}, "requests": {"cpu": "2"}}))
        assert refused.body["message"] == (
            'pods "b" is forbidden: exceeded quota: q, requested: limits.memory=600Mi,requests.cpu=2, '
            "used: limits.memory=600Mi,requests.cpu=100m, limited: limits.memory=1Gi,requests.cpu=1"
        )
    await api.delete(f"{PODS}/a")
    await api.made(PODS, pod("b", resources=GENEROUS))


async def test_a_quota_counts_objects_too(api: Client) -> None:
    hard = {"count/deployments.apps": "1", "services.nodeports": "1", "configmaps": "2"}
    await api.made(f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    await api.made(DEPLOYMENTS, workload("a"))
    assert (await api.post(DEPLOYMENTS, workload("b"))).code == 403
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    service = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": ports}}
    assert "requested: services.nodeports=2" in (await api.post(f"{CORE}/services", service)).body["message"]
    await api.made(f"{CORE}/configmaps", config())
    assert "used: configmaps=2" in (await api.post(f"{CORE}/configmaps", config("more"))).body["message"]


async def test_a_quota_of_best_effort_pods_minds_no_others(api: Client) -> None:
    spec = {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}
    await api.made(f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": spec})
    assert (await api.post(PODS, pod())).code == 403
    await api.made(PODS, pod(resources=GENEROUS))


async def _limit(api: Client, **item: object) -> None:
    limits = [{"type": "Container", **item}]
    await api.made(f"{CORE}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        ({"limits": {"memory": "2Gi"}}, "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        ({"limits": {"memory": "5Mi"}}, "minimum memory usage per Container is 10Mi, but request is 5Mi"),
        (
            {"limits": {"memory": "500Mi"}, "requests": {"memory": "100Mi"}},
            "memory max limit to request ratio per Container is 4, but provided ratio is 5.000000",
        ),
    ],
)
async def test_a_limit_range_bounds_containers(api: Client, resources: Object, why: str) -> None:
    await _limit(api, max={"memory": "1Gi"}, min={"memory": "10Mi"}, maxLimitRequestRatio={"memory": "4"})
    answer = await api.post(PODS, pod(resources=resources))
    assert (answer.code, answer.body["message"]) == (403, f'pods "web" is forbidden: {why}')


async def test_a_limit_range_gives_what_isnt_said(api: Client) -> None:
    await _limit(api, default={"memory": "200Mi"}, defaultRequest={"memory": "100Mi"})
    made = await api.made(PODS, pod())
    wanted = {"limits": {"memory": "200Mi"}, "requests": {"memory": "100Mi"}}
    assert made["spec"]["containers"][0]["resources"] == wanted
    told = "LimitRanger plugin set: memory request for container main; memory limit for container main"
    assert made["metadata"]["annotations"] == {"kubernetes.io/limit-ranger": told}


async def _guarded(api: Client, level: str) -> str:
    labels = {"pod-security.kubernetes.io/enforce": level}
    await api.made("/api/v1/namespaces", {"metadata": {"name": "safe", "labels": labels}})
    await api.made("/api/v1/namespaces/safe/serviceaccounts", {"metadata": {"name": "default"}})
    return "/api/v1/namespaces/safe/pods"


HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize(
    ("level", "body", "why"),
    [
        ("baseline", pod(), None),
        (
            "baseline",
            pod(spec={"hostNetwork": True}, securityContext={"privileged": True}),
            'host namespaces (hostNetwork=true), privileged (container "main" must not set '
            "securityContext.privileged=true)",
        ),
        (
            "restricted",
            pod(),
            'allowPrivilegeEscalation != false (container "main" must set '
            'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set '
            'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "main" must set '
            'securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set '
            'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
        ),
        (
            "restricted",
            pod(
                securityContext=HARDENED,
                spec={"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
            ),
            None,
        ),
    ],
)
async def test_a_namespace_enforces_a_level_of_pod_security(
    api: Client, level: str, body: Object, why: str | None
) -> None:
    answer = await api.post(await _guarded(api, level), body)
    assert answer.code == (201 if why is None else 403)
    if why is not None:
        assert answer.body["message"] == f'pods "web" is forbidden: violates PodSecurity "{level}:latest": {why}'


async def test_a_webhook_that_cant_be_called_stops_what_it_guards(api: Client) -> None:
    hook = {
        "name": "check.lab.dev",
        "clientConfig": {"service": {"name": "checker", "namespace": "default", "path": "/check"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    await api.made(hooks, {"metadata": {"name": "checker"}, "webhooks": [hook]})
    refused = await api.post(PODS, pod())
    assert (refused.code, refused.body["reason"]) == (500, "InternalError")
    assert refused.body["message"] == (
        'Internal error occurred: failed calling webhook "check.lab.dev": failed to call webhook: Post '
        '"https://checker.default.svc:443/check?timeout=10s": service "checker" not found'
    )
    await api.made(f"{CORE}/configmaps", config())
    await api.made(f"{CORE}/services", {"metadata": {"name": "checker"}, "spec": {"ports": [{"port": 443}]}})
    assert "no endpoints available" in (await api.post(PODS, pod())).body["message"]
    part = {
        "metadata": {"name": "checker-1", "labels": {"kubernetes.io/service-name": "checker"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    }
    await api.made("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", part)
    assert (await api.post(PODS, pod())).code == 201
    await api.delete(f"{CORE}/services/checker")
    lenient = {"webhooks": [{"name": "check.lab.dev", "failurePolicy": "Ignore"}]}
    await api.patch(f"{hooks}/checker", lenient, STRATEGIC)
    assert (await api.post(PODS, pod("later"))).code == 201
