"""Ctrl-C and SIGTERM: once to stop well, twice to leave."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from kubemend.model.access import Risk
from kubemend.model.plan import Evict, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.surfaces.cli.interrupt import Interrupted, on_stop
from kubemend.surfaces.cli.mending import followed
from kubemend.surfaces.cli.progress import Progress

POD = Ref("Pod", "shop", "web-1")
PLAN = Plan(
    strategy="restart-pod", code="KM102", fingerprint="0" * 12, target=POD, changes=(Evict(target=POD, uid="u"),),
    reason="test", risk=Risk.LOW, confidence=0.9, verify=Verify(healthy=()),
)  # fmt: skip


def repair(state: State) -> Repair:
    now = datetime.now(UTC)
    return Repair(id="r1", cluster="c", incident="i", plan=PLAN, state=state, created_at=now, updated_at=now, why="so")


@dataclass
class Guard:
    """Stands in a state until it is told to halt, then ends."""

    progress: Progress
    stands: State
    ends: State | None
    halted: asyncio.Event = field(default_factory=asyncio.Event)

    def halt(self) -> None:
        self.halted.set()

    async def work(self) -> Repair:
        self.progress(repair(self.stands), "at work")
        press()
        await self.halted.wait()
        if self.ends is None:
            press()
            await asyncio.Event().wait()
        return repair(self.ends)


def press(which: signal.Signals = signal.SIGINT) -> None:
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), which)


async def follow(guard: Guard) -> Interrupted:
    bench = SimpleNamespace(mender=SimpleNamespace(guard=guard))
    with pytest.raises(Interrupted) as caught:
        await asyncio.wait_for(followed(bench, guard.work(), guard.progress), 5)
    return caught.value


@pytest.mark.parametrize(
    ("stands", "ends", "said"),
    [
        (State.PREFLIGHT, State.REFUSED, "stopping before anything is changed"),
        (State.VERIFYING, State.SUCCEEDED, "the change is made, so it is proven or taken back first"),
        (State.ROLLING_BACK, State.ROLLED_BACK, "the change is made, so it is proven or taken back first"),
    ],
)
async def test_once_halts_the_guard_and_waits_for_its_end(stands, ends, said, capsys):
    error = await follow(Guard(Progress(), stands, ends))
    assert error.message == f"repair r1 is {ends}: so"
    assert error.exit_status == 130
    assert said in capsys.readouterr().err


async def test_twice_leaves_and_tells_what_is_left():
    error = await follow(Guard(Progress(), State.VERIFYING, None))
    assert error.message == "left while repair r1 was verifying"
    assert "kubemend repairs r1" in (error.hint or "")


async def test_what_signals_did_before_is_restored():
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    called = asyncio.Event()
    with on_stop(called.set):
        press(signal.SIGTERM)
        await asyncio.wait_for(called.wait(), 5)
    assert {s: signal.getsignal(s) for s in before} == before
