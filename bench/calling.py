"""Every reading tool through the gateway, a few times each. Prints JSON, a line for each call.

`python bench/calling.py KUBECONFIG FOLDER PODS NODES ROUNDS [TOOL …]`, run by bench_tools.py. FOLDER: for the ledger.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import told
from asked import Arguments, questions
from furnished import Town

from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.engine.bounds import weight
from kubemend.engine.gateway import Gateway
from kubemend.model.tool import Tool
from kubemend.surfaces.cli.options import ToolAccess

TICK_S = 0.02


class Loop:
    """How long the event loop was held at one time: in that time no other call comes on, and no cancellation."""

    def __init__(self) -> None:
        self.held = 0.0

    async def watch(self) -> None:
        """Look at the clock, on and on."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            self.held, last = max(self.held, now - last - TICK_S), now


@asynccontextmanager
async def watched() -> AsyncIterator[Loop]:
    """The loop, watched while the block runs."""
    loop = Loop()
    watching = asyncio.create_task(loop.watch())
    await asyncio.sleep(0)
    try:
        yield loop
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def called(gateway: Gateway, tool: Tool, arguments: Arguments) -> dict[str, Any]:
    """One call, measured: seconds on the wall and on the CPU, seconds in which the loop was held, bytes."""
    gc.collect()
    told.begin_peak()
    busy, began = time.process_time(), time.perf_counter()
    async with watched() as loop:
        answer = await gateway.call(tool.name, arguments, actor="bench")
    cut, error = answer.truncated, answer.error
    return {
        "tool": tool.name,
        "arguments": arguments,
        "took": time.perf_counter() - began,
        "busy": time.process_time() - busy,
        "held": loop.held,
        "peak": told.resident("VmHWM"),
        "bytes": weight(answer.data),
        "shown": None if cut is None else cut.shown,
        "total": None if cut is None else cut.total,
        "incomplete": [f"{g.what}: {g.why}" for g in answer.incomplete],
        "error": None if error is None else f"{error.code}: {error.message}",
        "within": tool.within_s,
    }


async def main(kubeconfig: str, folder: Path, town: Town, rounds: int, only: list[str]) -> None:
    """Call them all, round by round, so that no tool is always called after the same one's leavings alone."""
    access = ToolAccess(kubeconfig=kubeconfig, store=folder / "ledger.db")
    chosen = [(t, a) for t, a in questions(catalogue.tools(), town) if not only or t.name in only]
    async with Rooms().gateway(access) as gateway:
        for _ in range(rounds):
            for tool, arguments in chosen:
                print(json.dumps(await called(gateway, tool, arguments)), flush=True)


if __name__ == "__main__":
    config, place, pods, nodes, times, *names = sys.argv[1:]
    asyncio.run(main(config, Path(place), Town(int(pods), int(nodes)), int(times), names))
