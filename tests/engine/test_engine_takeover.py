"""One repair in the hands of one process after another: what is whose, what is doubtful, and who still lives."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engine_fakes import FakeCluster, deployment, ref_of
from test_engine_guard import (
    CLAIM,
    WEB,
    carried_out,
    claim,
    cluster,
    guard_of,
    ledger,
    limit,
    plan_of,
    raise_limit,
    story,
)

from kubemend.cluster.errors import AlreadyExists, NotFound, OutcomeUnknown, Unreachable
from kubemend.engine.guard import applying, machine, means, witness
from kubemend.engine.guard.hands import MARK, Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.guard.rivals import PROOF_S
from kubemend.kube.patch import merge
from kubemend.model.plan import Create, Delete, Exec, Patch, Plan, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.store.errors import Moved
from kubemend.store.ledger import Ledger, open_ledger

__all__ = ["cluster", "ledger"]

SCALE = Scale(target=WEB, uid="uid-web", was=1, replicas=2)
RECREATE = plan_of(
    Delete(target=CLAIM, uid="uid-data"),
    Create(target=CLAIM, manifest={k: v for k, v in claim("standard").items() if k != "status"}),
    target=CLAIM,
    verify=Verify(healthy=(), within_s=0, steady_s=0, gone=False),
)


class Killed(BaseException):
    """The process is gone."""


def dying(cluster: FakeCluster, moment: str, of: type = object) -> Hands:
    """Hands of a process that dies before or after its (first) write of this kind."""

    class Dying(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            mine = isinstance(change, of) and not dry_run
            if mine and moment == "before":
                raise Killed
            done = await super().write(change, before, repair=repair, dry_run=dry_run)
            if mine:
                raise Killed
            return done

    return Dying(cluster, cluster)


async def left(path: Path, cluster: FakeCluster, plan: Plan, hands: Hands) -> None:
    """A process that dies in the middle of its repair."""
    async with open_ledger(path) as first:
        guard = guard_of(cluster, first, hands=hands)
        repair = await guard.propose(plan, incident="i1", actor="t")
        if repair.state is State.AWAITING_APPROVAL:
            await guard.approve(repair, plan_hash=repair.plan.hash, actor="ann")
        with pytest.raises(Killed):
            await guard.carry_out(repair, actor="t")


async def taken_over(guard: Guard) -> list[Repair]:
    return await guard.resume(dead=lambda _holder, _beat: True)


def scaled(cluster: FakeCluster, replicas: int) -> None:
    cluster.put(merge(cluster.objects[WEB], {"spec": {"replicas": replicas}}))


async def test_what_a_person_did_before_us_is_not_ours_even_if_it_is_what_we_wanted(ledger, cluster):
    class Slow(Hands):
        seen = 0

        async def live(self, ref):
            self.seen += 1
            if self.seen == 2:  # after preflight's look, before the write's
                scaled(cluster, 2)
            return await super().live(ref)

    ended = await carried_out(guard_of(cluster, ledger, hands=Slow(cluster, cluster)), plan_of(SCALE))
    assert (ended.state, cluster.writes) == (State.FAILED, [])
    assert "changed by someone else since the plan" in ended.why


async def test_a_write_that_nobody_can_tell_of_is_for_a_person_to_look_at(tmp_path, cluster):
    await left(tmp_path / "l.db", cluster, plan_of(SCALE), dying(cluster, "after"))
    scaled(cluster, 5)
    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(cluster, second))
    assert (ended.state, cluster.objects[WEB]["spec"]["replicas"]) == (State.ESCALATED, 5)
    assert "whether a change was made before is unknown" in ended.why


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_command_that_may_have_run_is_never_begun_again(tmp_path, cluster, moment):
    """Announced, and the process died: nobody can see in the cluster whether it ran."""

    class Commanded(FakeCluster):
        ran = 0

        async def execute(self, ref, container, command, *, within):
            self.ran += 1
            return {"exit_code": 0, "stdout": "", "stderr": ""}

    commanded = Commanded()
    commanded.put(deployment())
    metadata = {"name": "web-1", "namespace": "shop", "uid": "uid-web-1"}
    commanded.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}})
    run = Exec(target=Ref("Pod", "shop", "web-1"), uid="uid-web-1", container="app", command=("true",))
    await left(tmp_path / "l.db", commanded, plan_of(run), dying(commanded, moment))
    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(commanded, second))
    assert (ended.state, commanded.ran) == (State.ESCALATED, int(moment == "after"))
    assert "not known how it ended" in ended.why


async def test_a_kill_switch_does_not_make_a_doubtful_write_undone(tmp_path, cluster):
    await left(tmp_path / "l.db", cluster, plan_of(SCALE), dying(cluster, "before"))
    async with open_ledger(tmp_path / "l.db") as second:
        await second.switch.set(on=True, actor="ann")
        (ended,) = await taken_over(guard_of(cluster, second))
    assert ended.state is State.ESCALATED
    assert "paused" in ended.why


async def test_a_doubtful_write_that_shows_later_is_taken_back_by_an_undo(tmp_path, cluster):
    await left(tmp_path / "l.db", cluster, plan_of(raise_limit()), dying(cluster, "before"))
    async with open_ledger(tmp_path / "l.db") as second:
        await second.switch.set(on=True, actor="ann")
        guard = guard_of(cluster, second)
        (ended,) = await taken_over(guard)
        await second.switch.set(on=False, actor="ann")
        # The dead process's request arrives after all.
        obj = merge(cluster.objects[WEB], {"metadata": {"annotations": {MARK: ended.id}}})
        obj["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "200Mi"
        cluster.put(obj)
        undone = await guard.undo(ended, actor="ann")
    assert (undone.state, limit(cluster)) == (State.ROLLED_BACK, "100Mi")


@pytest.mark.parametrize(("moment", "of"), [("after", Delete), ("before", Create), ("after", Create)])
async def test_a_claim_made_anew_by_two_processes_is_deleted_once_and_created_once(tmp_path, cluster, moment, of):
    cluster.put(claim("nope"))
    await left(tmp_path / "l.db", cluster, RECREATE, dying(cluster, moment, of))
    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(cluster, second))
    assert (ended.state, cluster.writes) == (State.SUCCEEDED, [("delete", CLAIM), ("create", CLAIM)])


@pytest.mark.parametrize("of", [Delete, Create])
async def test_a_request_of_the_dead_that_lands_between_our_look_and_our_write_is_found_and_not_failed(
    tmp_path, cluster, of
):
    cluster.put(claim("nope"))
    await left(tmp_path / "l.db", cluster, RECREATE, dying(cluster, "before", of))

    class Overtaken(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if isinstance(change, of) and not dry_run:
                await super().write(change, before, repair=repair)
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(cluster, second, hands=Overtaken(cluster, cluster)))
        said = [r.detail.get("result") for r in await second.audit.list(repair=ended.id) if r.kind == "outcome"]
    assert ended.state is State.SUCCEEDED
    assert (NotFound if of is Delete else AlreadyExists).code in said


async def test_a_deletion_under_way_is_waited_for_and_not_sent_again(tmp_path, cluster):
    """The object has its deletion time, and a finalizer holds it: as a claim that a pod still uses."""

    class Lingering(FakeCluster):
        async def delete(self, ref, *, uid, resource_version="", grace=None, dry_run=False):
            if not dry_run:
                self.writes.append(("delete", ref))
                self.objects[ref]["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
            return {}

        async def changed(self, within_s):
            self.objects.pop(CLAIM, None)

    lingering = Lingering()
    lingering.put(claim("nope"))
    await left(tmp_path / "l.db", lingering, RECREATE, dying(lingering, "after", Delete))
    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(lingering, second))
    assert (ended.state, lingering.writes) == (State.SUCCEEDED, [("delete", CLAIM), ("create", CLAIM)])


async def test_an_edit_elsewhere_in_the_object_does_not_make_our_own_write_strange(tmp_path, cluster):
    """The server completes what we write, and somebody scales before we look: still only our fields are ours."""
    cluster.mutate = {"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst"}}}}
    await left(tmp_path / "l.db", cluster, plan_of(raise_limit()), dying(cluster, "after"))
    cluster.mutate = {}
    scaled(cluster, 3)
    cluster.objects[WEB]["metadata"]["generation"] += 1
    cluster.never_ready = True
    cluster.put(cluster.objects[WEB])
    async with open_ledger(tmp_path / "l.db") as second:
        (ended,) = await taken_over(guard_of(cluster, second))
    held = cluster.objects[WEB]["spec"]
    assert (ended.state, limit(cluster), held["replicas"]) == (State.ROLLED_BACK, "100Mi", 3)
    assert "dnsPolicy" not in held["template"]["spec"]


async def test_one_repair_that_another_takes_over_keeps_none_of_the_others_from_its_end(tmp_path, cluster, monkeypatch):
    other = cluster.put(deployment("api"))
    ref = ref_of(other)
    for path, plan in ((tmp_path / "l.db", plan_of(raise_limit())), (tmp_path / "l.db", plan_of(on(ref), target=ref))):
        await left(path, cluster, plan, dying(cluster, "before"))
    real = applying.untouched

    def stolen(change, before, live):
        if change.target == WEB:
            raise Moved("another process has it now")
        return real(change, before, live)

    monkeypatch.setattr(applying, "untouched", stolen)
    async with open_ledger(tmp_path / "l.db") as third:
        ended = await taken_over(guard_of(cluster, third))
        assert [(r.plan.target, r.state) for r in ended] == [(ref, State.SUCCEEDED)]


def on(ref: Ref) -> Patch:
    container = {"name": "app", "resources": {"limits": {"memory": "200Mi"}}}
    return Patch(target=ref, uid="uid-api", body={"spec": {"template": {"spec": {"containers": [container]}}}})


async def test_what_can_not_be_finished_is_said_when_all_others_are(tmp_path, cluster, monkeypatch):
    ref = ref_of(cluster.put(deployment("api")))
    for plan in (plan_of(raise_limit()), plan_of(on(ref), target=ref)):
        await left(tmp_path / "l.db", cluster, plan, dying(cluster, "before"))

    class Broken(Exception):
        pass

    real = applying.untouched

    def broken(change, before, live):
        if change.target == WEB:
            raise Broken
        return real(change, before, live)

    monkeypatch.setattr(applying, "untouched", broken)
    async with open_ledger(tmp_path / "l.db") as third:
        with pytest.raises(Broken):
            await taken_over(guard_of(cluster, third))
        states = {r.plan.target: r.state for r in await third.repairs.list()}
    assert states == {WEB: State.APPLYING, ref: State.SUCCEEDED}


async def test_a_repair_whose_request_takes_long_is_still_alive(tmp_path, cluster, monkeypatch):
    """It beats while it waits for the server; without, whoever looks after a while would take it over."""
    monkeypatch.setattr(machine, "BEAT_S", 0.01)
    beaten = asyncio.Event()

    class Waiting(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run:
                beaten.clear()
                await beaten.wait()
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    async with open_ledger(tmp_path / "l.db") as held:
        real = held.repairs.beat

        async def beat(repair):
            await real(repair)
            beaten.set()

        monkeypatch.setattr(held.repairs, "beat", beat)
        async with asyncio.timeout(20):
            ended = await carried_out(guard_of(cluster, held, hands=Waiting(cluster, cluster)), plan_of(raise_limit()))
    assert ended.state is State.SUCCEEDED


async def test_a_process_that_slept_between_announcing_and_sending_announces_again(tmp_path, cluster, monkeypatch):
    """By then another may have the repair: what it announces again is what the ledger refuses."""
    monkeypatch.setattr(means, "FRESH_S", -1.0)
    async with open_ledger(tmp_path / "l.db") as first, open_ledger(tmp_path / "l.db") as second:
        real, guard = first.repairs.intend, guard_of(cluster, first)

        async def intend(*args, **kwargs):
            done = await real(*args, **kwargs)
            await second.repairs.adopt("fake", lambda _holder, _beat: True)
            return done

        monkeypatch.setattr(first.repairs, "intend", intend)
        with pytest.raises(Moved):
            await carried_out(guard, plan_of(raise_limit()))
    assert cluster.writes == []


async def test_a_late_request_is_looked_for_as_long_as_it_may_be_under_way(ledger, cluster, monkeypatch):
    monkeypatch.setattr(witness, "LATE_S", 5.0)

    class Late(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if dry_run:
                return await super().write(change, before, repair=repair, dry_run=True)
            cluster.changed = landing
            raise OutcomeUnknown("the connection was lost after the request was sent")

    hands = Late(cluster, cluster)

    async def landing(_within_s: float) -> None:
        (repair,) = await ledger.repairs.list()
        await Hands(cluster, cluster).write(raise_limit(), cluster.objects[WEB], repair=repair.id)
        del cluster.changed

    ended = await carried_out(guard_of(cluster, ledger, hands=hands), plan_of(raise_limit()))
    assert (ended.state, cluster.writes) == (State.SUCCEEDED, [("patch", WEB)])


async def test_a_write_that_never_shows_is_said_to_have_changed_nothing(ledger, cluster, monkeypatch):
    monkeypatch.setattr(witness, "LATE_S", 0.0)

    class Lost(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run:
                raise OutcomeUnknown("the connection was lost after the request was sent")
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    ended = await carried_out(guard_of(cluster, ledger, hands=Lost(cluster, cluster)), plan_of(raise_limit()))
    assert (ended.state, cluster.writes) == (State.FAILED, [])
    assert "nothing was changed" in ended.why


def marked_by_another(cluster: FakeCluster, ago_s: float) -> None:
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - ago_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"f:metadata": {"f:annotations": {f"f:{MARK}": {}}}}
    obj = copy.deepcopy(cluster.objects[WEB])
    obj["metadata"]["annotations"] = {MARK: "r-another"}
    obj["metadata"]["managedFields"] = [{"manager": "kubemend", "time": at, "fieldsV1": fields}]
    cluster.put(obj)


async def test_what_another_kubemend_has_just_written_is_left_to_it(ledger, cluster):
    marked_by_another(cluster, 5)
    ended = await carried_out(guard_of(cluster, ledger), plan_of(raise_limit()))
    assert (ended.state, cluster.writes) == (State.REFUSED, [])
    assert "r-another of a kubemend with another ledger" in ended.why


async def test_what_another_kubemend_wrote_long_ago_is_nobodys(ledger, cluster):
    marked_by_another(cluster, PROOF_S + 5)
    assert (await carried_out(guard_of(cluster, ledger), plan_of(raise_limit()))).state is State.SUCCEEDED


async def test_our_own_last_repair_is_no_rival(ledger: Ledger, cluster):
    guard = guard_of(cluster, ledger)
    first = await carried_out(guard, plan_of(raise_limit()))
    marked_by_another(cluster, 5)
    cluster.objects[WEB]["metadata"]["annotations"][MARK] = first.id
    assert (await carried_out(guard, plan_of(raise_limit("300Mi")))).state is State.SUCCEEDED


async def test_an_undo_is_a_repair_under_way_like_any_other(tmp_path, cluster):
    """Whoever resumes in the same process, as `watch` does all the time, must not take it for left behind."""
    async with open_ledger(tmp_path / "l.db") as held:

        class Curious(Hands):
            async def restore(self, change, before, after, live):
                assert await taken_over(guard) == []
                await super().restore(change, before, after, live)

        guard = guard_of(cluster, held, hands=Curious(cluster, cluster))
        repair = await carried_out(guard, plan_of(raise_limit()))
        undone = await guard.undo(repair, actor="ann")
        assert (undone.state, limit(cluster)) == (State.ROLLED_BACK, "100Mi")
        assert (await story(held, undone)).count("intent") == 2


async def test_a_request_that_never_left_leaves_no_doubt(ledger, cluster):
    class Cut(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run:
                raise Unreachable("connection refused")
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    ended = await carried_out(guard_of(cluster, ledger, hands=Cut(cluster, cluster)), plan_of(SCALE))
    assert (ended.state, ended.steps[0].sent) == (State.FAILED, False)


def pod_of(replica_set: dict, restarts: int) -> dict:
    name = replica_set["metadata"]["name"]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"uid-{name}", "controller": True}
    metadata = {"name": f"{name}-1", "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": [owner]}
    state = {"name": "app", "restartCount": restarts, "ready": False, "state": {}}
    status = {"phase": "Running", "containerStatuses": [state]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}, "status": status}


@pytest.mark.parametrize(("memory", "state"), [("100Mi", State.SUCCEEDED), ("200Mi", State.ROLLED_BACK)])
async def test_a_repair_answers_for_the_pods_of_its_own_template_only(ledger, cluster, memory, state):
    """A workload that is new itself may get its first, faulty pod after our look at what there was before."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-web", "controller": True}
    made = deployment(memory=memory) | {"kind": "ReplicaSet"}
    made["metadata"] |= {"name": "web-1", "uid": "uid-web-1", "ownerReferences": [owner]}

    class Later(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            if not dry_run:
                cluster.put(made)
                cluster.put(pod_of(made, restarts=1))
            return await super().write(change, before, repair=repair, dry_run=dry_run)

    ended = await carried_out(guard_of(cluster, ledger, hands=Later(cluster, cluster)), plan_of(raise_limit()))
    assert ended.state is state, ended.why
