"""Volumes for claims on a real node, as directories of its own file system.

`python testbed/node/disk.py --kubeconfig F --root DIR` runs until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed.client import ClientApi
from testbed.volumes import provision

from kubemend.cluster.connection import connect


async def serve(kubeconfig: Path, root: Path) -> None:
    """Make a volume for each claim that asks for one, without end."""
    async with connect(kubeconfig=str(kubeconfig)).open() as transport:
        await provision(ClientApi(transport), str(root))


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description="Make volumes on a real node.")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder for the volumes, as the node sees it")
    asked = parser.parse_args()
    asyncio.run(serve(asked.kubeconfig, asked.root))


if __name__ == "__main__":
    main()
