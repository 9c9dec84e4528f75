"""What every rule promises, tested over the whole catalogue.

Cases stand beside this file: `cases/<rule id>/fires-*.yaml` and `silent-*.yaml`, each a world (see `worlds`). In the
`Expect` document of a case that fires, `about`, `subject`, `target` (written as `Kind namespace/name`), `facts` and
`message` describe a finding there must be; `findings`, a list of such, describes all of them in order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubemend.engine.catalogue import rules
from kubemend.model.finding import Finding, plain
from kubemend.model.objects import KINDS
from kubemend.model.pointer import at
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot
from worlds import NOW, World, load

CASES = Path(__file__).parent / "cases"
RULES = rules()
BY_ID = {r.id: r for r in RULES}


def files(pattern: str) -> list[Any]:
    return [pytest.param(p, id=f"{p.parent.name}/{p.stem}") for p in sorted(CASES.glob(f"*/{pattern}.yaml"))]


each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
each_firing = pytest.mark.parametrize("case", files("fires-*"))
each_silent = pytest.mark.parametrize("case", files("silent-*"))


def judged(case: Path) -> tuple[Rule, World, list[Finding]]:
    rule, world = BY_ID[case.parent.name], load(case)
    return rule, world, list(rule.findings(world.snapshot))


def shown(finding: Finding, wanted: dict[str, Any]) -> dict[str, Any]:
    """The part of a finding that a case speaks of, in the case's words."""
    facts = {k: list(v) if isinstance(v, tuple) else v for k, v in finding.facts.items()}
    found = {
        "about": str(finding.about),
        "subject": str(finding.subject),
        "target": str(finding.target),
        "message": finding.message,
        "facts": {k: facts.get(k, "<no such fact>") for k in wanted.get("facts", {})},
    }
    return {k: found[k] for k in wanted if k in found}


def expected(wanted: dict[str, Any]) -> dict[str, Any]:
    return {k: wanted[k] for k in ("about", "subject", "target", "message", "facts") if k in wanted}


def test_codes_are_unique_and_well_formed():
    codes = [r.code for r in RULES]
    assert codes
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"KM\d{3}", c) for c in codes)


def test_ids_are_unique():
    assert len(BY_ID) == len(RULES)


def test_every_case_belongs_to_a_rule_and_says_which_kind_it_is():
    assert {p.name for p in CASES.iterdir()} <= set(BY_ID)
    assert [p for p in CASES.glob("*/*") if not re.fullmatch(r"(fires|silent)-[a-z0-9-]+\.yaml", p.name)] == []


@each_rule
def test_a_rule_stands_alone_in_a_file_of_its_name(rule: Rule):
    module = rule.judge.__module__
    assert module.rpartition(".")[2] == rule.judge.__name__
    assert [r.id for r in RULES if r.judge.__module__ == module] == [rule.id]


@each_rule
def test_a_rules_name_is_the_fault_not_the_cure(rule: Rule):
    assert rule.id.partition("-")[0] not in {"check", "detect", "find", "fix", "raise", "restore", "set", "restart"}


@each_rule
def test_a_rules_doc_is_a_page_for_users(rule: Rule):
    first, _, rest = rule.doc.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    headings = re.findall(r"^## .*$", rest, re.MULTILINE)
    assert headings == ["## What it means", "## Why it matters", "## What to do"]
    assert all(part.strip() for part in re.split(r"^## .*$", rest, flags=re.MULTILINE)[1:])


@each_rule
def test_a_rule_explains_only_other_rules_that_exist(rule: Rule):
    assert rule.explains <= {r.code for r in RULES} - {rule.code}


@each_rule
def test_a_rule_has_a_case_that_fires_and_one_that_is_silent(rule: Rule):
    assert list((CASES / rule.id).glob("fires-*.yaml"))
    assert list((CASES / rule.id).glob("silent-*.yaml"))


@each_rule
def test_a_rule_says_nothing_of_an_empty_cluster(rule: Rule):
    assert list(rule.judge(Snapshot.of([], taken_at=NOW, kinds=KINDS.values()))) == []
    assert list(rule.judge(Snapshot.of([], taken_at=NOW))) == []


@each_silent
def test_a_rule_stays_silent(case: Path):
    _, _, findings = judged(case)
    assert [f.message for f in findings] == []


@each_firing
def test_a_rule_fires_as_expected(case: Path):
    _, world, findings = judged(case)
    assert findings, "nothing was found"
    if "findings" in world.expect:
        wanted = world.expect["findings"]
        assert [shown(f, w) for f, w in zip(findings, wanted, strict=True)] == [expected(w) for w in wanted]
    else:
        assert expected(world.expect) in [shown(f, world.expect) for f in findings]


@each_firing
def test_every_citation_reads_the_same_again(case: Path):
    rule, world, findings = judged(case)
    for finding in findings:
        assert finding.evidence
        for cited in finding.evidence:
            obj = world.snapshot.find(cited.ref)
            assert obj is not None, f"{cited.ref} isn't in the snapshot"
            assert plain(at(obj, cited.path)) == cited.value, cited.path
            assert type(obj) in (*rule.reads, *rule.uses), f"cites {cited.ref} without declaring the kind"
        assert any(cited.value is not None for cited in finding.evidence)


@each_firing
def test_a_finding_is_one_sentence_with_a_sane_confidence(case: Path):
    _, _, findings = judged(case)
    for finding in findings:
        assert not finding.message.endswith(".")
        assert "\n" not in finding.message
        assert 0 < finding.confidence <= 1


@each_firing
def test_judging_twice_finds_the_same(case: Path):
    rule, world, findings = judged(case)
    assert list(rule.findings(world.snapshot)) == findings


@each_firing
def test_a_kind_that_only_helps_may_be_missing(case: Path):
    rule, world, _ = judged(case)
    for kind in rule.uses:
        kept = {k: held for k, held in world.snapshot.objects.items() if k is not kind}
        list(rule.findings(replace(world.snapshot, objects=kept, _cache={})))
