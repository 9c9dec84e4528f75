"""What clients build on: names, arguments, answers, hints. The golden file changes only on purpose: make golden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kubemend.engine import catalogue, prospectus
from kubemend.model.order import Errand
from kubemend.model.tool import Tool

GOLDEN = Path(__file__).with_name("golden.json")
EXAMPLES = Path(__file__).parents[2] / "docs" / "tools" / "examples.json"
TOOLS = catalogue.tools()
ASK = "run `make golden`, read the diff, and tell users in CHANGELOG.md what changed"


def test_no_tool_came_or_went_unsaid() -> None:
    assert sorted(TOOLS) == sorted(json.loads(GOLDEN.read_text())), ASK


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_its_name_arguments_answers_and_hints_are_as_promised(tool: Tool) -> None:
    promised = json.loads(GOLDEN.read_text()).get(tool.name)
    assert json.loads(json.dumps(prospectus.promise(tool))) == promised, ASK


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_its_arguments_are_one_flat_object_that_every_model_provider_takes(tool: Tool) -> None:
    assert tool.schema["type"] == "object"
    assert tool.schema["additionalProperties"] is False
    assert not list(_references(tool.schema))


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_every_reference_in_its_answers_leads_somewhere(tool: Tool) -> None:
    schema = prospectus.answers(tool)
    assert {r.removeprefix("#/$defs/") for r in _references(schema)} == set(schema["$defs"])


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_the_answer_shown_in_the_reference_is_of_the_promised_shape(tool: Tool) -> None:
    shown = json.loads(EXAMPLES.read_text()).get(tool.name)
    assert shown is not None, "run `make examples`"
    jsonschema.validate(shown, prospectus.answers(tool))
    # What an errand is about is one repair, and an example can't know the id of one.
    refused = "repair-unknown" if tool.answers is Errand else "approval-required"
    assert shown["ok"] or shown["error"]["code"] == refused


def _references(schema: Any) -> Any:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
