"""A real Prometheus with fixed series in it, made from OpenMetrics text by its own promtool."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

PROGRAMS = ("prometheus", "promtool")
READY_S = 20.0
Points = Iterable[tuple[int, float]]

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


@asynccontextmanager
async def prometheus(folder: Path, series: Series) -> AsyncIterator[str]:
    """A Prometheus that holds these series and scrapes nothing. Its URL; it is stopped when the block ends."""
    text, data, config = folder / "series.om", folder / "data", folder / "prometheus.yml"
    text.write_text(str(series))
    config.write_text("global: {scrape_interval: 1h}\n")
    await _done("promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data))
    url = f"http://127.0.0.1:{_port()}"
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


def _port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
