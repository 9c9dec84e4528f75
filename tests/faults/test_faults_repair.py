"""Repairs on the practice cluster: every fault at every step.

`KUBEMEND_FAULTS` names the faults that are tried, with commas between them; all of them unless it is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import faults_kinds as faults
import pytest
from faults_matrix import FAULTS, GOOD, STEPS, WORSE, Matrix, cells, table
from faults_proxy import Match, Proxy
from faults_worlds import Practice, settled

from kubemend.app import Rooms
from kubemend.cluster import decoding
from kubemend.engine import catalogue
from kubemend.engine.guard import applying
from kubemend.engine.guard.hands import Hands
from kubemend.model.objects import Deployment, Node, Pod, ReplicaSet
from kubemend.model.ref import Ref
from kubemend.model.repair import OPEN, State
from kubemend.surfaces.cli.options import Access
from share import share

if TYPE_CHECKING:
    from kubemend.lab.cluster import PracticeCluster


KINDS = os.environ.get("KUBEMEND_FAULTS", ",".join(FAULTS)).split(",")


@pytest.fixture
def matrix(practice: PracticeCluster, proxy: Proxy, tmp_path: Path, few_kinds: None) -> Matrix:
    return Matrix(Practice(practice), proxy, tmp_path)


@pytest.fixture
def few_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of repairs: what none of them looks at need not be watched."""
    monkeypatch.setattr(catalogue, "kinds", lambda: (Deployment, ReplicaSet, Pod, Node))


@pytest.mark.timeout(3600)
async def test_every_fault_at_every_step_of_a_repair_ends_in_a_state_that_is_true(
    matrix: Matrix, say: Callable[[str], None]
) -> None:
    async with matrix:
        done = await matrix.run(share(cells(kinds=KINDS)))
        ledger = matrix.bench.mender.ledger
        assert await ledger.repairs.list(states=OPEN) == []
        assert await ledger.audit.broken_at() is None
    say("\n".join(["practice cluster", *table(done)]))
    told = [w for c in done for w in c.wrong]
    assert not told, "\n" + "\n".join(told)


@pytest.mark.parametrize(
    ("step", "state", "made"), [("write", State.SUCCEEDED, 1), ("rollback: restore", State.ROLLED_BACK, 2)]
)
async def test_a_write_that_arrives_after_its_connection_broke_is_made_once(
    matrix: Matrix, step: str, state: State, made: int
) -> None:
    async with matrix:
        [cell] = await matrix.run(cells([s for s in STEPS if s.name == step], ["late"]))
    assert cell.wrong == []
    assert (cell.state, cell.made) == (state, made), cell.line()


async def seen_without(matrix: Matrix, step: str, fault: str) -> list[str]:
    """What is wrong with one cell."""
    async with matrix:
        wanted = cells([s for s in STEPS if s.name == step], [fault])[-1]
        [cell] = await matrix.run([wanted])
    return cell.wrong


async def test_without_the_reading_back_a_write_that_went_through_would_be_called_none(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "made", lambda *_: False)
    told = await seen_without(matrix, "write", "drop_answer")
    assert any(w.startswith("not what it says: drop_answer at 'write': failed") for w in told), told


async def test_without_the_look_at_what_a_write_answers_anything_would_pass_for_the_object(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "entity", lambda body, *, where, **_: decoding.mapping(body, where=where))
    with pytest.raises(KeyError):
        await seen_without(matrix, "write", "empty")


async def test_without_the_doubt_about_a_scale_that_can_not_be_read_it_would_be_called_unmade(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hands, "_scaled", lambda hands, change: hands._reader.get(change.target))
    told = await seen_without(matrix, "read of the scaled", "403")
    assert any(w.startswith("not what it says: 403 for ever at 'read of the scaled': failed") for w in told), told


async def test_a_fault_that_only_an_old_list_shows_is_never_repaired(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    """The lists are from before a person mended it, and the watches never tell."""
    world, ref = Practice(practice), Ref("Deployment", "cell-0", "web", "apps")
    access = Access(
        kubeconfig=str(proxy.kubeconfig(tmp_path / "kubeconfig")),
        namespace="cell-0",
        auto_fix=True,
        store=tmp_path / "ledger.db",
    )
    await world.deploy({"cell-0": GOOD})
    await practice.api.patch(await world.web("cell-0"), image(WORSE))
    await practice.until(lambda store: any(settled(p) == "waiting" for p in store.all("Pod")), 30)
    proxy.on(Match("GET", query="limit"), faults.remembered, times=None)
    proxy.on(Match("GET", watch=True), faults.half_open, times=None)
    async with Rooms().bench(access, scope="cell-0", tell=lambda _repair, _text: None):
        pass
    await practice.api.patch(await world.web("cell-0"), image(GOOD))
    await practice.until(lambda store: all(settled(p) == "ready" for p in store.all("Pod")), 30)
    proxy.on(Match("GET", query="limit"), faults.stale, times=None)
    async with Rooms().bench(access, scope="cell-0", tell=lambda _repair, _text: None) as bench:
        diagnosis = bench.mender.diagnosis_of(ref)
        assert diagnosis is not None
        assert diagnosis.root.code == "KM103"
        _, planned, repair = await bench.mender.propose(diagnosis, actor="test")
        assert repair is not None, planned.why_not
        ended = await bench.mender.guard.carry_out(repair, actor="test")
    assert ended.state is State.REFUSED, ended.why
    assert world.audited("cell-0") == []
    assert (await world.web("cell-0"))["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD


def image(name: str) -> dict[str, object]:
    labels = {"metadata": {"labels": {"app": "web"}}}
    return {"spec": {"template": labels | {"spec": {"containers": [{"name": "app", "image": name}]}}}}
