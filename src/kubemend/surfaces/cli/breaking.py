"""`kubemend lab break`: a fault to practise on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators
from rich.table import Table
from rich.text import Text

from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import HERE, Output, Place
from kubemend.surfaces.cli.wiring import wiring

if TYPE_CHECKING:
    from kubemend.lab.scenarios import Cast


async def break_(
    name: Annotated[str | None, Parameter(help="The scenario; without one all are listed.")] = None,
    /,
    *,
    seed: Annotated[
        int, Parameter(validator=validators.Number(gte=0), help="Other names, replicas and namespace; 0 is plain.")
    ] = 0,
    yes_break_this_cluster: Annotated[
        bool, Parameter(help="Break even a cluster that is not marked as one to practise on.")
    ] = False,
    output: Output = "table",
    place: Place = HERE,
) -> int:
    """Break something on purpose: a scenario's healthy state is made, waited for, and then broken.

    Only on a cluster that is there for it: a practice cluster (`kubemend lab up`), a test bed (`make cluster`), or one
    whose namespace kube-system has the label kubemend.dev/practice=true. The namespace is made if it isn't there;
    deleting it ends the exercise. The same again makes it healthy, and breaks it anew.
    """
    from kubemend.lab.scenarios import cast, names  # noqa: PLC0415 - `--help` can do without

    if name is None:
        every = [cast(n) for n in names()]
        out.answer(output, [_view(c) for c in every], _listed(every))
        return Exit.OK
    cast(name)  # a wrong name is told before any cluster is asked
    async with wiring().exercise(place, anyway=yes_break_this_cluster) as exercise:
        played = cast(name, seed, nodes=exercise.nodes, namespace=place.namespace or "")
        await exercise.stage(played, lambda text: out.say(Text(text, style="dim")))
    out.answer(output, _view(played), Text(f"{played.scenario.summary}\nNow: {_next(played)}"))
    return Exit.OK


def _view(cast: Cast) -> dict[str, object]:
    found = cast.scenario
    return {
        "name": cast.name,
        "summary": found.summary,
        "category": found.category,
        "control": found.control,
        "namespace": cast.namespace,
        "clusters": list(found.clusters),
    }


def _listed(casts: list[Cast]) -> Table:
    table = Table("scenario", "category", "what happens", box=None, pad_edge=False)
    for cast in casts:
        table.add_row(cast.name, cast.scenario.category, cast.scenario.summary)
    return table


def _next(cast: Cast) -> str:
    scope = "-A" if cast.scenario.scope == "cluster" else f"-n {cast.namespace}"
    ended = "nothing should be found" if cast.scenario.control else "find it, and mend it with `kubemend fix`"
    return f"kubemend scan {scope} ({ended})"
