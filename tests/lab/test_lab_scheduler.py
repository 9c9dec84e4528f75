"""Where pods go, and what is said when they can't."""

from __future__ import annotations

import pytest
from machines import SPACE, Lab, gone, is_ready, plain, pod, running, told

from kubemend.lab.fields import condition, spec, status

NODES = ["lab-1", "lab-2", "lab-3"]
HELPLESS = (
    "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
VICTIMLESS = (
    "no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
)


async def refused(lab: Lab, named: str = "one") -> str:
    said: str = (await lab.until(told("Pod", named, "PodScheduled", "Unschedulable")))["message"]
    assert lab.events(named, "FailedScheduling")[-1] == said
    assert status(lab.get("Pod", named))["phase"] == "Pending"
    return said


def asks(**requests: str) -> dict:
    return {"resources": {"requests": requests}}


@pytest.mark.parametrize(
    ("fields", "why", "then"),
    [
        (asks(memory="64Gi"), "3 Insufficient memory.", HELPLESS),
        (asks(cpu="9"), "3 Insufficient cpu.", HELPLESS),
        (asks(cpu="9", memory="64Gi"), "3 Insufficient cpu, 3 Insufficient memory.", HELPLESS),
        (
            {"resources": {"limits": {"example.com/gpu": "1"}, "requests": {"example.com/gpu": "1"}}},
            "3 Insufficient example.com/gpu.",
            HELPLESS,
        ),
        ({"spec": {"nodeSelector": {"disk": "ssd"}}}, "3 node(s) didn't match Pod's node affinity/selector.", HELPLESS),
    ],
)
async def test_a_pod_that_fits_nowhere_is_told_in_the_scheduler_s_words(fields, why, then):
    async with running(nodes=NODES) as lab:
        await lab.create(pod(**fields))
        assert await refused(lab) == f"0/3 nodes are available: {why} {then}"


async def test_where_only_others_stand_in_the_way_their_deletion_is_thought_of():
    async with running(nodes=NODES) as lab:
        for named in ("a", "b", "c"):
            await lab.create(pod(named, **asks(cpu="3")))
            await lab.until(is_ready(named))
        await lab.create(pod(**asks(cpu="3")))
        assert await refused(lab) == f"0/3 nodes are available: 3 Insufficient cpu. {VICTIMLESS}"


async def test_different_reasons_are_counted_and_the_pod_goes_once_one_is_gone():
    async with running(nodes=NODES) as lab:
        taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
        await lab.patch("Node", "lab-1", {"spec": {"taints": [taint]}}, space="")
        await lab.patch("Node", "lab-2", {"spec": {"unschedulable": True}}, space="")
        await lab.create(pod(**asks(memory="10Gi")))
        assert await refused(lab) == (
            "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {dedicated: db}, "
            f"1 node(s) were unschedulable. {HELPLESS}"
        )
        await lab.machinery.add_node("lab-4", capacity={"memory": "16Gi"})
        await lab.until(is_ready("one"))
        assert spec(lab.get("Pod", "one"))["nodeName"] == "lab-4"


async def test_a_pod_waits_for_the_room_another_takes():
    async with running(nodes=["lab-1"]) as lab:
        await lab.create(pod(**asks(memory="6Gi")))
        await lab.until(is_ready("one"))
        await lab.create(pod("two", **asks(memory="6Gi")))
        assert "1 Insufficient memory" in await refused(lab, "two")
        await lab.delete("Pod", "one")
        await lab.until(is_ready("two"))


async def test_a_toleration_put_on_a_waiting_pod_lets_it_go():
    async with running(nodes=["lab-1"]) as lab:
        taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
        await lab.patch("Node", "lab-1", {"spec": {"taints": [taint]}}, space="")
        await lab.create(pod())
        await refused(lab)
        held = spec(lab.get("Pod", "one"))["tolerations"]
        added = [*held, {"key": "dedicated", "operator": "Exists"}]
        await lab.patch("Pod", "one", {"spec": {"tolerations": added}})
        await lab.until(is_ready("one"))


def mounting(claim: str) -> dict:
    return {"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}}


async def test_a_pod_waits_for_its_claim():
    async with running(nodes=["lab-1"]) as lab:
        await lab.create(pod(**mounting("data")))
        assert await refused(lab) == '0/1 nodes are available: persistentvolumeclaim "data" not found. not found'
        wanted = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "fast",
        }
        await lab.create(plain("PersistentVolumeClaim", "data", spec=wanted))
        said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
        await lab.until(
            lambda seen: condition(seen.find("Pod", SPACE, "one"), "PodScheduled")["message"].startswith(said)
        )
        fast = {"provisioner": "lab.kubemend.dev/instant"}
        await lab.create(plain("StorageClass", "fast", version="storage.k8s.io/v1", space=None, **fast))
        await lab.until(is_ready("one"))


async def test_a_volume_in_another_zone_keeps_the_pod_off_the_other_nodes():
    async with running(nodes=NODES) as lab:
        zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["lab-c"]}
        fields = {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
        }
        wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await lab.create(
            plain("PersistentVolume", "there", space=None, spec=fields),
            plain("PersistentVolumeClaim", "data", spec={**wanted, "storageClassName": ""}),
            pod(**mounting("data")),
        )
        await lab.until(is_ready("one"))
        assert spec(lab.get("Pod", "one"))["nodeName"] == "lab-2"


async def test_pods_that_keep_apart_need_a_node_each():
    async with running(nodes=["lab-1", "lab-2"]) as lab:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"kind": "lonely"}}}
        apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        for named in ("one", "two", "three"):
            each = pod(named, spec={"affinity": apart})
            each["metadata"]["labels"] = {"kind": "lonely"}
            await lab.create(each)
        await lab.until(is_ready("one"))
        await lab.until(is_ready("two"))
        assert await refused(lab, "three") == (
            "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. "
            "no new claims to deallocate, "
            "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
        )


async def test_a_host_port_is_given_out_once_per_node():
    async with running(nodes=["lab-1"]) as lab:
        ports = [{"containerPort": 8080, "hostPort": 80}]
        await lab.create(pod(ports=ports), pod("two", ports=ports))
        assert "1 node(s) didn't have free ports for the requested pod ports" in await refused(lab, "two")


async def test_replicas_are_spread_over_the_nodes():
    async with running(nodes=NODES) as lab:
        await lab.create(*(pod(f"p{i}") for i in range(6)))
        for i in range(6):
            await lab.until(is_ready(f"p{i}"))
        assert sorted(spec(p)["nodeName"] for p in lab.pods()) == sorted(NODES * 2)


async def test_a_pod_of_higher_priority_takes_the_place_of_a_lower_one():
    async with running(nodes=["lab-1"]) as lab:
        urgent = plain("PriorityClass", "urgent", version="scheduling.k8s.io/v1", space=None, value=1000)
        await lab.create(urgent, pod(**asks(memory="6Gi")))
        await lab.until(is_ready("one"))
        await lab.create(pod("two", **asks(memory="6Gi"), spec={"priorityClassName": "urgent"}))
        await lab.until(gone("Pod", "one"))
        await lab.until(is_ready("two"))
        assert lab.events("one", "Preempted")[0].endswith("on node lab-1")


async def test_a_gated_pod_isn_t_placed():
    async with running(nodes=["lab-1"]) as lab:
        await lab.create(pod(spec={"schedulingGates": [{"name": "example.com/wait"}]}))
        said = await lab.until(told("Pod", "one", "PodScheduled", "SchedulingGated"))
        assert said["message"] == "Scheduling is blocked due to non-empty scheduling gates"
        assert not spec(lab.get("Pod", "one")).get("nodeName")


async def test_without_any_node_it_says_so_and_another_scheduler_s_pod_is_left_alone():
    async with running(nodes=[]) as lab:
        await lab.create(pod("other", spec={"schedulerName": "mine"}), pod())
        assert await refused(lab) == "no nodes available to schedule pods"
        await lab.machinery.add_node("lab-1")
        await lab.until(is_ready("one"))
        assert not spec(lab.get("Pod", "other")).get("nodeName")
