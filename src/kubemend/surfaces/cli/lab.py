"""`kubemend lab`: a practice cluster for kubectl and everything else that speaks to Kubernetes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from rich.text import Text

from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import on_stop
from kubemend.surfaces.cli.wiring import wiring


async def up(
    *,
    nodes: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100), help="Node stand-ins.")] = 3,
    pace: Annotated[
        float,
        Parameter(validator=validators.Number(gt=0, lte=10), help="Real seconds for each of Kubernetes' own waits."),
    ] = 1.0,
    kubeconfig: Annotated[
        Path | None, Parameter(help="Where to write its kubeconfig; default a temporary file.")
    ] = None,
) -> int:
    """Start a practice cluster on this machine and keep it up until Ctrl-C. It keeps nothing.

    The line on stdout sets KUBECONFIG, for a shell that evaluates it.
    """
    stop = asyncio.Event()
    async with wiring().practice(nodes=nodes, pace=pace, kubeconfig=kubeconfig) as practice:
        out.show(Text(f"export KUBECONFIG={practice.kubeconfig}"))
        out.say(Text(f"{practice.url} is up with {nodes} nodes; Ctrl-C ends it", style="green"))
        with on_stop(stop.set):
            await stop.wait()
    return Exit.OK
