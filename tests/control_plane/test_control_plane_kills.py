"""Repairs that are killed, raced and disturbed, on a real control plane.

The API server's audit log says what was sent; the ledger's intents must say the same. `KUBEMEND_SEEDS` kills that many
times at each step, all but the first a random while after it; `KUBEMEND_ROUNDS` is the number of races.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import yaml
from control_plane_killer import Job, at, open_bench, plan_of, repair_it
from testbed.plane import ControlPlane

from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.store.errors import Held, Moved

KILLER = Path(__file__).with_name("control_plane_killer.py")
SEEDS = int(os.environ.get("KUBEMEND_SEEDS", "1"))
ROUNDS = int(os.environ.get("KUBEMEND_ROUNDS", "20"))
GOOD, WORSE, THEIRS = "registry.lab/web:1.0", "registry.lab/web:1.0-typo", "registry.lab/web:1.1"
STILL_WORSE = "registry.lab/web:1.1-typo"

HOLDS = [
    "propose before", "propose during", "propose after",
    "begin before", "begin during", "begin after",
    "remember before", "remember after",
    "snapshotted before", "snapshotted during", "snapshotted after",
    "applying before", "applying during", "applying after",
    "intend before", "intend during", "intend after",
    "write before", "write during", "write after",
    "outcome before", "outcome during", "outcome after",
    "verifying before", "verifying after", "beat after",
    "succeeded before", "succeeded during", "succeeded after",
]  # fmt: skip
FAILS = [
    "rolling_back before", "rolling_back during", "rolling_back after",
    "intend after 2", "restore before", "restore during", "restore after",
    "outcome before 2", "outcome after 2", "outcome before 3", "outcome after 3",
    "rolled_back before", "rolled_back during", "rolled_back after",
]  # fmt: skip
GONE = 504
"""What the API server notes when the client died during its request: the write may be made or not."""
UNSENT = ("intend after", "write before", "write during", "restore before", "restore during")
"""Between the intent and its request: the only steps at which an intent may be one that was never sent."""


@pytest.fixture(scope="module")
def fixer(real_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig with the rights that `kubemend rbac fixer` prints, and a name of its own in the audit log."""
    plane = real_cluster
    role = subprocess.run(
        [sys.executable, "-m", "kubemend", "rbac", "fixer"], capture_output=True, text=True, check=True
    )
    plane.kubectl("apply", "-f", "-", manifest=role.stdout)
    config = yaml.safe_load(plane.kubeconfig.read_text())
    token = plane.kubectl("create", "token", "kubemend-fixer", "-n", "kubemend").strip()
    config["users"][0]["user"] = {"token": token}
    path = tmp_path_factory.mktemp("fixer") / "fixer.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def deploy(plane: ControlPlane, wanted: dict[str, str]) -> None:
    """A Deployment `web` with this image in each of these new namespaces."""
    documents = []
    for namespace, image in wanted.items():
        labels = {"app": "web"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        documents.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        metadata = {"name": "web", "namespace": namespace}
        documents.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    plane.kubectl("apply", "-f", "-", manifest=yaml.safe_dump_all(documents))


def sent(plane: ControlPlane) -> dict[str, list[int]]:
    """Statuses of our requests that may have changed something, by namespace."""
    found = defaultdict(list)
    for event in plane.writes("system:serviceaccount:kubemend:kubemend-fixer"):
        if "dryRun" not in event["requestURI"]:
            found[event["objectRef"].get("namespace", "")].append(event["responseStatus"]["code"])
    return found


def made(plane: ControlPlane, namespace: str) -> int:
    return sum(1 for status in sent(plane)[namespace] if status < 300)


def images(plane: ControlPlane) -> dict[str, str]:
    """Of the Deployment in each namespace."""
    found = json.loads(plane.kubectl("get", "deployments", "-A", "-o=json"))["items"]
    return {d["metadata"]["namespace"]: d["spec"]["template"]["spec"]["containers"][0]["image"] for d in found}


def image_of(plane: ControlPlane, namespace: str) -> str:
    return images(plane)[namespace]


def run(what: str, jobs: list[Job], folder: Path) -> str:
    path = folder / "jobs.json"
    path.write_bytes(msgspec.json.encode(jobs))
    ran = subprocess.run([sys.executable, str(KILLER), what, str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def jobs_for(folder: Path, fixer: Path, steps: list[str], *, prefix: str, fails: bool, seeds: int = 1) -> list[Job]:
    chance, jobs = random.Random(7), []
    for step in steps:
        for seed in range(seeds):
            name = f"{prefix}-{step.replace(' ', '-').replace('_', '-')}-{seed}"
            late, store = chance.uniform(1, 60) if seed else 0, str(folder / f"{name}.db")
            job = Job(namespace=name, kubeconfig=str(fixer), store=store, step=step, fails=fails, late_ms=late)
            jobs.append(job)
    return jobs


def deploy_for(plane: ControlPlane, jobs: list[Job]) -> None:
    deploy(plane, {j.namespace: GOOD if j.fails else WORSE for j in jobs})


def wrong(job: Job, end: dict, statuses: list[int], image: str) -> list[str]:
    """What is not as it must be after the second process; empty when all is."""
    state, writes = (State.ROLLED_BACK, 2) if job.fails else (State.SUCCEEDED, 1)
    said, requests = len(end["intents"]), len(statuses)
    # An intent is durable before its request: killed in between, there is one intent more than requests.
    may_be_unsent = bool(job.late_ms) or job.step.startswith(UNSENT)
    facts = {
        "one repair, at its end": [s for _, s, _ in end["repairs"]] == [state],
        "nothing open, nothing held": (end["open"], end["holds"]) == (0, 0),
        "the trail is whole": end["broken"] is None,
        f"{writes} write(s)": statuses.count(200) <= writes <= statuses.count(200) + statuses.count(GONE),
        "every request announced": requests == said or (may_be_unsent and requests == said - 1),
        f"image {GOOD}": image == GOOD,
    }
    which = f"{job.step} (+{job.late_ms:.0f} ms)"
    return [f"{which}: not {f}: {end}, statuses {statuses}" for f, true in facts.items() if not true]


@pytest.mark.timeout(60 + 60 * SEEDS)
def test_a_repair_killed_at_any_step_comes_to_its_one_end_and_writes_nothing_twice(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_for(tmp_path, fixer, HOLDS, prefix="ka", fails=False, seeds=SEEDS)
    jobs += jobs_for(tmp_path, fixer, FAILS, prefix="kb", fails=True, seeds=SEEDS)
    deploy_for(real_cluster, jobs)
    run("kill", jobs, tmp_path)
    ends = json.loads(run("finish", jobs, tmp_path))
    requests, ran = sent(real_cluster), images(real_cluster)
    with capsys.disabled():
        for job, end in zip(jobs, ends, strict=True):
            states = ",".join(s for _, s, _ in end["repairs"])
            how = "resumed" if end["resumed"] else "nothing to resume"
            counts = f"{len(end['intents'])} intents {len(requests[job.namespace])} sent"
            sys.stdout.write(f"\n{job.step:<22} {how:<18} {states:<12} {counts}")
    told = [
        w
        for job, end in zip(jobs, ends, strict=True)
        for w in wrong(job, end, requests[job.namespace], ran[job.namespace])
    ]
    assert not told, "\n".join(told)


def test_without_the_looks_that_tell_a_write_of_ours_the_matrix_would_see_it_made_twice(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    (job,) = jobs_for(tmp_path, fixer, ["write after"], prefix="kc", fails=False)
    deploy_for(real_cluster, [job])
    run("kill", [job], tmp_path)
    job.blind = True
    (end,) = json.loads(run("finish", [job], tmp_path))
    statuses = sent(real_cluster)[job.namespace]
    assert statuses == [200, 200], end
    assert any("not 1 write(s)" in w for w in wrong(job, end, statuses, GOOD))


@pytest.mark.timeout(60 + 2 * ROUNDS)
async def test_of_two_that_race_for_one_object_exactly_one_repairs_it(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    """In even rounds both carry out the same repair, in odd ones each a repair of its own."""
    plane, name = real_cluster, "raced"
    store, web = tmp_path / "shared.db", Ref("Deployment", name, "web", "apps")
    deploy(plane, {name: GOOD})
    ends: Counter[str] = Counter()
    async with open_bench(name, fixer, store) as first, open_bench(name, fixer, store) as second:
        one, two = first.mender.guard, second.mender.guard
        for number in range(ROUNDS):
            titles = ("same", "same") if number % 2 == 0 else ("one", "two")
            plans = [
                await plan_of(g, web, note=str(number), title=f"{t} {number}")
                for g, t in zip((one, two), titles, strict=True)
            ]
            raced = (repair_it(g, p) for g, p in zip((one, two), plans, strict=True))
            results = await asyncio.gather(*raced, return_exceptions=True)
            ends.update(r.state if isinstance(r, Repair) else type(r).__name__ for r in results)
            assert made(plane, name) == number + 1, results
            assert [r.state for r in results if isinstance(r, Repair)] == [State.SUCCEEDED]
            assert any(isinstance(r, (Held, Moved)) for r in results), results
    assert ends.total() == 2 * ROUNDS


def edited(plane: ControlPlane, namespace: str, image: str) -> None:
    plane.kubectl("set", "image", "-n", namespace, "deployment/web", f"app={image}")


@pytest.fixture
def disturbed(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Repair]]:
    """A repair to `image` of a Deployment with `was`, in which a person sets theirs at a step."""

    async def repaired(step: str, name: str, *, image: str, was: str, theirs: str) -> Repair:
        deploy(real_cluster, {name: was})
        async with open_bench(name, fixer, tmp_path / "ledger.db") as bench:
            web, guard = Ref("Deployment", name, "web", "apps"), bench.mender.guard
            at(step, lambda: edited(real_cluster, name, theirs), monkeypatch.setattr)
            plan = await plan_of(guard, web, image=image, within_s=1.0 if image == WORSE else 25)
            return await repair_it(guard, plan)

    return repaired


@pytest.mark.parametrize(
    ("step", "state", "said"),
    [
        ("begin before", State.REFUSED, f"was '{WORSE}', is '{THEIRS}'"),
        ("snapshotted before", State.FAILED, "changed by someone else since the plan"),
        ("applying after", State.FAILED, "changed by someone else since the plan"),
        ("intend after", State.FAILED, "changed by someone else since the plan"),
    ],
)
async def test_a_persons_edit_before_the_write_stops_it(
    real_cluster: ControlPlane, disturbed: Callable[..., Awaitable[Repair]], step: str, state: State, said: str
) -> None:
    name = "early-" + step.replace(" ", "-")
    repair = await disturbed(step, name, image=GOOD, was=WORSE, theirs=THEIRS)
    assert (repair.state, image_of(real_cluster, name), made(real_cluster, name)) == (state, THEIRS, 0), repair.why
    assert said in repair.why


async def test_a_persons_edit_that_is_proven_in_place_of_ours_is_left_and_told(
    real_cluster: ControlPlane, disturbed: Callable[..., Awaitable[Repair]]
) -> None:
    repair = await disturbed("beat after", "proven", image=WORSE, was=GOOD, theirs=THEIRS)
    assert (repair.state, image_of(real_cluster, "proven")) == (State.SUCCEEDED, THEIRS), repair.why
    assert "changed by someone else meanwhile" in repair.why
    assert THEIRS in repair.why


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
async def test_a_persons_edit_after_the_write_is_left_and_told(
    real_cluster: ControlPlane, disturbed: Callable[..., Awaitable[Repair]], name: str, step: str
) -> None:
    repair = await disturbed(step, name, image=WORSE, was=GOOD, theirs=STILL_WORSE)
    assert (repair.state, image_of(real_cluster, name)) == (State.ESCALATED, STILL_WORSE), repair.why
    assert "changed by someone else" in repair.why
    assert made(real_cluster, name) == (2 if step == "restore after" else 1)


async def test_a_persons_edit_before_an_undo_is_left_and_told(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    plane, name = real_cluster, "before-undo"
    deploy(plane, {name: WORSE})
    async with open_bench(name, fixer, tmp_path / "ledger.db") as bench:
        guard = bench.mender.guard
        repair = await repair_it(guard, await plan_of(guard, Ref("Deployment", name, "web", "apps"), image=GOOD))
        assert repair.state is State.SUCCEEDED
        edited(plane, name, THEIRS)
        undone = await guard.undo(repair, actor="ann")
    assert (undone.state, image_of(plane, name), made(plane, name)) == (State.ESCALATED, THEIRS, 1)
    assert GOOD in undone.why
    assert THEIRS in undone.why


def test_a_persons_edit_between_a_crash_and_its_end_is_left_and_told(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    """The process died with its write made and not noted; what the next one finds is ours and theirs at once."""
    jobs = jobs_for(tmp_path, fixer, ["write after", "restore after"], prefix="kd", fails=True)
    deploy_for(real_cluster, jobs)
    run("kill", jobs, tmp_path)
    for job in jobs:
        edited(real_cluster, job.namespace, STILL_WORSE)
    for job, end in zip(jobs, json.loads(run("finish", jobs, tmp_path)), strict=True):
        ((_, state, why),) = end["repairs"]
        assert (state, image_of(real_cluster, job.namespace)) == (State.ESCALATED, STILL_WORSE), why
        assert "changed by someone else" in why
