"""Repairs in which one fault strikes at one step; and what must be true of each, whatever the fault.

A cell is a repair of a Deployment in a namespace of its own. All cells share one cluster, one proxy and one ledger,
but for those in which watches are struck: they have a view of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import faults_kinds as faults
from aiohttp import web
from faults_proxy import REVIEW, Exchange, Fault, Match, Proxy, Rule

from kubemend.app import Rooms
from kubemend.model.access import Risk
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Cite
from kubemend.model.plan import Change, Patch, Plan, Scale, Verify
from kubemend.model.pointer import at
from kubemend.model.ref import Ref
from kubemend.model.repair import OPEN, Repair, State
from kubemend.store.budget import Limits
from kubemend.store.ledger import open_ledger
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.wiring import Bench

Object = dict[str, Any]
GOOD, WORSE = "registry.lab/web:1.0", "registry.lab/web:1.0-typo"
IMAGE = "/spec/template/spec/containers/0/image"
WEB = r"/deployments/web$"
LIVED = r"/(deployments|replicasets|pods|nodes)$"
"""What the guard keeps in sight here: lists and watches of it."""
LONG_S = 400.0
"""Longer than any cell may take, on a machine that does many things at once."""
PART = 68
"""Cells whose Deployments are there at one time."""
LIMITS = Limits(attempts=999, cooldown_s=0, concurrent=999, per_namespace=99, per_hour=99999)

FAULTS: dict[str, Fault] = {
    f.__name__: f
    for f in (
        faults.delayed(0.3), faults.silent, faults.cut_before, faults.cut_inside, faults.drop_answer,
        faults.keep_answer, faults.says(401), faults.says(403), faults.says(409), faults.says(410),
        faults.says(429, retry_after=1), faults.says(500), faults.says(503), faults.says(503, after=True),
        faults.garbage, faults.empty, faults.truncated, faults.trickling(), faults.half_open,
    )
}  # fmt: skip
RARE: dict[str, Fault] = {"late": faults.late(0.4)}
"""Those that make sense at a write alone."""
LASTING = ("silent", "cut_before", "401", "403", "409", "429", "503", "garbage", "half_open")
"""Those that are also tried as never ending: one of each kind of answer, or of none."""


@dataclass(frozen=True)
class Step:
    """Where a fault strikes. wants: which requests (of the cell's namespace), and which of them.

    fails: the repair makes things worse, so that it must be taken back. undo: it has succeeded, and the fault comes
    while a person has it undone. first: what else happens at the write. scale: a scale, in place of a patch.
    sight: what is struck is the guard's view of the cluster.
    """

    name: str
    wants: Match
    nth: int = 1
    fails: bool = False
    undo: bool = False
    first: Fault | None = None
    scale: bool = False
    sight: bool = False


async def then_cut(exchange: Exchange) -> web.StreamResponse:
    """A write goes through, and all watches break."""
    status, headers, body = await exchange.whole()
    exchange.proxy.cut()
    return web.Response(status=status, headers=headers, body=body)


READ, WRITE = Match("GET", WEB), Match("PATCH", WEB, write=True)
ASKED = Match("POST", REVIEW)
STEPS = (
    Step("read", READ),
    Step("access review", ASKED),
    Step("dry run", Match("PATCH", WEB, dry=True)),
    Step("last look", READ, nth=2),
    Step("write", WRITE),
    Step("read back", Match("GET", WEB, writes=1), first=faults.drop_answer),
    Step("proof", Match("GET", LIVED), first=then_cut, sight=True),
    Step("comparison", Match("GET", WEB, writes=1)),
    Step("scale", Match("PATCH", r"/scale$", write=True), scale=True),
    Step("read of the scaled", Match("GET", WEB, writes=1), scale=True),
    Step("rollback: read", Match("GET", WEB, writes=1), fails=True),
    Step("rollback: restore", WRITE, nth=2, fails=True),
    Step("rollback: read after", Match("GET", WEB, writes=2), fails=True),
    Step("undo: access review", ASKED, undo=True),
    Step("undo: read", READ, undo=True),
    Step("undo: restore", WRITE, undo=True),
    Step("undo: read after", READ, nth=2, undo=True),
)


class World(Protocol):
    """A cluster, past the proxy: the truth."""

    async def deploy(self, wanted: dict[str, str]) -> None:
        """A Deployment `web` with this image in each of these new namespaces, settled."""
        ...

    async def remove(self, namespaces: list[str]) -> None:
        """Delete these namespaces; they may take their time to go."""
        ...

    async def web(self, namespace: str) -> Object:
        """It, as it is now."""
        ...

    def audited(self, namespace: str) -> list[int]:
        """Statuses of the API server's own record of requests to change something, dry runs left out."""
        ...


@dataclass
class Cell:
    """One repair, and what became of it."""

    step: Step
    fault: str
    lasting: bool
    number: int
    repair: Repair | None = None
    error: str = ""
    seconds: float = 0.0
    struck: bool = False
    intents: int = 0
    statuses: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return f"cell-{self.number}"

    @property
    def made(self) -> int:
        """Writes that the API server carried out, by its own record."""
        return sum(s < 300 for s in self.statuses)

    @property
    def state(self) -> str:
        return "" if self.repair is None else str(self.repair.state)

    @property
    def title(self) -> str:
        return f"{self.fault}{' for ever' if self.lasting else ''} at {self.step.name!r}"

    def line(self) -> str:
        why = "" if self.repair is None else self.repair.why
        times = f"{self.intents} intents, {self.statuses} answered, {self.seconds:.1f} s"
        return f"{self.title}: {self.state} {self.error} ({why}; {times})"


def cells(steps: Iterable[Step] = STEPS, kinds: Iterable[str] = tuple(FAULTS)) -> list[Cell]:
    """Every fault at every step once, and the lasting ones for ever."""
    kinds = tuple(kinds)
    pairs = [(s, f, lasting) for s in steps for f in kinds for lasting in (False, True) if not lasting or f in LASTING]
    return [Cell(s, f, lasting, n) for n, (s, f, lasting) in enumerate(pairs)]


class Matrix:
    """Runs cells, so many at once. Use as `async with`."""

    def __init__(self, world: World, proxy: Proxy, folder: Path, *, together: int = 12) -> None:
        self._world, self._proxy, self._folder = world, proxy, folder
        self._slots, self._stack = asyncio.Semaphore(together), AsyncExitStack()

    async def __aenter__(self) -> Matrix:
        async with open_ledger(self._folder / "new.db"):
            pass
        self.bench: Bench = await self._stack.enter_async_context(self._open(self._proxy, None))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _open(self, proxy: Proxy, namespace: str | None) -> Any:
        kubeconfig = proxy.kubeconfig(self._folder / f"{namespace}.kubeconfig")
        access = Access(
            kubeconfig=str(kubeconfig), namespace=namespace, all_namespaces=namespace is None, auto_fix=True,
            store=self._folder / f"{namespace}.db",
        )  # fmt: skip
        return Rooms().bench(access, scope=namespace, tell=lambda _repair, _text: None, patience_s=0.2, limits=LIMITS)

    async def run(self, wanted: list[Cell]) -> list[Cell]:
        """A part of them after the other: a node has room for 110 pods."""
        for at_ in range(0, len(wanted), PART):
            part = wanted[at_ : at_ + PART]
            await self._world.deploy({c.namespace: GOOD if c.step.fails else WORSE for c in part})
            await asyncio.gather(*(self._one(c) for c in part))
            await self._world.remove([c.namespace for c in part])
            with (self._folder / "cells.log").open("a") as log:
                log.writelines(f"{c.line()}\n" for c in part)
        return wanted

    async def _one(self, cell: Cell) -> None:
        async with self._slots:
            began = time.monotonic()
            try:
                async with asyncio.timeout(LONG_S):
                    await self._struck(cell)
                    # On a busy machine the view may be too old for a repair to get as far as the step: then again.
                    while not cell.struck and cell.repair is not None and cell.repair.state is State.REFUSED:
                        await self._struck(cell)
            except TimeoutError:
                cell.wrong.append("it hung")
            cell.seconds = time.monotonic() - began
            cell.statuses = self._world.audited(cell.namespace)
            cell.wrong += wrong(cell, await self._world.web(cell.namespace))

    async def _struck(self, cell: Cell) -> None:
        if not cell.step.sight:
            await self._repaired(cell, self.bench, self._proxy)
            return
        # Migrations of two ledgers at once in one process get in one another's way.
        (self._folder / f"{cell.namespace}.db").write_bytes((self._folder / "new.db").read_bytes())
        async with Proxy.to(self._proxy.connection) as proxy, self._open(proxy, cell.namespace) as bench:
            await self._repaired(cell, bench, proxy)

    async def _repaired(self, cell: Cell, bench: Bench, proxy: Proxy) -> None:
        guard, undo, rules = bench.mender.guard, cell.step.undo, list[Rule]()
        plan = plan_of(cell, await self._world.web(cell.namespace))
        repair = cell.repair = await guard.propose(plan, incident="i1", actor="test")
        try:
            if not undo:
                rules = _armed(cell, proxy)
            cell.repair = await guard.carry_out(repair, actor="test")
            if undo:
                assert cell.repair.state is State.SUCCEEDED, cell.line()
                rules = _armed(cell, proxy)
                cell.repair = await guard.undo(cell.repair, actor="ann")
        except KubemendError as error:
            cell.error = f"{error.code}: {error.message}"
        finally:
            cell.struck = all(r.struck for r in rules)
            proxy.forget(rules)
        ledger = bench.mender.ledger
        cell.repair = await ledger.repairs.get(repair.id)
        records = await ledger.audit.list(repair=repair.id, limit=1000)
        cell.intents = sum(r.kind == "intent" for r in records)


def _armed(cell: Cell, proxy: Proxy) -> list[Rule]:
    step, here = cell.step, cell.namespace
    # What keeps the view is not of one namespace alone.
    wants = replace(step.wants, namespace="", writes=1) if step.sight else replace(step.wants, namespace=here)
    rules = [proxy.on(wants, (FAULTS | RARE)[cell.fault], nth=step.nth, times=None if cell.lasting else 1)]
    if step.first is not None:
        rules.append(proxy.on(replace(WRITE, namespace=here), step.first))
    return rules


def plan_of(cell: Cell, live: Object) -> Plan:
    """Another image for the Deployment, or no pod for it."""
    web = Ref("Deployment", cell.namespace, "web", "apps")
    uid, image = live["metadata"]["uid"], WORSE if cell.step.fails else GOOD
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    change: Change = Patch(target=web, uid=uid, body=body)
    if cell.step.scale:
        change = Scale(target=web, uid=uid, replicas=0, was=1)
    verify = Verify(healthy=(web,), within_s=1.0 if cell.step.fails else 40, steady_s=0.3, gone=False)
    return Plan(
        strategy="test", code="KM103", fingerprint="f" * 12, target=web, reason=cell.namespace, risk=Risk.LOW,
        confidence=0.9, changes=(change,), requires=(Cite(web, IMAGE, at(live, IMAGE)),), verify=verify,
    )  # fmt: skip


def wrong(cell: Cell, live: Object) -> list[str]:
    """What is not as it must be, whatever the fault was; empty when all is."""
    assert cell.repair is not None
    state, step = cell.repair.state, cell.step
    image, replicas = at(live, IMAGE), live["spec"]["replicas"]
    before = (GOOD if step.fails else WORSE, 1)
    after = (WORSE if step.fails else GOOD, 1) if not step.scale else (WORSE, 0)
    # Who can't see whether it holds takes it back.
    held, seen = 2 if step.fails or step.undo or step.sight else 1, (image, replicas)
    facts: dict[str, bool] = {
        "at an end": state not in OPEN and state not in (State.PROPOSED, State.AWAITING_APPROVAL),
        "struck": cell.struck,
        "with a reason": bool(cell.repair.why),
        f"{held} write(s) at most": cell.made <= held,
        "every write announced": len(cell.statuses) <= cell.intents or cell.fault == "429",
    }
    match state:
        case State.SUCCEEDED:
            facts |= {"what it says": seen == after and cell.made == 1}
        case State.REFUSED | State.FAILED:
            facts |= {"what it says": seen == before and cell.made == 0}
        case State.ROLLED_BACK:
            facts |= {"what it says": seen == before and cell.made == 2}
        case _:
            facts |= {"one of both": seen in (before, after)}
    if (wanted := expected(cell)) is not None:
        facts[f"{wanted}"] = state in wanted and not cell.error
    return [f"not {f}: {cell.line()}, the cluster has {seen}" for f, true in facts.items() if not true]


READS = {s.name for s in STEPS if s.wants.method == "GET" and not s.sight}
PASSING = {"delay", "cut_before", "cut_inside", "drop_answer", "429", "500", "503", "503 after"}
"""What a read outlives when it comes once."""
MADE = {"delay", "cut_inside", "drop_answer", "keep_answer", "503 after", "truncated", "429", "409"}
"""What a write outlives: it went through, or the server said that it did not and why."""


def expected(cell: Cell) -> tuple[State, ...] | None:
    """The states it must end in, where more can be said than that it must end."""
    normal = State.ROLLED_BACK if cell.step.fails or cell.step.undo else State.SUCCEEDED
    once = not cell.lasting
    if once and cell.step.name in READS and cell.fault in PASSING:
        return (normal,)
    if once and cell.step.name in ("write", "scale", "rollback: restore", "undo: restore") and cell.fault in MADE:
        return (normal,)
    if once and cell.step.name in ("access review", "dry run") and cell.fault in PASSING:
        return (normal,)
    if once and cell.step.sight:
        return (normal,)
    return None


SHORT = {
    State.SUCCEEDED: "ok", State.REFUSED: "refused", State.FAILED: "failed", State.ROLLED_BACK: "back",
    State.ESCALATED: "person",
}  # fmt: skip


def table(done: Sequence[Cell]) -> Iterator[str]:
    """Fault by step: where the repair ended; after the slash, when the fault never ended."""
    rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for cell in done:
        assert cell.repair is not None
        end = cell.error.partition(":")[0] or SHORT.get(cell.repair.state, str(cell.repair.state))
        rows[cell.fault][cell.step.name].append(end)
    names = list(dict.fromkeys(c.step.name for c in done))
    yield "ok: succeeded, back: rolled back, person: escalated; after the slash: the fault never ended"
    for part in (names[:6], names[6:12], names[12:]):
        if part:
            yield f"{'':<13}" + "".join(f"{n:<20}" for n in part)
            yield from (f"{f:<13}" + "".join(f"{'/'.join(row[n]):<20}" for n in part) for f, row in rows.items())
