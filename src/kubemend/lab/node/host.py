"""What a pod meets on its node: the API, the events, the pace of time, images, addresses, logs and meters."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from kubemend.kube.quantity import format_bytes, format_cores
from kubemend.lab.api import Api, Doors
from kubemend.lab.events import Recorder
from kubemend.lab.images import Catalogue

Logs = MutableMapping[tuple[str, str, str, bool], list[str]]
"""(namespace, pod, container, previous) → lines, each beginning with its RFC 3339 time and a blank."""
Usage = MutableMapping[tuple[str, str, str], dict[str, str]]
"""(namespace, pod, container) → {"cpu": "5m", "memory": "20Mi"}."""

KEPT_LINES = 2000
"""Log lines of one container that are kept."""


class Signal:
    """Wakes all who wait, and lets nobody miss what happened between looking and waiting."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Wake everyone."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int, seconds: float | None = None) -> bool:
        """Wait until it has fired since `count` was `seen`, or that many real seconds. Whether it has."""
        try:
            async with asyncio.timeout(seconds):
                while self.count == seen:
                    await self._event.wait()
        except TimeoutError:
            return False
        return True


@dataclass(kw_only=True)
class Host:
    """One node as its pods see it. address: the node's own; pulled: names of images that are on it."""

    name: str
    address: str
    api: Api
    recorder: Recorder
    pace: float
    images: Catalogue
    logs: Logs
    usage: Usage
    doors: Doors
    subnet: str
    pulled: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_address(self) -> str:
        """A pod's address in the node's subnet, not given out before within 250: more than a node holds at once."""
        number = next(self._numbers)
        return f"{self.subnet}.{number % 250 + 2}"

    async def sleep(self, seconds: float) -> None:
        """Let that much time of Kubernetes pass."""
        await asyncio.sleep(seconds * self.pace)

    def write(self, where: tuple[str, str, str], line: str) -> None:
        """Append to a container's log. where: (namespace, pod, container)."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        lines = self.logs.setdefault((*where, False), [])
        lines.append(f"{stamp} {line}")
        del lines[:-KEPT_LINES]
        self.logs[*where, False] = lines  # who follows the log is told by this

    def turn_log(self, where: tuple[str, str, str]) -> None:
        """Begin a new log; what was there becomes the previous one."""
        if (old := self.logs.pop((*where, False), None)) is not None:
            self.logs[*where, True] = old
        self.logs[*where, False] = []

    def meter(self, where: tuple[str, str, str], memory: int, cpu: float) -> None:
        """Tell what a container uses: bytes and cores."""
        whole = memory - memory % 1024
        self.usage[where] = {"cpu": format_cores(Decimal(str(cpu))), "memory": format_bytes(whole)}

    def unmeter(self, where: tuple[str, str, str]) -> None:
        """It runs no longer."""
        self.usage.pop(where, None)

    def forget(self, where: tuple[str, str, str]) -> None:
        """The pod is gone: so are its logs."""
        self.unmeter(where)
        for previous in (False, True):
            self.logs.pop((*where, previous), None)
