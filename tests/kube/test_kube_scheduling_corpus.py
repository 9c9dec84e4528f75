"""The corpus that the real scheduler is asked about: a judge that overlooks anything would be found out by it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache

import pytest
from scheduling_mistakes import MISTAKES

from scheduling_corpus import World, worlds
from scheduling_features import FEATURES, LEADS
from scheduling_verdicts import Verdicts, as_written

WORLDS, PODS = 40, 12
"""As many as are asked about in `tests/control_plane` by default."""
CAUGHT = 2


@cache
def corpus() -> list[World]:
    return worlds(WORLDS, PODS, FEATURES, LEADS)


@cache
def right() -> list[list[Verdicts]]:
    return [_verdicts(w) for w in corpus()]


def _verdicts(world: World) -> list[Verdicts]:
    seen = as_written(world)
    return [seen.verdicts(a.pod) for a in world.asked]


def _open(verdicts: Verdicts) -> set[str]:
    return {name for name, misfits in verdicts.items() if not misfits}


@pytest.mark.parametrize("overlooked", MISTAKES)
def test_a_judge_that_overlooks_something_is_found_out(overlooked: str) -> None:
    found = _differences(overlooked)
    assert sum(1 for _, _ in zip(range(CAUGHT), found, strict=False)) == CAUGHT


def _differences(overlooked: str) -> Iterator[str]:
    """The pods of which such a judge says something else for some node."""
    for world, verdicts in zip(corpus(), right(), strict=True):
        theirs = deepcopy(world)
        MISTAKES[overlooked](theirs)
        for asked, mine, other in zip(world.asked, verdicts, _verdicts(theirs), strict=True):
            if _open(mine) != _open(other):
                yield asked.name
