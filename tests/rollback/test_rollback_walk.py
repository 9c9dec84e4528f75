"""For every strategy: a repair that does not help is taken back by itself, and one that did is undone when asked.

Afterwards every object of the cluster is as it was. The catalogue is walked: a strategy without a world in `worlds/`
fails here, and a new one brings a file and edits none.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from rollback_bench import World, all_worlds, as_before, carried_out, picture, planned, staged

from kubemend.engine.catalogue import strategies
from kubemend.engine.guard import restoring
from kubemend.model.plan import Delete, Evict, Plan
from kubemend.model.repair import Repair, State
from kubemend.store.ledger import Ledger

WORLDS = all_worlds()
each_world = pytest.mark.parametrize("world", WORLDS, ids=lambda w: w.name)


def test_every_strategy_has_a_world_and_every_world_a_strategy() -> None:
    assert {w.strategy for w in WORLDS} == {s.id for s in strategies()}


def remade(made: Plan) -> set[str]:
    """Objects that can come back only under a new uid."""
    return {str(c.target) for c in made.changes if isinstance(c, Delete)}


async def announced(ledger: Ledger, repair: Repair) -> int:
    return sum(r.kind == "intent" for r in await ledger.audit.list(repair=repair.id))


@pytest.mark.timeout(180)
@each_world
async def test_a_repair_that_does_not_help_is_taken_back_and_everything_is_as_it_was(
    world: World, tmp_path: Path
) -> None:
    async with staged(world, tmp_path) as stage:
        made = await planned(stage, world)
        before = picture(stage.store, remade=remade(made))
        earlier = len(stage.requests())
        repair = await carried_out(stage, made)
        assert repair.state is State.ROLLED_BACK, repair.why
        done, _, why = repair.why.partition(": ")
        evicted = all(isinstance(c, Evict) for c in made.changes)
        assert done == ("nothing could be taken back, for a pod that was evicted is gone" if evicted else "taken back")
        assert why.startswith("verification failed: "), repair.why
        assert [s.undone for s in repair.steps] == [True] * len(made.changes)
        written = stage.requests()[earlier:]
        assert len(written) >= len(made.changes)
        assert len(written) == await announced(stage.ledger, repair), written
        await as_before(stage, before, remade=remade(made), without=stage.touched, lingers=world.lingers)


@pytest.mark.timeout(180)
@each_world
async def test_a_repair_that_helped_is_undone_and_everything_is_as_it_was(world: World, tmp_path: Path) -> None:
    async with staged(world.works, tmp_path) as stage:
        made = await planned(stage, world, within_s=30)
        before = picture(stage.store, remade=remade(made))
        repair = await carried_out(stage, made)
        assert repair.state is State.SUCCEEDED, repair.why
        undone = await stage.guard.undo(repair, actor="ann")
        assert (undone.state, undone.undo) == (State.ROLLED_BACK, True), undone.why
        await as_before(stage, before, remade=remade(made), lingers=world.lingers)


IN_ORDER = next(w for w in WORLDS if w.name == "raise-memory-limit.stateful-set")


@pytest.mark.timeout(180)
async def test_without_a_second_eviction_a_stateful_sets_pod_keeps_the_template_that_was_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the walk: it sees that pods go back too, not only the objects that were written."""

    async def nobody(*_args: object) -> None:
        return None

    monkeypatch.setattr(restoring, "successor", nobody)
    async with staged(IN_ORDER, tmp_path) as stage:
        made = await planned(stage, IN_ORDER)
        before = picture(stage.store)
        repair = await carried_out(stage, made)
        assert repair.state is State.ROLLED_BACK, repair.why
        kept = [key for key, _ in picture(stage.store) - before]
        assert kept == ["Pod"]
