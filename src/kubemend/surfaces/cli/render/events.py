"""What a detector tells, as a timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from kubemend.model.repair import Repair, State
from kubemend.surfaces.cli.render.repair import STYLES
from kubemend.surfaces.cli.words import line

if TYPE_CHECKING:
    from kubemend.engine.detector import Happened

COLOURS = {
    "opened": "red",
    "resolved": "green",
    "planned": "blue",
    "repair": "blue",
    "waiting": "yellow",
    "escalated": "bold yellow",
    "unread": "yellow",
}


def happened(event: Happened) -> Text:
    """One event on one line: when, what, of which repair, in words."""
    style = COLOURS[event.what]
    if event.what == "repair" and event.repair is not None:
        style = STYLES.get(event.repair.state, style)
    return _row(event.at, event.what, style, event.repair, event.text)


def step(repair: Repair, text: str) -> Text:
    """One step of a repair under way."""
    return _row(datetime.now(UTC).timestamp(), "", "", repair, text, dim=repair.state is not State.APPLYING)


def _row(at: float, what: str, style: str, repair: Repair | None, text: str, *, dim: bool = False) -> Text:
    moment = datetime.fromtimestamp(at).astimezone()
    return Text.assemble(
        (f"{moment:%H:%M:%S}  ", "dim"),
        (f"{what:<9}", style),
        (f"  {repair.id if repair is not None else '':<9}", "dim"),
        ("  " + line(text), "dim" if dim else ""),
    )
