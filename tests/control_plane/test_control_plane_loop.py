"""The loop on a real control plane, with no more rights than `kubemend rbac fixer` prints.

Every scenario is broken at once and `kubemend watch --auto-fix` mends; the API server's audit log is the oracle of
what was written, and must agree with the ledger. `KUBEMEND_SEEDS` asks for more than the plain seed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from testbed.plane import ControlPlane

import scenarios
from kubemend.lab.hand import MARK
from kubemend.lab.scenarios import cast, names
from scenarios_ground import Plane, account, as_account, cli, plane
from scenarios_score import Score, missed, table
from share import ALL

SEEDS = int(os.environ.get("KUBEMEND_SEEDS", "1"))


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_scenario_is_found_and_mended_with_the_fixers_role_and_no_control_is_touched(
    programs: Path, tmp_path: Path, say: Callable[[str], None], seed: int
) -> None:
    score = Score("plane", seeds=1)
    # What changes nodes is played alone, one after another, for minutes: by default on the practice cluster only.
    only = [n for n in names() if ALL or cast(n).scenario.scope == "namespace"]
    # A cluster of its own: what other tests leave broken would be mended too.
    with plane(programs, tmp_path) as ground:
        score.outcomes, score.outside = scenarios.play_seed(ground, seed, tmp_path, only=only)
    say(score.report() + "\n" + table([score]))
    assert score.outside == []
    assert missed(score) == []


@pytest.mark.timeout(300)
def test_with_the_viewers_role_faults_are_found_and_every_write_is_refused(
    real_cluster: ControlPlane, tmp_path: Path
) -> None:
    ground = Plane(real_cluster)
    kubeconfig = as_account(ground, "viewer", tmp_path)
    viewed = cast("service-selector-misspelt", namespace="viewed")
    ground.kubectl("create", "namespace", "viewed")
    for part in ("healthy", "fault"):
        manifest = "\n---\n".join(json.dumps(o) for o in viewed.manifests(part))
        ground.kubectl("apply", "-f", "-", manifest=manifest)
        ground.kubectl("rollout", "status", "-n", "viewed", "deployment/web", "--timeout=60s")
    common = ("-n", "viewed", "--kubeconfig", str(kubeconfig))
    assert "KM501" in cli("scan", *common)
    said = cli("fix", "service/web", *common, "--allow-changes", "--yes", "--store", str(tmp_path / "l.db"), expect=5)
    assert "permission patch services" in said
    assert ground.writes(account("viewer")) == []


@pytest.mark.timeout(300)
def test_lab_break_makes_a_fault_on_a_real_api_server_when_it_may(real_cluster: ControlPlane) -> None:
    common = ("--kubeconfig", str(real_cluster.kubeconfig), "-n", "practised")
    assert "cluster-not-for-practice" in cli("lab", "break", "image-tag-typo", *common, "-o", "json", expect=5)
    real_cluster.kubectl("label", "namespace", "kube-system", f"{MARK}=true")
    for _ in range(2):  # the second time it is mended first
        assert "practised" in cli("lab", "break", "image-tag-typo", "--seed", "1", *common)
    real_cluster.kubectl("label", "namespace", "kube-system", f"{MARK}-")
    image = "-o=jsonpath={.items[*].spec.template.spec.containers[*].image}"
    assert real_cluster.kubectl("get", "deployments", "-n", "practised", image) == "registry.lab/web:1.0-typo"
