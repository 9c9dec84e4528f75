"""`kubemend demo`: the whole loop on a practice cluster, with the very guard, judge and client that mend real ones."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.text import Text

from kubemend.engine.preview import previews
from kubemend.kube.diff import changed
from kubemend.kube.rollout import progress as progress_of
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Deployment
from kubemend.model.pointer import pointer
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli import stage
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.mending import followed, mend
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render import plan as render_plan
from kubemend.surfaces.cli.render import scan as render_scan
from kubemend.surfaces.cli.target import about
from kubemend.surfaces.cli.wiring import Bench, Practice, wiring

NODES = 3
PACE = 0.05
"""Real seconds for each of Kubernetes': the waits of kubelet and controllers are twenty times shorter."""
PATIENCE_S = 1.5
"""How long a bad sight must last here; the guard's usual 8 s are meant for clusters in real time."""
WITHIN_S = 20.0
"""Longer than anything here takes. What takes longer is a failure of the demo."""
REVISION = pointer("metadata", "annotations", "deployment.kubernetes.io/revision")
"""The Deployment controller's own counter: it only ever goes up, whatever anybody takes back."""
HOG, LEAK = (Ref("Deployment", stage.NAMESPACE, name, "apps") for name in ("memory-hog", "leaky"))


class DemoFailed(KubemendError):
    """The demo did not go as it should."""

    code = "demo-failed"


async def demo() -> int:
    """See the whole loop: a fault found, explained, repaired, proven; a repair that takes itself back; an undo.

    Starts a small practice cluster in this process, and ends it. Nothing outside is touched.
    """
    began = time.monotonic()
    progress = Progress(out.show)
    with tempfile.TemporaryDirectory(prefix="kubemend-demo-") as folder:
        async with wiring().practice(nodes=NODES, pace=PACE) as practice:
            access = Access(kubeconfig=str(practice.kubeconfig), auto_fix=True, store=Path(folder) / "ledger.db")
            await _open_shop(practice)
            async with wiring().bench(access, scope=None, tell=progress, patience_s=PATIENCE_S) as bench:
                show = Show(bench, practice, progress)
                await show.play()
                records = await bench.mender.ledger.audit.list(limit=1000)
                whole = await bench.mender.ledger.audit.broken_at() is None
    trail = f"audit trail of {len(records)} records {'whole' if whole else 'BROKEN'}"
    seconds = time.monotonic() - began
    out.show(
        Text(
            f"demo: 1 repaired and proven, 1 taken back by itself, 1 undone, in {seconds:.1f} s; {trail}",
            "bold green",
        )
    )
    return Exit.OK if whole else Exit.FOUND


async def _open_shop(practice: Practice) -> None:
    for manifest in stage.objects(stage.SHOP):
        await practice.create(manifest)


class Show:
    """The play in three acts."""

    def __init__(self, bench: Bench, practice: Practice, progress: Progress) -> None:
        self._bench, self._practice, self._progress = bench, practice, progress

    async def play(self) -> None:
        """All of it. DemoFailed when an act does not end as it should."""
        await self._healthy()
        self._act("1", "memory-hog is deployed: it asks for 200M under a limit of 100Mi")
        await self._practice.create(stage.objects(stage.HOG)[0])
        first = self._expect(await self._repaired(HOG), State.SUCCEEDED)
        self._act("2", "leaky takes all the memory it can get: no repair can hold, and this one takes itself back")
        await self._practice.create(stage.objects(stage.LEAK)[0])
        self._expect(await self._repaired(LEAK), State.ROLLED_BACK)
        self._act("3", f"kubemend undo {first.id}: the first repair is taken back")
        undone = await followed(self._bench, self._bench.mender.guard.undo(first, actor=actor()), self._progress)
        self._expect(undone, State.ROLLED_BACK)
        await self._compare(undone)

    def _act(self, number: str, title: str) -> None:
        out.show(Text(""), Text.assemble((f" {number} ", "reverse"), (f" {title}", "bold")), Text(""))

    async def _healthy(self) -> None:
        def well() -> bool:
            return not self._bench.mender.report().diagnoses and self._complete()

        await self._until(well, "a healthy shop")
        out.show(Text(f"{self._practice.url}: {NODES} nodes, {len(self._workloads())} workloads, all healthy", "green"))

    def _workloads(self) -> list[Deployment]:
        return self._bench.mender.sight.snapshot().all(Deployment, stage.NAMESPACE)

    def _complete(self) -> bool:
        """Whether all that was put on stage has been seen, and does its work."""
        names = {m["metadata"]["name"] for m in stage.objects(stage.SHOP) if m["kind"] == "Deployment"}
        seen = self._workloads()
        return names <= {d.name for d in seen} and all(progress_of(d).complete for d in seen)

    async def _repaired(self, ref: Ref) -> Repair:
        """From the fault to the repair's end, told as it goes."""
        await self._until(lambda: self._diagnosed(ref) is not None, f"a fault on {ref}")
        diagnosis = self._diagnosed(ref)
        if diagnosis is None:
            raise DemoFailed(f"the fault on {ref} went away by itself")
        incident, planned, repair = await self._bench.mender.propose(diagnosis, actor=actor())
        out.show(Text.assemble(("INCIDENT", "bold blue"), f"  {incident.id}  opened for {incident.subject}"), Text(""))
        out.show(*render_scan.cause(diagnosis))
        if repair is None:
            raise DemoFailed(f"there is no plan for {ref}: {planned.why_not}")
        out.show(
            *render_plan.planned(repair.plan, await previews(repair.plan, self._bench.seat.reader), name=repair.id)
        )
        return await mend(self._bench, repair, self._progress)

    def _diagnosed(self, ref: Ref) -> Diagnosis | None:
        return about(self._bench.mender.report(), (ref,))

    async def _compare(self, repair: Repair) -> None:
        """Show that every object is as the repair found it, but for what its controllers count."""
        for change, step in zip(repair.plan.changes, repair.steps, strict=True):
            live = await self._bench.seat.reader.get(change.target)
            differs = [p for p, _, _ in changed(step.before or {}, live)]
            others = [p for p in differs if p != REVISION]
            if others:
                raise DemoFailed(f"{change.target} differs from its snapshot at {', '.join(others)}")
            note = "; only its controller's revision counter went on" if differs else ""
            out.show(
                Text.assemble(("✓ ", "green"), f"{change.target} equals the snapshot taken before the repair{note}")
            )

    def _expect(self, repair: Repair, state: State) -> Repair:
        if repair.state is not state:
            raise DemoFailed(f"{repair.id} ended {repair.state}, not {state}: {repair.why}")
        return repair

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not true():
            if time.monotonic() > deadline:
                raise DemoFailed(f"waited {WITHIN_S:g} s in vain for {what}")
            await self._bench.mender.sight.changed(0.5)
