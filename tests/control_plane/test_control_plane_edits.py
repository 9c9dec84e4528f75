"""A person who writes, with kubectl, while a repair of the same object is under way: never overwritten, always told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from control_plane_cases import (
    CASES,
    CLASS,
    GOOD,
    STILL_WORSE,
    THEIRS,
    WORSE,
    plan_for,
    volume_claim,
)
from control_plane_killer import open_bench, repair_it
from control_plane_steps import at
from control_plane_trial import deploy, fixer_kubeconfig, made, objects, seen
from testbed.plane import ControlPlane

from kubemend.cluster import writer
from kubemend.engine import catalogue
from kubemend.model.repair import Repair, State

Edit = Callable[[str], None]
Disturbed = Callable[..., Awaitable[Repair]]


@pytest.fixture(scope="module")
def fixer(real_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixer_kubeconfig(real_cluster, tmp_path_factory.mktemp("fixer"))


@pytest.fixture
def disturbed(real_cluster: ControlPlane, fixer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disturbed:
    """A repair of a case in a new namespace, in which somebody does something at a step."""

    async def repaired(case: str, step: str, name: str, edit: Edit, *, fails: bool = False) -> Repair:
        for stage in CASES[case].stages(name, fails):
            deploy(real_cluster, [stage])
        monkeypatch.setattr(catalogue, "kinds", lambda: CASES[case].kinds)
        async with open_bench(name, fixer, tmp_path / "ledger.db") as bench:
            at(step, lambda: edit(name), monkeypatch.setattr)
            guard = bench.mender.guard
            return await repair_it(guard, await plan_for(case, guard, name, fails=fails))

    return repaired


@pytest.fixture
def hands(real_cluster: ControlPlane) -> Hands:
    return Hands(real_cluster)


class Hands:
    """A person's own, on kubectl."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def image(self, image: str) -> Edit:
        return lambda n: self._kubectl("set", "image", "-n", n, "deployment/web", f"app={image}")

    def replicas(self, count: int) -> Edit:
        return lambda n: self._kubectl("scale", "-n", n, "deployment/web", f"--replicas={count}")

    def note(self, target: str) -> Edit:
        return lambda n: self._kubectl("annotate", "-n", n, target, "note=mine")

    def own_claim(self) -> Edit:
        def create(namespace: str) -> None:
            # When the old one has gone, as nobody could before.
            self._kubectl("wait", "-n", namespace, "pvc/data", "--for=delete", "--timeout=30s")
            manifest = volume_claim(namespace, CLASS)
            manifest["metadata"]["labels"] = {"owner": "ann"}
            self._plane.kubectl("create", "-f", "-", manifest=str(manifest))

        return create

    def without_pods(self) -> Edit:
        return lambda n: self._kubectl("delete", "pods", "-n", n, "--all", "--wait=true")

    def _kubectl(self, *arguments: str) -> None:
        self._plane.kubectl(*arguments)


def image_of(plane: ControlPlane, namespace: str) -> str:
    return seen(plane)[namespace]["image"]


@pytest.mark.parametrize("case", ["patch", "rollback"])
@pytest.mark.parametrize(
    ("step", "state", "said"),
    [
        ("begin before", State.REFUSED, f"was '{WORSE}', is '{THEIRS}'"),
        ("snapshotted before", State.FAILED, "changed by someone else since the plan"),
        ("applying after", State.FAILED, "changed by someone else since the plan"),
        ("intend after", State.FAILED, "changed by someone else since the plan"),
        ("write before", State.FAILED, "changed by someone else since the plan"),
    ],
)
async def test_a_persons_edit_before_the_write_stops_it(  # noqa: PLR0917
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, case: str, step: str, state: State, said: str
) -> None:
    name = f"early-{case}-" + step.replace(" ", "-")
    repair = await disturbed(case, step, name, hands.image(THEIRS))
    assert (repair.state, image_of(real_cluster, name), made(real_cluster, name)) == (state, THEIRS, 0), repair.why
    assert said in repair.why


async def test_without_preconditions_a_persons_edit_would_be_overwritten(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_bound", lambda _ref, body, *_rest: body)
    await disturbed("patch", "write before", "unbound", hands.image(THEIRS))
    assert image_of(real_cluster, "unbound") == GOOD


@pytest.mark.parametrize("step", ["snapshotted before", "intend after", "write before"])
async def test_a_person_who_scales_first_is_not_overruled(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    name = "scaled-" + step.replace(" ", "-")
    repair = await disturbed("scale", step, name, hands.replicas(3))
    assert (repair.state, seen(real_cluster)[name]["replicas"]) == (State.FAILED, "3"), repair.why
    assert "changed by someone else since the plan" in repair.why
    assert made(real_cluster, name) == 0


async def test_a_person_who_scales_to_the_same_number_first_keeps_it_as_their_own(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands
) -> None:
    """It looks like our write; but none was sent, so it is not ours to take back."""
    repair = await disturbed("scale", "applying after", "scaled-alike", hands.replicas(1), fails=True)
    assert (repair.state, seen(real_cluster)["scaled-alike"]["replicas"]) == (State.FAILED, "1"), repair.why
    assert made(real_cluster, "scaled-alike") == 0


@pytest.mark.parametrize("step", ["applying after", "write before"])
async def test_a_pod_that_someone_else_deletes_first_is_not_evicted(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    name = "evicted-" + step.replace(" ", "-")
    repair = await disturbed("evict", step, name, hands.without_pods())
    assert (repair.state, made(real_cluster, name)) == (State.FAILED, 0), repair.why
    assert "by someone else since the plan" in repair.why


@pytest.mark.parametrize("step", ["applying after", "write before"])
async def test_a_claim_that_a_person_has_edited_is_not_deleted(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    name = "claimed-" + step.replace(" ", "-")
    repair = await disturbed("recreate", step, name, hands.note("pvc/data"))
    assert (repair.state, made(real_cluster, name)) == (State.FAILED, 0), repair.why
    assert "changed by someone else since the plan" in repair.why


@pytest.mark.parametrize("step", ["outcome after", "write before 2"])
async def test_a_claim_that_a_person_makes_in_between_is_theirs(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    """Our deletion is made, our creation not yet; the name is taken when it comes."""
    name = "between-" + step.replace(" ", "-")
    repair = await disturbed("recreate", step, name, hands.own_claim())
    (held,) = objects(real_cluster, "/api/v1/persistentvolumeclaims")[name]
    assert (repair.state, held["metadata"]["labels"]) == (State.ESCALATED, {"owner": "ann"}), repair.why
    assert "an object of that name was made since" in repair.why
    assert made(real_cluster, name) == 1


async def test_an_edit_of_the_second_object_takes_the_first_change_back(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands
) -> None:
    repair = await disturbed("both", "write before 2", "second", hands.note("deployment/api"))
    assert (repair.state, image_of(real_cluster, "second"), made(real_cluster, "second")) == (
        State.ROLLED_BACK, WORSE, 2,
    ), repair.why  # fmt: skip
    assert "a later change failed" in repair.why


async def test_a_persons_edit_that_is_proven_in_place_of_ours_is_left_and_told(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands
) -> None:
    repair = await disturbed("patch", "beat after", "proven", hands.image(THEIRS), fails=False)
    assert (repair.state, image_of(real_cluster, "proven")) == (State.SUCCEEDED, THEIRS), repair.why
    assert "changed by someone else meanwhile" in repair.why
    assert THEIRS in repair.why


@pytest.mark.parametrize("case", ["patch", "rollback"])
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("while-proven", "beat after"),
        ("before-rollback", "rolling_back after"),
        ("before-restore", "intend after 2"),
        ("right-before-restore", "restore before"),
        ("after-restore", "restore after"),
    ],
)
async def test_a_persons_edit_after_the_write_is_left_and_told(  # noqa: PLR0917
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, case: str, name: str, step: str
) -> None:
    name = f"{name}-{case}"
    repair = await disturbed(case, step, name, hands.image(STILL_WORSE), fails=True)
    assert (repair.state, image_of(real_cluster, name)) == (State.ESCALATED, STILL_WORSE), repair.why
    assert "changed by someone else" in repair.why
    assert made(real_cluster, name) == (2 if step == "restore after" else 1)


@pytest.mark.parametrize("step", ["beat after", "rolling_back after", "restore before"])
async def test_a_person_who_scales_after_us_is_not_taken_back(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    name = "rescaled-" + step.replace(" ", "-").replace("_", "-")
    repair = await disturbed("scale", step, name, hands.replicas(2), fails=True)
    assert (repair.state, seen(real_cluster)[name]["replicas"]) == (State.ESCALATED, "2"), repair.why
    assert "we wrote 1, now 2" in repair.why


@pytest.mark.parametrize("step", ["beat after", "rolling_back after", "restore before"])
async def test_a_claim_of_ours_that_a_person_has_edited_is_not_deleted_again(
    real_cluster: ControlPlane, disturbed: Disturbed, hands: Hands, step: str
) -> None:
    name = "ours-" + step.replace(" ", "-").replace("_", "-")
    repair = await disturbed("recreate", step, name, hands.note("pvc/data"), fails=True)
    (held,) = objects(real_cluster, "/api/v1/persistentvolumeclaims")[name]
    assert (repair.state, held["metadata"]["annotations"].get("note")) == (State.ESCALATED, "mine"), repair.why
    assert "changed by someone else since" in repair.why
    assert made(real_cluster, name) == 2


@pytest.mark.parametrize(("case", "theirs"), [("patch", THEIRS), ("rollback", THEIRS), ("scale", "3")])
async def test_a_persons_edit_before_an_undo_is_left_and_told(  # noqa: PLR0917
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, hands: Hands, case: str, theirs: str
) -> None:
    plane, name = real_cluster, f"before-undo-{case}"
    deploy(plane, CASES[case].stages(name, False))
    async with open_bench(name, fixer, tmp_path / "ledger.db") as bench:
        guard = bench.mender.guard
        repair = await repair_it(guard, await plan_for(case, guard, name, fails=False))
        assert repair.state is State.SUCCEEDED
        (hands.replicas(3) if case == "scale" else hands.image(THEIRS))(name)
        undone = await guard.undo(repair, actor="ann")
    held = seen(plane)[name][CASES[case].seen]
    assert (undone.state, held, made(plane, name)) == (State.ESCALATED, theirs, 1)
    assert CASES[case].after[False] in undone.why
    assert theirs in undone.why
