"""A practice cluster as a process of its own, and a hand in it that is not kubemend's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import Conflict, NotFound
from kubemend.cluster.reader import Reader
from kubemend.cluster.writer import Writer
from kubemend.model.ref import Ref

Object = dict[str, Any]
PACE = 0.05


class Cluster:
    """What a person with kubectl could do."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def create(self, text: str) -> None:
        """Create the objects of a text of manifests."""

        async def work(reader: Reader, writer: Writer) -> None:
            for manifest in yaml.safe_load_all(text):
                await writer.create(manifest)

        self._do(work)

    def get(self, ref: Ref) -> Object:
        async def work(reader: Reader, writer: Writer) -> Object:
            return await reader.get(ref)

        return self._do(work)

    def gone(self, ref: Ref) -> bool:
        try:
            self.get(ref)
        except NotFound:
            return True
        return False

    def edit(self, ref: Ref, body: Object) -> Object:
        """A strategic patch of whatever is there."""

        async def work(reader: Reader, writer: Writer) -> Object:
            while True:
                meta = (await reader.get(ref))["metadata"]
                try:
                    return await writer.patch(ref, body, uid=meta["uid"], resource_version=meta["resourceVersion"])
                except Conflict:
                    continue  # a controller was at it too

        return self._do(work)

    def kubeconfig_as(self, user: str, path: Path) -> Path:
        """A kubeconfig for somebody else, by impersonation."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"]["as"] = user
        path.write_text(yaml.safe_dump(config))
        return path

    def until(self, ref: Ref, true: Callable[[Object], Any], seconds: float = 20.0) -> Object:
        """Wait for something to be true of an object."""
        deadline = time.monotonic() + seconds
        while not true(found := self.get(ref)):
            assert time.monotonic() < deadline, f"{ref} never got there: {found.get('status')}"
        return found

    def _do(self, work: Callable[..., Any]) -> Any:
        async def inside() -> Any:
            async with connect(kubeconfig=str(self.kubeconfig)).open() as transport:
                reader = Reader(transport)
                return await work(reader, Writer(transport, reader))

        return asyncio.run(inside())


@contextmanager
def practice(folder: Path) -> Iterator[Cluster]:
    """`kubemend lab up`, up when the block begins."""
    kubeconfig = folder / "kubeconfig"
    command = [sys.executable, "-m", "kubemend", "lab", "up", "--nodes", "2", "--pace", str(PACE)]
    process = subprocess.Popen([*command, "--kubeconfig", str(kubeconfig)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == f"export KUBECONFIG={kubeconfig}\n"
    try:
        yield Cluster(kubeconfig)
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()
