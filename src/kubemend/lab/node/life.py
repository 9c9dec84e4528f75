"""One life of a container: its process run and probed, until it ends, is killed, or is out of date."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kubemend.lab.api import Object
from kubemend.lab.fields import spec
from kubemend.lab.node.host import Host, Signal
from kubemend.lab.node.probe import Target, delay, verdict
from kubemend.lab.node.process import OutOfMemory, Process, Program

NOTICE_S = 0.8
"""Seconds until the kubelet sees that a container runs (it lists them each second); one that ends sooner never did."""

_GOOD, _BAD, _EITHER = frozenset({True}), frozenset({False}), frozenset({True, False})


@dataclass(frozen=True)
class End:
    """How a container ended. message: what the runtime said, or why the kubelet killed it."""

    code: int
    reason: str = ""
    message: str = ""

    @property
    def word(self) -> str:
        """`state.terminated.reason`."""
        return self.reason or ("Completed" if self.code == 0 else "Error")


@dataclass
class Seat:
    """Where a container sits: its pod as it is now, its node, and what tells that either changed.

    look: the pod's newest version. changes: fires when the pod's spec or something it refers to changes.
    published: tells that the container's status changed. waiting: its state before anything is known of it.
    scratch: files in the pod's `emptyDir` volumes, by volume: they last as long as the pod.
    """

    host: Host
    look: Callable[[], Object]
    changes: Signal
    published: Callable[[], None]
    address: Callable[[], str]
    waiting: dict[str, str] = field(default_factory=lambda: {"reason": "ContainerCreating"})
    scratch: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Vitals:
    """What probes find out."""

    ready: bool = False
    started: bool = False


class Life:
    """Runs one process. `vitals` follow its probes; `say` records an event: (type, reason, message)."""

    def __init__(
        self,
        seat: Seat,
        container: Callable[[], Object],
        vitals: Vitals,
        say: Callable[[str, str, str], Awaitable[None]],
    ) -> None:
        self._seat, self._container, self._vitals, self._say = seat, container, vitals, say

    async def run(
        self, process: Process, program: Program, argv: list[str], *, noticed: Callable[[], None] | None
    ) -> End:
        """Run, probe, and watch for another image, all at once; the first to come to an end decides.

        noticed: called once it has run for so long that the kubelet sees it running; None when it was seen already.
        """
        main = asyncio.create_task(_main(process, program, argv))
        tasks = [main]
        try:
            if noticed is not None:
                await asyncio.wait({main}, timeout=NOTICE_S * process.pace)
                if main.done():
                    return main.result()
                noticed()
            tasks += [asyncio.create_task(self._probe(process)), asyncio.create_task(self._outdated())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                return main.result()
            why = next(t for t in tasks if t.done()).result().message
            named = self._container()["name"]
            await self._say("Normal", "Killing", f"Container {named} {why}, will be restarted")
            grace = spec(self._seat.look()).get("terminationGracePeriodSeconds")
            return End(await stop(process, 30.0 if grace is None else grace))
        finally:
            await _cancel(*tasks)

    async def _outdated(self) -> End:
        image = self._container().get("image")
        seen = self._seat.changes.count
        while self._container().get("image") == image:
            await self._seat.changes.wait(seen)
            seen = self._seat.changes.count
        return End(0, message="definition changed")

    async def _probe(self, process: Process) -> End:
        """Keep the vitals true to the probes; ends when one of them wants the container killed."""
        container = self._container()
        target = Target(container, process, self._seat.address())
        if (startup := container.get("startupProbe")) is not None and not await self._starts(startup, target):
            return End(0, message="failed startup probe")
        readiness = asyncio.create_task(self._keep_ready(container.get("readinessProbe"), target))
        try:
            if (liveness := container.get("livenessProbe")) is None:
                await readiness
            else:
                await delay(liveness, process)
                await verdict(liveness, "Liveness", target, wanted=_BAD, failed=self._unhealthy)
        finally:
            await _cancel(readiness)
        return End(0, message="failed liveness probe")

    async def _starts(self, probe: Object, target: Target) -> bool:
        await delay(probe, target.process)
        if not await verdict(probe, "Startup", target, wanted=_EITHER, failed=self._unhealthy):
            return False
        self._vitals.started = True
        self._vitals.ready = not self._container().get("readinessProbe")
        self._seat.published()
        return True

    async def _keep_ready(self, probe: Object | None, target: Target) -> None:
        if probe is None:
            await target.process.forever()
            return
        await delay(probe, target.process)
        while True:
            wanted = _BAD if self._vitals.ready else _GOOD
            self._vitals.ready = await verdict(probe, "Readiness", target, wanted=wanted, failed=self._unhealthy)
            self._seat.published()

    async def _unhealthy(self, said: str) -> None:
        await self._say("Warning", "Unhealthy", said)


async def stop(process: Process, grace: float) -> int:
    """Ask the process to end, and kill it when it doesn't within `grace` seconds. Returns its exit code."""
    if process.grace_s is None or process.grace_s > grace:
        await process.sleep(grace)
        return 137
    await process.sleep(process.grace_s)
    return process.grace_code


async def _main(process: Process, program: Program, argv: list[str]) -> End:
    """The program, with what the pod's annotations say over it."""
    wanted = process.behaviour
    try:
        await process.use(process.memory)
        if wanted.needs is not None and (error := await process.connect(*wanted.needs)):
            process.write(f"fatal: can't reach {wanted.needs[0]}:{wanted.needs[1]}: {error}")
            return End(1)
        if wanted.exit is None:
            return End(await program(process, argv))
        await process.sleep(wanted.lasts)
        return End(wanted.exit)
    except OutOfMemory:
        return End(process.oom_code, "OOMKilled")


async def _cancel(*tasks: asyncio.Task[End] | asyncio.Task[None]) -> None:
    """End tasks, and wait until they have."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
