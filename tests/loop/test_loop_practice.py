"""The loop on the practice cluster: every scenario at once, mended by `kubemend watch --auto-fix` as a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import scenarios
import scenarios_ground
from scenarios_score import Score, missed, table

SEEDS = int(os.environ.get("KUBEMEND_SEEDS", "1"))


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_scenario_is_found_and_mended_and_no_control_is_touched(
    programs: Path, tmp_path: Path, say: Callable[[str], None], seed: int
) -> None:
    score = Score("practice", seeds=1)
    with scenarios_ground.practice(programs, tmp_path) as ground:
        score.outcomes, score.outside = scenarios.play_seed(ground, seed, tmp_path)
    say(score.report() + "\n" + table([score]))
    assert score.outside == []
    assert missed(score) == []
