"""`kubemend scan`: what is broken, in a live cluster or in a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kubemend.cluster.collector import collect
from kubemend.cluster.files import load
from kubemend.engine import catalogue, views
from kubemend.model.finding import Severity
from kubemend.model.snapshot import Snapshot
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.blind import demand_namespace, refuse_blind
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import HERE, RECORDS, Place
from kubemend.surfaces.cli.render import html, junit, prometheus, sarif
from kubemend.surfaces.cli.render import scan as render
from kubemend.surfaces.cli.scanning import baseline as fingerprints
from kubemend.surfaces.cli.scanning import scanned
from kubemend.surfaces.cli.wiring import wiring

Shape = Literal["table", "json", "yaml", "junit", "sarif", "html", "prometheus"]
FILES = {"junit": junit.junit, "sarif": sarif.sarif, "html": html.html, "prometheus": prometheus.prometheus}


async def scan(
    *,
    exclude_namespace: Annotated[
        tuple[str, ...], Parameter(show_default=False, help="Leave this namespace out. May be repeated.")
    ] = (),
    snapshot: Annotated[Path | None, Parameter(help="Judge this snapshot file or directory, not a cluster.")] = None,
    baseline: Annotated[Path | None, Parameter(help="Leave out what this earlier `scan -o json` has already.")] = None,
    fail_on: Annotated[
        Literal["info", "warning", "error", "critical"] | None,
        Parameter(help="Exit with 1 when a cause is at least so severe."),
    ] = None,
    output: Annotated[
        Shape, Parameter(name=("--output", "-o"), group=RECORDS, help="How to print the scan.")
    ] = "table",
    place: Place = HERE,
) -> int:
    """Find what is broken now, with cause and evidence.

    Looks at all namespaces unless one is named. What could not be read is listed as not judged.
    """
    known = fingerprints(baseline) if baseline is not None else frozenset[str]()
    seen, source = await _look(snapshot, place)
    made = scanned(seen, source=source, exclude=exclude_namespace, known=known)
    _print(made, output)
    if fail_on is None:
        return Exit.OK
    if made.worst is not None and made.worst >= Severity[fail_on.upper()]:
        return Exit.FOUND
    # Whoever makes a gate of it must not take what could not be read for well.
    return Exit.CLUSTER if made.unread else Exit.OK


async def _look(path: Path | None, place: Place) -> tuple[Snapshot, str]:
    if path is not None:
        seen = await load(path)
        return (seen.within(place.scope) if place.scope else seen), str(path)
    async with wiring().seat(place) as seat:
        await demand_namespace(seat.reader, place.scope)
        seen = await collect(seat.reader, catalogue.kinds(), place.scope)
        return refuse_blind(seen, seat.context), seat.context


def _print(scan: views.Scan, shape: Shape) -> None:
    if shape == "table":
        out.show(*render.scanned(scan))
    elif shape in FILES:
        out.write(FILES[shape](scan))
    else:
        out.emit(views.of_scan(scan), shape)
