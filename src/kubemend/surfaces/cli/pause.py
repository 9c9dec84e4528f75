"""`kubemend pause` and `resume`: the kill switch of every kubemend that shares the ledger."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.options import Store
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.wiring import wiring


async def pause(
    why: Annotated[str, Parameter(help="The reason, for whoever meets it.")] = "", /, *, store: Store = None
) -> int:
    """Stop every write of every kubemend on this ledger at once, those of a repair under way included."""
    async with wiring().ledger(store) as ledger:
        await ledger.switch.set(on=True, actor=actor(), why=why)
    out.say(Text("paused: nothing is written to a cluster until `kubemend resume`", style="yellow"))
    return 0


async def resume(*, store: Store = None) -> int:
    """Allow writes again, as far as each process's mode does."""
    async with wiring().ledger(store) as ledger:
        await ledger.switch.set(on=False, actor=actor())
    out.say(Text("resumed", style="green"))
    return 0
