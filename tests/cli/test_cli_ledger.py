"""Commands that need only the ledger: repairs, approvals, audit, pause."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from kubemend.model.access import Risk
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import State, Step
from kubemend.store.budget import Limits
from kubemend.store.ledger import open_ledger

WEB = Ref("Deployment", "shop", "web", "apps")
BODY = {"spec": {"replicas": 2}}
PLAN = Plan(
    strategy="scale-somehow", code="KM404", fingerprint="0123456789ab", target=WEB,
    changes=(Patch(target=WEB, uid="u1", body=BODY),), reason="it stood at zero",
    risk=Risk.MEDIUM, confidence=0.9, verify=Verify(healthy=(WEB,)),
)  # fmt: skip


def web(replicas: int) -> dict:
    meta = {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas}}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the `cli` fixture has its ledger."""
    return tmp_path / "ledger.db"


async def _waiting(store: Path) -> str:
    async with open_ledger(store) as ledger:
        repair = await ledger.repairs.propose(PLAN, cluster="c1", incident="i1", actor="ann")
        repair = await ledger.repairs.move(repair, State.AWAITING_APPROVAL, why="every change asks a person")
        return repair.id


async def _carried_out(store: Path) -> str:
    async with open_ledger(store) as ledger:
        repair = await ledger.repairs.propose(PLAN, cluster="c1", incident="i1", actor="ann")
        repair = await ledger.repairs.begin(repair, objects=[str(WEB)], limits=Limits(), approved=False, actor="ann")
        step = Step(before=web(0))
        repair = await ledger.repairs.move(repair, State.SNAPSHOTTED, why="checks passed", steps=(step,))
        repair = await ledger.repairs.move(repair, State.APPLYING, why="1 change")
        change = {"op": "patch", "target": {"kind": "Deployment", "namespace": "shop", "name": "web"}}
        repair = await ledger.repairs.intend(repair, {"what": "apply", "change": change, "resourceVersion": "7"})
        step = Step(before=web(0), after=web(2))
        repair = await ledger.repairs.outcome(repair, {"result": "ok", "change": 0}, steps=(step,))
        repair = await ledger.repairs.move(repair, State.VERIFYING, why="all changes made")
        repair = await ledger.repairs.move(repair, State.SUCCEEDED, why="Deployment shop/web is healthy")
        return repair.id


@pytest.fixture
def waiting(store: Path) -> str:
    return asyncio.run(_waiting(store))


@pytest.fixture
def mended(store: Path) -> str:
    return asyncio.run(_carried_out(store))


def test_an_empty_ledger_says_so(cli):
    assert cli("repairs").out == "no repairs yet\n"
    assert cli("approvals", "list").out == "nothing waits for approval\n"
    assert cli("audit").out == "nothing has been recorded yet\n"
    assert cli("repairs", "-o", "json").json == []


def test_repairs_are_listed_with_state_and_reason(cli, mended):
    ran = cli("repairs")
    assert mended in ran.out
    assert "succeeded" in ran.out
    assert "Deployment shop/web is healthy" in ran.out
    assert [r["id"] for r in cli("repairs", "-o", "json").json] == [mended]


def test_one_repair_shows_its_diff_and_its_timeline(cli, mended):
    said = cli("repairs", mended).out
    assert "-  replicas: 0" in said
    assert "+  replicas: 2" in said
    assert "apply: patch Deployment shop/web at version 7" in said
    assert "verifying → succeeded: Deployment shop/web is healthy" in said


def test_one_repair_as_json_has_hash_diff_and_timeline(cli, mended):
    seen = cli("repairs", mended, "-o", "json").json
    assert seen["plan"]["hash"] == PLAN.hash
    assert seen["plan"]["risk"] == "medium"
    assert "+  replicas: 2" in seen["diffs"][0]
    assert [r["kind"] for r in seen["timeline"]][:2] == ["proposed", "transition"]


def test_a_plan_that_waits_is_listed_and_can_be_rejected(cli, waiting):
    assert waiting in cli("approvals", "list").out
    ran = cli("approvals", "reject", waiting, "not on a Friday")
    assert ran.status == 0
    assert "rejected  not on a Friday" in ran.out
    assert cli("approvals", "list", "-o", "json").json == []


def test_what_is_rejected_can_not_be_rejected_again(cli, waiting):
    cli("approvals", "reject", waiting)
    ran = cli("approvals", "reject", waiting)
    assert (ran.status, ran.err.partition(":")[0]) == (5, "error[repair-moved]")


def test_the_trail_is_whole_until_somebody_edits_it(cli, mended, store):
    assert cli("audit", "--verify").status == 0
    with sqlite3.connect(store) as database:
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 2")
    database.close()
    ran = cli("audit", "--verify")
    assert ran.status == 1
    assert "record 2" in ran.out
    assert cli("audit", "--verify", "-o", "json").json == {"whole": False, "broken_at": 2}


def test_the_trail_can_be_narrowed_to_one_repair(cli, mended):
    cli("pause", "maintenance")
    everything = cli("audit", "-o", "json").json
    of_one = cli("audit", "--repair", mended, "-o", "json").json
    assert {r["repair"] for r in of_one} == {mended}
    assert [r["kind"] for r in everything][-1] == "pause"
    assert len(everything) == len(of_one) + 1


def test_pausing_and_resuming_are_recorded_with_who_and_why(cli):
    assert cli("pause", "deploy day").status == 0
    assert cli("resume").status == 0
    kinds = [(r["kind"], r["detail"].get("why")) for r in cli("audit", "-o", "json").json]
    assert kinds == [("pause", "deploy day"), ("resume", "")]


def test_a_doctor_without_a_cluster_still_looks_at_the_rest(cli):
    cli("pause", "deploy day")
    ran = cli("doctor", "-o", "json")
    assert ran.status == 1
    grades = {c["name"]: c["grade"] for c in ran.json}
    assert grades == {"python": "ok", "ledger": "ok", "kill switch": "note", "kubeconfig": "failed"}
