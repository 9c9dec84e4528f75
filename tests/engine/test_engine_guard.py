"""The guard's machine, step by step, on a cluster in a dictionary: apply, prove, take back, go on after a crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from engine_fakes import FakeCluster, deployment, node

from kubemend.cluster.errors import OutcomeUnknown, TooManyRequests, Unreachable
from kubemend.cluster.resource import Resource
from kubemend.engine.guard.errors import Stopped
from kubemend.engine.guard.hands import MARK, Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy
from kubemend.kube.patch import merge
from kubemend.model.access import Risk
from kubemend.model.finding import Severity
from kubemend.model.objects import Service
from kubemend.model.plan import Create, Delete, Evict, Patch, Plan, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.model.rule import Rule, rule
from kubemend.model.snapshot import Unread
from kubemend.store.budget import Limits
from kubemend.store.ledger import Ledger, open_ledger

WEB = Ref("Deployment", "shop", "web", "apps")
QUICK = Verify(healthy=(WEB,), within_s=0, steady_s=0, gone=False)


@pytest.fixture
async def ledger(tmp_path: Path):
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(node())
    made.put(deployment())
    return made


def guard_of(
    cluster: FakeCluster,
    ledger: Ledger,
    mode: Mode = Mode.AUTO_FIX,
    hands: Hands | None = None,
    rules: tuple[Rule, ...] = (),
) -> Guard:
    limits = Limits(attempts=99, cooldown_s=0, concurrent=99, per_namespace=99)
    return Guard(
        cluster="fake", reader=cluster, hands=hands or Hands(cluster, cluster), ledger=ledger, sight=cluster,
        policy=Policy(mode=mode, limits=limits), rules=rules, strategies=(), patience_s=0,
    )  # fmt: skip


def plan_of(*changes, verify: Verify = QUICK, target: Ref = WEB) -> Plan:
    return Plan(
        strategy="test", code="KM101", fingerprint="a" * 12, target=target, changes=changes, reason="test",
        risk=Risk.LOW, confidence=0.9, verify=verify,
    )  # fmt: skip


def raise_limit(memory: str = "200Mi") -> Patch:
    container = {"name": "app", "resources": {"limits": {"memory": memory}}}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return Patch(target=WEB, uid="uid-web", body=body)


def limit(cluster: FakeCluster) -> str:
    found: str = cluster.objects[WEB]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return found


async def carried_out(guard: Guard, plan: Plan) -> Repair:
    return await guard.carry_out(await guard.propose(plan, incident="i1", actor="t"), actor="t")


async def story(ledger: Ledger, repair: Repair) -> list[str]:
    rows = await ledger.audit.list(repair=repair.id)
    return [r.detail["to"] if r.kind == "transition" else r.kind for r in rows]


async def test_a_repair_that_holds_goes_through_every_state_and_audits_before_it_writes(ledger, cluster):
    repair = await carried_out(guard_of(cluster, ledger), plan_of(raise_limit()))
    assert (repair.state, limit(cluster)) == (State.SUCCEEDED, "200Mi")
    assert await story(ledger, repair) == [
        "proposed", "preflight", "snapshotted", "applying", "intent", "outcome", "verifying", "succeeded",
    ]  # fmt: skip
    assert cluster.objects[WEB]["metadata"]["annotations"][MARK] == repair.id


async def test_a_repair_that_does_not_hold_is_taken_back_to_the_letter(ledger, cluster):
    before = cluster.spec(WEB)
    cluster.never_ready = True
    repair = await carried_out(guard_of(cluster, ledger), plan_of(raise_limit()))
    assert repair.state is State.ROLLED_BACK
    assert "verification failed: not well within 0 s" in repair.why
    assert cluster.spec(WEB) == before


async def test_an_undo_restores_the_object_to_the_letter(ledger, cluster):
    before, guard = cluster.spec(WEB), guard_of(cluster, ledger)
    repair = await carried_out(guard, plan_of(raise_limit()))
    undone = await guard.undo(repair, actor="ann")
    assert (undone.state, undone.undo, cluster.spec(WEB)) == (State.ROLLED_BACK, True, before)


async def test_what_controllers_write_meanwhile_survives_the_undo(ledger, cluster):
    guard = guard_of(cluster, ledger)
    repair = await carried_out(guard, plan_of(raise_limit()))
    revision = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}}
    cluster.put(merge(cluster.objects[WEB], revision))
    assert (await guard.undo(repair, actor="ann")).state is State.ROLLED_BACK
    assert cluster.objects[WEB]["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "2"}


async def test_an_undo_that_meets_another_hand_stops_and_shows_both_values(ledger, cluster):
    guard = guard_of(cluster, ledger)
    repair = await carried_out(guard, plan_of(raise_limit()))
    container = {"name": "app", "image": "registry.lab/web:1.0", "resources": {"limits": {"memory": "999Mi"}}}
    cluster.put(merge(cluster.objects[WEB], {"spec": {"template": {"spec": {"containers": [container]}}}}))
    ended = await guard.undo(repair, actor="ann")
    assert ended.state is State.ESCALATED
    assert "200Mi" in ended.why
    assert "999Mi" in ended.why
    assert limit(cluster) == "999Mi"


async def test_another_persons_change_elsewhere_in_the_object_does_not_stop_an_undo(ledger, cluster):
    guard = guard_of(cluster, ledger)
    repair = await carried_out(guard, plan_of(raise_limit()))
    cluster.put(merge(cluster.objects[WEB], {"spec": {"replicas": 3}}))
    assert (await guard.undo(repair, actor="ann")).state is State.ROLLED_BACK
    assert (limit(cluster), cluster.objects[WEB]["spec"]["replicas"]) == ("100Mi", 3)


async def test_only_a_finished_repair_can_be_undone(ledger, cluster):
    guard = guard_of(cluster, ledger, Mode.ALLOW_CHANGES)
    repair = await guard.propose(plan_of(raise_limit()), incident="i1", actor="t")
    with pytest.raises(Stopped) as refused:
        await guard.undo(repair, actor="ann")
    assert refused.value.code == "not-undoable"


async def test_read_only_refuses_every_kind_of_write_and_says_how_to_allow_it(ledger, cluster):
    guard = guard_of(cluster, ledger, Mode.READ_ONLY)
    repair = await guard.propose(plan_of(raise_limit()), incident="i1", actor="t")
    for attempt in (
        guard.approve(repair, plan_hash=repair.plan.hash, actor="t"),
        guard.carry_out(repair, actor="t"),
        guard.undo(repair, actor="t"),
    ):
        with pytest.raises(Stopped) as refused:
            await attempt
        assert refused.value.code == "read-only"
        assert "--allow-changes" in (refused.value.hint or "")
    assert cluster.writes == []


async def test_a_version_moved_by_status_alone_is_read_again_and_retried(ledger, cluster):
    class Busy(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run and not getattr(self, "moved", False):
                self.moved = True
                cluster.put(cluster.objects[WEB])
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    guard = guard_of(cluster, ledger, hands=Busy(cluster, cluster))
    repair = await carried_out(guard, plan_of(raise_limit()))
    assert repair.state is State.SUCCEEDED
    assert (await story(ledger, repair)).count("intent") == 2


async def test_a_dry_run_that_meets_a_busy_status_is_repeated(ledger, cluster):
    class Busy(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if dry_run and not getattr(self, "moved", False):
                self.moved = True
                cluster.put(cluster.objects[WEB])
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    repair = await carried_out(guard_of(cluster, ledger, hands=Busy(cluster, cluster)), plan_of(raise_limit()))
    assert repair.state is State.SUCCEEDED


async def test_a_lost_answer_is_read_back_and_never_sent_again(ledger, cluster):
    class Lossy(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            done = await super().write(change, before, repair=repair, dry_run=dry_run)
            if not dry_run:
                raise OutcomeUnknown("the connection was lost after the request was sent")
            return done

    repair = await carried_out(guard_of(cluster, ledger, hands=Lossy(cluster, cluster)), plan_of(raise_limit()))
    assert (repair.state, cluster.writes) == (State.SUCCEEDED, [("patch", WEB)])


async def test_a_request_that_never_left_changes_nothing_and_says_so(ledger, cluster):
    class Cut(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run:
                raise Unreachable("connection refused")
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    repair = await carried_out(guard_of(cluster, ledger, hands=Cut(cluster, cluster)), plan_of(raise_limit()))
    assert (repair.state, cluster.writes) == (State.FAILED, [])
    assert "nothing was changed" in repair.why


async def test_when_a_later_change_fails_the_earlier_ones_are_taken_back(ledger, cluster):
    before = cluster.spec(WEB)

    class Half(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if isinstance(change, Scale) and not dry_run:
                raise Unreachable("connection refused")
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    scale = Scale(target=WEB, uid="uid-web", was=1, replicas=2)
    guard = guard_of(cluster, ledger, hands=Half(cluster, cluster))
    repair = await carried_out(guard, plan_of(raise_limit(), scale))
    assert (repair.state, cluster.spec(WEB)) == (State.ROLLED_BACK, before)


CLAIM = Ref("PersistentVolumeClaim", "shop", "data")


def claim(storage_class: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop", "uid": "uid-data"},
        "spec": {"storageClassName": storage_class},
        "status": {"phase": "Pending"},
    }


async def test_a_recreated_object_is_taken_back_by_recreating_the_old_one(ledger, cluster):
    cluster.put(claim("fats"))
    manifest = {**claim("fast"), "metadata": {"name": "data", "namespace": "shop"}}
    changes = (Delete(target=CLAIM, uid="uid-data"), Create(target=CLAIM, manifest=manifest))
    plan = plan_of(*changes, target=CLAIM, verify=Verify(healthy=(CLAIM,), within_s=0, steady_s=0, gone=False))
    guard = guard_of(cluster, ledger, Mode.ALLOW_CHANGES)
    repair = await guard.propose(plan, incident="i1", actor="t")
    await guard.approve(repair, plan_hash=plan.hash, actor="ann")
    ended = await guard.carry_out(repair, actor="ann")
    assert ended.state is State.ROLLED_BACK, ended.why
    assert cluster.objects[CLAIM]["spec"] == {"storageClassName": "fats"}


@pytest.mark.parametrize("mode", [Mode.ALLOW_CHANGES, Mode.AUTO_FIX])
async def test_a_plan_that_deletes_always_asks(ledger, cluster, mode):
    cluster.put(claim("fats"))
    plan = plan_of(Delete(target=CLAIM, uid="uid-data"), target=CLAIM)
    repair = await guard_of(cluster, ledger, mode).propose(plan, incident="i1", actor="t")
    assert repair.state is State.AWAITING_APPROVAL


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the guard catches it."""


@pytest.mark.parametrize("moment", ["before the write", "after the write", "in verification", "in the rollback"])
async def test_a_repair_whose_process_died_is_finished_by_the_next_one(tmp_path, cluster, moment):
    class Dying(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run and moment == "before the write":
                raise Killed
            done = await super().write(change, before, repair=repair, dry_run=dry_run)
            if not dry_run and moment == "after the write":
                raise Killed
            return done

        async def restore(self, change, before, after, live):
            await super().restore(change, before, after, live)
            raise Killed

    path, original = tmp_path / "ledger.db", cluster.spec(WEB)
    looks = 0
    look = cluster.snapshot

    def dying_look():
        nonlocal looks
        looks += 1
        if looks > 1:
            raise Killed
        return look()

    async with open_ledger(path) as first:
        guard = guard_of(cluster, first, hands=Dying(cluster, cluster))
        repair = await guard.propose(plan_of(raise_limit()), incident="i1", actor="t")
        cluster.never_ready = moment == "in the rollback"
        cluster.snapshot = dying_look if moment == "in verification" else look
        with pytest.raises(Killed):
            await guard.carry_out(repair, actor="t")
    cluster.snapshot = look
    async with open_ledger(path) as second:
        (ended,) = await guard_of(cluster, second).resume(dead=lambda _holder, _beat: True)
        written = [w for w in cluster.writes if w[0] == "patch"]
        if moment == "in the rollback":
            assert (ended.state, cluster.spec(WEB), len(written)) == (State.ROLLED_BACK, original, 2)
        else:
            assert (ended.state, limit(cluster), len(written)) == (State.SUCCEEDED, "200Mi", 1)


async def test_two_equal_plans_have_one_hash_and_any_other_change_has_another():
    assert plan_of(raise_limit()).hash == plan_of(raise_limit()).hash
    assert plan_of(raise_limit()).hash != plan_of(raise_limit("201Mi")).hash
    assert plan_of(raise_limit()).hash != msgspec.structs.replace(plan_of(raise_limit()), risk=Risk.HIGH).hash


async def test_a_repair_is_not_proven_while_its_fault_can_not_be_looked_for(ledger, cluster):
    @rule("KM101", severity=Severity.ERROR, reads=(Service,))
    def unseen(_snapshot):
        """A rule on a kind that can't be read."""
        yield from ()

    held = cluster.snapshot
    cluster.snapshot = lambda: replace(held(), unread=(Unread("Service", "forbidden"),))
    guard = guard_of(cluster, ledger, rules=(unseen.__rule__,))
    repair = await carried_out(guard, plan_of(raise_limit()))
    assert repair.state is State.ROLLED_BACK
    assert "whether KM101 is gone can't be judged now" in repair.why


class Budgeted(FakeCluster):
    """A disruption budget refuses this many evictions before it lets one go; dry runs pass."""

    refusals: int = 2

    async def evict(self, ref, *, uid, resource_version="", dry_run=False):
        if not dry_run and self.refusals > 0:
            self.refusals -= 1
            raise TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", status=429)
        return await super().evict(ref, uid=uid, resource_version=resource_version, dry_run=dry_run)


POD = Ref("Pod", "shop", "web-1")


def budgeted() -> Budgeted:
    made = Budgeted()
    metadata = {"name": "web-1", "namespace": "shop", "uid": "uid-web-1", "ownerReferences": []}
    for obj in (node(), deployment(), {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}):
        made.put(obj)
    return made


async def test_an_eviction_that_a_budget_holds_back_is_said_again_as_long_as_its_patience_lasts(ledger):
    cluster = budgeted()
    evict = Evict(target=POD, uid="uid-web-1", patience_s=60.0)
    repair = await carried_out(guard_of(cluster, ledger), plan_of(evict))
    assert (repair.state, cluster.writes) == (State.SUCCEEDED, [("delete", POD)])
    # Each time it is said, it is announced before.
    assert (await story(ledger, repair)).count("intent") == 3


@pytest.mark.parametrize(("patience", "refusals"), [(0.0, 1), (0.01, 10**6)])
async def test_without_patience_or_when_it_is_over_nothing_is_changed(ledger, patience: float, refusals: int):
    cluster = budgeted()
    cluster.refusals = refusals
    repair = await carried_out(
        guard_of(cluster, ledger), plan_of(Evict(target=POD, uid="uid-web-1", patience_s=patience))
    )
    assert (repair.state, cluster.writes) == (State.FAILED, [])
    assert "disruption budget" in repair.why


async def test_a_finished_pod_that_was_deleted_is_not_run_again(ledger, cluster):
    """Neither by an undo, which is refused, nor when the repair is taken back by itself."""
    failed = {"name": "old", "namespace": "shop", "uid": "uid-old"}
    cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": failed, "spec": {}, "status": {"phase": "Failed"}})
    gone = Delete(target=Ref("Pod", "shop", "old"), uid="uid-old", grace=0)
    guard = guard_of(cluster, ledger, Mode.ALLOW_CHANGES)
    repair = await guard.propose(plan_of(gone), incident="i1", actor="t")
    await guard.approve(repair, plan_hash=repair.plan.hash, actor="ann")
    repair = await guard.carry_out(repair, actor="ann")
    assert repair.state is State.SUCCEEDED
    with pytest.raises(Stopped) as refused:
        await guard.undo(repair, actor="ann")
    assert refused.value.code == "not-undoable"
    cluster.never_ready = True
    cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": failed, "spec": {}, "status": {"phase": "Failed"}})
    again = await guard.propose(plan_of(gone, raise_limit()), incident="i1", actor="t")
    await guard.approve(again, plan_hash=again.plan.hash, actor="ann")
    ended = await guard.carry_out(again, actor="ann")
    assert ended.state is State.ROLLED_BACK
    assert Ref("Pod", "shop", "old") not in cluster.objects


async def test_what_is_not_watched_is_proven_by_the_servers_answer(ledger, cluster):
    """A kind that the sight never lists can't arrive in it; waiting for that would take every such change back."""
    ref = Ref("Widget", "shop", "w", "example.com")

    class Blind(FakeCluster):
        def snapshot(self):
            return FakeCluster({r: o for r, o in self.objects.items() if r.kind != "Widget"}).snapshot()

        async def locate(self, _ref):
            return Resource("Widget", "widgets", "example.com")

    blind = Blind()
    for obj in (node(), deployment()):
        blind.put(obj)
    blind.put({"apiVersion": "example.com/v1", "kind": "Widget",
               "metadata": {"name": "w", "namespace": "shop", "uid": "uid-w"}, "spec": {"size": 1}})  # fmt: skip
    change = Patch(target=ref, uid="uid-w", body={"spec": {"size": 2}}, kind="merge")
    guard = guard_of(blind, ledger)
    repair = await carried_out(guard, plan_of(change, target=ref, verify=Verify(healthy=(), within_s=0, steady_s=0)))
    assert (repair.state, blind.objects[ref]["spec"]) == (State.SUCCEEDED, {"size": 2})
    assert (await guard.undo(repair, actor="ann")).state is State.ROLLED_BACK
    assert blind.objects[ref]["spec"] == {"size": 1}
