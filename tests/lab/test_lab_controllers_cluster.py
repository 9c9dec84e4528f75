"""Namespaces, nodes, garbage: what concerns the cluster as a whole."""

from __future__ import annotations

import time

from machines import (
    PACE,
    SPACE,
    counted,
    gone,
    is_ready,
    plain,
    pod,
    running,
    template,
    told,
    workload,
)

from kubemend.lab.fields import condition, deleting, name, spec, status


async def test_a_namespace_is_born_with_an_account_and_certificates():
    async with running() as lab:
        await lab.create(plain("Namespace", "new", space=None))
        await lab.until(lambda seen: seen.find("ServiceAccount", "new", "default"))
        await lab.until(lambda seen: seen.find("ConfigMap", "new", "kube-root-ca.crt"))
        await lab.delete("ServiceAccount", "default", space="new")
        await lab.until(lambda seen: seen.find("ServiceAccount", "new", "default"))


async def test_a_deleted_namespace_takes_everything_in_it_along():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2), plain("ConfigMap", "settings"))
        await lab.until(counted("Deployment", "web", availableReplicas=2))
        await lab.delete("Namespace", SPACE, space="")
        assert status(lab.get("Namespace", SPACE, ""))["phase"] == "Terminating"
        await lab.until(gone("Namespace", SPACE, ""))
        assert not any(lab.store.all(kind, SPACE) for kind in lab.machinery.seen.kinds)
        assert not lab.store.all("Event", SPACE)


async def test_a_namespace_that_can_t_end_says_what_holds_it():
    async with running() as lab:
        held = plain("ConfigMap", "settings")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await lab.create(held)
        await lab.delete("Namespace", SPACE, space="")
        said = await lab.until(told("Namespace", SPACE, "NamespaceFinalizersRemaining", "SomeFinalizersRemain", ""))
        assert said["message"].endswith("example.com/hold in 1 resource instances")
        await lab.patch("ConfigMap", "settings", {"metadata": {"finalizers": []}})
        await lab.until(gone("Namespace", SPACE, ""))


async def test_a_node_registers_with_what_it_has():
    async with running(nodes=["lab-2"]) as lab:
        node = lab.get("Node", "lab-2", "")
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "lab-2"
        assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "lab-c"
        assert status(node)["allocatable"] == {
            "cpu": "4",
            "memory": "8Gi",
            "pods": "110",
            "ephemeral-storage": "100Gi",
        }
        assert {c["type"]: c["status"] for c in status(node)["conditions"]} == {
            "MemoryPressure": "False",
            "DiskPressure": "False",
            "PIDPressure": "False",
            "Ready": "True",
        }
        assert lab.find("Lease", "lab-2", "kube-node-lease")


async def test_a_silent_node_is_unreachable_and_its_pods_go_elsewhere_and_it_may_come_back():
    async with running(nodes=["lab-1", "lab-2"]) as lab:
        quick = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
        tolerations = [{**quick, "key": f"node.kubernetes.io/{word}"} for word in ("unreachable", "not-ready")]
        await lab.create(workload("Deployment", pods=template("web", spec={"tolerations": tolerations}), replicas=2))
        await lab.until(counted("Deployment", "web", availableReplicas=2))
        lost = next(p for p in lab.pods() if spec(p)["nodeName"] == "lab-1")
        await lab.machinery.nodes["lab-1"].stop()
        said = await lab.until(told("Node", "lab-1", "Ready", "NodeStatusUnknown", ""))
        assert (said["status"], said["message"]) == ("Unknown", "Kubelet stopped posting node status.")
        await lab.until(lambda seen: len(spec(seen.find("Node", "", "lab-1")).get("taints") or ()) == 2)
        taints = {(t["key"], t["effect"]) for t in spec(lab.get("Node", "lab-1", ""))["taints"]}
        assert taints == {("node.kubernetes.io/unreachable", e) for e in ("NoSchedule", "NoExecute")}
        await lab.until(lambda seen: condition(seen.find("Pod", SPACE, name(lost)), "Ready")["status"] == "False")
        await lab.until(lambda seen: deleting(seen.find("Pod", SPACE, name(lost))))
        await lab.until(counted("Deployment", "web", availableReplicas=2))
        # Nobody confirms the end of the pod on the silent node: it stays until its node is back.
        assert lab.find("Pod", name(lost))
        await lab.machinery.nodes["lab-1"].start()
        await lab.until(gone("Pod", name(lost)))
        await lab.until(lambda seen: not spec(seen.find("Node", "", "lab-1")).get("taints"))


async def test_a_node_that_is_told_to_hang_hangs_and_wakes_up_again():
    async with running(nodes=["lab-1"]) as lab:
        await lab.create(pod())
        before = status(await lab.until(is_ready("one")))["containerStatuses"][0]["restartCount"]
        stopped = "lab.kubemend.dev/stopped"
        await lab.patch("Node", "lab-1", {"metadata": {"annotations": {stopped: "true"}}}, space="")
        await lab.until(told("Node", "lab-1", "Ready", "NodeStatusUnknown", ""))
        await lab.patch("Node", "lab-1", {"metadata": {"annotations": {stopped: None}}}, space="")
        await lab.until(told("Node", "lab-1", "Ready", "KubeletReady", ""))
        found = await lab.until(is_ready("one"))
        assert status(found)["containerStatuses"][0]["restartCount"] == before


async def test_a_node_under_pressure_is_tainted():
    async with running() as lab:
        pressure = "lab.kubemend.dev/pressure"
        await lab.patch("Node", "lab-1", {"metadata": {"annotations": {pressure: "Disk"}}}, space="")
        await lab.until(told("Node", "lab-1", "DiskPressure", "KubeletHasDiskPressure", ""))
        await lab.until(lambda seen: spec(seen.find("Node", "", "lab-1")).get("taints"))
        taint = spec(lab.get("Node", "lab-1", ""))["taints"][0]
        assert (taint["key"], taint["effect"]) == ("node.kubernetes.io/disk-pressure", "NoSchedule")


async def test_a_cordoned_node_is_tainted_until_it_is_uncordoned():
    async with running() as lab:
        await lab.patch("Node", "lab-1", {"spec": {"unschedulable": True}}, space="")
        await lab.until(lambda seen: spec(seen.find("Node", "", "lab-1")).get("taints"))
        await lab.patch("Node", "lab-1", {"spec": {"unschedulable": None}}, space="")
        await lab.until(lambda seen: not spec(seen.find("Node", "", "lab-1")).get("taints"))


async def test_a_no_execute_taint_evicts_what_doesn_t_tolerate_it():
    async with running() as lab:
        tolerant = {"key": "repair", "operator": "Exists"}
        await lab.create(pod(), pod("two", spec={"tolerations": [tolerant]}))
        await lab.until(is_ready("one"))
        await lab.until(is_ready("two"))
        taint = {"key": "repair", "effect": "NoExecute"}
        await lab.patch("Node", "lab-1", {"spec": {"taints": [taint]}}, space="")
        await lab.until(gone("Pod", "one"))
        assert is_ready("two")(lab.store)
        assert lab.events("one", "TaintManagerEviction") == ["Marking for deletion Pod shop/one"]


async def test_pods_of_a_node_that_is_no_more_are_no_more_either():
    async with running(nodes=["lab-1", "lab-2"]) as lab:
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(counted("Deployment", "web", availableReplicas=2))
        await lab.machinery.nodes["lab-1"].stop()
        await lab.delete("Node", "lab-1", space="")
        await lab.until(
            lambda _seen: len(lab.pods()) == 2 and all(spec(p).get("nodeName") == "lab-2" for p in lab.pods())
        )


async def test_a_pod_of_a_node_that_never_was_stays_for_a_while_and_then_goes():
    async with running() as lab:
        began = time.monotonic()
        await lab.create(pod(spec={"nodeName": "nosuch"}))
        await lab.until(gone("Pod", "one"))
        assert time.monotonic() - began > 40 * PACE * 0.9


async def test_what_an_unknown_kind_owns_is_left_alone():
    async with running() as lab:
        owned = plain("ConfigMap", "settings")
        owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w-1"}
        owned["metadata"]["ownerReferences"] = [owner]
        orphan = plain("ConfigMap", "left")
        orphan["metadata"]["ownerReferences"] = [{**owner, "apiVersion": "v1", "kind": "Secret"}]
        await lab.create(owned, orphan)
        await lab.until(gone("ConfigMap", "left"))
        assert lab.find("ConfigMap", "settings")


async def test_a_cluster_at_rest_writes_nothing_but_signs_of_life():
    async with running(nodes=["lab-1", "lab-2", "lab-3"]) as lab:
        await lab.create(workload("Deployment", pods=template("web", **PROBED), replicas=3))
        await lab.until(counted("Deployment", "web", availableReplicas=3))
        # The first lease after the last change opens the window; two more of each node close it.
        await lab.until(lambda seen: lab.store.since(lab.store.version - 1)[0].kind == "Lease")
        quiet = lab.store.version
        await lab.until(lambda seen: seen.version >= quiet + 4)
        assert {s.kind for s in lab.store.since(quiet)} == {"Lease"}


PROBED = {
    "readinessProbe": {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 1},
    "livenessProbe": {"httpGet": {"port": 8080, "path": "/healthz"}, "periodSeconds": 1},
}
