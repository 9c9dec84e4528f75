"""From one change to the diagnosis: in the watch cache, and end to end on a real API server; and the cache's memory.

`python bench/bench_watch.py [--rounds 20]`: about three minutes. A real API server is filled with 5,000 pods on 500
nodes; there `kubemend watch` is timed from the write to the incident. Then its lists, recorded byte by byte, are served
again by a process of our own, once over and six times over (30,000 pods on 1,000 nodes).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import told
from bench_scan import version
from fleet import Size, fill, opened, pod_status
from replay import record
from testbed.build import build
from testbed.plane import ControlPlane

from kubemend.cluster.resource import resource_of
from kubemend.model.objects import Pod

HERE = Path(__file__).resolve().parent
SIZE = Size(5000, 500)
COPIES = (1, 6)
PATIENCE_S = 60.0


class Watch:
    """`kubemend watch --analyze-only` on a cluster, with the moment each incident was told."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        command = [sys.executable, "-m", "kubemend", "watch", "-A", "--analyze-only", "-o", "json"]
        command += ["--kubeconfig", str(kubeconfig), "--store", str(folder / "ledger.db")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._told: dict[str, float] = {}
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            now, event = time.perf_counter(), json.loads(line)
            if event["what"] == "opened":
                with self._news:
                    self._told[event["incident"]["subject"].rpartition(" ")[2]] = now
                    self._news.notify_all()

    def settled(self, count: int) -> None:
        """Wait until so many incidents are told."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._told) >= count, PATIENCE_S):
                raise SystemExit(f"only {len(self._told)} incidents were told")

    def told(self, subject: str) -> float:
        """When an incident of this subject was told."""
        with self._news:
            if not self._news.wait_for(lambda: subject in self._told, PATIENCE_S):
                raise SystemExit(f"no incident was told of {subject}")
            return self._told[subject]

    def end(self) -> int:
        """Stop it. Returns its peak memory in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return peak * 1024


async def end_to_end(plane: ControlPlane, watch: Watch, rounds: int) -> list[float]:
    """Seconds from the moment a pod's status is sent to the API server to the incident on the program's output."""
    took = []
    async with opened(plane.kubeconfig) as transport:
        for round_ in range(rounds):
            # Deployments without a fault of their own, each of another namespace.
            app, space = f"app-{round_ * 20 + 10:05}", f"team-{round_:03}"
            path = resource_of(Pod).object(space, f"{app}-2f9c8b7d5-000xk")
            pod = msgspec.json.decode(await transport.get(path))
            pod["status"] = pod_status(pod["spec"], round_, 0, "crash")
            began = time.perf_counter()
            await transport.send("PUT", f"{path}/status", pod)
            took.append(await asyncio.to_thread(watch.told, f"{space}/{app}") - began)
    return took


@contextmanager
def replayed(folder: Path, count: int) -> Iterator[str]:
    """The recorded cluster served so many times over; gives the URL."""
    command = [sys.executable, str(HERE / "replay.py"), str(folder), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


def in_cache(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """The figures of a watch cache, measured in a process of its own."""
    with replayed(folder, count) as url:
        figures: dict[str, Any] = json.loads(
            told.run([sys.executable, str(HERE / "watching.py"), url, str(rounds)]).output
        )
        figures["bytes"] = total(url)
        return figures


def total(url: str) -> int:
    """Bytes of all lists that are served."""
    return int(told.run(["curl", "--silent", "--fail", f"{url}/bytes"]).output)


def result(
    conditions: dict[str, Any], plane: str, ends: list[float], peak: int, sized: dict[int, Any]
) -> dict[str, Any]:
    """All figures, as JSON."""
    pods = {count: f"{figures['counts']['pods']:,} pods" for count, figures in sized.items()}
    changes = list(next(iter(sized.values()))["took"])
    rows = []
    for name in changes:
        row = [name]
        for figures in sized.values():
            here = [t for _, t, _ in figures["took"][name]]
            row += [told.milliseconds(told.median(here)), told.milliseconds(told.quantile(here, 0.95))]
        rows.append(row)
    columns = [c for count in sized for c in (f"{pods[count]}: median", "95 %")]
    everything = [
        t for f in sized.values() for n in changes for _, t, _ in f["took"][n] if f["counts"]["pods"] >= 30000
    ]
    memory = [
        [
            pods[count],
            told.mib(f["bytes"]),
            told.mib(f["held"]),
            f"{f['held'] / f['bytes']:.2f}",
            told.mib(f["judged"]),
            told.seconds(f["synced"]),
            told.seconds(f["first"]),
            told.seconds(f["full"]),
        ]
        for count, f in sized.items()
    ]
    return {
        "title": "From a change to the diagnosis",
        "what": "The watch cache follows every kind that a rule or a strategy reads. One change arrives; the report is "
        "brought up to date. The cluster is a real API server's lists, recorded and served again by a process of ours "
        "(30,000 pods: six times over, with names and uids of their own), with its faults in it.",
        "conditions": conditions,
        "versions": (f"Kubernetes {plane}",),
        "tables": [
            {"columns": ["from the event in the cache to the diagnosis", *columns], "rows": rows},
            {
                "columns": [
                    "the cache",
                    "all lists as JSON",
                    "its memory",
                    "ratio",
                    "with indexes and findings",
                    "first lists",
                    "first judgement",
                    "judging everything anew",
                ],
                "rows": memory,
            },
            {
                "columns": ["end to end on the real API server, 5,000 pods", "median", "95 %", "worst"],
                "rows": [
                    [
                        "status written → incident told by `kubemend watch`",
                        told.milliseconds(told.median(ends)),
                        told.milliseconds(told.quantile(ends, 0.95)),
                        told.milliseconds(max(ends)),
                    ]
                ],
            },
        ],
        "notes": [
            f"Goals: at most 50 ms at 30,000 pods (95 % of all changes above: "
            f"{told.milliseconds(told.quantile(everything, 0.95))}); memory at most 1.0 of the JSON. Each size ends "
            "with the check that the report equals that of judging everything. `kubemend watch` on 5,000 pods, ledger "
            f"and all, peaks at {told.mib(peak)}."
        ],
        "raw": {pods[count]: figures for count, figures in sized.items()} | {"end_to_end": ends},
    }


def main() -> None:
    """Fill, measure end to end, record, replay, tell."""
    parser = argparse.ArgumentParser(description="From one change to the diagnosis.")
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kubemend-bench-") as name:
        folder = Path(name)
        with ControlPlane(build(), folder / "plane", controllers=False) as plane:
            asyncio.run(fill(plane.kubeconfig, SIZE))
            conditions, kubernetes = told.conditions(), version(plane)
            watch = Watch(plane.kubeconfig, folder)
            watch.settled(SIZE.deployments // 25)
            ends = asyncio.run(end_to_end(plane, watch, asked.rounds))
            peak = watch.end()
            asyncio.run(record(plane.kubeconfig, folder))
        sized = {count: in_cache(folder, count, asked.rounds) for count in COPIES}
    told.save("watch", result(conditions, kubernetes, ends, peak, sized))


if __name__ == "__main__":
    main()
