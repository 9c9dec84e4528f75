"""Every folder of `scenarios/` is in order with every seed, and what is not in order is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubemend.engine import catalogue
from kubemend.lab.scenarios import PREFIXES, cast, home, names
from kubemend.model.errors import InvalidInput

SEEDS = range(5)
SCENARIO = "summary: x\ncategory: images\n"
FAULT = SCENARIO + 'finds: {code: KM103, target: "Deployment/${p}web"}\nrepairs: [restore-image-tag]\n'
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${p}web}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "scenario.yaml").write_text(FAULT)
    (tmp_path / "one" / "healthy.yaml").write_text(WEB)
    return tmp_path


@pytest.mark.parametrize("name", names())
def test_a_scenario_is_in_order_with_every_seed(name):
    codes = {r.code for r in catalogue.rules()}
    strategies = {s.id for s in catalogue.strategies()}
    for seed in SEEDS:
        played = cast(name, seed, nodes=("n1", "n2"))
        assert played.manifests("healthy") or played.manifests("fault")
        played.manifests("past")
        assert {c.code for c in played.scenario.causes} | set(played.scenario.also) <= codes
        assert set(played.scenario.repairs) <= strategies


@pytest.mark.parametrize("name", names())
def test_a_prefix_reaches_every_name_of_a_scenario(name):
    """What keeps its plain name with a prefix before the others refers to nothing, or to two things at once."""
    plain = cast(name, 0, nodes=("n1",))
    other = next(c for s in range(1, 40) if (c := cast(name, s, nodes=("n1",))).prefix)
    for part in ("healthy", "past", "fault"):
        for one, two in zip(plain.manifests(part), other.manifests(part), strict=True):
            if one["kind"] in ("Namespace", "Node") or one["metadata"]["name"].startswith(plain.namespace):
                continue
            assert two["metadata"]["name"] == other.prefix + one["metadata"]["name"]


def test_there_are_sixty_faults_and_twenty_controls():
    every = [cast(n).scenario for n in names()]
    assert sum(not s.control for s in every) >= 60
    assert sum(s.control for s in every) >= 20


def test_seeds_differ_in_names_and_namespaces_and_each_is_the_same_every_time():
    played = [cast("image-tag-typo", seed) for seed in SEEDS]
    assert played == [cast("image-tag-typo", seed) for seed in SEEDS]
    assert played[0].prefix == ""
    assert played[0].namespace == "s-image-tag-typo"
    assert len({p.namespace for p in played}) == len(played)
    assert {p.prefix for p in played[1:]} <= set(PREFIXES)
    assert len({p.words["replicas"] for p in (cast("image-tag-typo", s) for s in range(20))}) == 3


def test_namespaces_of_one_seed_are_all_different():
    for seed in SEEDS:
        spaces = [cast(n, seed, nodes=("n1",)).namespace for n in names()]
        assert len(set(spaces)) == len(spaces)


def test_a_dollar_that_is_none_of_ours_is_refused(root):
    (root / "one" / "healthy.yaml").write_text(WEB + "data: {a: $HOME}\n")
    with pytest.raises(InvalidInput, match="HOME"):
        cast("one", root=root).manifests("healthy")


def test_two_dollars_are_one(root):
    (root / "one" / "healthy.yaml").write_text(WEB + "data: {a: $$HOME}\n")
    assert cast("one", root=root).manifests("healthy")[0]["data"] == {"a": "$HOME"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (FAULT + "sumary: y\n", "sumary"),
        (FAULT + "control: true\n", "a control nothing"),
        (SCENARIO, "a fault `finds` something"),
        (FAULT.replace("restore-image-tag", ""), "`repairs` may only be empty"),
        (FAULT + "clusters: [practice]\n", "`why_not`"),
        (FAULT + "clusters: [practice, plane]\nwhy_not: {plane: x, node: x}\n", "`why_not`"),
        (FAULT.replace("Deployment/", "Deplyment/"), "Kind/name"),
        (FAULT + "replicas: [3, 1]\n", "least, most"),
        (FAULT + 'keeps: [{object: "Deployment/${p}web", path: /spec}]\n', "one of `is`"),
        (FAULT.replace("images", "imagos"), "imagos"),
    ],
)
def test_a_scenario_that_is_not_in_order_is_refused_with_the_reason(root, text, why):
    (root / "one" / "scenario.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=why) as refused:
        cast("one", root=root)
    assert refused.value.code == "scenario-invalid"
    assert refused.value.where == "one/scenario.yaml"


def test_what_is_in_no_namespace_needs_a_name_of_the_scenarios_own(root):
    (root / "one" / "healthy.yaml").write_text(WEB.replace("ConfigMap", "Namespace"))
    with pytest.raises(InvalidInput, match="scope: cluster"):
        cast("one", root=root).manifests("healthy")


def test_the_scenarios_are_found_where_this_checkout_has_them():
    assert home() == Path(__file__).resolve().parents[2] / "scenarios"
