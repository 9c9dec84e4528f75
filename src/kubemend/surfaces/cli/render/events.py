"""What a detector tells, as a timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from kubemend.model.repair import OPEN, Repair, State
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
    style, text = COLOURS[event.what], event.text
    if event.what == "repair" and event.repair is not None:
        style = STYLES.get(event.repair.state, style)
    if event.incident is not None and event.incident.subject not in text:
        text = f"{event.incident.code} {event.incident.subject}: {text}"
    return _row(event.at, event.what, style, event.repair, text)


class Steps:
    """The steps of repairs under way: each state once, and whatever went wrong. How it ends is an event."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def line(self, repair: Repair, text: str) -> Text | None:
        """A line for one thing that the guard told, or None when it adds nothing."""
        known, self._states[repair.id] = self._states.get(repair.id), repair.state
        if repair.state not in OPEN or (repair.state is known and not text.startswith("✗")):
            return None
        state = repair.state.value.replace("_", " ")
        return _row(datetime.now(UTC).timestamp(), "", "", repair, f"{state}: {text}", dim=True)


def _row(at: float, what: str, style: str, repair: Repair | None, text: str, *, dim: bool = False) -> Text:
    moment = datetime.fromtimestamp(at).astimezone()
    return Text.assemble(
        (f"{moment:%H:%M:%S}  ", "dim"),
        (f"{what:<9}", style),
        (f"  {repair.id if repair is not None else '':<9}", "dim"),
        ("  " + line(text), "dim" if dim else ""),
    )
