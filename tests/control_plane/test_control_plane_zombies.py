"""A process that is stopped in the middle of a repair, past the time after which it counts as dead, and wakes up when
another has brought its repair to its end. It must write nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from control_plane_killer import Job
from control_plane_trial import (
    KILLER,
    clear,
    deploy_for,
    finished,
    fixer_kubeconfig,
    jobs_for,
    seen,
    sent,
    table,
    wrong,
)
from testbed.plane import ControlPlane

# Within a transaction of the ledger a stopped process keeps everybody out of it: nobody can go on, and nothing is
# written. So the steps here are those between two transactions.
HOLDS = (
    "propose after", "begin after", "remember after", "snapshotted after",
    "applying after", "intend before", "intend after", "write before", "write after",
    "outcome before", "outcome after", "verifying after", "beat after", "succeeded before", "succeeded after",
)  # fmt: skip
FAILS = (
    "rolling_back before", "rolling_back after", "intend before 2", "intend after 2",
    "restore before", "restore after", "outcome after 2", "rolled_back before",
)  # fmt: skip
MIDDLE = ("intend before", "intend after", "write before", "write after")
SENDING = ("intend after", "write before", "restore before")
"""After the announcement the fence is behind it, and what keeps its request from doing anything is its precondition."""


@pytest.fixture(scope="module")
def fixer(real_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixer_kubeconfig(real_cluster, tmp_path_factory.mktemp("fixer"))


class Stopped:
    """The stopped processes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def woken(self) -> list[str]:
        """Wake them all; how each ended."""
        told, errors = self._process.communicate("go on\n")
        assert self._process.returncode == 0, errors
        ends: list[str] = json.loads(told)
        return ends


@contextmanager
def stopped(jobs: list[Job], folder: Path) -> Iterator[Stopped]:
    path, log = folder / "stopped.json", folder / "stopped.log"
    path.write_bytes(msgspec.json.encode(jobs))
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, str(KILLER), "stop", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "stopped\n", log.read_text()
        yield Stopped(process)


@pytest.mark.timeout(900)
def test_a_process_that_wakes_up_after_its_repair_was_taken_over_writes_nothing(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    plane = real_cluster
    jobs = jobs_for(tmp_path, fixer, HOLDS, prefix="za", stopped=True)
    jobs += jobs_for(tmp_path, fixer, FAILS, prefix="zb", fails=True, stopped=True)
    for number, case in enumerate(("rollback", "scale", "evict", "recreate")):
        jobs += jobs_for(tmp_path, fixer, MIDDLE, prefix=f"zc{number}", case=case, stopped=True)
    jobs += jobs_for(tmp_path, fixer, ["intend after 2", "write before 2"], prefix="zd", case="recreate", stopped=True)
    jobs += jobs_for(tmp_path, fixer, ["reopen after", "restore before"], prefix="ze", undo=True, stopped=True)
    deploy_for(plane, jobs)
    with stopped(jobs, tmp_path) as asleep:
        ends = finished(jobs, tmp_path)
        before = sent(plane)
        woken = asleep.woken()
    after, there = sent(plane), seen(plane)
    lines = zip(table(jobs, ends, after).splitlines(), woken, strict=True)
    say("\n".join(f"{line}  woken: {how}" for line, how in lines))
    told = []
    for job, end, how in zip(jobs, ends, woken, strict=True):
        late = after[job.namespace][len(before[job.namespace]) :]
        if any(status < 300 for status in late) or (late and not job.step.startswith(SENDING)):
            told.append(f"{job.case} {job.step}: woken, it sent {late}")
        if how != "repair-moved" and job.step not in ("succeeded after", "rolled_back after"):
            told.append(f"{job.case} {job.step}: woken, it ended with {how}")
        told += wrong(job, end, before[job.namespace], there[job.namespace])
    clear(plane)
    assert not told, "\n".join(told)


@pytest.mark.timeout(600)
def test_without_preconditions_one_that_wakes_up_would_write_again(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    jobs = jobs_for(tmp_path, fixer, ["write before"], prefix="zx", stopped=True, without="bounds")
    deploy_for(real_cluster, jobs)
    with stopped(jobs, tmp_path) as asleep:
        finished(jobs, tmp_path)
        before = sent(real_cluster)[jobs[0].namespace]
        asleep.woken()
    assert (before, sent(real_cluster)[jobs[0].namespace]) == ([200], [200, 200])
