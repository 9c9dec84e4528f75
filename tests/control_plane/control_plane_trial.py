"""What the tests of killed, raced and disturbed repairs share: a kubeconfig, workloads, and the oracle of writes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml
from control_plane_cases import CASES, LABELS, Object, describe
from control_plane_killer import Job
from testbed.plane import ControlPlane, PlaneError

from kubemend.model.repair import State

KILLER = Path(__file__).with_name("control_plane_killer.py")
FIXER = "system:serviceaccount:kubemend:kubemend-fixer"
NOT_PULLED = ("ErrImagePull", "ImagePullBackOff")
GONE = 504
"""What the API server notes when the client died during its request: the write may be made or not."""
SETTLE_S = 120.0
"""Far more than it takes: a machine busy with something else must not fail a test."""


class Unsettled(AssertionError):
    """What was deployed did not come to rest."""


def fixer_kubeconfig(plane: ControlPlane, folder: Path) -> Path:
    """A kubeconfig with the rights that `kubemend rbac fixer` prints, and a name of its own in the audit log."""
    role = subprocess.run(
        [sys.executable, "-m", "kubemend", "rbac", "fixer"], capture_output=True, text=True, check=True
    )
    plane.kubectl("apply", "-f", "-", manifest=role.stdout)
    config = yaml.safe_load(plane.kubeconfig.read_text())
    token = plane.kubectl("create", "token", "kubemend-fixer", "-n", "kubemend").strip()
    config["users"][0]["user"] = {"token": token}
    path = folder / "fixer.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    # A new binding reaches the authoriser a moment after it was accepted.
    _until(lambda: _may(plane, path), "the fixer's role is not in force")
    return path


def _may(plane: ControlPlane, kubeconfig: Path) -> bool:
    asked = [
        plane.kubectl_path,
        "--kubeconfig",
        kubeconfig,
        "auth",
        "can-i",
        "create",
        "pods",
        "--subresource=eviction",
        "-A",
    ]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _until(true: Any, otherwise: str) -> None:
    deadline = time.monotonic() + SETTLE_S
    while not true():
        if time.monotonic() > deadline:
            raise Unsettled(otherwise)
        time.sleep(0.2)


def deploy(plane: ControlPlane, stages: list[list[Object]]) -> None:
    """Apply each stage in its (new) namespaces, and wait until it is at rest: all pods ready, or not to be pulled.

    A repair begun before that is another experiment: its first pods would seem to be of the repair's making.
    """
    namespaces = sorted({o["metadata"]["namespace"] for stage in stages for o in stage})
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in namespaces]
    for stage in stages:
        _apply(plane, yaml.safe_dump_all([*made, *stage]))
        made = []
        moving: list[str] = []

        def at_rest(within: list[str] = moving) -> bool:
            within[:] = _moving(plane, namespaces)
            return not within

        try:
            _until(at_rest, "")
        except Unsettled:
            raise Unsettled(f"not at rest: {moving}") from None


def _apply(plane: ControlPlane, manifest: str) -> None:
    """Applying the same again changes nothing, so a server that was too busy for it is asked again."""
    for last in (False, False, True):
        try:
            plane.kubectl("apply", "-f", "-", manifest=manifest)
        except PlaneError as error:
            if last or "Timeout" not in str(error):
                raise
        else:
            return


def _moving(plane: ControlPlane, namespaces: Iterable[str]) -> list[str]:
    """Namespaces in which something has not come to rest."""
    pods = objects(plane, "/api/v1/pods")
    found = []
    workloads, claims = objects(plane, "/apis/apps/v1/deployments"), objects(plane, "/api/v1/persistentvolumeclaims")
    for namespace in namespaces:
        wanted = sum(d["spec"]["replicas"] for d in workloads[namespace])
        rolled = all(
            d["status"].get("observedGeneration") == d["metadata"]["generation"]
            and d["status"].get("updatedReplicas", 0) == d["spec"]["replicas"]
            for d in workloads[namespace]
        )
        calm = all(_calm(p) for p in pods[namespace])
        bound = all(c.get("status", {}).get("phase") for c in claims[namespace])
        if not (rolled and calm and bound and len(pods[namespace]) >= wanted):
            found.append(namespace)
    return found


def _calm(pod: Object) -> bool:
    """Ready, or in the failing state that its image leads to."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
    waiting = [s["state"].get("waiting", {}).get("reason") for s in pod["status"].get("containerStatuses", ())]
    return ready or any(reason in NOT_PULLED for reason in waiting)


def objects(plane: ControlPlane, path: str) -> dict[str, list[Object]]:
    """The objects of one resource, by namespace."""
    found: dict[str, list[Object]] = defaultdict(list)
    for obj in json.loads(plane.kubectl("get", "--raw", path))["items"]:
        found[obj["metadata"]["namespace"]].append(obj)
    return found


def deploy_for(plane: ControlPlane, jobs: list[Job]) -> None:
    """What each job's case starts from."""
    staged = [CASES[j.case].stages(j.namespace, j.fails) for j in jobs]
    depth = max(len(s) for s in staged)
    deploy(plane, [[o for s in staged if len(s) > level for o in s[level]] for level in range(depth)])


def clear(plane: ControlPlane) -> None:
    """Take the workloads of all jobs away, so that the next batch finds room on the nodes."""
    label = ",".join(f"{k}={v}" for k, v in LABELS.items())
    plane.kubectl("delete", "deployments,persistentvolumeclaims", "-A", "-l", label, "--wait=false")


def seen(plane: ControlPlane) -> dict[str, dict[str, str]]:
    """What is to be seen of `web` and `data`, by namespace."""
    found: dict[str, dict[str, str]] = {}
    for path in ("/apis/apps/v1/deployments", "/api/v1/persistentvolumeclaims"):
        for namespace, held in objects(plane, path).items():
            found[namespace] = found.get(namespace, {}) | describe(held)
    return found


def sent(plane: ControlPlane) -> dict[str, list[int]]:
    """Statuses of our requests that may have changed something, by namespace."""
    found = defaultdict(list)
    for event in plane.writes(FIXER):
        if not is_dry(event) and event["objectRef"]["resource"] != "selfsubjectaccessreviews":
            found[event["objectRef"].get("namespace", "")].append(event["responseStatus"]["code"])
    return found


def is_dry(event: dict[str, Any]) -> bool:
    """Whether it was asked as a dry run: a deletion says so in its body, all others in the address."""
    options = event.get("requestObject") or {}
    return "dryRun" in event["requestURI"] or bool(options.get("dryRun"))


def made(plane: ControlPlane, namespace: str) -> int:
    """How many of our requests in a namespace changed something."""
    return sum(1 for status in sent(plane)[namespace] if status < 300)


def _run(what: str, jobs: list[Job], folder: Path) -> tuple[Any, str]:
    """What the killer answered, and what its processes said."""
    path = folder / "jobs.json"
    path.write_bytes(msgspec.json.encode(jobs))
    ran = subprocess.run([sys.executable, str(KILLER), what, str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran.stderr


def kill(jobs: list[Job], folder: Path) -> list[str]:
    """Run each job until it is killed. What went otherwise, and why."""
    lapses, said = _run("kill", jobs, folder)
    return [*lapses, said] if lapses else []


def finished(jobs: list[Job], folder: Path) -> list[dict[str, Any]]:
    """What became of each job in the hands of a second process."""
    ends: list[dict[str, Any]] = _run("finish", jobs, folder)[0]
    return ends


def jobs_for(
    folder: Path, fixer: Path, steps: Iterable[str], *, prefix: str, seeds: int = 1, **fields: Any
) -> list[Job]:
    """A job for each step and seed; all seeds but the first are killed a random while after the step."""
    chance, jobs = random.Random(7), []
    for step in steps:
        for seed in range(seeds):
            name = f"{prefix}-{step}-{fields.get('again', '')}-{seed}"
            name = name.replace(" ", "-").replace("_", "-").replace("--", "-")
            late, store = chance.uniform(1, 60) if seed else 0, str(folder / f"{name}.db")
            job = Job(namespace=name, kubeconfig=str(fixer), store=store, step=step, late_ms=late, **fields)
            jobs.append(job)
    return jobs


# Between an intent and its request: the only steps at which an intent may be one that was never sent.
UNSENT = ("intend after", "write before", "write during", "restore before", "restore during")


def wrong(job: Job, end: dict[str, Any], statuses: list[int], there: dict[str, str]) -> list[str]:
    """What is not as it must be after the last process; empty when all is."""
    case = CASES[job.case]
    taken_back = job.fails or job.undo or job.case == "both"
    state = State.ROLLED_BACK if taken_back else State.SUCCEEDED
    writes = case.writes[job.fails] * (2 if job.undo else 1)
    said, requests = len(end["intents"]), len(statuses)
    # An intent is durable before its request: killed in between, there is one intent more than requests.
    deaths = [s for s in (job.step, job.again) if s and (job.late_ms or s.startswith(UNSENT))]
    done = sum(1 for s in statuses if s < 300)
    wanted = case.end(fails=job.fails, undo=job.undo or job.case == "both")
    facts = {
        f"one repair, {state}": [s for _, s, _ in end["repairs"]] == [state],
        "nothing open, nothing held": (end["open"], end["holds"]) == (0, 0),
        "the trail is whole": end["broken"] is None,
        f"{writes} write(s)": done <= writes <= done + statuses.count(GONE),
        "every request announced": said - len(deaths) <= requests <= said,
        f"{case.seen} {wanted}": there.get(case.seen) == wanted,
    }
    which = f"{job.case} {'undo ' if job.undo else ''}{job.step} {job.again} (+{job.late_ms:.0f} ms)"
    return [f"{which}: not {f}: {end}, statuses {statuses}, {there}" for f, true in facts.items() if not true]


def table(jobs: list[Job], ends: list[dict[str, Any]], requests: dict[str, list[int]]) -> str:
    """One line for each job."""
    lines = []
    for job, end in zip(jobs, ends, strict=True):
        what = f"{job.case}{' undo' if job.undo else ''}{' fails' if job.fails else ''}"
        steps = f"{job.step}{', then ' + job.again if job.again else ''} +{job.late_ms:.0f} ms"
        how = "resumed" if end["resumed"] else "nothing to resume"
        states = ",".join(s for _, s, _ in end["repairs"])
        counts = f"{len(end['intents'])} intents {len(requests[job.namespace])} sent"
        lines.append(f"{what:<15}{steps:<38} {how:<18} {states:<12} {counts}")
    return "\n".join(lines)
