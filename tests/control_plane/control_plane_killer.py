"""A process that repairs and is killed at a named step, and one that comes after it and is not.

`control_plane_killer.py kill JOBS` forks one process for each job, which SIGKILLs itself at the job's step.
`control_plane_killer.py finish JOBS` does for every job what the next kubemend does: resume, then repair what is left.
JOBS is a JSON file: a list of `Job`.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

import kubemend.store.repairs
from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.engine.guard import machine
from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy
from kubemend.model.access import Risk
from kubemend.model.finding import Cite
from kubemend.model.objects import Deployment, Node, Pod, ReplicaSet
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.pointer import at as at_path
from kubemend.model.ref import Ref
from kubemend.model.repair import OPEN, Repair, State
from kubemend.store.ledger import Ledger, open_ledger
from kubemend.store.repairs import Limits, Repairs
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.wiring import Bench

IMAGE = "/spec/template/spec/containers/0/image"
TOGETHER = 6
"""Processes, or clusters open in one process, at once: the machine has two cores."""


class Job(Struct, kw_only=True):
    """One repair in a namespace and a ledger of its own, and where its first process dies.

    step: see `at`. fails: the repair's image can't be pulled, so that it is taken back. late_ms: how long after the
    step the kill comes. blind: without the looks that keep a write from being made twice.
    """

    namespace: str
    kubeconfig: str
    store: str
    step: str
    fails: bool = False
    late_ms: float = 0
    blind: bool = False

    @property
    def web(self) -> Ref:
        return Ref("Deployment", self.namespace, "web", "apps")


def open_bench(namespace: str | None, kubeconfig: Path | str, store: Path | str) -> AbstractAsyncContextManager[Bench]:
    everywhere = namespace is None
    access = Access(
        kubeconfig=str(kubeconfig), namespace=namespace, all_namespaces=everywhere, auto_fix=True, store=Path(store)
    )
    return Rooms().bench(access, scope=namespace, tell=lambda _repair, _text: None, patience_s=0.2)


async def plan_of(
    guard: Guard, web: Ref, *, image: str = "", note: str = "", within_s: float = 25, title: str = "test"
) -> Plan:
    """Another image, or just a note on the Deployment, where the image is as it is now."""
    live = await guard._hands.live(web)
    assert live is not None
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    body = {"metadata": {"annotations": {"note": note}}} if note else body
    was = Cite(web, IMAGE, at_path(live, IMAGE))
    return Plan(
        strategy="test", code="KM103", fingerprint="f" * 12, target=web, reason=title, risk=Risk.LOW, confidence=0.9,
        changes=(Patch(target=web, uid=live["metadata"]["uid"], body=body),), requires=(was,),
        verify=Verify(healthy=(web,), within_s=within_s, steady_s=0.3, gone=False),
    )  # fmt: skip


async def repair_it(guard: Guard, plan: Plan) -> Repair:
    limits = Limits(attempts=999, cooldown_s=0, concurrent=99, per_namespace=99, per_hour=9999)
    guard.policy = Policy(mode=Mode.AUTO_FIX, limits=limits)
    return await guard.carry_out(await guard.propose(plan, incident="i1", actor="killer"), actor="killer")


Act = Callable[[], Awaitable[None] | None]
Patched = Callable[[Any, str, Any], None]


def at(step: str, act: Act, patched: Patched = setattr) -> None:
    """Have `act` done at a step: "NAME WHEN" or "NAME WHEN N", the N-th time it comes by (first: 1).

    NAME: a method of Repairs (propose, begin, remember, intend, outcome, beat), a state that is moved to
    (applying), or what is done to the cluster (write: dry runs don't count; restore). WHEN: before, after, or during:
    for the cluster while the request is under way, for the ledger in its transaction, before it is committed.
    """
    name, when, *rest = step.split()
    nth, seen = int(rest[0]) if rest else 1, 0
    owner, method, wanted = _place(name)
    real = getattr(owner, method)

    @functools.wraps(real)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += wanted(args, kwargs)
        here = seen == nth and wanted(args, kwargs)
        if here and when == "before":
            await _done(act)
        if here and when == "during":
            if owner is Hands:
                asyncio.get_running_loop().call_later(0.004, act)
            else:
                _in_transaction(act, patched)
        result = await real(*args, **kwargs)
        if here and when == "after":
            await _done(act)
        return result

    patched(owner, method, wrapped)


def _place(name: str) -> tuple[type, str, Callable[[Any, Any], bool]]:
    if name in ("write", "restore"):
        return Hands, name, lambda _args, kwargs: not kwargs.get("dry_run")
    if name in set(State):
        return Repairs, "move", lambda args, _kwargs: args[2] == name
    return Repairs, name, lambda _args, _kwargs: True


def _in_transaction(act: Act, patched: Patched) -> None:
    """The row is changed and its audit record written, but neither committed."""
    append = kubemend.store.repairs.append

    async def then(*args: Any, **kwargs: Any) -> None:
        await append(*args, **kwargs)
        await _done(act)

    patched(kubemend.store.repairs, "append", then)


async def _done(act: Act) -> None:
    result = act()
    if result is not None:
        await result


def _die(late_ms: float) -> None:
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if late_ms:
        threading.Timer(late_ms / 1000, kill).start()
    else:
        kill()


async def _first(job: Job) -> None:
    # Half a hundred of these run: watching what no step of the repair looks at would take most of the time.
    catalogue.kinds = lambda: (Deployment, ReplicaSet, Pod, Node)
    async with open_bench(job.namespace, job.kubeconfig, job.store) as bench:
        at(job.step, functools.partial(_die, job.late_ms))
        guard = bench.mender.guard
        end = await repair_it(guard, await _plan(guard, job))
        if not job.late_ms:
            sys.stderr.write(f"{job.namespace} lived through {job.step!r}: {end.state}, {end.why}\n")


async def _plan(guard: Guard, job: Job) -> Plan:
    image, within_s = ("registry.lab/web:1.0-typo", 0.8) if job.fails else ("registry.lab/web:1.0", 25.0)
    return await plan_of(guard, job.web, image=image, within_s=within_s)


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


def kill(jobs: list[Job]) -> None:
    """Run every job until it dies."""
    _make_ready(jobs)
    waiting, running = list(jobs), 0
    while waiting or running:
        if waiting and running < TOGETHER:
            job = waiting.pop()
            if os.fork() == 0:
                asyncio.run(_first(job))
                os._exit(0)
            running += 1
            continue
        _, status = os.wait()
        running -= 1
        survived = any(j.late_ms for j in jobs) and status == 0
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL and not survived:
            sys.exit("a process was not killed")


async def finish(jobs: list[Job]) -> list[dict[str, Any]]:
    """Go on after every job's first process; what became of each."""
    slots = asyncio.Semaphore(TOGETHER)
    first = jobs[0]
    async with open_bench(None, first.kubeconfig, Path(first.store).with_name("unused.db")) as bench:

        async def one(job: Job) -> dict[str, Any]:
            async with slots, open_ledger(Path(job.store)) as ledger:
                guard = copy.copy(bench.mender.guard)
                guard._ledger, guard._driven = ledger, set()
                resumed = await guard.resume()
                if all(r.state in (State.PROPOSED, State.REFUSED) for r in await ledger.repairs.list()):
                    await repair_it(guard, await _plan(guard, job))
                return {"resumed": len(resumed), **await _ends(ledger)}

        return await asyncio.gather(*(one(j) for j in jobs))


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


def _blind() -> None:
    machine._done = lambda *_args: False
    machine.untouched = lambda *_args: True


def main(what: str, path: str) -> None:
    jobs = msgspec.json.decode(Path(path).read_bytes(), type=list[Job])
    if what == "kill":
        kill(jobs)
        return
    if any(j.blind for j in jobs):
        _blind()
    sys.stdout.write(json.dumps(asyncio.run(finish(jobs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
