"""The report that is kept up to date is, after every change, the one that judging everything gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_changes import Cluster, drops, firing, happenings, later, pair

from kubemend.engine.catalogue import rules
from kubemend.engine.judge import judge
from kubemend.engine.standing import Standing
from kubemend.engine.tracking import Ground, Tracked
from kubemend.model.finding import Observation, Severity
from kubemend.model.objects import ConfigMap, CronJob, Deployment, Meta
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot
from worlds import world

RULES = rules()


def differences(standing: Standing, cluster: Cluster, steps: Iterator[str]) -> Iterator[str]:
    """After which steps the standing report isn't that of a full judgement."""
    for step in steps:
        snapshot = cluster.snapshot()
        if standing.look(snapshot) != judge(snapshot, RULES):
            yield step


def exactly(chosen: tuple[Rule, ...] = RULES) -> Standing:
    return Standing(chosen)


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.parent.name}/{c.stem}") for c in firing()])
def test_no_object_can_come_or_go_unnoticed(case: Path):
    cluster, standing = pair(case), exactly()
    found = {f.code for f in standing.look(cluster.snapshot()).findings}
    assert case.parent.name in {r.id for r in RULES if r.code in found}
    assert list(differences(standing, cluster, drops(cluster))) == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_report_is_that_of_a_full_judgement(seed: int):
    cluster, standing = Cluster(), exactly()
    assert list(differences(standing, cluster, happenings(cluster, seed, 100))) == []


def test_a_change_is_judged_where_it_happens_and_nowhere_else(monkeypatch: pytest.MonkeyPatch):
    cluster, standing = pair(firing()[0]), Standing(RULES)
    judged: list[str] = []
    monkeypatch.setattr(Rule, "findings", _noting(judged))
    standing.look(cluster.snapshot())
    assert {"one", "two", None} == set(judged)
    judged.clear()
    cluster.drop(next(o for o in cluster.all() if o.namespace == "one"))
    standing.look(cluster.snapshot())
    assert "one" in judged
    judged.clear()
    standing.look(cluster.snapshot())
    assert judged == []


def _noting(judged: list[Any]) -> Any:
    original = Rule.findings

    def findings(self: Rule, snapshot: Any) -> Any:
        judged.append(vars(snapshot)["_space"])
        return original(self, snapshot)

    return findings


def test_what_waits_for_a_moment_is_judged_again_when_it_comes_and_not_before(monkeypatch: pytest.MonkeyPatch):
    case = next(c for c in firing() if c.stem == "fires-lost-readiness")
    cluster, standing = later(pair(case), -55), Standing(RULES)
    judged: list[str] = []
    monkeypatch.setattr(Rule, "findings", _noting(judged))
    first = standing.look(cluster.snapshot())
    judged.clear()
    assert standing.look(later(cluster, 1).snapshot()) == first
    assert judged == []
    monkeypatch.undo()
    late = later(cluster, 55).snapshot()
    assert standing.look(late) == judge(late, RULES) != first


def test_a_clock_that_goes_back_is_believed():
    case = next(c for c in firing() if c.stem == "fires-lost-readiness")
    cluster, standing = pair(case), Standing(RULES)
    standing.look(later(cluster, 60).snapshot())
    before = later(cluster, -55).snapshot()
    assert standing.look(before) == judge(before, RULES)


def deaf(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Have one way of reading a snapshot leave no note."""
    original = getattr(Tracked, method)
    call = original.fget if isinstance(original, property) else original

    def quiet(self: Tracked, *asked: Any) -> Any:
        noted = (set(self.reads.near), set(self.reads.far), list(self.reads.shared), self.reads.due)
        answer = call(self, *asked)
        self.reads.near, self.reads.far, self.reads.shared, self.reads.due = noted
        return answer

    monkeypatch.setattr(Tracked, method, property(quiet) if isinstance(original, property) else quiet)


def is_found_out(chosen: tuple[Rule, ...] = RULES) -> bool:
    """Whether what the tests above do shows a difference."""
    for case in firing():
        cluster = pair(case)
        if next(differences(exactly(chosen), cluster, drops(cluster)), None) is not None:
            return True
    return False


@pytest.mark.parametrize("method", ["all", "get", "group", "made", "derived", "is_past"])
def test_a_read_that_leaves_no_note_is_found_out(monkeypatch: pytest.MonkeyPatch, method: str):
    deaf(monkeypatch, method)
    assert is_found_out()


CORDONED_AND_FULL = """
kind: Node
metadata: {name: shut}
spec: {unschedulable: true}
status: {allocatable: {cpu: "4", pods: "10"}}
---
kind: Node
metadata: {name: full}
status: {allocatable: {cpu: "4", pods: "10"}}
---
kind: Pod
metadata: {name: large, namespace: two}
spec: {nodeName: full, containers: [{name: app, resources: {requests: {cpu: "4"}}}]}
status: {phase: Running, containerStatuses: [{name: app, ready: true}]}
---
kind: Pod
metadata: {name: late, namespace: one, creationTimestamp: 2026-01-01T11:00:00Z}
spec: {containers: [{name: app, resources: {requests: {cpu: "2"}}}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}
"""
SHUNNED = """
kind: Node
metadata: {name: only, labels: {zone: a}}
status: {allocatable: {cpu: "4", pods: "10"}}
---
kind: Pod
metadata: {name: loner, namespace: two, labels: {app: loner}}
spec:
  nodeName: only
  containers: [{name: app}]
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: zone, namespaces: [one], labelSelector: {}}
status: {phase: Running, containerStatuses: [{name: app, ready: true}]}
---
kind: Pod
metadata: {name: late, namespace: one, creationTimestamp: 2026-01-01T11:00:00Z}
spec: {containers: [{name: app}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}
"""


def spanning(code: str) -> list[Cluster]:
    """Clusters in which a fault of this code lies between namespaces."""
    text = {"KM204": SHUNNED, "KM205": CORDONED_AND_FULL}.get(code)
    if text is not None:
        return [Cluster({**Cluster().objects, **world(text).snapshot.objects})]
    return [pair(c) for c in firing() if c.parent.name == next(r.id for r in RULES if r.code == code)]


# Of the scheduling rules, KM202 and KM203 look at nodes alone; they are whole to share one search with the others.
@pytest.mark.parametrize("code", sorted({r.code for r in RULES if r.whole} - {"KM202", "KM203"}))
def test_a_rule_that_looks_across_namespaces_must_say_so(code: str):
    told = tuple(replace(r, whole=False) if r.code == code else r for r in RULES)
    assert any(code in {f.code for f in exactly().look(c.snapshot()).findings} for c in spanning(code))
    assert any(next(differences(exactly(told), c, drops(c)), None) is not None for c in spanning(code))


def test_a_pod_that_only_another_namespaces_pods_keep_from_a_cordoned_node_is_judged():
    """Once no rule could say what such a pod lacks, and the whole judgement failed."""
    cordoned = SHUNNED.replace("status: {allocatable", "spec: {unschedulable: true}\nstatus: {allocatable", 1)
    report = exactly().look(world(cordoned).snapshot)
    assert [d.root.code for d in report.diagnoses] == ["KM204"]


def stumbling(where: str) -> Rule:
    """A rule that finds a fault in each ConfigMap, and has a mistake that shows in one namespace."""

    def judge_maps(snapshot: Snapshot) -> Iterator[Observation]:
        """A ConfigMap."""
        for held in snapshot.all(ConfigMap):
            if held.namespace == where:
                raise ZeroDivisionError("as if")
            yield Observation(about=held.ref, says="is there", evidence=(), confidence=1.0)

    return Rule("KM998", judge_maps, Severity.ERROR, (ConfigMap,), (), frozenset())


def test_a_rule_that_fails_is_told_as_not_judged_where_it_fails_and_keeps_no_other_from_judging():
    sound = next(r for r in RULES if r.code == "KM112")
    case = next(c for c in firing() if c.stem == "fires-lost-readiness")
    cluster, standing = pair(case), Standing((sound, stumbling("two")))
    cluster.put(ConfigMap(metadata=Meta(name="a", namespace="one", uid="1")))
    well = standing.look(cluster.snapshot())
    assert well.not_judged == ()
    broken = ConfigMap(metadata=Meta(name="b", namespace="two", uid="2"))
    cluster.put(broken)
    report = standing.look(cluster.snapshot())
    assert [(n.code, n.namespace) for n in report.not_judged] == [("KM998", "two")]
    assert "ZeroDivisionError: as if" in report.not_judged[0].why
    assert report.diagnoses == well.diagnoses
    assert {f.code for f in report.findings} == {"KM112", "KM998"}
    cluster.drop(broken)
    assert standing.look(cluster.snapshot()) == well


def test_a_full_judgement_says_so_of_the_whole_rule():
    cluster = Cluster()
    cluster.put(*(ConfigMap(metadata=Meta(name="a", namespace=n, uid=n)) for n in ("one", "two")))
    report = judge(cluster.snapshot(), (stumbling("two"),))
    assert [(n.code, n.namespace) for n in report.not_judged] == [("KM998", "")]
    assert report.diagnoses == ()


FAMILIES = """
kind: Deployment
metadata: {name: web, namespace: one}
---
kind: ReplicaSet
metadata: {name: web-1, namespace: one, ownerReferences: [{kind: Deployment, name: web}]}
---
kind: Pod
metadata: {name: web-1-x, namespace: one, ownerReferences: [{kind: ReplicaSet, name: web-1}]}
---
kind: CronJob
metadata: {name: nightly, namespace: one}
---
kind: Job
metadata: {name: nightly-1, namespace: one, ownerReferences: [{kind: CronJob, name: nightly}]}
---
kind: Pod
metadata: {name: nightly-1-x, namespace: one, ownerReferences: [{kind: Job, name: nightly-1}]}
---
kind: Pod
metadata: {name: alone, namespace: one}
"""


@pytest.mark.parametrize("space", ["one", None])
def test_what_is_tracked_shows_families_as_a_snapshot_does(space: str | None):
    snapshot = world(FAMILIES).snapshot
    ground = Ground(snapshot.objects)
    for obj in (o for held in snapshot.objects.values() for o in held.values()):
        view = Tracked(snapshot, ground, ground, space, {})
        assert view.pods(obj) == snapshot.pods(obj)
        assert (view.owner(obj), view.top(obj)) == (snapshot.owner(obj), snapshot.top(obj))
    assert [p.name for p in snapshot.pods(snapshot.all(Deployment)[0])] == ["web-1-x"]
    assert [p.name for p in snapshot.pods(snapshot.all(CronJob)[0])] == ["nightly-1-x"]
