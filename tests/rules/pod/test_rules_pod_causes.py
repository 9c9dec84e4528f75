"""Pod rules together: what the judge makes the cause where several fire on one workload."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubemend.engine.catalogue import rules
from kubemend.engine.judge import judge
from worlds import load, world

CASES = Path(__file__).parent.parent / "cases"
RULES = [r for r in rules() if r.code.startswith("KM1")]


@pytest.mark.parametrize(
    ("case", "root", "symptoms"),
    [
        ("container-oom-killed/fires-crash-looping", "KM101", ["KM102"]),
        ("container-crash-looping/fires-back-off", "KM102", []),
        ("image-not-found/fires-missing-tag", "KM103", []),
        ("config-key-missing/fires-env", "KM107", []),
        ("secret-missing/fires-env", "KM108", []),
        ("container-cannot-start/fires-no-such-command", "KM109", ["KM102"]),
        ("init-container-failing/fires-back-off", "KM110", []),
        ("liveness-probe-failing/fires-undeclared-port", "KM111", ["KM102"]),
        ("readiness-probe-failing/fires-named-port-misspelt", "KM112", []),
    ],
)
def test_one_fault_is_one_diagnosis(case: str, root: str, symptoms: list[str]):
    report = judge(load(CASES / f"{case}.yaml").snapshot, RULES)
    assert [(d.root.code, [s.code for s in d.symptoms]) for d in report.diagnoses] == [(root, symptoms)]


def test_an_init_container_killed_for_memory_is_not_told_as_one_that_fails():
    report = judge(
        world("""
kind: Pod
metadata: {name: web, namespace: shop}
spec: {initContainers: [{name: load, resources: {limits: {memory: 64Mi}}}]}
status:
  phase: Pending
  initContainerStatuses:
    - name: load
      restartCount: 4
      state: {waiting: {reason: CrashLoopBackOff}}
      lastState: {terminated: {reason: OOMKilled, exitCode: 137, finishedAt: 2026-01-01T11:59:00Z}}
""").snapshot,
        RULES,
    )
    assert [(d.root.code, [s.code for s in d.symptoms]) for d in report.diagnoses] == [("KM101", ["KM110"])]


def test_the_pods_of_one_workload_are_one_finding_that_counts_them():
    pod = """
kind: Pod
metadata: {{name: web-{n}, namespace: shop, ownerReferences: [{{kind: ReplicaSet, name: web}}]}}
spec: {{containers: [{{name: app, image: "Bad:1"}}]}}
status: {{phase: Pending, containerStatuses: [{{name: app, state: {{waiting: {{reason: InvalidImageName}}}}}}]}}
"""
    text = "kind: ReplicaSet\nmetadata: {name: web, namespace: shop}\n---" + "---".join(
        pod.format(n=n) for n in range(3)
    )
    report = judge(world(text).snapshot, RULES)
    assert [(str(d.target), d.root.count) for d in report.diagnoses] == [("ReplicaSet shop/web", 3)]


def test_a_rule_whose_kind_was_not_read_is_listed_and_not_taken_for_silent():
    made = world("kind: Expect\nunread: [Event]\n---\nkind: Pod\nmetadata: {name: web, namespace: shop}")
    report = judge(made.snapshot, RULES)
    assert [n.code for n in report.not_judged] == ["KM111"]
