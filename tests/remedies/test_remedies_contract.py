"""What every strategy promises, tested over the whole catalogue.

Cases stand beside this file: `cases/<strategy id>/plans-*.yaml` and `declines-*.yaml`, each a world (see `worlds`).
The diagnosis is what the rules find in that world: the first finding of the code in `Expect.code` (of the first code
that the strategy cures and that fires, when it isn't given), with the facts of `Expect.finding` if there are several.
For the case that a diagnosis is older than its world, `Expect.finding` may be a whole finding instead: `about`,
`target` (as `Kind namespace/name`) and `facts`, with `given: true`.

`Expect` of a plan: `patches`, a map from `Kind namespace/name` to the body; `changes`, a list of "op Kind
namespace/name" of all changes, a rollback's followed by " to Kind namespace/name"; `confidence`, `risk` (name),
`reason`. Of a decline: `why`, a part of the reason.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubemend.engine.catalogue import rules, strategies
from kubemend.kube.diff import without_server_fields
from kubemend.kube.patch import inverse, merge, strategic
from kubemend.model.access import Access
from kubemend.model.finding import Diagnosis, Finding, Severity, cite
from kubemend.model.objects import KINDS, kind_of
from kubemend.model.plan import Change, Create, Declined, Delete, Evict, Patch, Plan, RollBack, Scale
from kubemend.model.pointer import at
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Strategy
from worlds import World, decode, load

CASES = Path(__file__).parent / "cases"
STRATEGIES = strategies()
BY_ID = {s.id: s for s in STRATEGIES}
RULES = {r.code: r for r in rules()}


def files(pattern: str) -> list[Any]:
    return [pytest.param(p, id=f"{p.parent.name}/{p.stem}") for p in sorted(CASES.glob(f"*/{pattern}.yaml"))]


each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.id)
each_plan = pytest.mark.parametrize("case", files("plans-*"))
each_decline = pytest.mark.parametrize("case", files("declines-*"))


def diagnosed(strategy: Strategy, world: World) -> Diagnosis:
    wanted = world.expect.get("finding", {})
    if wanted.get("given"):
        return Diagnosis(root=given(world.expect["code"], wanted))
    codes = [world.expect["code"]] if "code" in world.expect else strategy.cures
    facts = wanted.get("facts", {})
    found = [f for code in codes if code in RULES for f in RULES[code].findings(world.snapshot)]
    root = next((f for f in found if facts.items() <= f.facts.items()), None)
    assert root is not None, f"no rule of {codes} fires in this world"
    return Diagnosis(root=root)


def given(code: str, wanted: dict[str, Any]) -> Finding:
    about, target = ref(wanted["about"]), ref(wanted.get("target", wanted["about"]))
    facts = {k: tuple(v) if isinstance(v, list) else v for k, v in wanted["facts"].items()}
    return Finding(
        code=code,
        title="",
        severity=Severity.ERROR,
        about=about,
        subject=target,
        target=target,
        message="",
        evidence=(),
        confidence=1.0,
        facts=facts,
    )


def told(change: Change) -> str:
    to = f" to {change.revision}" if isinstance(change, RollBack) else ""
    return f"{type(change).__name__.lower()} {change.target}{to}"


def ref(text: str) -> Ref:
    kind, _, place = text.partition(" ")
    namespace, _, name = place.rpartition("/")
    return Ref(kind, namespace, name, KINDS[kind].group)


def made(case: Path) -> tuple[Strategy, World, Diagnosis, Plan | Declined]:
    strategy, world = BY_ID[case.parent.name], load(case)
    diagnosis = diagnosed(strategy, world)
    return strategy, world, diagnosis, strategy.plan(diagnosis, world.snapshot)


def planned(case: Path) -> tuple[Strategy, World, Diagnosis, Plan]:
    strategy, world, diagnosis, plan = made(case)
    assert isinstance(plan, Plan), plan
    return strategy, world, diagnosis, plan


def applied(change: Change, raw: dict[Ref, Any]) -> dict[str, Any] | None:
    """The object as it would be after the change; None when it is gone."""
    match change:
        case Patch(target=target, body=body, kind="strategic"):
            return strategic(copy.deepcopy(raw[target]), body, kind=target.kind)
        case Patch(target=target, body=body):
            return merge(copy.deepcopy(raw[target]), body)
        case RollBack(target=target, revision=revision):
            return rolled_back(copy.deepcopy(raw[target]), copy.deepcopy(raw[revision]))
        case Scale(target=target, replicas=replicas):
            return merge(copy.deepcopy(raw[target]), {"spec": {"replicas": replicas}})
        case Create(manifest=manifest):
            return {"metadata": {}, **copy.deepcopy(manifest)}
    return None


def rolled_back(workload: dict[str, Any], revision: dict[str, Any]) -> dict[str, Any]:
    """The workload with the revision's template. As on a server, its generation is one more for its controller."""
    template = revision.get("data", revision)["spec"]["template"]
    template.pop("$patch", None)
    template.get("metadata", {}).get("labels", {}).pop("pod-template-hash", None)
    workload["spec"]["template"] = template
    workload["metadata"]["generation"] = workload["metadata"].get("generation", 0) + 1
    return workload


def carried_out(plan: Plan, world: World) -> Snapshot:
    """The world with the plan's changes in it, and nothing that controllers would make of them."""
    held = {kind: dict(objects) for kind, objects in world.snapshot.objects.items()}
    for change in plan.changes:
        kind, after = kind_of(change.target), applied(change, world.raw)
        assert kind is not None
        key = (change.target.namespace, change.target.name)
        if after is None:
            held[kind].pop(key)
        else:
            held.setdefault(kind, {})[key] = decode({"kind": change.target.kind, **after})
    return replace(world.snapshot, objects=held, _cache={})


def access(change: Change) -> set[Access]:
    kind = kind_of(change.target)
    assert kind is not None
    match change:
        case Patch():
            return {Access("patch", kind.plural, kind.group)}
        case RollBack(revision=revision):
            kept = KINDS[revision.kind]
            return {Access("patch", kind.plural, kind.group), Access("get", kept.plural, kept.group)}
        case Scale():
            return {Access("patch", f"{kind.plural}/scale", kind.group)}
        case Evict():
            return {Access("create", "pods/eviction")}
        case Create():
            return {Access("create", kind.plural, kind.group)}
        case Delete():
            return {Access("delete", kind.plural, kind.group)}


def test_ids_are_unique():
    assert STRATEGIES
    assert len(BY_ID) == len(STRATEGIES)


def test_every_case_belongs_to_a_strategy_and_says_which_kind_it_is():
    assert {p.name for p in CASES.iterdir()} <= set(BY_ID)
    assert [p for p in CASES.glob("*/*") if not re.fullmatch(r"(plans|declines)-[a-z0-9-]+\.yaml", p.name)] == []


@each_strategy
def test_a_strategy_stands_alone_in_a_file_of_its_name(strategy: Strategy):
    module = strategy.planner.__module__
    assert module.rpartition(".")[2] == strategy.planner.__name__
    assert [s.id for s in STRATEGIES if s.planner.__module__ == module] == [strategy.id]


@each_strategy
def test_a_strategys_doc_says_what_it_does_and_how_it_is_safe(strategy: Strategy):
    first, _, rest = strategy.doc.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    assert "## Safety" in rest
    assert rest.partition("## Safety")[2].strip()


@each_strategy
def test_a_strategy_cures_faults_that_rules_find(strategy: Strategy):
    assert strategy.cures
    assert set(strategy.cures) <= set(RULES)


@each_strategy
def test_a_strategy_has_a_case_that_plans_and_one_that_declines(strategy: Strategy):
    assert list((CASES / strategy.id).glob("plans-*.yaml"))
    assert list((CASES / strategy.id).glob("declines-*.yaml"))


@each_plan
def test_a_plan_is_as_expected(case: Path):
    _, world, _, plan = planned(case)
    expect = world.expect
    if "patches" in expect:
        assert {str(c.target): c.body for c in plan.changes if isinstance(c, Patch)} == expect["patches"]
    if "changes" in expect:
        assert [told(c) for c in plan.changes] == expect["changes"]
    found = {"confidence": plan.confidence, "risk": plan.risk.name, "reason": plan.reason}
    assert {k: v for k, v in found.items() if k in expect} == {k: expect[k] for k in found if k in expect}
    assert {"patches", "changes"} & set(expect), "a case that plans says what"


@each_decline
def test_a_strategy_declines_with_the_expected_reason(case: Path):
    _, world, _, plan = made(case)
    assert isinstance(plan, Declined), plan
    assert world.expect["why"] in plan.why


@each_plan
def test_planning_twice_gives_the_same_plan(case: Path):
    strategy, world, diagnosis, plan = planned(case)
    again = strategy.plan(diagnosed(strategy, load(case)), load(case).snapshot)
    assert again == plan
    assert isinstance(again, Plan)
    assert again.hash == plan.hash
    assert strategy.plan(diagnosis, world.snapshot) == plan


@each_plan
def test_every_change_is_of_an_object_that_was_seen(case: Path):
    _, world, _, plan = planned(case)
    deleted = {c.target for c in plan.changes if isinstance(c, Delete)}
    for change in plan.changes:
        seen = world.snapshot.find(change.target)
        if isinstance(change, Create):
            assert seen is None or change.target in deleted
            continue
        assert seen is not None
        assert change.uid == seen.metadata.uid != ""
        if isinstance(change, Patch):
            assert not {"uid", "resourceVersion", "name", "namespace"} & set(change.body.get("metadata", {}))
            assert "status" not in change.body
        if isinstance(change, RollBack):
            revision = world.snapshot.find(change.revision)
            assert revision is not None
            assert change.revision_uid == revision.metadata.uid != ""
        if isinstance(change, Scale):
            assert at(world.raw[change.target], "/spec/replicas") in (None, change.was)


@each_plan
def test_applying_and_undoing_restores_the_object(case: Path):
    _, world, _, plan = planned(case)
    for change in plan.changes:
        if not isinstance(change, Patch | RollBack | Scale):
            continue
        before = world.raw[change.target]
        after = applied(change, world.raw)
        assert after is not None
        assert without_server_fields(after) != without_server_fields(before), "the change changes nothing"
        back = merge(copy.deepcopy(after), inverse(before, after))
        assert without_server_fields(back) == without_server_fields(before)


@each_plan
def test_a_world_already_right_is_declined(case: Path):
    strategy, world, diagnosis, plan = planned(case)
    again = strategy.plan(diagnosis, carried_out(plan, world))
    assert isinstance(again, Declined), again
    assert again.why


@each_plan
def test_a_target_that_is_gone_is_declined(case: Path):
    strategy, world, diagnosis, plan = planned(case)
    held = {
        kind: {k: o for k, o in objects.items() if o.ref not in {plan.target, *(c.target for c in plan.changes)}}
        for kind, objects in world.snapshot.objects.items()
    }
    again = strategy.plan(diagnosis, replace(world.snapshot, objects=held, _cache={}))
    assert isinstance(again, Declined), again


@each_plan
def test_a_kind_that_could_not_be_read_is_a_reason_to_decline(case: Path):
    strategy, world, diagnosis, _ = planned(case)
    for kind in strategy.reads:
        held = {k: objects for k, objects in world.snapshot.objects.items() if k is not kind}
        assert isinstance(strategy.plan(diagnosis, replace(world.snapshot, objects=held, _cache={})), Declined)


@each_plan
def test_declared_access_covers_the_changes(case: Path):
    strategy, _, _, plan = planned(case)
    assert set().union(*map(access, plan.changes)) <= strategy.needs


@each_plan
def test_what_a_plan_requires_holds_in_the_world_it_was_made_for(case: Path):
    _, world, _, plan = planned(case)
    for cited in plan.requires:
        obj = world.snapshot.find(cited.ref)
        assert obj is not None
        # A plan is kept as JSON, which has no tuples.
        assert json.loads(msgspec.json.encode(at(obj, cited.path))) == cited.value
        # The guard asks again in the whole object: a default, or a part that Structs hold less of, would differ there.
        if cited.ref in {c.target for c in plan.changes}:
            assert at(world.raw[cited.ref], cited.path) == cited.value, cited.path


@each_plan
def test_a_plan_is_verified_on_something_that_is_there(case: Path):
    _, world, _, plan = planned(case)
    made_new = {c.target for c in plan.changes if isinstance(c, Create)}
    assert plan.verify.healthy
    assert all(world.snapshot.find(r) is not None or r in made_new for r in plan.verify.healthy)
    assert 0 < plan.verify.steady_s < plan.verify.within_s <= 900
    assert 0 < plan.confidence <= 1


def test_the_helper_reads_a_reference_as_it_is_written():
    world = load(next(CASES.glob("*/plans-*.yaml")))
    obj = next(o for held in world.snapshot.objects.values() for o in held.values())
    assert ref(str(obj.ref)) == obj.ref == cite(obj, "metadata", "name").ref
