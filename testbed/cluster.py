"""`make cluster`: a real control plane with node stand-ins, to work on by hand until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from testbed.build import BuildError, build
from testbed.nodes import running, stop_signal
from testbed.plane import ControlPlane, PlaneError

from kubemend.lab.hand import MARK
from kubemend.model.errors import KubemendError


async def serve(plane: ControlPlane, names: list[str], pace: float) -> None:
    """Run nodes on the control plane and say how to use it, until told to stop."""
    told = stop_signal()
    plane.kubectl("label", "namespace", "kube-system", f"{MARK}=true")
    async with running(plane.nodes_kubeconfig, names, pace=pace):
        print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
        print(f"alias kubectl={plane.kubectl_path}   # stock kubectl; any other works too", flush=True)
        print("# running until Ctrl-C", flush=True)
        await told.wait()


def main() -> int:
    """Exit status 1 with the reason when there can be no cluster."""
    parser = argparse.ArgumentParser(prog="python -m testbed.cluster", description="Run a real control plane.")
    parser.add_argument("--nodes", type=int, default=3, help="how many node stand-ins")
    parser.add_argument("--pace", type=float, default=0.2, help="real seconds per second of a node's time")
    asked = parser.parse_args()
    names = [f"node-{number}" for number in range(1, asked.nodes + 1)]
    try:
        programs = build()
        with (
            tempfile.TemporaryDirectory(prefix="kubemend-cluster-") as folder,
            ControlPlane(programs, Path(folder) / "plane") as plane,
        ):
            asyncio.run(serve(plane, names, asked.pace))
    except (BuildError, PlaneError, KubemendError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
