"""`python tests/differential/differential_run.py [AREA …]`: hold the conversation, print the table and what is unknown.

`--write` writes docs/differences.md anew from the data; no server is needed for that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from differential_clusters import practice_cluster, real_cluster  # noqa: E402  (the path is set just above)
from differential_compare import Report  # noqa: E402
from differential_page import PAGE, page  # noqa: E402
from differential_talks import AREAS, STORIES, converse, tell  # noqa: E402
from testbed.build import build  # noqa: E402
from testbed.plane import ControlPlane  # noqa: E402


async def hold(plane: ControlPlane, areas: list[str], stories: list[str]) -> list[Report]:
    """Both conversations, on one control plane."""
    reports = []
    if areas:
        reports.append(await converse(plane, areas))
    if stories:
        async with practice_cluster() as ours, real_cluster(plane) as theirs:
            reports.append(await tell(ours, theirs, stories))
    return reports


def main() -> int:
    """Exit status 1 when there is a difference that is not known, or a known one that is none."""
    parser = argparse.ArgumentParser(description="Compare the practice cluster with a real control plane.")
    parser.add_argument("areas", nargs="*", help=f"of {', '.join((*AREAS, *STORIES))}; all by default")
    parser.add_argument("--write", action="store_true", help="write docs/differences.md anew, and talk to nobody")
    asked = parser.parse_args()
    if asked.write:
        PAGE.write_text(page())
        return 0
    chosen = asked.areas or [*AREAS, *STORIES]
    areas, stories = ([c for c in chosen if c in all_] for all_ in (AREAS, STORIES))
    with tempfile.TemporaryDirectory(prefix="kubemend-differential-") as folder:
        # Controllers would change what the first conversation only reads: each has its own plane.
        reports = [*_held(Path(folder) / "api", areas, [])] if areas else []
        reports += _held(Path(folder) / "alive", [], stories) if stories else []
    for report in reports:
        for found in report.unknown:
            print(found)
        for gone in report.stale:
            print(f"no difference any more: {gone}")
    for report in reports:
        print(report.table())
    return 1 if any(r.unknown or r.stale for r in reports) else 0


def _held(folder: Path, areas: list[str], stories: list[str]) -> list[Report]:
    with ControlPlane(build(), folder, controllers=bool(stories)) as plane:
        return asyncio.run(hold(plane, areas, stories))


if __name__ == "__main__":
    raise SystemExit(main())
