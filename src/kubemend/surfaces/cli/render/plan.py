"""A plan for people: what would change, why, how risky it is and how it will be proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kubemend.engine.planner import Turned
from kubemend.engine.preview import Preview, headline
from kubemend.model.access import Risk
from kubemend.model.plan import Plan
from kubemend.surfaces.cli.words import line, plain

RISKS = {Risk.READ: "green", Risk.LOW: "green", Risk.MEDIUM: "yellow", Risk.HIGH: "red"}
INDENT = 10
DIFF = {"+": "green", "-": "red", "@": "cyan"}


def planned(
    plan: Plan, changes: Sequence[Preview], *, turned: Sequence[Turned] = (), name: str = ""
) -> Iterator[RenderableType]:
    """The card of one plan. name: the repair's id, once it has one."""
    yield Text.assemble(
        ("PLAN    ", "bold blue"), "  ", (plan.strategy, "bold"), f"  {line(str(plan.target))}", (f"  {name}", "dim")
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("why", Text(line(plan.reason)))
    grid.add_row(
        "risk", Text.assemble((plan.risk.name.lower(), RISKS[plan.risk]), f", confidence {plan.confidence:.0%}")
    )
    grid.add_row("proof", Text(_proof(plan)))
    for index, other in enumerate(turned):
        grid.add_row("" if index else "instead of", Text(line(f"{other.strategy}: {other.why}"), style="dim"))
    for number, preview in enumerate(changes, start=1):
        grid.add_row(f"change {number}", Text(line(headline(preview.change))))
    yield Padding(grid, (0, 0, 0, INDENT))
    for preview in changes:
        if preview.diff:
            yield Padding(difference(preview.diff), (1, 0, 0, INDENT))
    yield Text("")


def _proof(plan: Plan) -> str:
    terms = plan.verify
    healthy = ", ".join(line(str(ref)) for ref in terms.healthy)
    if not healthy:
        return f"nothing near it worse for {terms.steady_s:g} s; else taken back"
    shown = f"{healthy} healthy within {terms.within_s:g} s and steady for {terms.steady_s:g} s"
    return shown + (f", {plan.code} gone" if terms.gone else "") + "; else taken back"


def difference(diff: str) -> Text:
    """A unified diff with its colours."""
    text = Text()
    for one in plain(diff).splitlines():
        bold = one.startswith(("---", "+++"))
        text.append(one + "\n", style="bold" if bold else DIFF.get(one[:1], ""))
    text.rstrip()
    return text
