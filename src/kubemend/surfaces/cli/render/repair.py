"""Repairs, approvals and the audit trail for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kubemend.engine.preview import done
from kubemend.model.repair import Repair, State
from kubemend.surfaces.cli.render.plan import RISKS, planned
from kubemend.surfaces.cli.words import ago, line, quoted

if TYPE_CHECKING:
    from kubemend.store.audit import Record

STYLES = {
    State.SUCCEEDED: "green",
    State.ROLLED_BACK: "yellow",
    State.AWAITING_APPROVAL: "cyan",
    State.REFUSED: "yellow",
    State.REJECTED: "yellow",
    State.FAILED: "red",
    State.ESCALATED: "bold red",
}


def stated(state: State) -> Text:
    """A state as a word."""
    return Text(state.value.replace("_", " "), style=STYLES.get(state, "blue"))


def listed(repairs: Sequence[Repair]) -> RenderableType:
    """Repairs, newest first, one a line."""
    if not repairs:
        return Text("no repairs yet", style="dim")
    clusters = {r.cluster for r in repairs}
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    headers = ["ID", "AGE", "STATE", "TARGET", "STRATEGY", *(["CLUSTER"] if len(clusters) > 1 else []), "WHY"]
    table.add_row(*(Text(h, style="dim") for h in headers))
    now = datetime.now(UTC)
    for r in repairs:
        cells: list[RenderableType] = [
            r.id,
            ago(r.created_at, now),
            stated(r.state),
            line(str(r.plan.target)),
            r.plan.strategy,
        ]
        cells += [line(r.cluster)] if len(clusters) > 1 else []
        table.add_row(*cells, Text(line(r.why), style="dim"))
    return table


def waiting(repairs: Sequence[Repair]) -> RenderableType:
    """Plans that wait for a yes, one a line."""
    if not repairs:
        return Text("nothing waits for approval", style="dim")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_row(*(Text(h, style="dim") for h in ("ID", "AGE", "RISK", "TARGET", "STRATEGY", "PLAN", "REASON")))
    now = datetime.now(UTC)
    for r in repairs:
        plan = r.plan
        risk = Text(plan.risk.name.lower(), style=RISKS[plan.risk])
        cells = (r.id, ago(r.created_at, now), risk, line(str(plan.target)), plan.strategy, plan.hash[:12])
        table.add_row(*cells, Text(line(plan.reason), style="dim"))
    return table


def ended(repair: Repair) -> RenderableType:
    """How a repair came out, in one line."""
    return Text.assemble((f"{repair.id}  ", "bold"), stated(repair.state), f"  {line(repair.why)}")


def detailed(repair: Repair, records: Sequence[Record]) -> Iterator[RenderableType]:
    """One repair: its plan, the differences it made, and its timeline."""
    yield ended(repair)
    yield Text("")
    yield from planned(repair.plan, done(repair), name=repair.id)
    yield Text("TIMELINE", style="bold blue")
    yield Padding(timeline(records), (0, 0, 0, 10))


def timeline(records: Sequence[Record]) -> RenderableType:
    """Audit records, oldest first."""
    table = Table.grid(padding=(0, 2))
    for record in records:
        at = datetime.fromtimestamp(record.at, UTC)
        table.add_row(
            Text(f"{at:%Y-%m-%d %H:%M:%S}", style="dim"),
            Text(record.kind, style="bold"),
            Text(line(record.actor), style="dim"),
            Text(told(record.kind, record.detail)),
        )
    return table


def told(kind: str, detail: dict[str, Any]) -> str:
    """What a record of the trail says, in one line."""
    match kind:
        case "transition":
            return line(f"{detail['from']} → {detail['to']}: {detail['why']}")
        case "intent":
            change = detail["change"]
            target = change["target"]
            where = f"{target['kind']} {target['namespace']}/{target['name']}"
            return line(f"{detail['what']}: {change['op']} {where} at version {detail['resourceVersion']}")
        case _:
            return ", ".join(f"{k} {quoted(v)}" for k, v in detail.items())
