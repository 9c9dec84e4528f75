"""A full scan of a real API server beside the raw fetch of the same lists, in the same run and in turn.

`python bench/bench_scan.py [--pods 5000] [--nodes 500] [--rounds 7]`: about three minutes with the defaults, most of
which goes into filling the cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import told
from fleet import Size, fill, opened
from testbed.build import build
from testbed.plane import ControlPlane

from kubemend.cluster.reader import PAGE
from kubemend.cluster.resource import resource_of
from kubemend.engine import catalogue

KUBEMEND = [sys.executable, "-m", "kubemend"]
PHASES = Path(__file__).with_name("phases.py")


@dataclass(frozen=True)
class Way:
    """One way to look at the cluster."""

    name: str
    command: list[str]


def curl(plane: ControlPlane, paths: list[str], *, at_once: int, accept: str) -> list[str]:
    """Fetch lists and throw them away. curl's own name as a client would have the server indent its JSON."""
    pki = plane.folder / "pki"
    login = ["--cacert", str(pki / "ca.crt"), "--cert", str(pki / "admin.crt"), "--key", str(pki / "admin.key")]
    common = ["curl", "--silent", "--fail", "--user-agent", "bench", "--header", f"Accept: {accept}", *login]
    parallel = ["--parallel", "--parallel-max", str(at_once)] if at_once > 1 else []
    targets = [word for path in paths for word in ("--output", "/dev/null", f"{plane.server}{path}")]
    return [*common, *parallel, *targets]


def ways(plane: ControlPlane) -> list[Way]:
    """What is compared."""
    paths = [resource_of(k).collection() for k in catalogue.kinds()]
    json_, protobuf = "application/json", "application/vnd.kubernetes.protobuf"
    config = ["--kubeconfig", str(plane.kubeconfig)]
    return [
        Way("raw lists as JSON, one after the other (curl)", curl(plane, paths, at_once=1, accept=json_)),
        Way("raw lists as JSON, 8 at once (curl)", curl(plane, paths, at_once=8, accept=json_)),
        Way("raw lists as protobuf, one after the other (curl)", curl(plane, paths, at_once=1, accept=protobuf)),
        Way("**kubemend scan**", [*KUBEMEND, "scan", "-A", *config]),
        Way("kubemend scan -o json", [*KUBEMEND, "scan", "-A", "-o", "json", *config]),
        Way("kubemend version (the program's own start)", [*KUBEMEND, "version"]),
    ]


def measured(plane: ControlPlane, rounds: int) -> dict[str, list[told.Ran]]:
    """Every way in turn, forwards and backwards by turns, after a round that doesn't count."""
    chosen = ways(plane)
    runs: dict[str, list[told.Ran]] = {w.name: [] for w in chosen}
    for turn in range(rounds + 1):
        for way in chosen if turn % 2 else reversed(chosen):
            ran = told.run(way.command)
            if turn:
                runs[way.name].append(ran)
    return runs


async def sizes(plane: ControlPlane) -> dict[str, int]:
    """Bytes of each list as JSON."""
    async with opened(plane.kubeconfig) as transport:
        return {
            k.plural: len(await transport.get(resource_of(k).collection(), within=300.0)) for k in catalogue.kinds()
        }


def phases(plane: ControlPlane, rounds: int) -> dict[str, float]:
    """Where the time of a scan goes: medians of the seconds each part takes."""
    command = [sys.executable, str(PHASES), str(plane.kubeconfig)]
    runs = [json.loads(told.run([*command, str(time.time())]).output) for _ in range(rounds)]
    return {part: told.median([r[part] for r in runs]) for part in runs[0]}


def result(size: Size, plane: ControlPlane, rounds: int, filled: float) -> dict[str, Any]:
    """Measure, as JSON."""
    conditions, held = told.conditions(), asyncio.run(sizes(plane))
    runs = measured(plane, rounds)
    parts = phases(plane, rounds)
    found = json.loads(told.run(ways(plane)[4].command).output)
    base = told.median([r.wall for r in runs["raw lists as JSON, one after the other (curl)"]])
    scan = told.median([r.wall for r in runs["**kubemend scan**"]])
    rows = [
        [
            name,
            told.seconds(told.median([r.wall for r in ran])),
            told.seconds(min(r.wall for r in ran)),
            f"{told.median([r.wall for r in ran]) / base:.2f}",
            told.seconds(told.median([r.cpu for r in ran])),
            told.mib(max(r.peak for r in ran)),
        ]
        for name, ran in runs.items()
    ]
    return {
        "title": f"Full scan of {size.pods:,} pods on {size.nodes:,} nodes",
        "what": f"A real API server (with etcd on the same machine) that holds {sum(held.values()) / 1e6:.0f} MB of "
        f"JSON in {len(held)} lists ({held['pods'] / 1e6:.0f} MB of it pods, {held['pods'] / size.pods / 1000:.1f} kB "
        f"each) and {len(found['findings'])} faults in it. Medians of {rounds} runs, in turn, in alternating order.",
        "conditions": conditions,
        "versions": (f"Kubernetes {version(plane)}",),
        "tables": [
            {
                "columns": [
                    "way",
                    "wall (median)",
                    "wall (best)",
                    "of the raw fetch",
                    "CPU of the client",
                    "peak memory",
                ],
                "rows": rows,
            },
            {"columns": ["part of a scan", "seconds (median)"], "rows": [[p, f"{s:.3f}"] for p, s in parts.items()]},
        ],
        "notes": [
            "Goal: at most 1.5 times the raw fetch of the same lists in the same format; reached: "
            f"{scan / base:.2f} times. kubemend reads pages of {PAGE}, 8 lists at once, as JSON, without gzip here. "
            "API server and clients share the cores, so the server's own work (encoding JSON) is in every row but "
            f"the last. Filling took {filled:.0f} s."
        ],
        "raw": {name: [[r.wall, r.cpu, r.peak] for r in ran] for name, ran in runs.items()},
        "ratio": scan / base,
    }


def version(plane: ControlPlane) -> str:
    """The API server's version."""
    return str(json.loads(plane.kubectl("get", "--raw", "/version"))["gitVersion"])


def main() -> None:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(description="Full scan beside the raw fetch of the same lists.")
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    size = Size(asked.pods, asked.nodes)
    with (
        tempfile.TemporaryDirectory(prefix="kubemend-bench-") as folder,
        ControlPlane(build(), Path(folder), controllers=False) as plane,
    ):
        began = time.perf_counter()
        asyncio.run(fill(plane.kubeconfig, size))
        told.save(f"scan-{size.pods}", result(size, plane, asked.rounds, time.perf_counter() - began))


if __name__ == "__main__":
    main()
