"""What came out over all seeds, as the table of the goals (part Work), and as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios import play_seed
from scenarios_ground import GROUNDS
from scenarios_outcome import Outcome

TICK, CROSS = "✓", "✗"


@dataclass
class Score:
    """All outcomes on one kind of cluster."""

    ground: str
    outcomes: list[Outcome] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    seeds: int = 0

    @property
    def faults(self) -> list[Outcome]:
        return [o for o in self.outcomes if not o.cast.scenario.control]

    @property
    def controls(self) -> list[Outcome]:
        return [o for o in self.outcomes if o.cast.scenario.control]

    def report(self) -> str:
        """One line for each scenario, then all that was wrong."""
        lines = [o.line() for o in self.outcomes]
        return "\n".join([*lines, *(w for o in self.outcomes for w in o.wrong()), *self.outside])

    def share(self, right: Callable[[Outcome], bool], of: Sequence[Outcome]) -> tuple[int, int]:
        return sum(map(right, of)), len(of)

    def numbers(self) -> dict[str, Any]:
        """Counts are (right, of all)."""
        mends = [o for o in self.faults if o.cast.scenario.mends]
        asked = [o for o in self.faults if not o.cast.scenario.mends]
        tries = [o for o in self.faults if any(s != "succeeded" for s in o.states)]
        return {
            "scenarios": (len({o.cast.name for o in self.faults}), len({o.cast.name for o in self.controls})),
            "seeds": self.seeds,
            "recall": self.share(lambda o: o.found, self.faults),
            "false_alarms": sum(len(o.opened) for o in self.controls) + sum("false alarm" in o for o in self.outside),
            "untrue_incidents": sum(len(o.false_alarms) for o in self.faults),
            "writes_on_controls": sum(o.writes for o in self.controls),
            "cause_right_at_first": self.share(lambda o: o.found and o.cause_right, self.faults),
            "target_right_at_first": self.share(lambda o: o.found and o.target_right, self.faults),
            "repaired_and_verified": self.share(lambda o: o.ended_right, mends),
            "same_in_every_run": self.steady(),
            "asked_rightly": self.share(lambda o: o.ended_right, asked),
            "rolled_back": sum(o.states.count("rolled_back") for o in tries),
            "failed_or_refused": sum(s in ("failed", "refused") for o in tries for s in o.states),
            "harm": sum(len(o.harm) for o in self.outcomes) + sum("false alarm" not in o for o in self.outside),
            "seconds_to_incident": spread([o.seconds_to_incident for o in self.faults]),
            "seconds_to_verified": spread([o.seconds_to_verified for o in mends]),
        }

    def steady(self) -> tuple[int, int]:
        """Repairable scenarios that were repaired with every seed, of those that there are."""
        runs: dict[str, list[bool]] = {}
        for o in self.faults:
            if o.cast.scenario.mends:
                runs.setdefault(o.cast.name, []).append(o.ended_right)
        return sum(all(r) for r in runs.values()), len(runs)


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Median and 95th percentile."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    return {"median": statistics.median(known), "p95": known[min(len(known) - 1, int(len(known) * 0.95))]}


_ROWS: tuple[tuple[str, str, str, Callable[[Any], bool] | None], ...] = (
    ("faults, controls", "scenarios", "≥ 60, ≥ 20", None),
    ("seeds", "seeds", "5", None),
    ("faults found (recall)", "recall", "≥ 99 %", lambda v: rate(v) >= 0.99),
    ("false alarms on controls", "false_alarms", "0", lambda v: v == 0),
    ("writes on controls", "writes_on_controls", "0", lambda v: v == 0),
    ("untrue incidents beside faults", "untrue_incidents", "0", lambda v: v == 0),
    ("root cause right at first", "cause_right_at_first", "≥ 95 %", lambda v: rate(v) >= 0.95),
    ("repair target right at first", "target_right_at_first", "≥ 95 %", lambda v: rate(v) >= 0.95),
    ("repaired and verified", "repaired_and_verified", "≥ 95 %", lambda v: rate(v) >= 0.95),
    ("repaired in every run (pass^k)", "same_in_every_run", "≥ 95 %", lambda v: rate(v) >= 0.95),
    ("asked, or gave back, rightly", "asked_rightly", "100 %", lambda v: rate(v) == 1),
    ("repairs rolled back", "rolled_back", "-", None),
    ("repairs failed or refused", "failed_or_refused", "-", None),
    ("harm", "harm", "0", lambda v: v == 0),
    ("fault → incident, seconds", "seconds_to_incident", "-", None),
    ("fault → verified, seconds", "seconds_to_verified", "-", None),
)


def rate(counts: tuple[int, int]) -> float:
    """Of two counts; 1 where there was nothing."""
    return counts[0] / counts[1] if counts[1] else 1.0


def shown(value: Any) -> str:
    """One cell."""
    if value is None:
        return "—"
    if isinstance(value, dict):
        return f"{value['median']:.1f}, p95 {value['p95']:.1f}"
    if isinstance(value, tuple):
        return f"{value[0]} of {value[1]}"
    return str(value)


def table(scores: Sequence[Score]) -> str:
    """Rows are what the goals name; one column for each kind of cluster."""
    numbers = [s.numbers() for s in scores]
    lines = [f"{'what':<34}{'goal':<12}" + "".join(f"{s.ground:<22}" for s in scores)]
    for title, key, goal, good in _ROWS:
        cells = (shown(n[key]) + ("" if good is None else f" {TICK if good(n[key]) else CROSS}") for n in numbers)
        lines.append(f"{title:<34}{goal:<12}" + "".join(f"{c:<22}" for c in cells))
    return "\n".join(lines)


def missed(score: Score) -> list[str]:
    """Goals that were not reached, in words."""
    numbers = score.numbers()
    return [
        f"{score.ground}: {title} {shown(numbers[key])}, goal {goal}"
        for title, key, goal, good in _ROWS
        if good is not None and not good(numbers[key])
    ]


def as_json(scores: Sequence[Score]) -> dict[str, Any]:
    """All numbers, and each run."""
    return {s.ground: {**s.numbers(), "outside": s.outside, "runs": [_run(o) for o in s.outcomes]} for s in scores}


def _run(o: Outcome) -> dict[str, Any]:
    return {
        "scenario": o.cast.name,
        "category": o.cast.scenario.category,
        "seed": o.cast.seed,
        "opened": o.opened,
        "targets": o.targets,
        "strategies": o.strategies,
        "states": o.states,
        "seconds_to_incident": o.seconds_to_incident,
        "seconds_to_verified": o.seconds_to_verified,
        "writes": o.writes,
        "wrong": o.wrong(),
    }


def main(arguments: Sequence[str]) -> int:
    """Play, print, and exit with 1 when a goal was missed."""
    asked = _parser().parse_args(arguments)
    programs = asked.programs or _built()
    folder = Path(tempfile.mkdtemp(prefix="kubemend-scenarios-"))
    only = [n for n in asked.only.split(",") if n]
    scores = [Score(name) for name in asked.on.split(",")]
    for score in scores:
        for seed in _seeds(asked):
            place = folder / f"{score.ground}-{seed}"
            place.mkdir()
            began = time.monotonic()
            with GROUNDS[score.ground](programs, place) as ground:
                outcomes, outside = play_seed(ground, seed, place, only=only, at_once=asked.at_once, tell=_say)
            _say(f"{score.ground}, seed {seed}: {time.monotonic() - began:.0f} s, kept in {place}\n\n")
            score.outcomes += outcomes
            score.outside += outside
            score.seeds += 1
    sys.stdout.write("\n" + table(scores) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(as_json(scores), ensure_ascii=False, indent=1))
    failed = [m for s in scores for m in missed(s)]
    sys.stdout.write("\n".join([*failed, ""]))
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play the scenarios and print what came of them.")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0 on")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--on", default="practice", help="practice,plane,node: where to play")
    parser.add_argument("--only", default="", help="names of scenarios, separated by commas")
    parser.add_argument("--at-once", type=int, default=0, help="how many side by side; default all")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--programs", type=Path, help="folder with kubectl and testbed; built where none is given")
    return parser


def _seeds(asked: argparse.Namespace) -> Sequence[int]:
    return range(asked.seeds) if asked.seed is None else [asked.seed]


def _built() -> Path:
    from testbed.build import build

    return build()
