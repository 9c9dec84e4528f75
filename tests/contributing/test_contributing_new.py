"""`make new-rule`, `new-strategy`, `new-tool`: what they write keeps the promises of its kind from the first minute."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts import new

from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Declined, Plan
from kubemend.model.rule import Rule
from kubemend.model.strategy import Strategy
from kubemend.model.tool import Tool
from worlds import World, world


def unit(files: dict[Path, str], mark: str) -> Any:
    """The unit in the one Python file of these, as the catalogue would find it."""
    [source] = [text for path, text in files.items() if path.suffix == ".py" and "src" in path.parts]
    module = ModuleType("unit")
    exec(source, vars(module))  # the generated source is what is tested
    [found] = [getattr(v, mark) for v in vars(module).values() if hasattr(v, mark)]
    return found


def case(files: dict[Path, str], name: str) -> World:
    [text] = [text for path, text in files.items() if path.name.startswith(name)]
    return world(text)


def test_a_new_rule_fires_in_one_of_its_cases_and_not_in_the_other() -> None:
    files = new.rule("pod/zz-strange-fault", "")
    made: Rule = unit(files, "__rule__")
    fires = case(files, "fires-")
    assert made.id == "zz-strange-fault"
    assert [(str(f.about), f.message) for f in made.findings(fires.snapshot)] == [
        (fires.expect["about"], fires.expect["message"])
    ]
    assert list(made.findings(case(files, "silent-").snapshot)) == []


def test_a_new_strategy_plans_in_a_world_of_its_rule_and_declines_when_the_target_is_gone() -> None:
    from kubemend.engine.catalogue import rules

    files = new.strategy("zz-strange-repair", "KM101")
    made: Strategy = unit(files, "__strategy__")
    plans, declines = case(files, "plans-"), case(files, "declines-")
    [finding] = next(r for r in rules() if r.code == "KM101").findings(plans.snapshot)
    plan = made.plan(Diagnosis(root=finding), plans.snapshot)
    assert isinstance(plan, Plan)
    assert {str(c.target): c.body for c in plan.changes} == plans.expect["patches"]
    assert isinstance(refusal := made.plan(Diagnosis(root=finding), declines.snapshot), Declined)
    assert declines.expect["why"] in refusal.why


def test_a_new_tool_declares_what_a_tool_has_to_and_says_what_to_write_where() -> None:
    files = new.tool("resources/zz_strange_list")
    made: Tool = unit(files, "__tool__")
    assert made.name == "zz_strange_list"
    assert made.summary.endswith(".")
    assert all(p["description"] for p in made.schema["properties"].values())
    assert set(made.examples[0]) <= set(made.schema["properties"])
    [test] = [text for path, text in files.items() if path.name == "test_tools_zz_strange_list.py"]
    compile(test, "test", "exec")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere/list_things", "a module out of"),
        ("list_things", "NAME is MODULE/snake_name"),
        ("resources/List-Things", "NAME is MODULE/snake_name"),
        ("cluster/list_kubernetes_pods", "resources has a tool of that name"),
    ],
)
def test_a_tool_that_cannot_be_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(new.Refused, match=why):
        new.tool(name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one folder of rules, in which KM101 and KM104 are in use."""
    folder = tmp_path / "src" / "kubemend" / "rules" / "pod"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Rules about pods (KM1xx)."""\n')
    (folder / "first.py").write_text('@rule("KM101", severity=1)\n')
    (folder / "fourth.py").write_text('@rule(\n    "KM104",\n)\n')
    return tmp_path


def code_of(files: dict[Path, str]) -> str:
    [code] = re.findall(r'@rule\("(KM\d+)"', "".join(files.values()))
    return str(code)


def test_the_next_code_is_above_all_in_use_so_that_a_retired_one_is_never_given_out_again(tree: Path) -> None:
    assert code_of(new.rule("pod/new", "", tree)) == "KM105"
    assert code_of(new.rule("pod/new", "KM150", tree)) == "KM150"


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("pod/new", "KM104", "KM104 is fourth"),
        ("new", "", "NAME is FOLDER/kebab-name"),
        ("node/new", "", "a folder out of pod"),
        ("pod/New_Fault", "", "NAME is FOLDER/kebab-name"),
        ("pod/../x", "", "NAME is FOLDER/kebab-name"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_the_reason(tree: Path, name: str, code: str, why: str) -> None:
    with pytest.raises(new.Refused, match=why):
        new.rule(name, code, tree)


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("repair", "KM999", "one of KM101, KM104; got 'KM999'"),
        ("a/b", "KM101", "NAME is"),
        ("repair", "KM104", "no case"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused_with_the_reason(tree: Path, name: str, code: str, why: str) -> None:
    with pytest.raises(new.Refused, match=why):
        new.strategy(name, code, tree)


def test_nothing_is_written_when_one_file_is_there_already(tree: Path) -> None:
    files = new.rule("pod/fifth", "", tree)
    there = next(p for p in files if p.name == "silent-example.yaml")
    there.parent.mkdir(parents=True)
    there.write_text("mine\n")
    with pytest.raises(new.Refused, match="exists already"):
        new.write(files)
    assert there.read_text() == "mine\n"
    assert [p.name for p in there.parent.iterdir()] == ["silent-example.yaml"]
