"""A repair on its way, told line by line on stderr as the guard goes, with the seconds since it began."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.status import Status
from rich.text import Text

from kubemend.model.repair import MUTATING, Repair, State
from kubemend.surfaces.cli import output
from kubemend.surfaces.cli.render.repair import STYLES
from kubemend.surfaces.cli.words import line

LONG = {
    State.PREFLIGHT: "checking",
    State.VERIFYING: "watching whether it holds",
    State.ROLLING_BACK: "taking it back",
}
"""States that may last, and what is going on in them: a terminal shows a sign of life."""


class Progress:
    """The guard's `tell`: prints, and remembers the last repair that it was told of."""

    def __init__(self, show: Callable[[Text], None] = output.say) -> None:
        self._show = show
        self.last: Repair | None = None
        self._began = time.monotonic()
        self._state: State | None = None
        self._status: Status | None = None

    def __call__(self, repair: Repair, text: str) -> None:
        """Tell one thing of a repair."""
        self._rest()
        state = repair.state
        if state is State.AWAITING_APPROVAL:
            return  # whoever proposed it tells what it waits for
        new = self._state is not state
        self.last, self._state = repair, state
        name = state.value.replace("_", " ") if new else ""
        self._show(
            Text.assemble(
                (f"  {self.elapsed:>6.1f}s  ", "dim"),
                (f"{name:<12}", STYLES.get(state, "blue")),
                "  ",
                (line(text), _style(text)),
            )
        )
        if state in LONG and output.live(sys.stderr):
            self._status = Console(stderr=True).status(LONG[state])
            self._status.start()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def mutating(self) -> bool:
        """Whether the cluster may already differ from before the repair that is on its way."""
        return self._state in MUTATING

    def note(self, text: str) -> None:
        """Say something that is not the guard's."""
        self._rest()
        self._show(Text(f"  {self.elapsed:>6.1f}s  {line(text)}"))

    def close(self) -> None:
        """The repair is over, or left alone."""
        self._rest()

    def _rest(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _style(text: str) -> str:
    return {"✓": "green", "✗": "red"}.get(text[:1], "")
