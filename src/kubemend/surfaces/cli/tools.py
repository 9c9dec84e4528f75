"""`kubemend tools`: what people and agents may call, and calling it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from kubemend.model.answer import Answer
from kubemend.model.errors import InvalidInput
from kubemend.model.repair import Repair
from kubemend.model.tool import Tool
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import UNMEASURED, Output, ToolAccess
from kubemend.surfaces.cli.people import actor, ask
from kubemend.surfaces.cli.wiring import wiring

Name = Annotated[str, Parameter(name="NAME", help="The tool; see kubemend tools list.")]


def listed(
    *, module: Annotated[str, Parameter(help="Only the tools of this module.")] = "", output: Output = "table"
) -> int:
    """Every tool that people and agents may call, with its risk."""
    from kubemend.engine import catalogue  # noqa: PLC0415 - a hundred modules

    tools = [t for t in catalogue.tools().values() if module in ("", t.module)]
    table = Table("module", "tool", "risk", "what it is for", box=None, pad_edge=False)
    for tool in tools:
        table.add_row(tool.module, tool.name, tool.risk.name.lower(), tool.summary)
    out.answer(output, [_short(t) for t in tools], table)
    return Exit.OK


def describe(name: Name, /, *, output: Output = "yaml") -> int:
    """One tool: what it takes, what it answers, which rights it needs."""
    tool = _known(name)
    needs = [f"{a.verb} {a.resource}{f'.{a.group}' if a.group else ''}" for a in sorted(tool.needs)]
    view = {
        **_short(tool),
        "description": tool.doc,
        "parameters": tool.schema,
        "needs": needs,
        "example": tool.examples[0],
    }
    out.answer(output, view, Text(out.as_yaml(view)))
    return Exit.OK


async def run(
    name: Name,
    /,
    *arguments: Annotated[
        str, Parameter(name="ARGUMENT", help="key=value; lists and mappings as JSON; repeat a key for a list.")
    ],
    output: Output = "json",
    access: ToolAccess = UNMEASURED,
) -> int:
    """Call one tool and print its answer.

    A tool that changes something shows its plan and asks; in the default mode nothing is written.
    """
    given = _arguments(arguments)
    if access.namespace is not None and "namespace" not in given and "namespace" in _known(name).schema["properties"]:
        given["namespace"] = access.namespace
    async with wiring().gateway(access) as gateway:
        answer = await gateway.call(name, given, actor=actor(), ask=_ask if access.writes else None)
    out.emit(answer, "yaml" if output == "yaml" else "json")
    return _status(answer)


async def _ask(repair: Repair, card: dict[str, Any]) -> bool:
    out.say(Text(card["plan"]["reason"]), Text(card["diff"]))
    return await ask(f"Carry out {repair.id} (plan {repair.plan.hash[:12]})?", ("yes", "no")) == 0


def _short(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "module": tool.module, "risk": tool.risk.name.lower(), "summary": tool.summary}


def _known(name: str) -> Tool:
    from kubemend.engine import catalogue  # noqa: PLC0415

    found = catalogue.tools().get(name)
    if found is None:
        raise InvalidInput(f"there is no tool {name!r}", code="unknown-tool", hint="kubemend tools list")
    return found


def _arguments(words: tuple[str, ...]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(f"{word!r} is not key=value", code="usage", hint="for example namespace=shop limit=10")
        read = _value(value)
        if key in given:
            before = given[key] if isinstance(given[key], list) else [given[key]]
            read = [*before, read]
        given[key] = read
    return given


def _value(text: str) -> Any:
    """A list or mapping when it is written as JSON; else the text, which the tool's own types convert."""
    if text[:1] not in "[{":
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _status(answer: Answer) -> Exit:
    if answer.ok:
        return Exit.OK
    code = "" if answer.error is None else answer.error.code
    if code in ("invalid-arguments", "unknown-tool"):
        return Exit.INPUT
    return Exit.REFUSED if code in ("approval-required", "read-only", "rejected", "repair-refused") else Exit.FOUND
