"""Causes and symptoms: what nothing explains is a cause, and nothing unread is called healthy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kubemend.engine.judge import judge
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Deployment, Meta, Node, Obj, OwnerReference, Pod, ReplicaSet, Service
from kubemend.model.rule import Rule, rule
from kubemend.model.snapshot import Snapshot, Unread

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def meta(name: str, owner: Obj | None = None) -> Meta:
    owners = ()
    if owner is not None:
        group = type(owner).group
        version = f"{group}/v1" if group else "v1"
        owners = (
            OwnerReference(
                kind=type(owner).__name__, name=owner.name, uid=owner.metadata.uid, api_version=version, controller=True
            ),
        )
    return Meta(name=name, namespace="shop", uid=f"uid-{name}", owner_references=owners)


WEB = Deployment(metadata=meta("web"))
SET = ReplicaSet(metadata=meta("web-1", WEB))
PODS = [Pod(metadata=meta(f"web-1-{i}", SET)) for i in range(3)]
FRONT = Service(metadata=meta("front"))


def snapshot(*, unread: tuple[Unread, ...] = (), kinds: tuple[type[Obj], ...] = (Pod, Service, Deployment, ReplicaSet)):
    objects = [o for o in (WEB, SET, FRONT, *PODS) if type(o) in kinds]
    return Snapshot.of(objects, taken_at=NOW, unread=unread, kinds=kinds)


def made(code: str, obs: list[Observation], *, reads=(Pod,), explains: tuple[str, ...] = ()) -> Rule:
    @rule(code, severity=Severity.ERROR, reads=reads, explains=explains)
    def some_fault(_snapshot: Snapshot) -> Iterator[Observation]:
        """A fault."""
        yield from obs

    return some_fault.__rule__  # type: ignore[attr-defined]


def seen(obj: Obj, **more) -> Observation:
    return Observation(about=obj.ref, says="broken", evidence=(cite(obj, "metadata", "name"),), **more)


def test_the_pods_of_one_workload_are_one_finding_with_a_count():
    report = judge(snapshot(), [made("KM901", [seen(p) for p in PODS])])
    (diagnosis,) = report.diagnoses
    assert (diagnosis.root.count, diagnosis.root.subject, diagnosis.target) == (3, WEB.ref, WEB.ref)


def test_what_another_fault_explains_on_the_same_workload_is_its_symptom():
    cause = made("KM901", [seen(PODS[0])], explains=("KM902",))
    effect = made("KM902", [seen(WEB)], reads=(Deployment,))
    (diagnosis,) = judge(snapshot(), [effect, cause]).diagnoses
    assert (diagnosis.root.code, [s.code for s in diagnosis.symptoms]) == ("KM901", ["KM902"])


def test_a_service_is_a_symptom_of_the_workload_it_depends_on():
    cause = made("KM901", [seen(PODS[0])], explains=("KM903",))
    effect = made("KM903", [seen(FRONT, depends=(WEB.ref,))], reads=(Service,))
    (diagnosis,) = judge(snapshot(), [cause, effect]).diagnoses
    assert [s.about for s in diagnosis.symptoms] == [FRONT.ref]


def test_the_same_codes_on_unrelated_objects_are_two_causes():
    cause = made("KM901", [seen(PODS[0])], explains=("KM903",))
    effect = made("KM903", [seen(FRONT)], reads=(Service,))
    assert [d.root.code for d in judge(snapshot(), [cause, effect]).diagnoses] == ["KM901", "KM903"]


def test_a_chain_of_explanations_hangs_from_its_first_cause():
    first = made("KM901", [seen(PODS[0])], explains=("KM902",))
    second = made("KM902", [seen(WEB)], reads=(Deployment,), explains=("KM903",))
    third = made("KM903", [seen(FRONT, depends=(WEB.ref,))], reads=(Service,))
    (diagnosis,) = judge(snapshot(), [third, second, first]).diagnoses
    assert sorted(s.code for s in diagnosis.symptoms) == ["KM902", "KM903"]


def test_of_two_faults_that_explain_one_another_the_surer_is_the_cause():
    one = made("KM901", [seen(PODS[0], confidence=0.6)], explains=("KM902",))
    two = made("KM902", [seen(PODS[0], confidence=0.9)], explains=("KM901",))
    (diagnosis,) = judge(snapshot(), [one, two]).diagnoses
    assert (diagnosis.root.code, [s.code for s in diagnosis.symptoms]) == ("KM902", ["KM901"])


def test_a_rule_whose_kind_was_not_asked_for_is_not_judged():
    report = judge(snapshot(kinds=(Pod,)), [made("KM901", [], reads=(Node,))])
    assert [(n.code, n.why) for n in report.not_judged] == [("KM901", "nodes were not read")]


def test_a_rule_whose_kind_could_not_be_read_says_why_and_finds_nothing():
    unread = (Unread("Node", "forbidden"),)
    report = judge(snapshot(unread=unread), [made("KM901", [seen(PODS[0])], reads=(Node, Pod))])
    assert report.diagnoses == ()
    assert [(n.code, n.why) for n in report.not_judged] == [("KM901", "could not read Node: forbidden")]


def test_where_only_one_namespace_is_missing_the_rest_is_judged_and_the_gap_named():
    unread = (Unread("Pod", "forbidden", "bank"),)
    report = judge(snapshot(unread=unread), [made("KM901", [seen(PODS[0])])])
    assert len(report.diagnoses) == 1
    assert [n.namespace for n in report.not_judged] == ["bank"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_rules_does_not_change_the_verdict(order: int):
    rules = [
        made("KM901", [seen(p) for p in PODS], explains=("KM902",)),
        made("KM902", [seen(WEB)], reads=(Deployment,)),
        made("KM903", [seen(FRONT)], reads=(Service,)),
    ][::order]
    report = judge(snapshot(), rules)
    assert [(d.root.code, len(d.symptoms)) for d in report.diagnoses] == [("KM901", 1), ("KM903", 0)]


def test_a_fingerprint_stays_the_same_whichever_pod_shows_the_fault():
    prints = {judge(snapshot(), [made("KM901", [seen(p)])]).diagnoses[0].fingerprint for p in PODS}
    assert len(prints) == 1
