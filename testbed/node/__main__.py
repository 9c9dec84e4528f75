"""`make node`: a real control plane with a real node, to work on by hand until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from testbed.build import BuildError, build
from testbed.node.box import BoxError
from testbed.node.node import NodeError, RealNode
from testbed.node.registry import RegistryError
from testbed.node.slot import SlotError, clear_rests
from testbed.plane import PlaneError

CHECK_S = 2.0


def up() -> None:
    """Run a node and say how to use it, until told to stop."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    down()
    with RealNode(build()) as node:
        print(f"export KUBECONFIG={node.plane.kubeconfig}", flush=True)
        print(f"alias kubectl={node.plane.kubectl_path}   # stock kubectl; any other works too", flush=True)
        print("# running until Ctrl-C", flush=True)
        while not told.wait(CHECK_S):
            node.box.check()


def down() -> None:
    """Clear away what killed nodes left behind. Running ones end with the process that runs them."""
    for number in clear_rests():
        print(f"cleared away what was left of node {number}", file=sys.stderr)


def main() -> int:
    """Exit status 1 with the reason when there can be no node."""
    parser = argparse.ArgumentParser(prog="python -m testbed.node", description="Run a real node.")
    parser.add_argument("command", choices=("up", "down"), nargs="?", default="up", help="up (until Ctrl-C) or down")
    asked = parser.parse_args()
    try:
        {"up": up, "down": down}[asked.command]()
    except (BuildError, PlaneError, NodeError, BoxError, SlotError, RegistryError) as error:
        print(f"node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
