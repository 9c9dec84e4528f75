"""One scan, part by part: prints seconds as JSON. `python phases.py KUBECONFIG STARTED`, run by bench_scan.py.

STARTED: when the process was started, as `time.time()` tells it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import redirect_stdout
from io import StringIO

from kubemend.cluster.collector import collect
from kubemend.cluster.connection import connect
from kubemend.cluster.decoding import page
from kubemend.cluster.reader import Reader
from kubemend.cluster.resource import resource_of
from kubemend.engine import catalogue
from kubemend.engine.judge import judge
from kubemend.model.objects import Pod
from kubemend.surfaces.cli import output
from kubemend.surfaces.cli.render import scan as render
from kubemend.surfaces.cli.scanning import remedy, scanned


async def main(kubeconfig: str, started: float) -> dict[str, float]:
    """Each part once, in the order of a scan."""
    kinds = catalogue.kinds()
    took = {"start Python, import everything": time.time() - started}
    last = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal last
        now = time.perf_counter()
        took[part] = now - last
        last = now

    async with connect(kubeconfig=kubeconfig).open() as transport:
        lap("read the kubeconfig, open a client")
        snapshot = await collect(Reader(transport), kinds)
        lap("fetch and decode all lists")
        report = judge(snapshot, catalogue.rules())
        lap("judge")
        for diagnosis in report.diagnoses:
            remedy(diagnosis, snapshot)
        lap("plan repairs")
        made = scanned(snapshot, source="bench")
        last = time.perf_counter()
        with redirect_stdout(StringIO()):
            output.show(*render.scanned(made))
        lap("print")
        body = await transport.get(resource_of(Pod).collection(), within=300.0)
        lap("(all pods in one answer, not decoded)")
        page(Pod, body, where="")
        lap("(decoding that)")
    return took


print(json.dumps(asyncio.run(main(sys.argv[1], float(sys.argv[2])))))
