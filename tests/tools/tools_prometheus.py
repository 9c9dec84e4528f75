"""A real Prometheus with fixed series in it, made from OpenMetrics text by its own promtool."""

from __future__ import annotations

import asyncio
import math
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

PROGRAMS = ("prometheus", "promtool")
READY_S = 20.0
Points = Iterable[tuple[int, float]]
MI = 2**20
KUBELET = {"namespace": "shop", "container": "web", "job": "kubelet"}
STEADY = [0.1 + 0.001 * m for m in range(120)]
"""CPU of a pod by minute."""

needs_prometheus = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="prometheus and promtool (Debian package prometheus) are not installed"
)


class Series:
    """OpenMetrics text, one metric family after the other."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, list[str]]] = {}

    def add(
        self, name: str, labels: Mapping[str, str], points: Iterable[tuple[int, float]], kind: str = "gauge"
    ) -> None:
        """One series: (Unix seconds, value)."""
        family = name.removesuffix("_total") if kind == "counter" else name
        told = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
        lines = self._families.setdefault(family, (kind, []))[1]
        lines += [f"{name}{{{told}}} {value!r} {at}" for at, value in points]

    def __str__(self) -> str:
        families = (
            "\n".join([f"# TYPE {name} {kind}", *lines]) for name, (kind, lines) in sorted(self._families.items())
        )
        return "\n".join([*families, "# EOF\n"])


def start() -> int:
    """Six hours ago, at a full minute: where KRR's one-minute steps stand."""
    return (int(time.time()) - 6 * 3600) // 60 * 60


def counter(begin: int, rates: list[float]) -> list[tuple[int, float]]:
    """A CPU counter every 15 s that rises by one rate within each minute: what rate(...[1m]) gives at each minute."""
    points, total = [(begin, 0.0)], 0.0
    for minute, rate in enumerate(rates):
        for quarter in range(1, 5):
            total += rate * 15
            points.append((begin + 60 * minute + 15 * quarter, total))
    return points


def quantile(values: list[float], q: float) -> float:
    """Prometheus' quantile_over_time: between the two nearest ranks of q * (n - 1), by their distance."""
    ordered, rank = sorted(values), q * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def pod_series(series: Series, pod: str, begin: int, rates: list[float], peak: int, *, namespace: str = "shop") -> None:
    """CPU and memory of one pod, once by the kubelet and once by another job that must not count."""
    labels = {**KUBELET, "namespace": namespace, "pod": pod}
    series.add("container_cpu_usage_seconds_total", labels, counter(begin, rates), "counter")
    memory = [(begin + 60 * m, float(peak if m == 7 else 50 * MI)) for m in range(len(rates) + 1)]
    series.add("container_memory_working_set_bytes", labels, memory)
    other = {**labels, "job": "another"}
    series.add("container_cpu_usage_seconds_total", other, counter(begin, [9.0] * len(rates)), "counter")
    series.add("container_memory_working_set_bytes", other, [(t, v + 900 * MI) for t, v in memory])


@asynccontextmanager
async def prometheus(folder: Path, series: Series, *, address: str = "127.0.0.1") -> AsyncIterator[str]:
    """A Prometheus that holds these series and scrapes nothing. Its URL; it is stopped when the block ends."""
    text, data, config = folder / "series.om", folder / "data", folder / "prometheus.yml"
    text.write_text(str(series))
    config.write_text("global: {scrape_interval: 1h}\n")
    await _done("promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data))
    url = f"http://{address}:{_port(address)}"
    program = await asyncio.create_subprocess_exec(
        "nice", "-n", "19", "prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=60d", f"--web.listen-address={url.removeprefix('http://')}",
        "--log.level=error", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _ready(url, program)
        yield url
    finally:
        if program.returncode is None:
            program.terminate()
        await program.wait()


async def _done(*command: str) -> None:
    program = await asyncio.create_subprocess_exec(
        "nice", "-n", "19", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await program.communicate()
    assert program.returncode == 0, said.decode()


async def _ready(url: str, program: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
        while True:
            assert program.returncode is None, "prometheus ended"
            try:
                async with session.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)


def _port(address: str) -> int:
    with socket.socket() as held:
        held.bind((address, 0))
        return int(held.getsockname()[1])
