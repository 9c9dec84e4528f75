"""Every reading tool on 30,000 pods: time, size of the answer, and what it says that it left out.

`python bench/bench_tools.py [--pods 30000] [--nodes 1000] [--rounds 3] [--recorded FOLDER] [TOOL …]`. A real API server
is filled with up to 2,500 pods (about two minutes); its lists, recorded byte by byte, are loaded as many times over as
it takes into the API server of a practice cluster, which answers whatever a tool asks. FOLDER keeps the recording.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import told
from bench_scan import version
from furnished import Town, furnish
from replay import record
from served import resources
from testbed.build import build
from testbed.plane import ControlPlane

from kubemend.engine.gateway import SIZE

HERE = Path(__file__).resolve().parent
MOST = 2500
"""Pods that a real API server is filled with."""
PATIENCE_S = 60.0


def recorded(folder: Path, town: Town) -> str:
    """Fill a real API server and record it, unless that was done. Returns its version."""
    done = folder / "version"
    if not done.exists():
        with ControlPlane(build(), folder / "plane", controllers=False) as plane:
            asyncio.run(furnish(plane.kubeconfig, town))
            asyncio.run(record(plane.kubeconfig, folder, resources()))
            done.write_text(version(plane))
    return done.read_text()


@contextmanager
def served(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """The recorded cluster, so many times over; gives its kubeconfig and how many objects there are."""
    command = [sys.executable, str(HERE / "served.py"), str(folder), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


def called(kubeconfig: str, town: Town, rounds: int, only: list[str]) -> list[dict[str, Any]]:
    """All calls, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="kubemend-bench-") as folder:
        place = [kubeconfig, folder, str(town.pods), str(town.nodes), str(rounds)]
        ran = told.run([sys.executable, str(HERE / "calling.py"), *place, *only])
    return [json.loads(line) for line in ran.output.splitlines()]


def row(calls: list[dict[str, Any]]) -> list[str]:
    """What one question came to."""
    first, times = calls[0], [c["took"] for c in calls]
    shown = "all" if first["total"] is None else f"{first['shown']} of {first['total']:,}"
    good = max(times) <= first["within"] and first["bytes"] <= SIZE and first["error"] is None
    return [
        first["tool"],
        told.seconds(told.median(times)),
        told.seconds(max(times)),
        told.seconds(told.median([c["busy"] for c in calls])),
        told.seconds(max(c["held"] for c in calls)),
        f"{first['bytes']:,}",
        shown,
        str(len(first["incomplete"])),
        told.mib(max(c["peak"] for c in calls)),
        f"{first['within']:g} s: {'yes' if good else first['error'] or 'NO'}",
    ]


def result(conditions: dict[str, Any], kubernetes: str, held: dict[str, Any], calls: list[dict[str, Any]]) -> Any:
    """All figures, as JSON: the slowest first."""
    asked: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        asked.setdefault(json.dumps([call["tool"], call["arguments"]]), []).append(call)
    slowest = sorted(asked.values(), key=lambda found: -told.median([c["took"] for c in found]))
    rounds = len(slowest[0])
    return {
        "title": f"Every reading tool on {held['Pod']:,} pods",
        "what": f"{held['Pod']:,} pods on {held['Node']:,} nodes in {held['Namespace']:,} namespaces, and what belongs "
        "to them: recorded on a real API server, served again by the practice cluster's in a process beside it. Each "
        f"tool is asked through the gateway about all namespaces, or about a large workload, for as long a list as it "
        f"gives; {rounds} rounds, without Prometheus.",
        "conditions": conditions,
        "versions": (f"Kubernetes {kubernetes}",),
        "tables": [
            {
                "columns": [
                    "tool",
                    "median",
                    "worst",
                    "CPU (median)",
                    "event loop held at most",
                    "bytes of data",
                    "shown",
                    "said to be incomplete",
                    "peak memory",
                    "within its bound",
                ],
                "rows": [row(found) for found in slowest],
            }
        ],
        "notes": [
            f"Bound of size: {SIZE:,} bytes. Of time: what each tool declares. CPU is that of the process that calls, "
            "without the API server's. Where the machine does other things, the time on the wall tells of these too."
        ],
        "raw": calls,
    }


def main() -> None:
    """Fill, record, serve, call, tell."""
    parser = argparse.ArgumentParser(description="Every reading tool on many pods.")
    parser.add_argument("--pods", type=int, default=30000)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recorded", type=Path, help="where the recorded lists are kept, or are already")
    parser.add_argument("tools", nargs="*", help="only these")
    asked = parser.parse_args()
    copies = max(1, asked.pods // MOST)
    town = Town(asked.pods // copies, asked.nodes // min(copies, 2))
    with tempfile.TemporaryDirectory(prefix="kubemend-bench-") as name:
        folder = asked.recorded or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        kubernetes = recorded(folder, town)
        with served(folder, copies) as held:
            conditions = told.conditions()
            calls = called(held["kubeconfig"], town, asked.rounds, asked.tools)
    told.save(f"tools-{held['Pod']}", result(conditions, kubernetes, held, calls))


if __name__ == "__main__":
    main()
