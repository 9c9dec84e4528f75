"""`kubemend watch`: the detector, told as a timeline."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from kubemend.model.errors import InvalidInput
from kubemend.model.repair import Repair
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli import views
from kubemend.surfaces.cli.interrupt import Interrupted, on_stop
from kubemend.surfaces.cli.options import NOWHERE, Access, Output
from kubemend.surfaces.cli.render import events as render
from kubemend.surfaces.cli.wiring import Bench, wiring

if TYPE_CHECKING:
    from kubemend.engine.detector import Happened


async def watch(
    *,
    analyze_only: Annotated[bool, Parameter(help="Keep incidents, plan nothing.")] = False,
    max_concurrent: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=100), help="Repairs under way at once.")
    ] = 3,
    for_: Annotated[
        float | None,
        Parameter(name="--for", validator=validators.Number(gte=0), help="Stop after so many seconds; default never."),
    ] = None,
    output: Output = "table",
    access: Access = NOWHERE,
) -> int:
    """Keep watching: incidents open and close; with --auto-fix, faults are repaired as far as the policy allows.

    Without --auto-fix plans are made and wait for approval; without --allow-changes either, they are only shown.
    Ctrl-C ends it when the repairs under way have come to their end; a second one at once.
    """
    if analyze_only and access.auto_fix:
        raise InvalidInput("--analyze-only and --auto-fix contradict each other", code="options-conflict")

    def steps(repair: Repair, text: str) -> None:
        if output == "table":
            out.show(render.step(repair, text))

    def happened(event: Happened) -> None:
        if output == "table":
            out.show(render.happened(event))
        else:
            _emit(event, output)

    async with wiring().bench(access, scope=access.scope, tell=steps) as bench:
        detector = wiring().detector(bench, tell=happened, repair=not analyze_only, max_concurrent=max_concurrent)
        out.say(render.began(bench.seat.context, access))
        await _until_stopped(bench, detector, for_)
    return 0


def _emit(event: Happened, output: Output) -> None:
    """One JSON line, or one YAML document."""
    view = out.plain(views.of_happened(event))
    out.write(json.dumps(view, ensure_ascii=False) + "\n" if output == "json" else "---\n" + out.as_yaml(view))
