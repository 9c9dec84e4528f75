"""What every tool must keep to, whoever writes it and whichever door it is called through."""

from __future__ import annotations

import inspect

import pytest
from tools_world import Everything

from kubemend.engine import catalogue
from kubemend.engine.guard.hands import permissions
from kubemend.model.access import Risk
from kubemend.model.order import Errand
from kubemend.model.tool import Tool

TOOLS = catalogue.tools()
each = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


@each
def test_the_summary_says_what_it_is_for_and_every_parameter_is_described(tool: Tool) -> None:
    assert tool.summary.endswith(".")
    assert len(tool.summary) <= 110
    for name, schema in tool.schema["properties"].items():
        assert schema.get("description"), name


@each
def test_its_schema_stands_by_itself(tool: Tool) -> None:
    """Model providers take one flat object; a reference would lead nowhere."""
    assert "$ref" not in str(tool.schema)


@each
def test_it_lies_in_a_file_of_its_own_name_in_the_folder_of_its_noun(tool: Tool) -> None:
    assert tool.function.__module__ == f"kubemend.tools.{tool.module}.{tool.name}"


@each
def test_its_handle_comes_first_and_all_else_by_name(tool: Tool) -> None:
    handle, *rest = inspect.signature(tool.function).parameters.values()
    assert handle.name == ("desk" if tool.at_desk else "cluster")
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in rest)


@each
def test_what_only_reads_has_no_right_to_change_anything(tool: Tool) -> None:
    if tool.risk is Risk.READ:
        assert {a.verb for a in tool.needs} <= {"get", "list", "watch"}


@each
async def test_its_example_works_within_the_size_and_uses_exactly_the_declared_rights(
    tool: Tool, everything: Everything
) -> None:
    if tool.answers is Errand:
        # What it needs is what the repair needs, and an example can't know one's id.
        answer = await everything.gateway.call(tool.name, tool.examples[0], actor="test")
        assert answer.error is not None
        assert (answer.error.code, tool.needs) == ("repair-unknown", frozenset())
        return
    used = set()
    for example in tool.examples:
        answer = await everything.gateway.call(tool.name, example, actor="test")
        if tool.risk is Risk.READ or (answer.ok and tool.name == "kubectl"):  # kubectl reads, too
            assert answer.ok, answer.error
        else:
            assert answer.error is not None
            assert answer.error.code == "approval-required", answer.error
            repair = answer.error.object
            async with everything.gateway._mending() as mender:
                plan = (await mender.ledger.repairs.get(repair)).plan
            used |= {a for c in plan.changes for a in permissions(c) if a.verb != "get" or "/" in a.resource}
    assert used | everything.recorder.asked == tool.needs
