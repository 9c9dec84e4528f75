"""A tool's arguments on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubemend.model.errors import InvalidInput
from kubemend.surfaces.cli.arguments import spelled, whole

TAKES = {
    "name": {"type": "string"},
    "limit": {"type": "integer"},
    "names": {"anyOf": [{"type": "array"}, {"type": "null"}]},
    "labels": {"type": "object"},
    "either": {"anyOf": [{"type": "string"}, {"type": "array"}]},
    "nullable": {"type": ["array", "null"]},
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["name=web"], {"name": "web"}),
        (["name="], {"name": ""}),
        (["name=a=b"], {"name": "a=b"}),
        (["limit=5"], {"limit": "5"}),
        (["names=a"], {"names": ["a"]}),
        (["names=a", "names=b"], {"names": ["a", "b"]}),
        (['names=["a","b"]'], {"names": ["a", "b"]}),
        (['names=["a"]', "names=b"], {"names": ["a", "b"]}),
        (["nullable=a"], {"nullable": ["a"]}),
        (["either=a"], {"either": "a"}),
        (
            ["labels.app=web", "labels.app.kubernetes.io/name=x"],
            {"labels": {"app": "web", "app.kubernetes.io/name": "x"}},
        ),
        (['labels={"app": "web"}', "labels.tier=front"], {"labels": {"app": "web", "tier": "front"}}),
        (["name=[half"], {"name": "[half"}),
        (["unknown.key=1"], {"unknown.key": "1"}),
    ],
    ids=str,
)
def test_words_become_texts_lists_and_mappings(words: list[str], found: dict[str, Any]) -> None:
    assert spelled(words, TAKES) == found


@pytest.mark.parametrize("words", [["web"], ["=web"], ["labels=x", "labels.app=web"]], ids=str)
def test_words_that_say_nothing_clear_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInput):
        spelled(words, TAKES)


def test_all_arguments_may_come_from_one_text_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    given = {"namespace": "shop", "names": ["a"]}
    (tmp_path / "a.json").write_text(json.dumps(given))
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
    assert whole("") == {}
    assert whole(json.dumps(given)) == whole(f"@{tmp_path / 'a.json'}") == whole("-") == given


@pytest.mark.parametrize("text", ["[1]", "{", "7", "@/nowhere/a.json", "@/dev/null"])
def test_a_text_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        whole(text)


def test_a_list_of_tools_may_be_of_some_modules_and_up_to_a_risk(cli: Any) -> None:
    ran = cli("tools", "list", "--module", "resources", "--module", "query", "--risk", "read", "-o", "json")
    assert {(t["module"], t["risk"]) for t in ran.json} == {("resources", "read"), ("query", "read")}
    lost = cli("tools", "list", "--module", "resource")
    assert lost.status == 2
    assert "did you mean resources?" in lost.err


def test_a_tool_is_described_with_its_answer_its_hints_and_its_rights(cli: Any) -> None:
    told = cli("tools", "describe", "scale_deployment", "-o", "json").json
    assert told["hints"]["readOnlyHint"] is False
    assert "patch deployments/scale.apps" in told["needs"]
    assert told["answers"]["properties"]["data"]
    assert cli("tools", "describe", "scale_deploymen").status == 2


def test_a_served_tool_that_there_is_none_of_is_named_before_anything_is_opened(cli: Any) -> None:
    ran = cli("mcp", "serve", "--tool", "list_kubernetes_pod")
    assert ran.status == 2
    assert "did you mean list_kubernetes_pods?" in ran.err
