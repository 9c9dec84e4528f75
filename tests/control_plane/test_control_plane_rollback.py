"""Repairs that do not help, and undone ones that did, on a real control plane: every object is as it was.

One of each kind of change. What a strategy would plan is written out here, for a plan that does not help is the point;
the strategies themselves are walked on the practice cluster (`tests/rollback`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane_killer import open_bench
from testbed.plane import ControlPlane

from kubemend.engine.guard.hands import MARK, Hands
from kubemend.engine.policy import Mode, Policy
from kubemend.kube.diff import without_server_fields
from kubemend.model.access import Risk
from kubemend.model.plan import Change, Create, Delete, Evict, Patch, Plan, RollBack, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.store.repairs import Limits
from kubemend.surfaces.cli.wiring import Bench

GOOD, BETTER, TYPO, WORSE = (f"registry.lab/web:{tag}" for tag in ("1.0", "1.1", "1.0-typo", "1.1-typo"))
COUNTED = ("deployment.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "pv.kubernetes.io/")
Object = dict[str, Any]


def workload(kind: str, image: str, replicas: int = 1) -> Object:
    labels = {"app": "web"}
    container = {"name": "app", "image": image, "env": [{"name": "MODE", "value": "kept"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: Object = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "web"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def claim(storage_class: str) -> Object:
    spec = {"storageClassName": storage_class, "accessModes": ["ReadWriteOnce"]}
    spec["resources"] = {"requests": {"storage": "1Gi"}}  # type: ignore[assignment]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": {"app": "db"}},
        "spec": spec,
    }


NOBODYS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "rollback-nobody"},
    "provisioner": "nobody.example.com",
}
"""A class whose claims stay unbound."""


def volume(name: str) -> Object:
    """A volume for the claims of the class of the same name."""
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name}
    spec |= {"persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": f"/tmp/{name}"}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


@dataclass
class Ground:
    """A namespace of its own on the plane."""

    plane: ControlPlane
    namespace: str
    extra: list[str] = field(default_factory=list)

    def apply(self, *manifests: Object) -> None:
        self.plane.kubectl("apply", "-n", self.namespace, "-f", "-", manifest=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Object:
        scope = () if kind == "node" else ("-n", self.namespace)
        found: Object = json.loads(self.plane.kubectl("get", kind, name, *scope, "-o=json"))
        return found

    def items(self, kind: str) -> list[Object]:
        found: list[Object] = json.loads(self.plane.kubectl("get", kind, "-n", self.namespace, "-o=json"))["items"]
        return found

    def until(self, met: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := met()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        return found

    def ref(self, obj: Object) -> Ref:
        group = obj["apiVersion"].rpartition("/")[0]
        return Ref(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"], group)


def picture(ground: Ground) -> list[str]:
    """Every object of the namespace, field by field: what their authors wrote, and what the cluster runs of it."""
    lines = []
    for kind in ("deployment", "statefulset", "persistentvolumeclaim", "service", "configmap"):
        lines += [json.dumps(_plain(o), sort_keys=True) for o in ground.items(kind)]
    lines += [f"pod {_image(p)} of {p['metadata']['ownerReferences'][0]['kind']}" for p in ground.items("pod")]
    for held in ground.items("replicaset"):
        if held["spec"]["replicas"]:
            lines.append(f"replicaset {held['metadata']['uid']} {held['spec']['replicas']}")
    return sorted(lines)


def _plain(obj: Object) -> Object:
    own = without_server_fields(obj)
    notes = {k: v for k, v in own["metadata"].get("annotations", {}).items() if not k.startswith(COUNTED)}
    uid = "" if obj["kind"] == "PersistentVolumeClaim" else obj["metadata"]["uid"]
    return {**own, "metadata": {**own["metadata"], "annotations": notes}, "uid": uid}


def _image(obj: Object) -> str:
    spec = obj["spec"].get("template", obj)["spec"]
    found: str = spec["containers"][0]["image"]
    return found


# --- the cases: what is there, and a plan


Case = Callable[[Ground, bool], tuple[Change, ...]]


def patched(ground: Ground, helps: bool) -> tuple[Change, ...]:
    ground.apply(workload("Deployment", GOOD, 2))
    ground.plane.kubectl("rollout", "status", "-n", ground.namespace, "deployment/web", "--timeout=60s")
    web = ground.get("deployment", "web")
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": BETTER if helps else TYPO}]}}}}
    return (Patch(target=ground.ref(web), uid=web["metadata"]["uid"], body=body),)


def rolled_back(ground: Ground, helps: bool) -> tuple[Change, ...]:
    older, newer = (BETTER if helps else TYPO), GOOD
    ground.apply(workload("Deployment", older, 2))
    (old,) = ground.until(lambda: ground.items("replicaset"), "the first revision")
    ground.apply(workload("Deployment", newer, 2))
    ground.plane.kubectl("rollout", "status", "-n", ground.namespace, "deployment/web", "--timeout=60s")
    ground.until(lambda: len(ground.items("pod")) == 2, "two pods")
    web = ground.get("deployment", "web")
    uids = {"uid": web["metadata"]["uid"], "revision_uid": old["metadata"]["uid"]}
    return (RollBack(target=ground.ref(web), revision=ground.ref(old), **uids),)


def scaled(ground: Ground, helps: bool) -> tuple[Change, ...]:
    ground.apply(workload("Deployment", GOOD if helps else TYPO, 0))
    ground.until(lambda: ground.items("replicaset"), "its revision")
    web = ground.get("deployment", "web")
    return (Scale(target=ground.ref(web), uid=web["metadata"]["uid"], was=0, replicas=2),)


def evicted(ground: Ground, helps: bool) -> tuple[Change, ...]:
    ground.apply(workload("Deployment", GOOD if helps else TYPO))
    (pod,) = ground.until(lambda: [p for p in ground.items("pod") if p["spec"].get("nodeName")], "a pod")
    return (Evict(target=ground.ref(pod), uid=pod["metadata"]["uid"]),)


def in_order(ground: Ground, helps: bool) -> tuple[Change, ...]:
    """The pod of a StatefulSet that its controller would leave broken: the template, and an eviction."""
    ground.apply(workload("StatefulSet", TYPO))
    (pod,) = ground.until(lambda: [p for p in ground.items("pod") if p["spec"].get("nodeName")], "a pod")
    web = ground.get("statefulset", "web")
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": GOOD if helps else WORSE}]}}}}
    change = Patch(target=ground.ref(web), uid=web["metadata"]["uid"], body=body)
    return (change, Evict(target=ground.ref(pod), uid=pod["metadata"]["uid"]))


def made_anew(ground: Ground, helps: bool) -> tuple[Change, ...]:
    ground.apply(NOBODYS, claim("rollback-missing"), volume(ground.namespace))
    held = ground.until(lambda: [c for c in ground.items("pvc") if c["status"].get("phase") == "Pending"], "pending")[0]
    manifest = claim(ground.namespace if helps else "rollback-nobody")
    manifest["metadata"]["namespace"] = ground.namespace
    target = ground.ref(held)
    return (Delete(target=target, uid=held["metadata"]["uid"]), Create(target=target, manifest=manifest))


CASES: dict[str, Case] = {
    "Patch": patched, "RollBack": rolled_back, "Scale": scaled, "Evict": evicted, "Patch and Evict": in_order,
    "Delete and Create": made_anew,
}  # fmt: skip
each_case = pytest.mark.parametrize("name", CASES)


def plan_of(changes: tuple[Change, ...], ground: Ground, *, within_s: float) -> Plan:
    first = changes[0].target
    healthy = Ref("Deployment", ground.namespace, "web", "apps") if first.kind == "Pod" else first
    return Plan(
        strategy="test", code="KM103", fingerprint="f" * 12, target=first, reason="test", risk=Risk.LOW, confidence=0.9,
        changes=changes, verify=Verify(healthy=(healthy,), within_s=within_s, steady_s=0.3, gone=False),
    )  # fmt: skip


async def carried_out(bench: Bench, plan: Plan) -> Repair:
    guard = bench.mender.guard
    guard.policy = Policy(mode=Mode.ALLOW_CHANGES, limits=Limits(cooldown_s=0, attempts=99))
    repair = await guard.propose(plan, incident="i1", actor="ann")
    await guard.approve(repair, plan_hash=plan.hash, actor="ann")
    return await guard.carry_out(repair, actor="ann")


def grounded(plane: ControlPlane, name: str, suffix: str) -> Ground:
    namespace = f"rollback-{suffix}-{name.lower().replace(' ', '-')}"
    plane.kubectl("create", "namespace", namespace)
    made = Ground(plane, namespace)
    made.until(lambda: made.items("serviceaccount"), "its service account")
    return made


def as_before(ground: Ground, before: list[str]) -> None:
    deadline = time.monotonic() + 60
    while (now := picture(ground)) != before:
        assert time.monotonic() < deadline, "\n".join(["not as before:", *sorted(set(before) ^ set(now))])


@pytest.mark.timeout(300)
@each_case
async def test_a_repair_that_does_not_help_is_taken_back_on_a_real_control_plane(
    name: str, real_cluster: ControlPlane, tmp_path: Path
) -> None:
    ground = grounded(real_cluster, name, "fails")
    changes = CASES[name](ground, False)
    before = picture(ground)
    async with open_bench(ground.namespace, real_cluster.kubeconfig, tmp_path / "ledger.db") as bench:
        repair = await carried_out(bench, plan_of(changes, ground, within_s=4))
    assert repair.state is State.ROLLED_BACK, repair.why
    assert "verification failed" in repair.why
    as_before(ground, before)


@pytest.mark.timeout(300)
@each_case
async def test_a_repair_that_helped_is_undone_on_a_real_control_plane(
    name: str, real_cluster: ControlPlane, tmp_path: Path
) -> None:
    ground = grounded(real_cluster, name, "helps")
    changes = CASES[name](ground, True)
    before = picture(ground)
    async with open_bench(ground.namespace, real_cluster.kubeconfig, tmp_path / "ledger.db") as bench:
        repair = await carried_out(bench, plan_of(changes, ground, within_s=90))
        assert repair.state is State.SUCCEEDED, repair.why
        undone = await bench.mender.guard.undo(repair, actor="ann")
    assert undone.state is State.ROLLED_BACK, undone.why
    as_before(ground, before)


NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "rollback-node"}, "spec": {"unschedulable": True}}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("comes_back", [False, True], ids=["it stays not ready", "its cordon comes back"])
async def test_a_node_is_cordoned_again_on_a_real_control_plane(
    comes_back: bool, real_cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without a kubelet never gets ready, whatever is written to it."""
    plane, real = real_cluster, Hands.write
    plane.kubectl("apply", "-f", "-", manifest=yaml.safe_dump(NODE))
    try:
        node = json.loads(plane.kubectl("get", "node", "rollback-node", "-o=json"))
        ref = Ref("Node", "", "rollback-node")
        change = Patch(target=ref, uid=node["metadata"]["uid"], body={"spec": {"unschedulable": None}})

        async def again(self: Hands, *args: Any, **kwargs: Any) -> Object:
            made = await real(self, *args, **kwargs)
            if comes_back and not kwargs.get("dry_run"):
                plane.kubectl("cordon", "rollback-node")
            return made

        monkeypatch.setattr(Hands, "write", again)
        async with open_bench(None, plane.kubeconfig, tmp_path / "ledger.db") as bench:
            plan = plan_of((change,), Ground(plane, ""), within_s=3)
            repair = await carried_out(bench, plan)
        assert repair.state is State.ROLLED_BACK, repair.why
        ended = json.loads(plane.kubectl("get", "node", "rollback-node", "-o=json"))
        assert ended["spec"]["unschedulable"] is True
        assert MARK not in ended["metadata"]["annotations"]
    finally:
        plane.kubectl("delete", "node", "rollback-node")


FOREIGN = {
    "Patch": ("set", "image", "deployment/web", f"app={WORSE}"),
    "RollBack": ("set", "image", "deployment/web", f"app={WORSE}"),
    "Scale": ("scale", "deployment/web", "--replicas=3"),
    "Delete and Create": ("label", "--overwrite", "pvc/data", "app=theirs"),
}
TOLD = {
    "Patch": (BETTER, WORSE),
    "RollBack": (BETTER, WORSE),
    "Scale": ("we wrote 2", "now 3"),
    "Delete and Create": ("we made 'db'", "now 'theirs'"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FOREIGN)
async def test_an_undo_that_meets_a_persons_kubectl_stops_and_tells_both_versions(
    name: str, real_cluster: ControlPlane, tmp_path: Path
) -> None:
    ground = grounded(real_cluster, name, "foreign")
    async with open_bench(ground.namespace, real_cluster.kubeconfig, tmp_path / "ledger.db") as bench:
        repair = await carried_out(bench, plan_of(CASES[name](ground, True), ground, within_s=90))
        assert repair.state is State.SUCCEEDED, repair.why
        real_cluster.kubectl("-n", ground.namespace, *FOREIGN[name])
        ended = await bench.mender.guard.undo(repair, actor="ann")
    assert ended.state is State.ESCALATED, ended.why
    assert all(part in ended.why for part in TOLD[name]), ended.why
