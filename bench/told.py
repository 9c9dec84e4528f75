"""What all benchmarks share: running a program and measuring it, and telling the results."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
MEASURED = ROOT / "bench" / "measured.py"
PAGE = ROOT / "docs" / "results.md"
SPEED = "\n## Speed\n"
"""Where in the page what benchmarks write begins; what stands before it is written by people."""


@dataclass(frozen=True)
class Ran:
    """One run of a program: seconds on the wall and on the CPU (its own and its children's), peak memory in bytes."""

    wall: float
    cpu: float
    peak: int
    output: bytes


def run(command: Sequence[str]) -> Ran:
    """Run a program to its successful end, measured. Python keeps its byte code, as where it is installed."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(MEASURED), *command], capture_output=True, check=False, env=env
    )
    told, _, figures = ran.stderr.decode().rstrip().rpartition("\n")
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}:\n{told}")
    wall, cpu, peak = figures.split()
    return Ran(float(wall), float(cpu), int(peak), ran.stdout)


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def conditions() -> dict[str, Any]:
    """Where and when it was measured, and how busy the machine was."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def save(name: str, result: dict[str, Any]) -> None:
    """Keep one benchmark's results, print them, and write all results into `docs/results.md`."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(page(result) + "\n")
    write_page()


def write_page() -> None:
    """Write the last part of `docs/results.md` from all results there are."""
    parts = [page(json.loads(p.read_text())) for p in sorted(RESULTS.glob("*.json"))]
    head = "Written by `make bench` from `bench/results/*.json`. Ratios are between runs of one bench.\n\n"
    PAGE.write_text(PAGE.read_text().partition(SPEED)[0] + SPEED + head + "\n\n".join(parts) + "\n")


def page(result: dict[str, Any]) -> str:
    """One benchmark's results as Markdown."""
    where = result["conditions"]
    machine = ", ".join(
        (
            f"{where['cores']} cores ({where['processor']})",
            f"{where['memory_gib']} GiB",
            f"Python {where['python']}",
            *result.get("versions", ()),
            where["date"],
            f"load {where['load_1min']} at the start",
        )
    )
    lines = [f"### {result['title']}", "", result["what"], "", f"_{machine}_", ""]
    for table in result["tables"]:
        lines += [*_table(table), ""]
    return "\n".join([*lines, *result.get("notes", ())]).rstrip()


def _table(table: dict[str, Any]) -> list[str]:
    rows = [table["columns"], ["---"] + ["---:"] * (len(table["columns"]) - 1), *table["rows"]]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def seconds(value: float) -> str:
    """For a table."""
    return f"{value:.2f} s"


def milliseconds(value: float) -> str:
    """For a table."""
    return f"{value * 1000:.1f} ms"


def mib(value: float) -> str:
    """For a table."""
    return f"{value / 2**20:.0f} MiB"


def begin_peak() -> None:
    """Let this process's peak of memory begin anew (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def resident(which: str = "VmRSS") -> int:
    """This process's memory now, in bytes; or another line of `/proc/self/status`: VmHWM is its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {which}")
