"""The ledger keeps its promises: one transaction a step, fences, budgets, holds, and an audit chain."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, text, update

from kubemend.model.access import Risk
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Phase, Repair, State, Step
from kubemend.store import schema
from kubemend.store.budget import Limits
from kubemend.store.database import Database, head
from kubemend.store.errors import Held, Moved, OverBudget, StoreError, UnknownRepair
from kubemend.store.ledger import Ledger, holder, is_dead, open_ledger
from kubemend.store.switch import Paused

FREE = Limits(attempts=100, cooldown_s=0, concurrent=100, per_namespace=100, per_hour=1000)


def plan(name: str = "web", namespace: str = "shop", fingerprint: str = "f" * 12) -> Plan:
    ref = Ref("Deployment", namespace, name, "apps")
    return Plan(
        strategy="raise-memory-limit",
        code="KM101",
        fingerprint=fingerprint,
        target=ref,
        changes=(Patch(target=ref, uid="u-1", body={"spec": {"replicas": 2}}),),
        reason="because",
        risk=Risk.MEDIUM,
        confidence=0.9,
        verify=Verify(healthy=(ref,)),
    )


@pytest.fixture
async def ledger(tmp_path: Path):
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


async def proposed(ledger: Ledger, made: Plan | None = None) -> Repair:
    return await ledger.repairs.propose(made or plan(), cluster="c", incident="i1", actor="ann")


async def begun(ledger: Ledger, made: Plan | None = None, limits: Limits = FREE) -> Repair:
    repair = await proposed(ledger, made)
    return await ledger.repairs.begin(
        repair, objects=[str(repair.plan.target)], limits=limits, approved=False, actor="ann"
    )


async def test_a_proposed_plan_comes_back_as_it_was_written(ledger: Ledger):
    repair = await proposed(ledger)
    assert await ledger.repairs.get(repair.id) == repair
    assert repair.state is State.PROPOSED
    assert repair.plan == plan()


async def test_the_same_waiting_plan_is_not_written_twice(ledger: Ledger):
    assert (await proposed(ledger)).id == (await proposed(ledger)).id


async def test_an_unknown_repair_is_an_error_that_names_it(ledger: Ledger):
    with pytest.raises(UnknownRepair, match="nope"):
        await ledger.repairs.get("nope")


async def test_only_the_transitions_of_the_state_machine_are_possible(ledger: Ledger):
    repair = await proposed(ledger)
    with pytest.raises(Moved, match="can't go from proposed to succeeded"):
        await ledger.repairs.move(repair, State.SUCCEEDED, why="no")


async def test_a_step_taken_for_granted_twice_is_refused_the_second_time(ledger: Ledger):
    repair = await begun(ledger)
    await ledger.repairs.move(repair, State.REFUSED, why="first")
    with pytest.raises(Moved, match="no longer preflight"):
        await ledger.repairs.move(repair, State.SNAPSHOTTED, why="second")


async def test_two_repairs_of_one_object_never_overlap(ledger: Ledger):
    first = await begun(ledger)
    other = await proposed(ledger, plan(fingerprint="a" * 12))
    with pytest.raises(Held, match="Deployment shop/web"):
        await ledger.repairs.begin(other, objects=[str(other.plan.target)], limits=FREE, approved=False, actor="bob")
    await ledger.repairs.move(first, State.REFUSED, why="done")
    await ledger.repairs.begin(other, objects=[str(other.plan.target)], limits=FREE, approved=False, actor="bob")


async def test_of_two_processes_that_race_for_one_object_exactly_one_gets_it(tmp_path: Path):
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as one, open_ledger(path) as two:

        async def race(ledger: Ledger, fingerprint: str) -> bool:
            repair = await proposed(ledger, plan(fingerprint=fingerprint))
            try:
                await ledger.repairs.begin(
                    repair, objects=["Deployment shop/web"], limits=FREE, approved=False, actor="x"
                )
            except Held:
                return False
            return True

        assert sorted(await asyncio.gather(race(one, "a" * 12), race(two, "b" * 12))) == [False, True]


async def test_a_process_that_lost_its_repair_can_not_announce_a_write(tmp_path: Path):
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as zombie, open_ledger(path) as heir:
        repair = await begun(zombie)
        (adopted,) = await heir.repairs.adopt("c", lambda _holder, _beat: True)
        assert adopted.id == repair.id
        with pytest.raises(Moved):
            await zombie.repairs.intend(repair, {"what": "apply"})


async def test_a_live_holder_is_not_robbed(ledger: Ledger, tmp_path: Path):
    await begun(ledger)
    async with open_ledger(tmp_path / "ledger.db") as other:
        alive = await other.repairs.adopt("c", lambda h, beat: is_dead(h, beat, now=time.time()))
    assert alive == []


def test_a_holder_is_dead_when_its_pid_is_gone_or_it_is_silent():
    now = time.time()
    mine = holder()
    assert not is_dead(mine, now, now=now)
    assert is_dead(mine, now - 31, now=now)
    gone = mine.replace(f":{os.getpid()}:", ":4194303:")
    assert is_dead(gone, now, now=now)
    assert not is_dead("elsewhere:1:ab", now - 29, now=now)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(attempts=1, cooldown_s=0), "attempts at this incident"),
        (Limits(attempts=9, cooldown_s=60), "cooldown"),
        (Limits(attempts=9, cooldown_s=0, per_hour=1), "last hour"),
    ],
)
async def test_a_finished_repair_counts_against_the_budget(ledger: Ledger, limits: Limits, message: str):
    await taken_back(ledger, await begun(ledger))
    with pytest.raises(OverBudget, match=message):
        await begun(ledger, limits=limits)


async def taken_back(ledger: Ledger, repair: Repair) -> None:
    for state in (State.SNAPSHOTTED, State.APPLYING, State.ROLLING_BACK, State.ROLLED_BACK):
        repair = await ledger.repairs.move(repair, state, why="step")


async def test_a_refused_repair_needs_no_rest_but_counts_as_an_attempt(ledger: Ledger):
    first = await begun(ledger)
    await ledger.repairs.move(first, State.REFUSED, why="the object was busy")
    second = await begun(ledger, limits=Limits(cooldown_s=600, attempts=2))
    await ledger.repairs.move(second, State.REFUSED, why="the object was busy")
    with pytest.raises(OverBudget) as spent:
        await begun(ledger, limits=Limits(cooldown_s=600, attempts=2))
    assert spent.value.code == "attempts-spent"


async def test_a_plan_that_nobody_approved_is_no_attempt(ledger: Ledger):
    for _ in range(5):
        waits = await waiting(ledger)
        assert await proposed(ledger) == waits
        await ledger.repairs.move(waits, State.REJECTED, why="a person said no")
    await begun(ledger, limits=Limits(attempts=1, cooldown_s=0, per_hour=1))


async def test_an_order_of_a_person_may_be_given_again_but_is_held_to_the_other_limits(ledger: Ledger):
    order = msgspec.structs.replace(plan(), strategy="scale_deployment", code="")
    for _ in range(4):
        await taken_back(ledger, await begun(ledger, order, Limits(attempts=1, cooldown_s=0)))
    for limits, message in ((Limits(cooldown_s=60), "cooldown"), (Limits(cooldown_s=0, per_hour=4), "last hour")):
        with pytest.raises(OverBudget, match=message):
            await begun(ledger, order, limits)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(concurrent=1, cooldown_s=0), "open in the cluster"),
        (Limits(per_namespace=1, cooldown_s=0), "open in shop"),
    ],
)
async def test_open_repairs_count_against_the_budget(ledger: Ledger, limits: Limits, message: str):
    await begun(ledger)
    with pytest.raises(OverBudget, match=message):
        await begun(ledger, plan("api", fingerprint="b" * 12), limits)


async def test_a_repair_over_budget_is_left_as_it_was(ledger: Ledger):
    await begun(ledger)
    repair = await proposed(ledger, plan("api", fingerprint="b" * 12))
    with pytest.raises(OverBudget):
        await ledger.repairs.begin(repair, objects=["x"], limits=Limits(concurrent=1), approved=False, actor="ann")
    assert (await ledger.repairs.get(repair.id)).state is State.PROPOSED


async def waiting(ledger: Ledger) -> Repair:
    return await ledger.repairs.move(await proposed(ledger), State.AWAITING_APPROVAL, why="ask")


async def begin_approved(ledger: Ledger, repair: Repair) -> Repair:
    return await ledger.repairs.begin(
        repair, objects=[str(repair.plan.target)], limits=FREE, approved=True, actor="ann"
    )


async def test_an_approval_of_this_plan_lets_it_begin_once(ledger: Ledger):
    repair = await waiting(ledger)
    await ledger.approvals.give(repair, plan_hash=repair.plan.hash, actor="ann")
    assert (await begin_approved(ledger, repair)).state is State.PREFLIGHT
    (used,) = await ledger.approvals.list(repair=repair.id)
    assert used.used_at is not None


async def test_without_an_approval_it_does_not_begin(ledger: Ledger):
    with pytest.raises(Moved) as refused:
        await begin_approved(ledger, await waiting(ledger))
    assert refused.value.code == "approval-required"


async def test_an_expired_approval_is_none(ledger: Ledger):
    repair = await waiting(ledger)
    await ledger.approvals.give(repair, plan_hash=repair.plan.hash, actor="ann", ttl_s=-1)
    with pytest.raises(Moved):
        await begin_approved(ledger, repair)


async def test_another_plans_hash_can_not_be_approved(ledger: Ledger):
    repair = await waiting(ledger)
    with pytest.raises(Moved) as refused:
        await ledger.approvals.give(repair, plan_hash="0" * 64, actor="ann")
    assert refused.value.code == "plan-stale"


async def test_the_kill_switch_stops_beginning_and_every_announced_write(ledger: Ledger):
    repair = await begun(ledger)
    await ledger.switch.set(on=True, actor="ann", why="release night")
    with pytest.raises(Paused, match="ann: release night"):
        await ledger.repairs.intend(repair, {"what": "apply"})
    with pytest.raises(Paused):
        await begun(ledger, plan("api", fingerprint="b" * 12))
    await ledger.switch.set(on=False, actor="ann")
    await ledger.repairs.intend(repair, {"what": "apply"})


async def test_steps_are_kept_with_the_outcome(ledger: Ledger):
    repair = await begun(ledger)
    steps = (Step(before={"a": 1}, after={"a": 2}),)
    await ledger.repairs.outcome(repair, {"result": "ok"}, steps=steps)
    assert (await ledger.repairs.get(repair.id)).steps == steps


async def test_the_audit_tells_the_whole_story_in_order(ledger: Ledger):
    repair = await begun(ledger)
    await ledger.repairs.intend(repair, {"what": "apply"})
    await ledger.repairs.outcome(repair, {"result": "ok"})
    kinds = [r.kind for r in await ledger.audit.list(repair=repair.id)]
    assert kinds == ["proposed", "transition", "intent", "outcome"]
    assert await ledger.audit.broken_at() is None


@pytest.mark.parametrize("forge", ["edit", "delete"])
async def test_a_forged_audit_row_breaks_the_chain(tmp_path: Path, forge: str):
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as ledger:
        await begun(ledger)
        await begun(ledger, plan("api", fingerprint="b" * 12))
        database = await Database.open(path)
        async with database.transaction() as connection:
            row = schema.audit.c.seq == 2
            edit = update(schema.audit).where(row).values(actor="nobody")
            await connection.execute(edit if forge == "edit" else delete(schema.audit).where(row))
        await database.close()
        assert await ledger.audit.broken_at() == (2 if forge == "edit" else 3)


async def test_a_ledger_of_a_newer_program_is_left_alone(tmp_path: Path):
    path = tmp_path / "ledger.db"
    async with open_ledger(path):
        pass
    database = await Database.open(path)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(StoreError) as refused:
        await Database.open(path)
    assert refused.value.code == "store-newer"


async def test_the_tables_a_migration_makes_are_those_of_the_schema(tmp_path: Path):
    path = tmp_path / "ledger.db"
    await (await Database.open(path)).close()
    with sqlite3.connect(path) as made:
        found = {
            table: [c[1] for c in made.execute(f"PRAGMA table_info({table})")]
            for (table,) in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if table not in ("alembic_version", "sqlite_sequence")
        }
    made.close()
    assert found == {t.name: [c.name for c in t.columns] for t in schema.metadata.sorted_tables}
    assert head() == "0003"


async def test_a_file_that_is_no_ledger_is_said_to_be_none(tmp_path: Path):
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all, just some words that are long enough to be a header" * 20)
    with pytest.raises(StoreError) as refused:
        await Database.open(path)
    assert refused.value.code == "store-corrupt"


async def test_a_folder_that_can_not_be_made_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as refused:
        await Database.open(tmp_path / "file" / "ledger.db")
    assert refused.value.where is not None


async def test_an_incident_opens_once_and_reopens_with_its_history(ledger: Ledger, diagnosis):
    incident, news = await ledger.incidents.see(diagnosis, cluster="c")
    again, second = await ledger.incidents.see(diagnosis, cluster="c")
    assert (news, second, incident.id) == (True, False, again.id)
    await ledger.incidents.move(incident.id, Phase.RESOLVED)
    back, third = await ledger.incidents.see(diagnosis, cluster="c")
    assert (back.id, third, back.reopened) == (incident.id, True, 1)


@pytest.fixture
def diagnosis():
    from kubemend.model.finding import Cite, Diagnosis, Finding, Severity

    ref = Ref("Deployment", "shop", "web", "apps")
    return Diagnosis(
        root=Finding(
            code="KM101",
            title="OOM",
            severity=Severity.ERROR,
            about=ref,
            subject=ref,
            target=ref,
            message="killed",
            evidence=(Cite(ref, "/spec/replicas", 1),),
            confidence=0.9,
        )
    )
