"""The detector: watches, keeps incidents, and has faults repaired as far as the policy goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from kubemend.engine.mender import Mender
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Diagnosis, Report, Severity
from kubemend.model.repair import Incident, Phase, Repair, State
from kubemend.store.errors import Held, Moved, OverBudget
from kubemend.store.switch import Paused


class Happened(Struct, frozen=True, kw_only=True):
    """One thing worth telling: an incident opened or resolved, a repair begun or ended, a wait."""

    at: float
    what: Literal["opened", "resolved", "planned", "repair", "waiting", "escalated", "unread"]
    text: str
    incident: Incident | None = None
    repair: Repair | None = None


Tell = Callable[[Happened], None]


class Timing(Struct, frozen=True, kw_only=True):
    """How patient the detector is, in seconds.

    settle: a diagnosis must stand this long before it is repaired. resolve: a fault must be gone this long before
    its incident closes. retry: between attempts that had to wait. look: time-dependent rules run at least so often.
    """

    settle: float = 2.0
    resolve: float = 5.0
    retry: float = 15.0
    look: float = 10.0


class Case:
    """What the detector remembers of one fingerprint while it is there."""

    def __init__(self, diagnosis: Diagnosis, incident: Incident, now: float) -> None:
        self.diagnosis, self.incident = diagnosis, incident
        self.first_seen = self.last_seen = now
        self.not_before = 0.0
        self.done = False
        self.task: asyncio.Task[None] | None = None
        self.told = self.waits_for = ""
        self.vain = 0
        """How often in a row no strategy had anything to offer."""


class Detector:
    """One loop over one cluster. `repair` False only analyses."""

    def __init__(
        self, mender: Mender, *, tell: Tell, repair: bool, max_concurrent: int = 3, timing: Timing | None = None
    ) -> None:
        self._mender, self._tell, self._repair = mender, tell, repair
        self._timing = timing or Timing()
        self._slots = asyncio.Semaphore(max_concurrent)
        self._cases: dict[str, Case] = {}
        self._absent: dict[str, tuple[Incident, float]] = {}
        self._unread: frozenset[str] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set; then let the repairs under way come to an end."""
        await self._recall()
        resumed = asyncio.create_task(self._resume(stop))
        sight = self._mender.sight
        while not stop.is_set():
            # What changes while this is being looked at is looked at next, not after the pause.
            turn = sight.turn
            self._look(await self._see(self._mender.report()))
            waiting = asyncio.create_task(sight.changed(self._pause(), since=turn))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, stopping):
                task.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)
        tasks = [resumed, *(c.task for c in self._cases.values() if c.task is not None)]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _resume(self, stop: asyncio.Event) -> None:
        """Now and then, finish what a process that died has left half done."""
        while self._repair and not stop.is_set():
            try:
                for repair in await self._mender.guard.resume():
                    self._say("repair", f"taken over after a crash: {repair.why}", repair=repair)
            except KubemendError as error:
                self._say("waiting", f"unfinished repairs can't be taken over: {error.code}: {error.message}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._timing.retry)

    async def _recall(self) -> None:
        """Incidents of an earlier run that are no longer there are closed by the first looks."""
        for incident in await self._mender.ledger.incidents.list(cluster=self._mender.cluster, unresolved=True):
            self._absent[incident.fingerprint] = (incident, time.monotonic())

    async def _see(self, report: Report) -> dict[str, Diagnosis]:
        """Open and close incidents. Returns the diagnoses that may be acted on, by fingerprint."""
        now = time.monotonic()
        self._tell_unread(report)
        busy = {c.diagnosis.target for c in self._cases.values() if c.task is not None}
        there: dict[str, Diagnosis] = {}
        for diagnosis in report.diagnoses:
            if diagnosis.root.severity < Severity.WARNING:
                continue
            case = self._cases.get(diagnosis.fingerprint)
            if case is None and (diagnosis.target in busy or diagnosis.root.subject in busy):
                # A symptom that comes and goes while its workload is being repaired opens nothing new.
                continue
            there[diagnosis.fingerprint] = diagnosis
            if case is None:
                await self._open(diagnosis, now)
            else:
                case.diagnosis, case.last_seen = diagnosis, now
        await self._close(there, report, now)
        return there

    async def _open(self, diagnosis: Diagnosis, now: float) -> None:
        incident, news = await self._mender.ledger.incidents.see(diagnosis, cluster=self._mender.cluster)
        self._absent.pop(diagnosis.fingerprint, None)
        case = self._cases[diagnosis.fingerprint] = Case(diagnosis, incident, now)
        case.done = not news and incident.phase is Phase.ESCALATED
        if news:
            self._say("opened", f"{diagnosis.root.code} {diagnosis.root.subject}: {diagnosis.root.message}", incident)

    async def _close(self, there: dict[str, Diagnosis], report: Report, now: float) -> None:
        """Close what is gone. A fault that could not be looked for is not gone."""
        blind = {(n.code, n.namespace) for n in report.not_judged}
        for fingerprint, case in list(self._cases.items()):
            if _unseen(case.incident, blind):
                case.last_seen = now
            gone = fingerprint not in there and now - case.last_seen >= self._timing.resolve
            if gone and case.task is None:
                del self._cases[fingerprint]
                await self._resolve(case.incident)
        for fingerprint, (incident, since) in list(self._absent.items()):
            if _unseen(incident, blind):
                self._absent[fingerprint] = (incident, now)
            elif now - since >= self._timing.resolve:
                del self._absent[fingerprint]
                await self._resolve(incident)

    async def _resolve(self, incident: Incident) -> None:
        await self._mender.ledger.incidents.move(incident.id, Phase.RESOLVED)
        self._say("resolved", f"{incident.code} {incident.subject}: the fault is gone", incident)

    def _look(self, there: dict[str, Diagnosis]) -> None:
        """Start a repair for every case that has settled and has none under way."""
        if not self._repair:
            return
        now = time.monotonic()
        for fingerprint in there:
            case = self._cases[fingerprint]
            settled = now - case.first_seen >= self._timing.settle
            if settled and case.task is None and not case.done and now >= case.not_before:
                case.task = asyncio.create_task(self._attend(case))

    async def _attend(self, case: Case) -> None:
        try:
            async with self._slots:
                await self._mend(case)
        except (Held, Moved, OverBudget, Paused) as error:  # moved: another process has it, and will end it
            case.not_before = time.monotonic() + self._timing.retry
            if error.code == "attempts-spent":
                await self._escalate(case, error.message)
            elif case.waits_for != error.message:
                case.waits_for = error.message
                self._say("waiting", error.message, case.incident)
        except KubemendError as error:
            case.not_before = time.monotonic() + self._timing.retry
            self._say("escalated", f"{error.code}: {error.message}", case.incident)
        finally:
            case.task = None

    async def _mend(self, case: Case) -> None:
        mender = self._mender
        if case.vain and (await mender.plan(case.diagnosis)).plan is None:
            return self._later(case)
        incident, planned, repair = await mender.propose(case.diagnosis, actor="detector")
        if repair is None:
            self._later(case)
            return await self._escalate(case, planned.why_not, final=False)
        case.vain = 0
        if case.told != repair.id:  # a plan that has to wait for budget is told once
            case.told = repair.id
            self._say("planned", f"{repair.plan.strategy}: {repair.plan.reason}", incident, repair)
        if repair.state is not State.PROPOSED:
            return await self._escalate(case, f"{repair.why}; kubemend approvals approve {repair.id} --allow-changes")
        await mender.ledger.incidents.move(incident.id, Phase.REPAIRING)
        ended = await mender.guard.carry_out(repair, actor="detector")
        self._say("repair", f"{ended.state}: {ended.why}", incident, ended)
        if ended.state is State.SUCCEEDED:
            await mender.ledger.incidents.move(incident.id, Phase.VERIFYING)
            case.not_before = time.monotonic() + self._timing.retry
            for other in self._cases.values():
                other.not_before = 0.0 if other.vain else other.not_before  # it may be what that one waited for
        elif ended.state is State.ESCALATED:
            await self._escalate(case, ended.why)
        else:
            # Rolled back: another strategy may do. Refused or failed: the world may be another in a moment.
            case.not_before = time.monotonic() + self._timing.retry
            await mender.ledger.incidents.move(incident.id, Phase.OPENED)
        return None

    def _later(self, case: Case) -> None:
        """Ask the strategies again, less and less often: what keeps them from a plan (another fault, say) may go."""
        case.not_before = time.monotonic() + self._timing.retry * 2 ** min(case.vain, 5)
        case.vain += 1

    async def _escalate(self, case: Case, why: str, *, final: bool = True) -> None:
        case.done = final
        await self._mender.ledger.incidents.move(case.incident.id, Phase.ESCALATED)
        self._say("escalated", why, case.incident)

    def _pause(self) -> float:
        settling = any(c.task is None and not c.done for c in self._cases.values()) and self._repair
        leaving = bool(self._absent) or any(c.task is None for c in self._cases.values())
        return min(0.5 if settling or leaving else self._timing.look, self._timing.look)

    def _tell_unread(self, report: Report) -> None:
        unread = frozenset(f"{n.code} not judged: {n.why}" for n in report.not_judged)
        for text in sorted(unread - self._unread):
            self._say("unread", text)
        self._unread = unread

    def _say(
        self,
        what: Literal["opened", "resolved", "planned", "repair", "waiting", "escalated", "unread"],
        text: str,
        incident: Incident | None = None,
        repair: Repair | None = None,
    ) -> None:
        self._tell(Happened(at=time.time(), what=what, text=text, incident=incident, repair=repair))


def _unseen(incident: Incident, blind: set[tuple[str, str]]) -> bool:
    return (incident.code, "") in blind or (incident.code, incident.namespace) in blind
