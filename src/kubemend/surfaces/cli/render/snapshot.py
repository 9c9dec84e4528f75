"""What a snapshot holds, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kubemend.model.snapshot import Snapshot
from kubemend.surfaces.cli.words import line, many


def summary(snapshot: Snapshot, *, title: str) -> Iterator[RenderableType]:
    """Counts by kind, then what could not be read."""
    held = {kind.__name__: len(objects) for kind, objects in snapshot.objects.items()}
    where = f"namespace {snapshot.namespace}" if snapshot.namespace else "all namespaces"
    yield Text.assemble((line(title), "bold"), (f"  {where}, {snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}", "dim"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right")
    for kind in sorted(held):
        if held[kind]:
            grid.add_row(str(held[kind]), kind)
    yield Padding(grid, (0, 0, 0, 2))
    if empty := sorted(k for k, count in held.items() if not count):
        yield Text(f"  none of {', '.join(empty)}", style="dim")
    for entry in snapshot.unread:
        at = f" in {entry.namespace}" if entry.namespace else ""
        yield Text(f"  not read: {line(entry.kind)}{at}: {line(entry.why)}", style="yellow")
    if not snapshot.unread:
        yield Text(f"  {many(sum(held.values()), 'object')}, everything that was asked for was read", style="green")
