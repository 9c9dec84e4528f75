"""StatefulSets and DaemonSets."""

from __future__ import annotations

from machines import SPACE, Lab, container, counted, gone, names, plain, running, template, workload

from kubemend.lab.fields import labels, name, owners, spec, status


def image(to: str) -> dict:
    return {"spec": {"template": {"spec": {"containers": [container(to)]}}}}


def images(lab: Lab) -> dict[str, str]:
    return {name(p): spec(p)["containers"][0]["image"].rpartition(":")[2] for p in lab.pods()}


def full(kind: str, n: int):
    if kind == "DaemonSet":
        return counted(kind, "web", desiredNumberScheduled=n, updatedNumberScheduled=n, numberAvailable=n)
    return counted(kind, "web", replicas=n, updatedReplicas=n, availableReplicas=n)


async def test_stateful_pods_are_made_one_after_the_other_with_disks_of_their_own():
    async with running() as lab:
        await lab.create(STORAGE)
        order = []
        lab.machinery.seen.listen(
            lambda change, obj, before: (
                order.append((name(obj), lab.find("Pod", "web-0"))) if obj["kind"] == "Pod" and before is None else None
            )
        )
        claim = {"metadata": {"name": "data"}, "spec": CLAIM}
        await lab.create(workload("StatefulSet", replicas=2, volumeClaimTemplates=[claim]))
        await lab.until(full("StatefulSet", 2))
        assert [n for n, _ in order] == ["web-0", "web-1"]
        first_then = order[1][1]
        assert {c["type"]: c["status"] for c in status(first_then)["conditions"]}["Ready"] == "True"
        claims = lab.store.all("PersistentVolumeClaim", SPACE)
        assert [name(c) for c in claims] == ["data-web-0", "data-web-1"]
        assert not any(owners(c) for c in claims)
        pod = lab.get("Pod", "web-1")
        assert spec(pod)["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}
        assert (spec(pod)["hostname"], spec(pod)["subdomain"]) == ("web-1", "web")
        assert labels(pod)["statefulset.kubernetes.io/pod-name"] == "web-1"
        revision = status(lab.get("StatefulSet", "web"))["updateRevision"]
        assert labels(pod)["controller-revision-hash"] == revision
        assert lab.find("ControllerRevision", revision)


STORAGE = plain(
    "StorageClass", "standard", version="storage.k8s.io/v1", space=None, provisioner="lab.kubemend.dev/instant"
)
CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "standard",
    "resources": {"requests": {"storage": "1Gi"}},
}


async def test_a_stateful_update_goes_from_the_top_down_and_stops_at_the_partition():
    async with running() as lab:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
        await lab.create(workload("StatefulSet", replicas=3, updateStrategy=rolling))
        await lab.until(full("StatefulSet", 3))
        await lab.patch("StatefulSet", "web", image("registry.lab/web:1.1"))
        await lab.until(counted("StatefulSet", "web", readyReplicas=3, updatedReplicas=2))
        assert images(lab) == {"web-0": "1.0", "web-1": "1.1", "web-2": "1.1"}
        await lab.patch("StatefulSet", "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
        await lab.until(full("StatefulSet", 3))
        assert set(images(lab).values()) == {"1.1"}
        found = status(lab.get("StatefulSet", "web"))
        assert found["currentRevision"] == found["updateRevision"]


async def test_a_broken_stateful_pod_holds_up_the_rollout_until_it_is_deleted():
    async with running() as lab:
        await lab.create(workload("StatefulSet", replicas=2))
        await lab.until(full("StatefulSet", 2))
        await lab.patch("StatefulSet", "web", image("registry.lab/web:9"))
        await lab.until(lambda _seen: images(lab).get("web-1") == "9")
        await lab.patch("StatefulSet", "web", image("registry.lab/web:1.0"))
        # Known of OrderedReady: the rollout waits for the broken pod, so a change of the template alone isn't enough.
        await lab.until(counted("StatefulSet", "web", readyReplicas=1, updatedReplicas=1))
        assert images(lab) == {"web-0": "1.0", "web-1": "9"}
        await lab.delete("Pod", "web-1")
        await lab.until(full("StatefulSet", 2))
        assert images(lab) == {"web-0": "1.0", "web-1": "1.0"}
        assert len(lab.store.all("ControllerRevision", SPACE)) == 2


async def test_parallel_stateful_pods_don_t_wait_for_each_other_and_scale_down_leaves_claims():
    async with running() as lab:
        await lab.create(STORAGE)
        claim = {"metadata": {"name": "data"}, "spec": CLAIM}
        broken = template("web", image="registry.lab/web:9")
        more = {"podManagementPolicy": "Parallel", "volumeClaimTemplates": [claim]}
        await lab.create(workload("StatefulSet", pods=broken, replicas=3, **more))
        await lab.until(counted("StatefulSet", "web", replicas=3, readyReplicas=0))
        await lab.patch("StatefulSet", "web", {"spec": {"replicas": 1}})
        await lab.until(counted("StatefulSet", "web", replicas=1))
        assert names(lab.pods()) == ["web-0"]
        assert len(lab.store.all("PersistentVolumeClaim", SPACE)) == 3


async def test_a_daemon_pod_runs_on_every_node_that_will_have_it():
    async with running(nodes=["lab-1", "lab-2", "lab-3"]) as lab:
        taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
        await lab.patch("Node", "lab-3", {"spec": {"taints": [taint]}}, space="")
        await lab.create(workload("DaemonSet"))
        await lab.until(full("DaemonSet", 2))
        assert sorted(spec(p)["nodeName"] for p in lab.pods()) == ["lab-1", "lab-2"]
        await lab.patch("Node", "lab-3", {"spec": {"taints": []}}, space="")
        await lab.until(full("DaemonSet", 3))
        await lab.machinery.add_node("lab-4")
        await lab.until(full("DaemonSet", 4))


async def test_a_daemon_update_replaces_the_pods():
    async with running(nodes=["lab-1", "lab-2"]) as lab:
        await lab.create(workload("DaemonSet"))
        await lab.until(full("DaemonSet", 2))
        await lab.patch("DaemonSet", "web", image("registry.lab/web:1.1"))
        await lab.until(full("DaemonSet", 2))
        assert set(images(lab).values()) == {"1.1"}
        assert len(lab.store.all("ControllerRevision", SPACE)) == 2


async def test_a_daemon_set_with_a_node_selector_leaves_a_node_that_lost_the_label():
    async with running(nodes=["lab-1", "lab-2"]) as lab:
        for node in ("lab-1", "lab-2"):
            await lab.patch("Node", node, {"metadata": {"labels": {"disk": "fast"}}}, space="")
        await lab.create(workload("DaemonSet", pods=template("web", spec={"nodeSelector": {"disk": "fast"}})))
        await lab.until(full("DaemonSet", 2))
        await lab.patch("Node", "lab-1", {"metadata": {"labels": {"disk": None}}}, space="")
        await lab.until(lambda seen: full("DaemonSet", 1)(seen) and len(lab.pods()) == 1)
        assert spec(lab.pods()[0])["nodeName"] == "lab-2"


async def test_what_a_workload_owns_goes_with_it():
    async with running() as lab:
        for kind in ("StatefulSet", "DaemonSet"):
            await lab.create(workload(kind))
            await lab.until(full(kind, 1))
            await lab.delete(kind, "web")
            await lab.until(lambda _seen: not lab.pods() and not lab.store.all("ControllerRevision", SPACE))


async def test_a_foreground_deletion_waits_for_the_dependents():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1))
        await lab.until(full("Deployment", 1))
        before = lab.store.version
        await lab.delete("Deployment", "web", propagation="Foreground")
        await lab.until(gone("Deployment", "web"))
        gone_first = [s.kind for s in lab.store.since(before) if s.change == "DELETED"]
        assert [k for k in gone_first if k in ("Deployment", "ReplicaSet")] == ["ReplicaSet", "Deployment"]
