"""`kubemend watch`: the detector, told as a timeline."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators
from rich.text import Text

from kubemend.engine import views
from kubemend.model.errors import InvalidInput
from kubemend.model.repair import Repair
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import Interrupted, on_stop
from kubemend.surfaces.cli.options import NOWHERE, Access, Output
from kubemend.surfaces.cli.render import events as render
from kubemend.surfaces.cli.wiring import Bench, wiring

if TYPE_CHECKING:
    from kubemend.engine.detector import Detector, Happened, Tell
    from kubemend.store.budget import Limits


async def watch(
    *,
    analyze_only: Annotated[bool, Parameter(help="Keep incidents, plan nothing.")] = False,
    max_concurrent: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=100), help="Repairs under way at once.")
    ] = 3,
    max_per_hour: Annotated[
        int, Parameter(validator=validators.Number(gte=1), help="Repairs begun in an hour; beyond that they wait.")
    ] = 60,
    cooldown: Annotated[
        float, Parameter(validator=validators.Number(gte=0), help="Seconds between two repairs of one object.")
    ] = 60.0,
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

    steps = render.Steps()

    def tell(repair: Repair, text: str) -> None:
        if output == "table" and (line := steps.line(repair, text)) is not None:
            out.show(line)

    def happened(event: Happened) -> None:
        if output == "table":
            out.show(render.happened(event))
        else:
            _emit(event, output)

    limits = _limits(max_concurrent, max_per_hour, cooldown)
    async with wiring().bench(access, scope=access.scope, tell=tell, limits=limits) as bench:
        out.say(_greeting(bench, access))
        detector = _detector(bench, happened, repair=not analyze_only, max_concurrent=max_concurrent)
        await _run(detector, for_)
    return Exit.OK


def _limits(max_concurrent: int, max_per_hour: int, cooldown: float) -> Limits:
    from kubemend.store.budget import Limits  # noqa: PLC0415 - brings the ledger; `--help` can do without

    return Limits(concurrent=max_concurrent, per_hour=max_per_hour, cooldown_s=cooldown)


def _detector(bench: Bench, tell: Tell, *, repair: bool, max_concurrent: int) -> Detector:
    from kubemend.engine.detector import Detector  # noqa: PLC0415 - brings the ledger; `--help` can do without

    return Detector(bench.mender, tell=tell, repair=repair, max_concurrent=max_concurrent)


async def _run(detector: Detector, seconds: float | None) -> None:
    """Run until the time is over or somebody stops it; the second time at once."""
    stop, pressed = asyncio.Event(), 0
    running = asyncio.create_task(detector.run(stop))

    def press() -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            running.cancel()
            return
        stop.set()
        out.say(Text("stopping when the repairs under way have ended; again to leave at once", style="yellow"))

    timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, stop.set)
    try:
        with on_stop(press):
            await running
    except asyncio.CancelledError:
        raise Interrupted("left at once; the next kubemend that may write finishes what was under way") from None
    finally:
        if timer is not None:
            timer.cancel()


def _greeting(bench: Bench, access: Access) -> Text:
    mode = "--auto-fix" if access.auto_fix else "--allow-changes" if access.allow_changes else "read-only"
    where = f"namespace {access.scope}" if access.scope else "all namespaces"
    return Text(f"watching {bench.seat.context}, {where}, {mode}; Ctrl-C ends it", style="dim")


def _emit(event: Happened, output: Output) -> None:
    """One JSON line, or one YAML document."""
    view = out.simple(views.of_happened(event))
    out.write(json.dumps(view, ensure_ascii=False) + "\n" if output == "json" else "---\n" + out.as_yaml(view))
