"""Endpoints, claims, quotas, budgets, autoscalers."""

from __future__ import annotations

import pytest
from machines import (
    SPACE,
    Lab,
    counted,
    gone,
    is_ready,
    names,
    plain,
    pod,
    running,
    told,
    waiting,
    workload,
)

from kubemend.lab.fields import condition, name, spec, status


def service(**fields) -> dict:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return plain("Service", "web", spec={"selector": {"app": "one"}, "ports": ports, **fields})


def endpoints(lab: Lab) -> list[tuple[str, bool, list[int]]]:
    """(pod, ready, ports) of every endpoint of the Service."""
    slices = lab.store.all("EndpointSlice", SPACE)
    return sorted(
        (e["targetRef"]["name"], e["conditions"]["ready"], [p["port"] for p in s.get("ports") or ()])
        for s in slices
        for e in s.get("endpoints") or ()
    )


async def test_a_service_has_its_ready_pods_as_endpoints():
    async with running() as lab:
        await lab.create(service(), pod())
        await lab.until(lambda _seen: endpoints(lab) == [("one", True, [8080])])
        only = lab.store.all("EndpointSlice", SPACE)[0]
        assert only["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
        assert only["endpoints"][0]["addresses"] == [status(lab.get("Pod", "one"))["podIP"]]
        assert only["endpoints"][0]["nodeName"] == "lab-1"
        await lab.until(lambda _seen: lab.get("Endpoints", "web").get("subsets"))
        subset = lab.get("Endpoints", "web")["subsets"][0]
        assert (subset["addresses"][0]["targetRef"]["name"], subset["ports"][0]["port"]) == ("one", 8080)


async def test_an_unready_pod_is_an_endpoint_that_isn_t_ready_and_another_label_is_none():
    async with running() as lab:
        probe = {"httpGet": {"port": 1}, "periodSeconds": 1}
        await lab.create(service(), pod(readinessProbe=probe))
        await lab.until(lambda _seen: endpoints(lab) == [("one", False, [8080])])
        await lab.until(lambda _seen: "notReadyAddresses" in str(lab.find("Endpoints", "web")))
        await lab.patch("Pod", "one", {"metadata": {"labels": {"app": "other"}}})
        await lab.until(lambda _seen: endpoints(lab) == [])


async def test_a_named_port_means_each_pod_s_own_number():
    async with running() as lab:
        named = [{"name": "http", "port": 80, "targetPort": "web"}]
        ports = [{"name": "web", "containerPort": 8080}]
        other = pod("two", ports=[{"name": "web", "containerPort": 9090}])
        nameless = pod("three")
        for each in (other, nameless):
            each["metadata"]["labels"] = {"app": "one"}
        await lab.create(service(ports=named), pod(ports=ports), other, nameless)
        wanted = [("one", True, [8080]), ("three", True, []), ("two", True, [9090])]
        await lab.until(lambda _seen: endpoints(lab) == wanted)


async def test_a_service_whose_selector_matches_nothing_has_an_empty_slice():
    async with running() as lab:
        await lab.create(service(selector={"app": "nobody"}))
        await lab.until(lambda _seen: lab.store.all("EndpointSlice", SPACE))
        assert endpoints(lab) == []
        await lab.delete("Service", "web")
        await lab.until(lambda _seen: not lab.store.all("EndpointSlice", SPACE) and not lab.find("Endpoints", "web"))


def storage(named: str = "standard", **fields) -> dict:
    kept = {"provisioner": "lab.kubemend.dev/instant", **fields}
    return plain("StorageClass", named, version="storage.k8s.io/v1", space=None, **kept)


def claim(named: str = "data", **fields) -> dict:
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "standard",
        **fields,
    }
    return plain("PersistentVolumeClaim", named, spec=wanted)


def phase(kind: str, named: str, wanted: str, space: str = SPACE):
    return lambda seen: (o := seen.find(kind, space, named)) and status(o).get("phase") == wanted and o


async def test_a_claim_gets_a_volume_of_its_class_and_takes_it_along():
    async with running() as lab:
        await lab.create(storage(), claim())
        bound = await lab.until(phase("PersistentVolumeClaim", "data", "Bound"))
        volume = spec(bound)["volumeName"]
        await lab.until(phase("PersistentVolume", volume, "Bound", ""))
        assert status(bound)["capacity"] == {"storage": "1Gi"}
        await lab.delete("PersistentVolumeClaim", "data")
        await lab.until(gone("PersistentVolumeClaim", "data"))
        await lab.until(gone("PersistentVolume", volume, ""))


async def test_a_class_that_isn_t_there_is_told_and_made_good_for():
    async with running() as lab:
        await lab.create(claim())
        said = await lab.event("data", "ProvisioningFailed")
        assert said == 'storageclass.storage.k8s.io "standard" not found'
        assert status(lab.get("PersistentVolumeClaim", "data"))["phase"] == "Pending"
        await lab.create(storage())
        await lab.until(phase("PersistentVolumeClaim", "data", "Bound"))


async def test_a_provisioner_that_nobody_runs_leaves_the_claim_pending():
    async with running() as lab:
        await lab.create(storage(provisioner="ebs.csi.aws.com"), claim())
        assert "external provisioner 'ebs.csi.aws.com'" in await lab.event("data", "ExternalProvisioning")
        assert status(lab.get("PersistentVolumeClaim", "data"))["phase"] == "Pending"


async def test_a_claim_takes_the_smallest_volume_that_fits():
    async with running() as lab:
        for named, size in (("large", "50Gi"), ("fitting", "2Gi"), ("small", "500Mi")):
            fields = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "hostPath": {"path": "/x"}}
            await lab.create(plain("PersistentVolume", named, space=None, spec=fields))
        await lab.create(claim(storageClassName=""))
        bound = await lab.until(phase("PersistentVolumeClaim", "data", "Bound"))
        assert spec(bound)["volumeName"] == "fitting"
        await lab.delete("PersistentVolume", "fitting", space="")
        assert lab.find("PersistentVolume", "fitting", "")
        await lab.patch("PersistentVolume", "fitting", {"metadata": {"finalizers": []}}, space="")
        await lab.until(phase("PersistentVolumeClaim", "data", "Lost"))


async def test_a_class_that_waits_for_its_first_consumer_binds_when_a_pod_has_a_node():
    async with running() as lab:
        await lab.create(storage(volumeBindingMode="WaitForFirstConsumer"), claim())
        assert await lab.event("data", "WaitForFirstConsumer") == (
            "waiting for first consumer to be created before binding"
        )
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        await lab.create(pod(spec={"volumes": volumes}))
        await lab.until(is_ready("one"))
        assert status(lab.get("PersistentVolumeClaim", "data"))["phase"] == "Bound"


async def test_a_claim_in_use_stays_until_its_pod_is_gone():
    async with running() as lab:
        await lab.create(storage(), claim())
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        await lab.create(pod(spec={"volumes": volumes}))
        await lab.until(is_ready("one"))
        await lab.delete("PersistentVolumeClaim", "data")
        assert lab.find("PersistentVolumeClaim", "data")
        await lab.delete("Pod", "one")
        await lab.until(gone("PersistentVolumeClaim", "data"))


async def test_a_claim_that_asks_for_more_gets_it_where_the_class_allows():
    async with running() as lab:
        await lab.create(storage(allowVolumeExpansion=True), claim())
        await lab.until(phase("PersistentVolumeClaim", "data", "Bound"))
        await lab.patch("PersistentVolumeClaim", "data", {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
        await lab.until(
            lambda seen: status(seen.find("PersistentVolumeClaim", SPACE, "data"))["capacity"] == {"storage": "3Gi"}
        )


async def test_a_quota_tells_what_is_used():
    async with running() as lab:
        hard = {"pods": "5", "requests.cpu": "2", "limits.memory": "1Gi", "services": "3", "count/configmaps": "9"}
        await lab.create(plain("ResourceQuota", "small", spec={"hard": hard}))
        resources = {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"memory": "128Mi", "cpu": "1"}}
        await lab.create(service(), pod(resources=resources))
        wanted = {"pods": "1", "requests.cpu": "250m", "limits.memory": "128Mi", "services": "1"}
        await lab.until(
            lambda _seen: wanted.items() <= status(lab.get("ResourceQuota", "small")).get("used", {}).items()
        )
        await lab.delete("Pod", "one")
        await lab.until(lambda _seen: status(lab.get("ResourceQuota", "small"))["used"]["pods"] == "0")
        assert status(lab.get("ResourceQuota", "small"))["used"]["limits.memory"] == "0"


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"minAvailable": 3}, 0),
        ({"minAvailable": 2}, 1),
        ({"maxUnavailable": 1}, 1),
        ({"minAvailable": "50%"}, 1),
        ({"maxUnavailable": "0%"}, 0),
    ],
)
async def test_a_budget_allows_what_its_pods_can_spare(fields, allowed):
    async with running() as lab:
        selector = {"matchLabels": {"app": "web"}}
        await lab.create(
            plain("PodDisruptionBudget", "web", version="policy/v1", spec={"selector": selector, **fields}),
            workload("Deployment", replicas=3),
        )
        await lab.until(counted("PodDisruptionBudget", "web", currentHealthy=3, expectedPods=3))
        found = lab.get("PodDisruptionBudget", "web")
        assert status(found)["disruptionsAllowed"] == allowed
        reason = "SufficientPods" if allowed else "InsufficientPods"
        assert condition(found, "DisruptionAllowed")["reason"] == reason


def autoscaler(target: str = "web", **fields) -> dict:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    wanted = {"scaleTargetRef": ref, "minReplicas": 2, "maxReplicas": 4, **fields}
    return plain("HorizontalPodAutoscaler", "web", version="autoscaling/v2", spec=wanted)


@pytest.mark.parametrize(("replicas", "then"), [(1, 2), (3, 3), (9, 4)])
async def test_an_autoscaler_keeps_replicas_within_its_bounds(replicas, then):
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=replicas), autoscaler())
        await lab.until(counted("Deployment", "web", availableReplicas=then, replicas=then))
        assert spec(lab.get("Deployment", "web"))["replicas"] == then
        assert bool(lab.events("web", "SuccessfulRescale")) == (replicas != then)


async def test_an_autoscaler_leaves_a_workload_at_zero_alone():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=0), autoscaler())
        await lab.until(told("HorizontalPodAutoscaler", "web", "ScalingActive", "ScalingDisabled"))
        assert spec(lab.get("Deployment", "web"))["replicas"] == 0


async def test_an_autoscaler_says_that_its_target_isn_t_there():
    async with running() as lab:
        await lab.create(autoscaler("wbe"))
        said = await lab.until(told("HorizontalPodAutoscaler", "web", "AbleToScale", "FailedGetScale"))
        assert said["message"].endswith('deployments.apps "wbe" not found')


async def test_an_autoscaler_says_which_container_lacks_the_request_it_reckons_with():
    async with running() as lab:
        metric = {"resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
        hpa = autoscaler(metrics=[{"type": "Resource", **metric}])
        await lab.create(workload("Deployment", replicas=2), hpa)
        said = await lab.until(told("HorizontalPodAutoscaler", "web", "ScalingActive", "FailedGetResourceMetric"))
        assert "missing request for cpu in container main of Pod web-" in said["message"]


async def test_a_pod_that_needs_a_service_fails_until_that_answers():
    async with running() as lab:
        await lab.create(pod("two", notes={"lab.kubemend.dev/needs": "web:80"}))
        await lab.until(waiting("two", "CrashLoopBackOff"))
        assert lab.logs("two")[-1] == "fatal: can't reach web:80: lookup web: no such host"
        await lab.create(service(), pod())
        await lab.until(is_ready("two"))
        assert names(lab.store.all("Service", SPACE)) == ["web"]
        assert name(lab.get("Pod", "one")) == "one"


async def test_an_eviction_counts_until_its_pod_is_going():
    async with running() as lab:
        budget = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
        await lab.create(
            plain("PodDisruptionBudget", "web", version="policy/v1", spec=budget), workload("Deployment", replicas=2)
        )
        await lab.until(counted("PodDisruptionBudget", "web", disruptionsAllowed=1))
        evicted = {"disruptedPods": {name(lab.pods()[0]): "2026-01-01T00:00:00Z"}}
        await lab.patch("PodDisruptionBudget", "web", {"status": evicted}, part="status")
        await lab.until(counted("PodDisruptionBudget", "web", disruptionsAllowed=0, currentHealthy=1))
        await lab.delete("Pod", name(lab.pods()[0]))
        await lab.until(counted("PodDisruptionBudget", "web", disruptionsAllowed=1))
        assert "disruptedPods" not in status(lab.get("PodDisruptionBudget", "web"))
