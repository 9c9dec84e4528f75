"""`kubemend snapshot`: a cluster's state in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kubemend.cluster.collector import collect
from kubemend.cluster.files import load
from kubemend.cluster.files import save as write
from kubemend.engine import catalogue, views
from kubemend.model.errors import InvalidInput
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.blind import refuse_blind
from kubemend.surfaces.cli.options import HERE, Output, Place
from kubemend.surfaces.cli.render import snapshot as render
from kubemend.surfaces.cli.wiring import wiring


class NotSaved(InvalidInput):
    """The snapshot can't be written where it was wanted."""

    code = "path-unwritable"


async def save(
    path: Annotated[Path, Parameter(help="A new directory, or an archive when it ends in .tar.gz or .zip.")],
    /,
    *,
    output: Output = "table",
    place: Place = HERE,
) -> int:
    """Keep what can be read of a cluster: without Secrets, environment values and ConfigMap values.

    `kubemend scan --snapshot PATH` judges it, here or elsewhere.
    """
    async with wiring().seat(place) as seat:
        snapshot = refuse_blind(await collect(seat.reader, catalogue.kinds(), place.scope), seat.context)
    try:
        written = await write(snapshot, path)
    except OSError as error:
        raise NotSaved(f"the snapshot could not be written: {error.strerror}", where=str(path)) from error
    view = {"path": str(written), **views.of_snapshot(snapshot)}
    out.answer(output, view, *render.summary(snapshot, title=f"saved {written}"))
    return 0


async def show(
    path: Annotated[Path, Parameter(help="What `snapshot save` or `kubectl cluster-info dump` wrote, or manifests.")],
    /,
    *,
    output: Output = "table",
) -> int:
    """Tell what a snapshot holds, of when it is, and what it does not hold."""
    snapshot = await load(path)
    out.answer(output, views.of_snapshot(snapshot), *render.summary(snapshot, title=str(path)))
    return 0
