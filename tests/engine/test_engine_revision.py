"""A rollback to a ReplicaSet's own template: exact, undone to the letter, and never to another's."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_fakes import FakeCluster, deployment, node

from kubemend.cluster.errors import NotFound
from kubemend.engine.guard.hands import Hands, permissions
from kubemend.engine.guard.machine import Guard
from kubemend.engine.guard.revision import NotItsRevision, resolved
from kubemend.engine.policy import Mode, Policy
from kubemend.engine.preview import as_files, headline, previews
from kubemend.kube.patch import merge, strategic
from kubemend.kube.privileges import privileges
from kubemend.model.access import Access, Risk
from kubemend.model.plan import Plan, RollBack, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.store.budget import Limits
from kubemend.store.ledger import open_ledger

WEB = Ref("Deployment", "shop", "web", "apps")
OLD = Ref("ReplicaSet", "shop", "web-1", "apps")
BACK = RollBack(target=WEB, uid="uid-web", revision=OLD, revision_uid="uid-web-1")
PLAN = Plan(
    strategy="test", code="KM102", fingerprint="a" * 12, target=WEB, changes=(BACK,), reason="test", risk=Risk.MEDIUM,
    confidence=0.9, verify=Verify(healthy=(WEB,), within_s=0, steady_s=0, gone=False),
)  # fmt: skip

GOOD: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"note": "old"}, "creationTimestamp": None},
    "spec": {
        "terminationGracePeriodSeconds": 45,
        "containers": [
            {
                "name": "app",
                "image": "registry.lab/web:1.0",
                "env": [{"name": "MODE", "value": "fast"}, {"name": "GONE", "value": "back"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
        "dnsPolicy": "ClusterFirst",
    },
}
BAD: dict[str, Any] = {
    "metadata": {"labels": {"app": "web", "tier": "new"}, "creationTimestamp": None},
    "spec": {
        "terminationGracePeriodSeconds": 30,
        "priorityClassName": "high",
        "containers": [
            {
                "name": "app",
                "image": "registry.lab/web:1.0",
                "env": [{"name": "EXTRA", "value": "1"}, {"name": "MODE", "value": "slow"}],
                "args": ["serve"],
            },
            {"name": "debug", "image": "registry.lab/d:1"},
        ],
        "dnsPolicy": "ClusterFirst",
    },
}


def replica_set(template: dict[str, Any], *, owner: str = "uid-web", uid: str = "uid-web-1") -> dict[str, Any]:
    labels = {"metadata": {"labels": {"pod-template-hash": "1"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "uid": uid,
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner, "controller": True}
            ],
        },
        "spec": {"replicas": 0, "template": merge(template, labels)},
    }


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(node())
    live = deployment()
    live["spec"]["template"] = copy.deepcopy(BAD)
    made.put(live)
    made.put(replica_set(GOOD))
    return made


@pytest.fixture
async def guard(cluster: FakeCluster, tmp_path: Path):
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        yield Guard(
            cluster="fake", reader=cluster, hands=Hands(cluster, cluster), ledger=ledger, sight=cluster,
            policy=Policy(mode=Mode.AUTO_FIX, risk=Risk.HIGH, limits=Limits(cooldown_s=0)), rules=(), strategies=(),
            patience_s=0,
        )  # fmt: skip


async def carried_out(guard: Guard, plan: Plan = PLAN) -> Repair:
    return await guard.carry_out(await guard.propose(plan, incident="i1", actor="t"), actor="t")


def template(cluster: FakeCluster) -> dict[str, Any]:
    held: dict[str, Any] = cluster.objects[WEB]["spec"]["template"]
    return held


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return merge({}, value)


async def test_the_whole_template_comes_back_with_its_literal_values(guard, cluster):
    before = cluster.spec(WEB)
    repair = await carried_out(guard)
    assert repair.state is State.SUCCEEDED, repair.why
    assert without_nulls(template(cluster)) == without_nulls(GOOD)
    assert template(cluster)["spec"]["containers"][0]["env"][0] == {"name": "MODE", "value": "fast"}
    # Nothing else of the Deployment is touched but for the mark.
    assert {k: v for k, v in cluster.spec(WEB)["spec"].items() if k != "template"} == {
        k: v for k, v in before["spec"].items() if k != "template"
    }
    assert cluster.writes == [("patch", WEB)]


async def test_a_rollback_that_does_not_hold_is_taken_back_to_the_letter(guard, cluster):
    before = cluster.spec(WEB)
    cluster.never_ready = True
    repair = await carried_out(guard)
    assert (repair.state, cluster.writes) == (State.ROLLED_BACK, [("patch", WEB), ("patch", WEB)])
    assert cluster.spec(WEB) == before


async def test_the_undo_of_a_rollback_restores_the_object_to_the_letter(guard, cluster):
    before = cluster.spec(WEB)
    undone = await guard.undo(await carried_out(guard), actor="ann")
    assert (undone.state, cluster.spec(WEB)) == (State.ROLLED_BACK, before)


async def test_the_undo_of_a_rollback_meets_another_hand_and_stops(guard, cluster):
    repair = await carried_out(guard)
    cluster.put(merge(cluster.objects[WEB], {"spec": {"template": {"spec": {"priorityClassName": "low"}}}}))
    ended = await guard.undo(repair, actor="ann")
    assert ended.state is State.ESCALATED
    assert "'low'" in ended.why


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replica_set(GOOD, owner="uid-other"), "is not a revision of Deployment shop/web"),
        (replica_set(GOOD, uid="uid-another"), "was replaced: uid uid-another"),
        (None, "not found"),
        (replica_set(BAD), "would change nothing"),
    ],
)
async def test_another_ones_replica_set_is_refused_and_nothing_written(guard, cluster, other, why):
    del cluster.objects[OLD]
    if other is not None:
        cluster.put(other)
    repair = await carried_out(guard)
    assert (repair.state, cluster.writes) == (State.REFUSED, [])
    assert why in repair.why


async def test_an_owner_that_is_not_the_controller_does_not_count(cluster):
    other = replica_set(GOOD)
    other["metadata"]["ownerReferences"][0]["controller"] = False
    cluster.put(other)
    with pytest.raises(NotItsRevision):
        await resolved(BACK, await cluster.get(WEB), cluster)


async def test_a_replica_set_that_goes_between_the_checks_and_the_write_fails_the_repair(cluster):
    before = await cluster.get(WEB)
    del cluster.objects[OLD]
    with pytest.raises(NotFound):
        await Hands(cluster, cluster).write(BACK, before, repair="r1")
    assert cluster.writes == []


async def test_what_is_no_rollback_is_written_as_it_is(cluster):
    change = Scale(target=WEB, uid="uid-web", replicas=2, was=1)
    assert await resolved(change, await cluster.get(WEB), cluster) is change


async def test_the_patch_names_the_template_only_and_no_hash_label(cluster):
    patch = await resolved(BACK, await cluster.get(WEB), cluster)
    assert (patch.kind, set(patch.body), set(patch.body["spec"])) == ("merge", {"spec"}, {"template"})
    assert patch.body["spec"]["template"]["metadata"] == {"annotations": {"note": "old"}, "labels": {"tier": None}}


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"hostPID": True}, "hostPID"),
        ({"securityContext": {"runAsUser": 0}}, "securityContext"),
        ({"serviceAccountName": "admin"}, "serviceAccountName"),
        ({"volumes": [{"name": "h", "hostPath": {"path": "/etc"}}]}, "hostPath /etc"),
        ({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}, "container i"),
    ],
)
async def test_privileges_beyond_the_plans_risk_are_refused(guard, cluster, spec, named):
    cluster.put(replica_set(merge(GOOD, {"spec": spec})))
    repair = await carried_out(guard)
    assert (repair.state, cluster.writes) == (State.REFUSED, [])
    assert named in repair.why
    told = await carried_out(guard, msgspec.structs.replace(PLAN, risk=Risk.HIGH))
    assert told.state is State.SUCCEEDED, told.why


def test_going_without_a_privileged_container_or_a_host_path_is_no_other_privilege():
    more = {
        "containers": [*GOOD["spec"]["containers"], {"name": "tap", "securityContext": {"privileged": True}}],
        "volumes": [*GOOD["spec"]["volumes"], {"name": "h", "hostPath": {"path": "/"}}],
        "serviceAccountName": "default",
    }
    wider = merge(GOOD, {"spec": more})
    assert list(privileges(wider, GOOD)) == []
    assert list(privileges(GOOD, wider)) == ["securityContext of container tap", "hostPath /"]


def test_a_rollback_needs_to_read_replica_sets_and_to_patch_the_deployment():
    assert set(permissions(BACK)) == {
        Access("get", "replicasets", "apps"),
        Access("get", "deployments", "apps"),
        Access("patch", "deployments", "apps"),
    }


def test_a_plan_with_a_rollback_comes_back_from_the_ledger():
    again = msgspec.json.decode(msgspec.json.encode(PLAN), type=Plan)
    assert (again, again.hash) == (PLAN, PLAN.hash)


async def test_the_preview_shows_what_a_rollback_changes(cluster):
    (shown,) = await previews(PLAN, cluster)
    assert headline(shown.change) == "roll back Deployment shop/web to the template of ReplicaSet shop/web-1"
    lines = shown.diff.splitlines()
    assert any(x.startswith("+") and "value: fast" in x for x in lines)
    assert any(x.startswith("-") and "value: slow" in x for x in lines)
    assert "pod-template-hash" not in shown.diff


async def test_the_preview_of_a_rollback_that_cannot_be_made_says_why(cluster):
    cluster.put(replica_set(GOOD, owner="uid-other"))
    (shown,) = await previews(PLAN, cluster)
    assert shown.diff == "# ReplicaSet shop/web-1 is not a revision of Deployment shop/web"


async def test_the_patch_file_of_a_rollback_makes_the_same_template_of_a_manifest(cluster):
    (document,) = await as_files(PLAN, cluster)
    assert (document["kind"], document["metadata"]) == ("Deployment", {"name": "web", "namespace": "shop"})
    made = strategic(await cluster.get(WEB), {"spec": document["spec"]}, kind="Deployment")
    assert without_nulls(made["spec"]["template"]) == without_nulls(GOOD)


SET = Ref("StatefulSet", "shop", "web", "apps")
KEPT = Ref("ControllerRevision", "shop", "web-aa", "apps")


def kept(data: Any) -> FakeCluster:
    """A StatefulSet of the bad template whose controller keeps this beside it."""
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "uid-web", "controller": True}
    meta = {"name": "web-aa", "namespace": "shop", "uid": "uid-aa", "ownerReferences": [owner]}
    made = FakeCluster()
    made.put({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": 1, "data": data})
    return made


async def test_a_stateful_set_gets_the_template_of_its_controller_revision_whole():
    change = RollBack(target=SET, uid="uid-web", revision=KEPT, revision_uid="uid-aa")
    before = {"metadata": {"uid": "uid-web"}, "spec": {"replicas": 2, "template": copy.deepcopy(BAD)}}
    made = await resolved(change, before, kept({"spec": {"template": {**GOOD, "$patch": "replace"}}}))
    assert made.kind == "merge"
    after = merge(copy.deepcopy(before), made.body)
    assert without_nulls(after["spec"]) == without_nulls({"replicas": 2, "template": GOOD})
    assert Access("get", "controllerrevisions", "apps") in permissions(change)


@pytest.mark.parametrize("data", [None, {}, {"spec": "other"}, {"spec": {"template": None}}])
async def test_a_controller_revision_without_a_template_is_refused(data: Any):
    change = RollBack(target=SET, uid="uid-web", revision=KEPT, revision_uid="uid-aa")
    with pytest.raises(NotItsRevision, match="holds no pod template"):
        await resolved(change, {"metadata": {}, "spec": {"template": BAD}}, kept(data))
