"""Which strategy is taken for a pod fault: the most specific one that can, the mildest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubemend.engine.catalogue import rules, strategies
from kubemend.engine.judge import judge
from kubemend.engine.planner import Planned, plan
from worlds import World, load, world

CASES = Path(__file__).parent / "cases"


def planned(made: World, code: str) -> Planned:
    report = judge(made.snapshot, rules())
    diagnosis = next(d for d in report.diagnoses if d.root.code == code)
    return plan(diagnosis, made.snapshot, strategies())


@pytest.mark.parametrize(
    ("case", "code", "chosen"),
    [
        ("raise-memory-limit/plans-what-the-last-good-revision-had", "KM101", "raise-memory-limit"),
        ("restore-image-tag/plans-what-the-last-good-revision-ran", "KM103", "restore-image-tag"),
        ("restore-reference-name/plans-the-earlier-name", "KM106", "restore-reference-name"),
        ("restore-command/plans-the-earlier-command", "KM109", "restore-command"),
        ("restore-command/declines-another-image", "KM102", "roll-back-revision"),
        ("fix-probe-port/plans-the-earlier-port", "KM112", "fix-probe-port"),
        ("fix-probe-path/plans-the-other-probes-path", "KM112", "fix-probe-path"),
        ("relax-probe-timing/plans-the-earlier-timing", "KM111", "relax-probe-timing"),
        ("roll-back-revision/plans-all-that-differs", "KM102", "roll-back-revision"),
        ("restart-pod/plans-when-others-are-well", "KM112", "restart-pod"),
    ],
)
def test_the_most_specific_strategy_is_taken(case: str, code: str, chosen: str):
    made = planned(load(CASES / f"{case}.yaml"), code)
    assert made.plan is not None, made.why_not
    assert made.plan.strategy == chosen


def test_a_plan_that_was_tried_in_vain_makes_way_for_the_next_strategy():
    made = load(CASES / "fix-probe-port/plans-the-earlier-port.yaml")
    report = judge(made.snapshot, rules())
    diagnosis = next(d for d in report.diagnoses if d.root.code == "KM112")
    first = plan(diagnosis, made.snapshot, strategies()).plan
    assert first is not None
    second = plan(diagnosis, made.snapshot, strategies(), tried={first.hash}).plan
    assert second is not None
    assert (first.strategy, second.strategy) == ("fix-probe-port", "roll-back-revision")


def test_a_crash_of_unknown_cause_without_a_past_is_left_to_a_person():
    made = planned(
        world("""
kind: Pod
metadata: {name: lone, namespace: shop}
spec: {containers: [{name: app, image: "a:1"}]}
status:
  phase: Running
  containerStatuses:
    - name: app
      restartCount: 5
      state: {waiting: {reason: CrashLoopBackOff}}
      lastState: {terminated: {reason: Error, exitCode: 1, finishedAt: 2026-01-01T11:59:00Z}}
"""),
        "KM102",
    )
    assert made.plan is None
    assert {t.strategy for t in made.turned} == {"restore-command", "roll-back-revision", "restart-pod"}


def test_no_plan_writes_a_floating_tag_that_the_workload_never_had():
    made = load(CASES / "restore-image-tag/declines-latest-and-ambiguity.yaml")
    assert planned(made, "KM103").plan is None
