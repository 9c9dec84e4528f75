"""Repairs that are killed, at every step of every kind of change, on a real control plane.

The API server's audit log says what was sent; the ledger's intents must say the same. `KUBEMEND_SEEDS` kills that many
times at each step, all but the first a random while after it; `KUBEMEND_ALL=1` at every step, not at every third.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from control_plane_cases import CASES, STILL_WORSE, THEIRS
from control_plane_killer import Job
from control_plane_trial import (
    clear,
    deploy_for,
    finished,
    fixer_kubeconfig,
    jobs_for,
    kill,
    made,
    seen,
    sent,
    table,
    wrong,
)
from testbed.plane import ControlPlane

from kubemend.model.repair import State
from share import share

SEEDS = int(os.environ.get("KUBEMEND_SEEDS", "1"))
BATCH = 100
"""Jobs whose pods are on the nodes at once: three nodes take 330, and a rollout has two for each."""

BEGIN = (
    "propose before", "propose during", "propose after",
    "begin before", "begin during", "begin after",
    "remember before", "remember after",
    "snapshotted before", "snapshotted during", "snapshotted after",
    "applying before", "applying during",
)  # fmt: skip
WRITE = (
    "applying after",
    "intend before", "intend during", "intend after",
    "write before", "write during", "write after",
    "outcome before", "outcome during", "outcome after",
)  # fmt: skip
SECOND_WRITE = ("intend after 2", "write before 2", "write during 2", "write after 2", "outcome before 2")
PROVE = (
    "verifying before", "verifying during", "verifying after", "beat after",
    "succeeded before", "succeeded during", "succeeded after",
)  # fmt: skip
FAIL = ("rolling_back before", "rolling_back during", "rolling_back after")
FAILED = ("rolled_back before", "rolled_back during", "rolled_back after")
RESTORE = ("restore before", "restore during", "restore after")


def noted(first: int, changes: int = 1) -> tuple[str, ...]:
    """The steps in the ledger of taking `changes` back, the first of which is the ledger's `first` announcement."""
    said = tuple(f"intend after {first + i}" for i in range(changes))
    return said + tuple(f"outcome {w} {first + i}" for i in range(2 * changes) for w in ("before", "after"))


REOPEN = ("reopen before", "reopen during", "reopen after")
SECOND_RESTORE = tuple(f"{s} 2" for s in RESTORE)

MATRIX: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "patch": ({"case": "patch"}, BEGIN + WRITE + PROVE),
    "patch taken back": ({"case": "patch", "fails": True}, FAIL + RESTORE + noted(2) + FAILED),
    "patch undone": ({"case": "patch", "undo": True}, REOPEN + RESTORE + noted(1) + FAILED),
    "rollback": ({"case": "rollback"}, WRITE + PROVE[:4]),
    "rollback taken back": ({"case": "rollback", "fails": True}, FAIL[2:] + RESTORE + noted(2)),
    "rollback undone": ({"case": "rollback", "undo": True}, REOPEN[2:] + RESTORE),
    "scale": ({"case": "scale"}, WRITE + PROVE[:4]),
    "scale taken back": ({"case": "scale", "fails": True}, FAIL[2:] + RESTORE + noted(2)),
    "scale undone": ({"case": "scale", "undo": True}, REOPEN[2:] + RESTORE),
    "evict": ({"case": "evict"}, WRITE + PROVE[:4]),
    "evict taken back": ({"case": "evict", "fails": True}, FAIL[2:] + FAILED[:1]),
    "recreate": ({"case": "recreate"}, WRITE + SECOND_WRITE + PROVE[:4]),
    "recreate taken back": (
        {"case": "recreate", "fails": True}, FAIL[2:] + RESTORE + SECOND_RESTORE + noted(3, 2) + FAILED[:1],
    ),
    "recreate undone": ({"case": "recreate", "undo": True}, REOPEN[2:] + RESTORE + SECOND_RESTORE),
    "both": ({"case": "both"}, WRITE[-3:] + FAIL + RESTORE + FAILED[:1]),
}  # fmt: skip
TWICE = {
    "write before": ("adopt before", "adopt during", "adopt after", "intend after", "write after", "outcome before"),
    "write after": ("adopt after", "outcome before", "outcome after", "verifying after", "succeeded before"),
    "verifying after": ("adopt after", "beat after", "succeeded before"),
    "rolling_back after": ("adopt after", "restore before", "restore after", "outcome before 2", "rolled_back before"),
    "restore after": ("adopt after", "outcome before", "rolled_back before"),
}


@pytest.fixture(scope="module")
def fixer(real_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixer_kubeconfig(real_cluster, tmp_path_factory.mktemp("fixer"))


def all_jobs(plane: ControlPlane, fixer: Path, folder: Path) -> list[Job]:
    jobs = []
    for number, (fields, steps) in enumerate(MATRIX.values()):
        jobs += jobs_for(folder, fixer, steps, prefix=f"k{number}", seeds=SEEDS, **fields)
    number = len(MATRIX)
    for step, second in TWICE.items():
        back = step in ("rolling_back after", "restore after")
        for again in second:
            jobs += jobs_for(folder, fixer, [step], prefix=f"k{number}", seeds=SEEDS, again=again, fails=back)
    for job in jobs:
        if job.case == "both":
            job.meanwhile = annotated(plane, job.namespace, "deployment/api")
    return jobs


def annotated(plane: ControlPlane, namespace: str, target: str) -> tuple[str, ...]:
    """The command by which a person leaves a note on an object."""
    told = ("annotate", "-n", namespace, target, "note=mine")
    return (str(plane.kubectl_path), "--kubeconfig", str(plane.kubeconfig), *told)


@pytest.mark.timeout(1200 * SEEDS)
def test_a_repair_killed_at_any_step_comes_to_its_one_end_and_writes_nothing_twice(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    jobs, told = share(all_jobs(real_cluster, fixer, tmp_path)), []
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        deploy_for(real_cluster, batch)
        told += kill(batch, tmp_path)
        ends = finished(batch, tmp_path)
        requests, there = sent(real_cluster), seen(real_cluster)
        say(table(batch, ends, requests))
        for job, end in zip(batch, ends, strict=True):
            told += wrong(job, end, requests[job.namespace], there.get(job.namespace, {}))
        clear(real_cluster)
    assert not told, "\n".join(told)


def test_every_kind_of_change_is_in_the_matrix() -> None:
    assert {fields["case"] for fields, _ in MATRIX.values()} == set(CASES)


def test_without_the_looks_that_tell_a_write_of_ours_the_matrix_would_see_it_made_twice(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    jobs = jobs_for(tmp_path, fixer, ["write after"], prefix="kc")
    jobs += jobs_for(tmp_path, fixer, ["write after"], prefix="kcs", case="scale")
    deploy_for(real_cluster, jobs)
    assert kill(jobs, tmp_path) == []
    for job in jobs:
        job.without = "looks"
    ends = finished(jobs, tmp_path)
    for job, end in zip(jobs, ends, strict=True):
        statuses = sent(real_cluster)[job.namespace]
        assert statuses == [200, 200], end
        assert any("not 1 write(s)" in w for w in wrong(job, end, statuses, seen(real_cluster)[job.namespace]))


def test_a_persons_edit_between_a_crash_and_its_end_is_left_and_told(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    """The process died with its write made and not noted; what the next one finds is ours and theirs at once."""
    jobs = jobs_for(tmp_path, fixer, ["write after", "restore after"], prefix="kd", fails=True)
    jobs += jobs_for(tmp_path, fixer, ["write after"], prefix="kdr", case="rollback", fails=True)
    deploy_for(real_cluster, jobs)
    assert kill(jobs, tmp_path) == []
    for job in jobs:
        real_cluster.kubectl("set", "image", "-n", job.namespace, "deployment/web", f"app={STILL_WORSE}")
    for job, end in zip(jobs, finished(jobs, tmp_path), strict=True):
        ((_, state, why),) = end["repairs"]
        assert (state, seen(real_cluster)[job.namespace]["image"]) == (State.ESCALATED, STILL_WORSE), why
        assert "changed by someone else" in why


def test_where_nobody_can_tell_whether_a_write_came_first_a_person_is_asked(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    """The write was announced and perhaps sent; then a person put the whole object in place, our mark not in it."""
    (job,) = jobs_for(tmp_path, fixer, ["write after"], prefix="ke", case="scale")
    deploy_for(real_cluster, [job])
    assert kill([job], tmp_path) == []
    real_cluster.kubectl("scale", "-n", job.namespace, "deployment/web", "--replicas=3")
    real_cluster.kubectl("set", "image", "-n", job.namespace, "deployment/web", f"app={THEIRS}")
    (end,) = finished([job], tmp_path)
    ((_, state, why),) = end["repairs"]
    assert (state, made(real_cluster, job.namespace)) == (State.ESCALATED, 1), why
    assert "whether a change was made before is unknown" in why
    assert seen(real_cluster)[job.namespace]["replicas"] == "3"
