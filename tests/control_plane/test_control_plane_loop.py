"""The loop on a real control plane, with no more rights than `kubemend rbac fixer` prints.

Every scenario is broken at once and `kubemend watch --auto-fix` mends; the API server's audit log is the oracle of
what was written, and must agree with the ledger.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from testbed.plane import ControlPlane

import scenarios

CLI = [sys.executable, "-m", "kubemend"]
FIXER = "system:serviceaccount:kubemend:kubemend-fixer"
VIEWER = "system:serviceaccount:kubemend:kubemend-viewer"


def cli(*arguments: str, expect: int = 0) -> str:
    ran = subprocess.run([*CLI, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == expect, ran.stdout + ran.stderr
    return ran.stdout


def as_account(plane: ControlPlane, role: str, folder: Path) -> Path:
    """A kubeconfig of the ServiceAccount that `kubemend rbac ROLE` describes, and nothing else."""
    plane.kubectl("apply", "-f", "-", manifest=cli("rbac", role))
    token = plane.kubectl("create", "token", f"kubemend-{role}", "-n", "kubemend").strip()
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / f"{role}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def writes_of(plane: ControlPlane, user: str) -> list[dict]:
    """Requests of one user that may have changed something: neither reviews nor dry runs."""
    return [
        e
        for e in plane.writes(user)
        if "dryRun" not in e["requestURI"] and e["objectRef"]["resource"] != "selfsubjectaccessreviews"
    ]


@pytest.mark.timeout(420)
def test_every_scenario_is_found_and_mended_with_the_fixers_role_and_no_control_is_touched(
    real_cluster: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plane, played = real_cluster, scenarios.load()
    store, log = tmp_path / "ledger.db", tmp_path / "watch.log"
    kubeconfig = as_account(plane, "fixer", tmp_path)
    scenarios.make_healthy(plane.kubectl, played)
    earlier = len(writes_of(plane, FIXER))  # the control plane is shared, and other tests use this account too
    watcher = scenarios.Watcher.start(kubeconfig, store, log, "--max-concurrent", "5")
    outcomes = scenarios.play(plane.kubectl, watcher, played, within_s=180)
    assert watcher.stop() == 0, log.read_text()

    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(o.line() for o in outcomes) + "\n")
    wrong = [w for o in outcomes for w in o.wrong()]
    assert not wrong, "\n".join(wrong)
    assert len([o for o in outcomes if not o.scenario.control]) >= 12
    assert len([o for o in outcomes if o.scenario.control]) >= 6

    written = writes_of(plane, FIXER)[earlier:]
    namespaces = {s.namespace for s in played if s.control}
    assert [e for e in written if e["objectRef"].get("namespace") in namespaces] == []
    records = json.loads(cli("audit", "--store", str(store), "-o", "json", "--limit", "5000"))
    intents = Counter(target_of(r["detail"]["change"]) for r in records if r["kind"] == "intent")
    sent = Counter((e["objectRef"].get("namespace", ""), e["objectRef"]["name"]) for e in written)
    assert sent == intents


def target_of(change: dict) -> tuple[str, str]:
    return change["target"]["namespace"], change["target"]["name"]


@pytest.mark.timeout(120)
def test_with_the_viewers_role_faults_are_found_and_every_write_is_refused(
    real_cluster: ControlPlane, tmp_path: Path
) -> None:
    plane = real_cluster
    kubeconfig = as_account(plane, "viewer", tmp_path)
    scenario = next(s for s in scenarios.load() if s.name == "service-selector-misspelt")
    namespace = "viewed"
    plane.kubectl("create", "namespace", namespace)
    plane.kubectl("apply", "-n", namespace, "-f", str(scenario.file("healthy")))
    plane.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    plane.kubectl("apply", "-n", namespace, "-f", str(scenario.file("fault")))
    common = ("-n", namespace, "--kubeconfig", str(kubeconfig))
    assert "KM501" in cli("scan", *common)
    said = cli("fix", "service/web", *common, "--allow-changes", "--yes", "--store", str(tmp_path / "l.db"), expect=5)
    assert "permission patch services" in said
    assert writes_of(plane, VIEWER) == []
