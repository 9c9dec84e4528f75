"""`kubemend undo`: take a past repair back."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from kubemend.engine import views
from kubemend.engine.preview import done
from kubemend.model.repair import State
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.mending import followed, own, take_over, writing
from kubemend.surfaces.cli.options import NOWHERE, Access, Output
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render.plan import planned
from kubemend.surfaces.cli.render.repair import ended
from kubemend.surfaces.cli.wiring import wiring


async def undo(
    repair: Annotated[str, Parameter(name="ID", help="The repair; see kubemend repairs.")],
    /,
    *,
    output: Output = "table",
    access: Access = NOWHERE,
) -> int:
    """Take a past repair back: every object it changed becomes what it was, if nobody else has changed it since.

    Asking for it is the approval, but nothing is written without --allow-changes.
    """
    progress = Progress()
    async with wiring().bench(access, scope=None, tell=progress) as bench:
        await take_over(bench, progress)
        found = await own(bench, repair)
        if not access.writes:
            out.say(
                Text(
                    "read-only: nothing was written. What would be taken back, and the command that does it:",
                    style="yellow",
                )
            )
            out.show(*planned(found.plan, done(found), name=found.id))
            out.say(Text(f"  {writing(f'undo {found.id}', access)}", style="cyan"))
            return Exit.REFUSED
        last = await followed(bench, bench.mender.guard.undo(found, actor=actor()), progress)
    out.answer(output, views.of_repair(last), ended(last))
    return Exit.OK if last.state is State.ROLLED_BACK else Exit.FOUND
