"""The practice cluster as a whole: up, used, broken, rolled back, down."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from machines import SPACE, container, counted, plain, template, told, workload

from kubemend.kube.rollout import progress
from kubemend.lab.cluster import PracticeCluster
from kubemend.lab.fields import annotated, holds, spec
from kubemend.lab.machinery import NotReached
from kubemend.model.objects import Deployment

REVISION = "deployment.kubernetes.io/revision"


async def test_a_cluster_is_up_and_ready_in_a_second_and_ends_without_a_trace():
    began = time.process_time()
    async with PracticeCluster(nodes=3, pace=0.02) as lab:
        assert time.process_time() - began < 1.0
        assert [n["metadata"]["name"] for n in lab.store.all("Node")] == ["lab-1", "lab-2", "lab-3"]
        assert all(holds(n, "Ready") for n in lab.store.all("Node"))
        config = lab.kubeconfig()
        assert config["clusters"][0]["cluster"]["server"] == lab.url
        assert lab.store.find("StorageClass", "", "standard")
    assert [t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []


async def test_a_deployment_rolls_out_breaks_and_is_rolled_back():
    async with PracticeCluster(nodes=2, pace=0.02) as lab:
        await lab.api.create(plain("Namespace", SPACE, space=None))
        probe = {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 1}
        await lab.api.create(workload("Deployment", pods=template("web", readinessProbe=probe), replicas=3))
        healthy = await lab.until(counted("Deployment", "web", availableReplicas=3, updatedReplicas=3))
        assert progress(msgspec.convert(healthy, Deployment)).complete
        broken = {"spec": {"template": {"spec": {"containers": [container("registry.lab/web:9")]}}}}
        await lab.api.patch(healthy, {**broken, "spec": {**broken["spec"], "progressDeadlineSeconds": 5}})
        await lab.until(told("Deployment", "web", "Progressing", "ProgressDeadlineExceeded"))
        stuck = lab.store.find("Deployment", SPACE, "web")
        assert progress(msgspec.convert(stuck, Deployment)).failed
        assert holds(stuck, "Available")
        await lab.api.patch(stuck, {"spec": {"template": spec(healthy)["template"]}})
        mended = await lab.until(counted("Deployment", "web", replicas=3, availableReplicas=3, updatedReplicas=3))
        assert annotated(mended)[REVISION] == "3"
        assert len(lab.store.all("ReplicaSet", SPACE)) == 2


async def test_what_never_comes_is_told_with_the_time_it_was_waited_for():
    async with PracticeCluster(nodes=[], pace=0.02) as lab:
        with pytest.raises(NotReached, match="not reached within 0"):
            await lab.until(lambda store: store.all("Node"), 0.01)
