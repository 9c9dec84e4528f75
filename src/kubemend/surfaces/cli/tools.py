"""`kubemend tools`: what people and agents may call, and calling it."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from kubemend.model.access import Risk
from kubemend.model.answer import Answer
from kubemend.model.repair import Repair
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.arguments import spelled, whole
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import UNMEASURED, Output, Risks, ToolAccess
from kubemend.surfaces.cli.people import actor, ask
from kubemend.surfaces.cli.wiring import wiring

Name = Annotated[str, Parameter(name="NAME", help="The tool; see kubemend tools list.")]


def listed(
    *,
    module: Annotated[tuple[str, ...], Parameter(help="Only the tools of this module; may be repeated.")] = (),
    risk: Annotated[Risks, Parameter(help="No tools of greater risk.")] = "high",
    output: Output = "table",
) -> int:
    """Every tool that people and agents may call, with its risk."""
    from kubemend.engine import prospectus  # noqa: PLC0415 - many modules

    tools = prospectus.chosen(wiring().tools(), modules=module, risk=Risk[risk.upper()]).values()
    table = Table("module", "tool", "risk", "what it is for", box=None, pad_edge=False)
    for tool in tools:
        table.add_row(tool.module, tool.name, tool.risk.name.lower(), tool.summary)
    out.answer(output, [prospectus.short(t) for t in tools], table)
    return Exit.OK


def describe(name: Name, /, *, output: Output = "yaml") -> int:
    """One tool: what it takes, what it answers, which rights it needs."""
    from kubemend.engine import prospectus  # noqa: PLC0415

    view = prospectus.whole(prospectus.known(wiring().tools(), name))
    out.answer(output, view, Text(out.as_yaml(out.simple(view))))
    return Exit.OK


async def run(
    name: Name,
    /,
    *arguments: Annotated[
        str,
        Parameter(
            name="ARGUMENT",
            help="key=value. For a list repeat the key, for a mapping write key.inner=value; or give either as JSON.",
        ),
    ],
    arguments_from: Annotated[
        str, Parameter(name="--arguments", help="All arguments as one JSON object: the object, @FILE, or - for stdin.")
    ] = "",
    output: Output = "json",
    access: ToolAccess = UNMEASURED,
) -> int:
    """Call one tool and print its answer.

    A tool that changes something shows its plan and asks; in the default mode nothing is written.
    """
    tools = wiring().tools()
    tool = tools.get(name)
    given = {**whole(arguments_from), **spelled(arguments, {} if tool is None else tool.schema["properties"])}
    async with wiring().gateway(access, tools) as gateway:
        answer = await gateway.call(name, given, actor=actor(), ask=_ask if access.writes else None, tell=_tell)
    out.emit(answer, "yaml" if output == "yaml" else "json")
    return _status(answer)


def _tell(text: str) -> None:
    out.say(Text(text))


async def _ask(repair: Repair, card: dict[str, Any]) -> bool | None:
    out.say(Text(card["plan"]["reason"]), Text(card["diff"]))
    said = await ask(f"Carry out {repair.id} (plan {repair.plan.hash[:12]})?", ("yes", "no"))
    return None if said is None else said == 0


def _status(answer: Answer) -> Exit:
    if answer.ok:
        return Exit.OK
    code = "" if answer.error is None else answer.error.code
    if code in ("invalid-arguments", "unknown-tool"):
        return Exit.INPUT
    return Exit.REFUSED if code in ("approval-required", "read-only", "rejected", "repair-refused") else Exit.FOUND
