"""What the policies of a namespace refuse or give: quotas, limit ranges, pod security, webhooks."""

from __future__ import annotations

import pytest
from lab_api_client import APPS, CORE, STRATEGIC, Client, Object, config, pod, workload

DEPLOYMENTS = f"{APPS}/deployments"
PODS = f"{CORE}/pods"
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


@pytest.mark.parametrize(
    ("labels", "spec", "why"),
    [
        (
            {"enforce": "baseline"},
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
            'baseline:latest": forbidden sysctls (net.core.somaxconn)',
        ),
        ({"enforce": "baseline", "enforce-version": "v1.31"}, {"hostPID": True}, 'baseline:v1.31": host namespaces'),
        # Before 1.8 the restricted level asked nothing of privilege escalation.
        ({"enforce": "restricted", "enforce-version": "v1.7"}, {}, 'restricted:v1.7": runAsNonRoot != true'),
        # A level that is none fails closed.
        ({"enforce": "strict"}, {}, 'restricted:latest": allowPrivilegeEscalation != false'),
        ({"audit": "restricted", "warn": "restricted"}, {"hostPID": True}, None),
    ],
)
async def test_every_check_at_every_version_is_enforced(
    api: Client, labels: dict[str, str], spec: Object, why: str | None
) -> None:
    meta = {"name": "safe", "labels": {f"pod-security.kubernetes.io/{k}": v for k, v in labels.items()}}
    await api.made("/api/v1/namespaces", {"metadata": meta})
    await api.made("/api/v1/namespaces/safe/serviceaccounts", {"metadata": {"name": "default"}})
    answer = await api.post("/api/v1/namespaces/safe/pods", pod(spec=spec))
    assert answer.code == (201 if why is None else 403)
    if why is not None:
        assert why in answer.body["message"]


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
