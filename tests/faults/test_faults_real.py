"""The faults on a real control plane: repairs with the fixer's role, and the program itself as a process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import faults_kinds as faults
import pytest
import yaml
from faults_matrix import GOOD, LASTING, STEPS, WORSE, Matrix, cells, table
from faults_proxy import REVIEW, Match, Proxy
from faults_worlds import web
from testbed.plane import ControlPlane

from kubemend.cluster.connection import Connection, connect
from kubemend.engine import catalogue
from kubemend.model.objects import Deployment, Node, Pod, ReplicaSet
from kubemend.model.repair import OPEN
from share import share

Object = dict[str, Any]
FIXER = "system:serviceaccount:kubemend:kubemend-fixer"
TOO = ("drop_answer", "cut_inside", "503 after", "truncated", "500")
"""Faults that are tried here beside the lasting ones."""


class Real:
    """The real control plane past the proxy: stock kubectl, and the API server's audit log."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    async def deploy(self, wanted: dict[str, str]) -> None:
        documents = [o for namespace, image in wanted.items() for o in web(namespace, image)]
        await self._kubectl("apply", "-f", "-", manifest=yaml.safe_dump_all(documents))
        ends = {n: "ready" if image == GOOD else "waiting" for n, image in wanted.items()}
        async with asyncio.timeout(120):
            while not ends.items() <= (await self._settled()).items():  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def _settled(self) -> dict[str, str]:
        found = {}
        for pod in json.loads(await self._kubectl("get", "pods", "-A", "-o=json"))["items"]:
            for status in pod["status"].get("containerStatuses", ()):
                waits = "BackOff" in status["state"].get("waiting", {}).get("reason", "")
                found[pod["metadata"]["namespace"]] = "ready" if status["ready"] else "waiting" if waits else ""
        return found

    async def remove(self, namespaces: list[str]) -> None:
        await self._kubectl("delete", "namespace", "--wait=false", *namespaces)

    async def web(self, namespace: str) -> Object:
        found: Object = json.loads(await self._kubectl("get", "deployment", "web", "-n", namespace, "-o=json"))
        return found

    def audited(self, namespace: str) -> list[int]:
        return [
            e["responseStatus"]["code"]
            for e in self._plane.writes(FIXER)
            if e["objectRef"].get("namespace") == namespace
            and e["objectRef"]["resource"] == "deployments"
            and "dryRun" not in e["requestURI"]
        ]

    async def _kubectl(self, *arguments: str, manifest: str = "") -> str:
        return await asyncio.to_thread(self._plane.kubectl, *arguments, manifest=manifest)


@pytest.fixture
async def fixer(real_cluster: ControlPlane, tmp_path: Path) -> Connection:
    """The way in with the rights that `kubemend rbac fixer` prints, and a name of its own in the audit log."""
    plane = real_cluster
    status, role, _ = await run("rbac", "fixer")
    assert status == 0
    await asyncio.to_thread(plane.kubectl, "apply", "-f", "-", manifest=role)
    token = await asyncio.to_thread(plane.kubectl, "create", "token", "kubemend-fixer", "-n", "kubemend")
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token.strip()}
    path = tmp_path / "fixer.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return connect(kubeconfig=str(path))


@pytest.fixture
async def before(fixer: Connection) -> AsyncIterator[Proxy]:
    async with Proxy.to(fixer) as proxy:
        yield proxy


async def run(*arguments: str) -> tuple[int, str, str]:
    """The program, as a process of its own: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kubemend", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.timeout(900)
async def test_on_a_real_control_plane_too_every_fault_at_every_step_ends_in_a_state_that_is_true(
    real_cluster: ControlPlane,
    before: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setattr(catalogue, "kinds", lambda: (Deployment, ReplicaSet, Pod, Node))
    wanted = share(c for c in cells(STEPS, (*LASTING, *TOO)) if c.fault in TOO or c.lasting)
    async with Matrix(Real(real_cluster), before, tmp_path) as matrix:
        done = await matrix.run(wanted)
        assert await matrix.bench.mender.ledger.repairs.list(states=OPEN) == []
    say("\n".join(["real control plane (what is once on the practice cluster is there alone)", *table(done)]))
    told = [w for c in done for w in c.wrong]
    assert not told, "\n" + "\n".join(told)


@pytest.mark.timeout(300)
async def test_the_program_repairs_and_undoes_through_lost_answers_cuts_and_busy_servers(
    real_cluster: ControlPlane, before: Proxy, tmp_path: Path
) -> None:
    """`scan`, `watch`, `fix` and `undo` as processes, with their own time limits, on a bad way."""
    real, name = Real(real_cluster), "bad-way"
    await real.deploy({name: GOOD})
    await real._kubectl("set", "image", "-n", name, "deployment/web", f"app={WORSE}")
    common = ("--kubeconfig", str(before.kubeconfig(tmp_path / "proxy.kubeconfig")))
    store = ("--store", str(tmp_path / "ledger.db"))
    await found(*common, name=name)
    before.on(Match("GET", r"/pods$", watch=True), faults.cut_inside, nth=2, times=3)
    before.on(Match("GET", watch=False), faults.says(429, retry_after=1), nth=5, times=2)
    before.on(Match("GET", watch=False), faults.cut_before, nth=12)
    before.on(Match("POST", REVIEW), faults.says(503), nth=1)
    before.on(Match("PATCH", dry=True), faults.cut_inside)
    before.on(Match("PATCH", write=True), faults.drop_answer, times=2)
    status, out, err = await run("fix", "deployment/web", "-n", name, "--allow-changes", "--yes", *common, *store)
    assert (status, "succeeded" in out) == (0, True), out + err
    assert (await real.web(name))["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD
    [done] = json.loads((await run("repairs", "-o", "json", *store))[1])
    status, out, err = await run("undo", done["id"], "--allow-changes", *common, *store)
    assert status == 0, out + err
    assert (await real.web(name))["spec"]["template"]["spec"]["containers"][0]["image"] == WORSE
    records = json.loads((await run("audit", "-o", "json", "--limit", "1000", *store))[1])
    intents = Counter(r["detail"]["what"] for r in records if r["kind"] == "intent")
    assert (intents, real.audited(name)) == ({"apply": 1, "undo": 1}, [200, 200])


async def found(*common: str, name: str) -> None:
    """Scan until the fault is there."""
    async with asyncio.timeout(90):
        while "KM103" not in (await run("scan", "-n", name, *common))[1]:
            continue
