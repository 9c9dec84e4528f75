"""A process that repairs and is killed, or stopped, at a named step, and one that comes after it and is not.

`control_plane_killer.py kill JOBS` forks one process for each job, which SIGKILLs itself at the job's step; a job with
`again` is killed a second time, while it is resumed.
`control_plane_killer.py stop JOBS` the same with SIGSTOP. When it has said "stopped" it waits for a line, wakes them
all, and tells what became of each.
`control_plane_killer.py finish JOBS` does for every job what the next kubemend does: resume, then repair what is left.
JOBS is a JSON file: a list of `Job`.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
from control_plane_cases import CASES, plan_for
from control_plane_steps import at
from msgspec import Struct

from kubemend.app import Rooms
from kubemend.cluster import writer
from kubemend.engine import catalogue
from kubemend.engine.guard import applying
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy
from kubemend.model.errors import KubemendError
from kubemend.model.objects import Obj
from kubemend.model.plan import Plan
from kubemend.model.repair import OPEN, Repair, State
from kubemend.store.budget import Limits
from kubemend.store.ledger import Ledger, is_dead, open_ledger
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.wiring import Bench

TOGETHER = 6
"""Processes, or repairs in one process, at once: the machine has two cores."""

SILENT_S = 31.0
"""How long a stopped process is taken to have been silent: a second more than a living one may be."""

PR_SET_PDEATHSIG = 1
"""`prctl(2)`: the signal a process gets when its parent dies."""

NOT_BEGUN = (State.PROPOSED, State.AWAITING_APPROVAL, State.REFUSED)


class Job(Struct, kw_only=True):
    """One repair in a namespace and a ledger of its own, and where its first process dies.

    case, fails: see `Case`. step, again: see `at`. undo: the repair has succeeded, and dies while a person has it
    undone. late_ms: how long after the step the kill comes. meanwhile: a command that a person runs once the repair
    enters `applying`. stopped: the first process lives, but was silent for long. without: "looks" or "bounds", what is
    taken away from the guard (see `_weaken`).
    """

    namespace: str
    kubeconfig: str
    store: str
    step: str
    case: str = "patch"
    fails: bool = False
    undo: bool = False
    again: str = ""
    late_ms: float = 0
    meanwhile: tuple[str, ...] = ()
    stopped: bool = False
    without: str = ""


def open_bench(namespace: str | None, kubeconfig: Path | str, store: Path | str) -> AbstractAsyncContextManager[Bench]:
    everywhere = namespace is None
    access = Access(
        kubeconfig=str(kubeconfig), namespace=namespace, all_namespaces=everywhere, auto_fix=True, store=Path(store)
    )
    return Rooms().bench(access, scope=namespace, tell=lambda _repair, _text: None, patience_s=0.2)


def watch_only(kinds: tuple[type[Obj], ...]) -> None:
    """Half a hundred of these run: watching what no step of the repair looks at would take most of the time."""
    catalogue.kinds = lambda: kinds


async def repair_it(guard: Guard, plan: Plan) -> Repair:
    limits = Limits(attempts=999, cooldown_s=0, concurrent=99, per_namespace=99, per_hour=9999)
    guard.policy = Policy(mode=Mode.AUTO_FIX, limits=limits)
    repair = await guard.propose(plan, incident="i1", actor="killer")
    if repair.state is State.AWAITING_APPROVAL:
        await guard.approve(repair, plan_hash=repair.plan.hash, actor="ann")
    return await guard.carry_out(repair, actor="killer")


def _die(late_ms: float, _ledger: Ledger) -> None:
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if late_ms:
        threading.Timer(late_ms / 1000, kill).start()
    else:
        kill()


async def _stop(ledger: Ledger) -> None:
    # Not in the middle of a heartbeat: who is stopped in a transaction keeps everybody out of the ledger.
    async with ledger.repairs._database._turn:
        os.kill(os.getpid(), signal.SIGSTOP)


async def _first(job: Job, does: Callable[[Ledger], Awaitable[None] | None]) -> str:
    """Repair, with something done at the job's step; what it came to, should it live on."""
    _weaken(job)
    watch_only(CASES[job.case].kinds)
    async with open_bench(job.namespace, job.kubeconfig, job.store) as bench:
        guard, act = bench.mender.guard, functools.partial(does, bench.mender.ledger)
        if job.undo:
            repair = await _repaired(guard, job)
            if repair.state is not State.SUCCEEDED:
                return f"never undone: {repair.state}, {repair.why}"
            at(job.step, act)
            return str((await guard.undo(repair, actor="ann")).state)
        at(job.step, act)
        if job.meanwhile:
            at("applying after", lambda: _run(job.meanwhile))
        end = await _repaired(guard, job)
        return f"{end.state}, {end.why}"


async def _second(job: Job) -> str:
    """Resume what the first left, until it is killed in turn."""
    watch_only(CASES[job.case].kinds)
    async with open_bench(job.namespace, job.kubeconfig, job.store) as bench:
        at(job.again, functools.partial(_die, job.late_ms, bench.mender.ledger))
        return str([r.state for r in await bench.mender.guard.resume()])


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, capture_output=True)


async def _repaired(guard: Guard, job: Job) -> Repair:
    return await repair_it(guard, await plan_for(job.case, guard, job.namespace, fails=job.fails))


def _make_ready(jobs: list[Job]) -> None:
    """Give each job a new ledger, and import here what each would import: that takes longer than the repairs."""
    for module in ("engine.mender", "engine.sight", "cluster.connection", "surfaces.cli.blind", "rules", "remedies"):
        importlib.import_module(f"kubemend.{module}")
    catalogue.rules()
    catalogue.strategies()
    new = Path(jobs[0].store).with_name("new.db")

    async def make() -> None:
        async with open_ledger(new):
            pass

    asyncio.run(make())
    for job in jobs:
        Path(job.store).write_bytes(new.read_bytes())


def _forked(job: Job, work: Callable[[], Awaitable[str]]) -> int:
    """The pid of a process that does the work, and tells on standard error what it came to if it lives to its end."""
    if pid := os.fork():
        return pid
    # A stopped process would outlive everybody.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1
    try:
        told = asyncio.run(work())  # type: ignore[arg-type]
        if not job.late_ms:
            sys.stderr.write(f"{job.namespace} lived through {job.again or job.step!r}: {told}\n")
        status = 0
    except KubemendError as error:
        sys.stderr.write(f"{job.namespace} {error.code}: {error.message}\n")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _until_killed(jobs: list[Job], work: Callable[[Job], Awaitable[str]]) -> list[str]:
    """Run each in a process of its own; those that were not killed as they should have been."""
    lapses = []
    waiting, running = list(jobs), dict[int, Job]()
    while waiting or running:
        if waiting and len(running) < TOGETHER:
            job = waiting.pop()
            running[_forked(job, functools.partial(work, job))] = job
            continue
        pid, status = os.wait()
        job, code = running.pop(pid), os.waitstatus_to_exitcode(status)
        if code != -signal.SIGKILL and not (job.late_ms and code == 0):
            lapses.append(f"{job.namespace} was not killed: it ended with {code}")
    return lapses


def kill(jobs: list[Job]) -> None:
    """Run every job until it dies, and those with `again` until they die again; tell which did not."""
    _make_ready(jobs)
    lapses = _until_killed(jobs, lambda job: _first(job, functools.partial(_die, job.late_ms)))
    lapses += _until_killed([j for j in jobs if j.again], _second)
    sys.stdout.write(json.dumps(lapses))


def stop(jobs: list[Job]) -> None:
    """Run every job until it stops itself; wake them when told to, and tell how each ended."""
    _make_ready(jobs)
    waiting, running, stopped = list(jobs), dict[int, Job](), list[int]()
    while waiting or running:
        if waiting and len(running) < TOGETHER:
            job = waiting.pop()
            running[_forked(job, functools.partial(_woken, job))] = job
            continue
        pid, status = os.waitpid(-1, os.WUNTRACED)
        job = running.pop(pid)
        if not os.WIFSTOPPED(status):
            sys.exit(f"{job.namespace} was not stopped: it ended with {os.waitstatus_to_exitcode(status)}")
        stopped.append(pid)
    sys.stdout.write("stopped\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        sys.exit("nobody wakes them any more")
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for pid in stopped:
        os.waitpid(pid, 0)
    sys.stdout.write(json.dumps([_end_of(j).read_text() for j in jobs]))


def _end_of(job: Job) -> Path:
    return Path(f"{job.store}.end")


def _tell_end(job: Job, told: str) -> None:
    _end_of(job).write_text(told)


async def _woken(job: Job) -> str:
    """The code of the error it ended with, or its state when there was none, in a file beside the ledger."""
    try:
        told = await _first(job, _stop)
    except KubemendError as error:
        told = error.code
    _tell_end(job, told)
    return told


def _silent(holder: str, heartbeat: float) -> bool:
    return is_dead(holder, heartbeat, now=time.time() + SILENT_S)


async def finish(jobs: list[Job]) -> list[dict[str, Any]]:
    """Go on after every job's first process; what became of each."""
    slots = asyncio.Semaphore(TOGETHER)
    watch_only(tuple({k for j in jobs for k in CASES[j.case].kinds}))

    async def one(job: Job) -> dict[str, Any]:
        async with slots, open_bench(job.namespace, job.kubeconfig, job.store) as bench:
            return await _after(job, bench.mender.guard, bench.mender.ledger)

    return await asyncio.gather(*(one(j) for j in jobs))


async def _after(job: Job, guard: Guard, ledger: Ledger) -> dict[str, Any]:
    resumed = await guard.resume(dead=_silent if job.stopped else None)
    repairs = await ledger.repairs.list()
    if all(r.state in NOT_BEGUN for r in repairs):
        await _repaired(guard, job)
    if job.undo and repairs[0].state is State.SUCCEEDED:
        await guard.undo(repairs[0], actor="ann")
    return {"resumed": len(resumed), **await _ends(ledger)}


async def _ends(ledger: Ledger) -> dict[str, Any]:
    async with ledger.repairs._database.transaction() as connection:
        holds = (await connection.exec_driver_sql("SELECT count(*) FROM holds")).scalar_one()
    trail = await ledger.audit.list(limit=1000)
    return {
        "repairs": [(r.id, r.state, r.why) for r in await ledger.repairs.list()],
        "open": len(await ledger.repairs.list(states=OPEN)),
        "holds": holds,
        "broken": await ledger.audit.broken_at(),
        "intents": [r.repair for r in trail if r.kind == "intent"],
    }


def _weaken(job: Job) -> None:
    """Take a guard away, to see that the tests would find it missing.

    looks: whether a write was made, and whether the object is still the planned one. bounds: uid and resourceVersion
    as preconditions of a write.
    """
    if job.without == "looks":
        applying.made = lambda *_args: False
        applying.untouched = lambda *_args: True
    if job.without == "bounds":
        writer._bound = lambda _ref, body, *_rest: body


def main(what: str, path: str) -> None:
    jobs = msgspec.json.decode(Path(path).read_bytes(), type=list[Job])
    if what == "kill":
        kill(jobs)
    elif what == "stop":
        stop(jobs)
    else:
        _weaken(jobs[0])
        sys.stdout.write(json.dumps(asyncio.run(finish(jobs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
