"""What the machine makes of a write that it finds made, and of people who write at the same time."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from engine_fakes import FakeCluster, deployment, node
from test_engine_guard import WEB, carried_out, cluster, guard_of, ledger, limit, plan_of, raise_limit, story

from kubemend.cluster.errors import OutcomeUnknown
from kubemend.engine.guard import witness
from kubemend.engine.guard.hands import Hands
from kubemend.model.plan import Delete
from kubemend.model.repair import State

__all__ = ["cluster", "ledger"]


def edit(cluster: FakeCluster, **fields: Any) -> None:
    """A person sets these fields of the container, as kubectl would."""
    obj = copy.deepcopy(cluster.objects[WEB])
    obj["spec"]["template"]["spec"]["containers"][0].update(fields)
    obj["metadata"]["generation"] += 1
    cluster.put(obj)


def lossy(cluster: FakeCluster, **fields: Any) -> Hands:
    """The answer to the write is lost, and a person writes before anyone looks."""

    class Lossy(Hands):
        async def write(self, change, before, *, repair, dry_run=False):
            done = await super().write(change, before, repair=repair, dry_run=dry_run)
            if dry_run:
                return done
            if fields:
                edit(cluster, **fields)
            raise OutcomeUnknown("the connection was lost after the request was sent")

    return Lossy(cluster, cluster)


async def test_what_a_person_wrote_before_our_write_was_found_made_is_never_taken_back(ledger, cluster):
    cluster.never_ready = True
    hands = lossy(cluster, resources={"limits": {"memory": "999Mi"}})
    ended = await carried_out(guard_of(cluster, ledger, hands=hands), plan_of(raise_limit()))
    assert (ended.state, limit(cluster), len(cluster.writes)) == (State.ESCALATED, "999Mi", 1)
    assert "200Mi" in ended.why
    assert "999Mi" in ended.why


async def test_a_write_found_made_and_left_alone_is_taken_back_to_the_letter(ledger, cluster):
    before = cluster.spec(WEB)
    cluster.never_ready = True
    ended = await carried_out(guard_of(cluster, ledger, hands=lossy(cluster)), plan_of(raise_limit()))
    assert (ended.state, cluster.spec(WEB)) == (State.ROLLED_BACK, before)


async def test_a_proof_that_rests_on_someone_elses_values_says_so(ledger, cluster):
    hands = lossy(cluster, resources={"limits": {"memory": "999Mi"}})
    ended = await carried_out(guard_of(cluster, ledger, hands=hands), plan_of(raise_limit()))
    assert (ended.state, limit(cluster)) == (State.SUCCEEDED, "999Mi")
    assert "changed by someone else meanwhile" in ended.why


async def test_a_deletion_that_hangs_is_not_called_nothing(ledger, cluster, monkeypatch: pytest.MonkeyPatch):
    """Accepted, but held by a finalizer: the object will go, and a person must know."""

    class Held(FakeCluster):
        async def delete(self, ref, *, uid, resource_version="", grace=None, dry_run=False):
            return {}

    held = Held()
    for obj in (node(), deployment()):
        held.put(obj)
    held.objects[WEB]["metadata"]["finalizers"] = ["example.com/slow"]
    monkeypatch.setattr(witness, "GONE_S", 0.0)
    guard = guard_of(held, ledger)
    repair = await guard.propose(plan_of(Delete(target=WEB, uid="uid-web")), incident="i1", actor="t")
    await guard.approve(repair, plan_hash=repair.plan.hash, actor="ann")
    ended = await guard.carry_out(repair, actor="ann")
    assert ended.state is State.ESCALATED
    assert "example.com/slow" in ended.why
    assert "intent" in await story(ledger, ended)
