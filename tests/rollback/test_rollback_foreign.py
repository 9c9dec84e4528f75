"""A rollback that meets somebody else's change stops, leaves it alone, and tells a person both versions.

For every kind of change, taken back by itself and undone as asked. Two controls stand beside it: an edit of what we did
not write stops nothing, and without the look the edit is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rollback_bench import NAMESPACE, Stage, all_worlds, as_before, carried_out, manifest, picture, planned, staged

from kubemend.engine.guard import restoring
from kubemend.engine.guard.hands import Hands
from kubemend.model.plan import Create, Delete, Evict, Patch, RollBack, Scale
from kubemend.model.repair import State

WORLDS = {w.name: w for w in all_worlds()}
CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "labels": {"app": "theirs"}},
    "spec": {
        "storageClassName": "fast",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "2Gi"}},
    },
}


def container(**fields: Any) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 2}
    held = {"name": "app", "image": "registry.lab/web:1.0", "readinessProbe": probe, **fields}
    return {"spec": {"template": {"spec": {"containers": [held]}}}}


def merged(kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, **body.get("metadata", {})}
    return {"merge": {"kind": kind, **body, "metadata": metadata}}


@dataclass(frozen=True)
class Edit:
    """A person's step in a world, and what of both versions must be told."""

    name: str
    world: str
    step: dict[str, Any]
    ours: str
    theirs: str


EDITS = (
    Edit(
        "Patch", "fix-probe-port",
        merged("Deployment", "web", container(image="registry.lab/web:1.1")),
        "containers/0/image: we had 'registry.lab/web:1.0'", "now 'registry.lab/web:1.1'",
    ),
    Edit(
        "Patch of a Service", "fix-service-selector",
        merged("Service", "web", {"spec": {"selector": {"app": "other"}}}),
        "/spec/selector/app: we had 'web'", "now 'other'",
    ),
    Edit(
        "RollBack", "roll-back-revision",
        merged("Deployment", "web", container(env=[{"name": "MODE", "value": "theirs"}])),
        "env/0/value: we had 'shy'", "now 'theirs'",
    ),
    Edit(
        "Scale", "scale-to-history",
        merged("Deployment", "web", {"spec": {"replicas": 3}}),
        "replicas: we wrote 2", "now 3",
    ),
    Edit(
        "Create", "set-storage-class",
        merged("PersistentVolumeClaim", "data", {"metadata": {"labels": {"app": "theirs"}}}),
        "/metadata/labels/app: we made 'db'", "now 'theirs'",
    ),
    Edit(
        "Patch of what was deleted", "fix-service-selector",
        {"delete": "Service/web"},
        "we left it there", "now it is gone",
    ),
)  # fmt: skip
each_edit = pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.name)


def test_every_kind_of_change_is_met() -> None:
    """An evicted pod can't be put back, so nobody's change can be in the way; a deleted object has its own test."""
    assert {e.name.partition(" ")[0] for e in EDITS} == {k.__name__ for k in (Patch, RollBack, Scale, Create)}
    assert {k.__name__ for k in (Evict, Delete)}.isdisjoint({e.name for e in EDITS})


@pytest.mark.timeout(180)
@each_edit
async def test_an_undo_that_meets_anothers_change_stops_and_tells_both_versions(edit: Edit, tmp_path: Path) -> None:
    world = WORLDS[edit.world].works
    async with staged(world, tmp_path) as stage:
        repair = await carried_out(stage, await planned(stage, world, within_s=30))
        assert repair.state is State.SUCCEEDED, repair.why
        await stage.take([edit.step])
        theirs, sent = picture(stage.store), len(stage.requests())
        ended = await stage.guard.undo(repair, actor="ann")
        assert ended.state is State.ESCALATED, ended.why
        assert "was changed by someone else since" in ended.why
        assert edit.ours in ended.why
        assert edit.theirs in ended.why
        assert stage.requests()[sent:] == []
        assert not [line for line in theirs - picture(stage.store) if not line[0].startswith(("Pod", "ReplicaSet"))]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("edit", [e for e in EDITS if "deleted" not in e.name], ids=lambda e: e.name)
async def test_a_rollback_by_itself_that_meets_anothers_change_stops_and_tells_both_versions(
    edit: Edit, tmp_path: Path
) -> None:
    held = WORLDS[edit.world]
    world = replace(held, text={**held.text, "after": [edit.step]})
    async with staged(world, tmp_path) as stage:
        made = await planned(stage, world)
        repair = await carried_out(stage, made)
        assert repair.state is State.ESCALATED, repair.why
        assert repair.why.startswith("could not take it back: ")
        assert edit.ours in repair.why
        assert edit.theirs in repair.why
        assert [s.undone for s in repair.steps] == [False] * len(made.changes)


ELSEWHERE = (
    ("fix-probe-port", merged("Deployment", "web", {"metadata": {"labels": {"team": "a"}}})),
    ("roll-back-revision", merged("Deployment", "web", {"spec": {"minReadySeconds": 1}})),
    ("scale-to-history", merged("Deployment", "web", {"metadata": {"annotations": {"note": "theirs"}}})),
    ("fix-service-selector", merged("Service", "web", {"spec": {"sessionAffinity": "ClientIP"}})),
)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("name", "step"), ELSEWHERE, ids=lambda v: v if isinstance(v, str) else "")
async def test_anothers_change_elsewhere_in_the_object_stays_and_stops_nothing(
    name: str, step: dict[str, Any], tmp_path: Path
) -> None:
    world = WORLDS[name].works
    async with staged(world, tmp_path) as stage:
        made = await planned(stage, world, within_s=30)
        repair = await carried_out(stage, made)
        await stage.take([step])
        ended = await stage.guard.undo(repair, actor="ann")
        assert ended.state is State.ROLLED_BACK, ended.why
        kind, theirs = step["merge"]["kind"], manifest(step["merge"])
        live = stage.store.find(kind, NAMESPACE, theirs["metadata"]["name"])
        assert live is not None
        assert _holds(live, {k: v for k, v in theirs.items() if k != "apiVersion"})


def _holds(live: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(live, dict) and all(_holds(live.get(k), v) for k, v in part.items())
    return bool(live == part)


@pytest.mark.timeout(180)
async def test_without_the_look_for_others_changes_a_persons_edit_of_a_created_claim_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above: they see the guard, not an accident."""
    monkeypatch.setattr(restoring, "hindrance", lambda *_args, **_kwargs: None)
    edit = next(e for e in EDITS if e.name == "Create")
    world = WORLDS[edit.world].works
    async with staged(world, tmp_path) as stage:
        repair = await carried_out(stage, await planned(stage, world, within_s=30))
        await stage.take([edit.step])
        assert (await stage.guard.undo(repair, actor="ann")).state is State.ROLLED_BACK
        live = stage.store.find("PersistentVolumeClaim", NAMESPACE, "data")
        assert live is not None
        assert live["metadata"]["labels"] == {"app": "db"}


@pytest.mark.timeout(180)
async def test_a_name_that_somebody_takes_while_the_old_object_is_to_come_back_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = WORLDS["set-storage-class"].works
    async with staged(world, tmp_path) as stage:
        real = Hands.restore

        async def overtaken(self: Hands, change: Any, *args: Any) -> None:
            await real(self, change, *args)
            if isinstance(change, Create):
                await stage.cluster.until(lambda s: s.find("PersistentVolumeClaim", NAMESPACE, "data") is None)
                await stage.cluster.api.create(manifest(CLAIM))

        repair = await carried_out(stage, await planned(stage, world, within_s=30))
        monkeypatch.setattr(Hands, "restore", overtaken)
        ended = await stage.guard.undo(repair, actor="ann")
        assert ended.state is State.ESCALATED, ended.why
        assert "an object of that name was made since" in ended.why
        assert "/metadata/labels/app: we had 'db', now 'theirs'" in ended.why
        live = stage.store.find("PersistentVolumeClaim", NAMESPACE, "data")
        assert live is not None
        assert live["metadata"]["labels"] == {"app": "theirs"}


# --- claims that came to matter meanwhile


@pytest.mark.timeout(180)
async def test_a_claim_that_has_a_volume_by_now_is_deleted_by_no_rollback_that_nobody_asked_for(tmp_path: Path) -> None:
    """It is bound, but the proof fails for another reason: what was written to the volume meanwhile would be lost."""
    world = WORLDS["set-storage-class"].works
    async with staged(world, tmp_path) as stage:
        made = await planned(stage, world, within_s=30)
        guard: Any = stage.guard

        class Doubting(type(guard._sight)):  # type: ignore[misc]
            """Shows the claim as it was before it was bound."""

            def snapshot(self) -> Any:
                seen = super().snapshot()
                return replace(seen, objects={k: v for k, v in seen.objects.items() if k.__name__ != "StorageClass"})

        repair = await stage.guard.propose(made, incident="i1", actor="ann")
        await stage.guard.approve(repair, plan_hash=made.hash, actor="ann")
        hands: Any = guard._hands
        hands.count = 2

        async def blinded(_change: Any) -> None:
            await stage.cluster.until(_bound)
            stage.sight.__class__ = Doubting

        hands.last = blinded
        ended = await stage.guard.carry_out(repair, actor="ann")
        assert ended.state is State.ESCALATED, ended.why
        assert "we made it unbound, now it is bound to volume pvc-" in ended.why
        assert _bound(stage.store)


def _bound(store: Any) -> bool:
    claim = store.find("PersistentVolumeClaim", NAMESPACE, "data")
    return claim is not None and claim.get("status", {}).get("phase") == "Bound"


@pytest.mark.timeout(180)
async def test_a_claim_that_a_pod_uses_is_not_half_deleted_by_an_undo(tmp_path: Path) -> None:
    world = WORLDS["set-storage-class"].works
    async with staged(world, tmp_path) as stage:
        made = await planned(stage, world, within_s=30)
        before = picture(stage.store, remade={"PersistentVolumeClaim shop/data"})
        repair = await carried_out(stage, made)
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        pod = {"containers": [{"name": "app", "image": "registry.lab/web:1.0"}], "volumes": [volume]}
        await stage.take([{"create": {"kind": "Pod", "metadata": {"name": "user"}, "spec": pod}}])
        await stage.until(lambda: _runs(stage), "the pod runs")
        ended = await stage.guard.undo(repair, actor="ann")
        assert ended.state is State.ESCALATED, ended.why
        assert "can't be deleted: Pod shop/user uses it; stop it first" in ended.why
        live = stage.store.find("PersistentVolumeClaim", NAMESPACE, "data")
        assert live is not None
        assert "deletionTimestamp" not in live["metadata"]
        await stage.take([{"delete": "Pod/user"}])
        undone = await stage.guard.undo(ended, actor="ann")
        assert undone.state is State.ROLLED_BACK, undone.why
        await as_before(stage, before, remade={"PersistentVolumeClaim shop/data"})


def _runs(stage: Stage) -> bool:
    from kubemend.model.objects import Pod

    pod = stage.sight.snapshot().get(Pod, NAMESPACE, "user")
    return pod is not None and pod.status.phase == "Running"
