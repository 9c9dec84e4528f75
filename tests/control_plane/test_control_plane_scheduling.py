"""Our reading of the scheduler's filters, held against the real scheduler: pod by pod, node by node, word by word."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from control_plane_asker import asker
from control_plane_scheduler import Answer, RealScheduler
from testbed.client import ClientApi
from testbed.plane import ControlPlane
from testbed.volumes import provision

from kubemend.cluster.connection import connect
from scheduling_corpus import HARD, PIN, Asked, Raw, World, worlds
from scheduling_features import FEATURES, LEADS
from scheduling_verdicts import Seen, Verdicts, reasons, told
from share import ALL

WORLDS, PODS = (120 if ALL else 12), 12
AGAIN = 5
"""How often an answer that isn't ours is asked for: what the scheduler knows may be a moment old."""


@dataclass
class Count:
    """What was held against the scheduler."""

    agreed: int = 0
    differ: list[str] = field(default_factory=list)
    pods: set[str] = field(default_factory=set)
    pinned: int = 0
    placed: int = 0
    kept: int = 0
    gated: int = 0
    invalid: set[str] = field(default_factory=set)
    said: int = 0
    said_otherwise: list[str] = field(default_factory=list)
    again: int = 0
    features: dict[str, Counter[str]] = field(default_factory=lambda: {f: Counter() for f in FEATURES})

    def told(self, made: int) -> str:
        """For a person: how much was asked, and how it came out."""
        lines = [
            f"{made} worlds, {len(self.pods)} pods ({self.gated} more gated, {len(self.invalid)} not valid), asked "
            f"about {self.agreed + len(self.differ)} times, {self.pinned} of them for one node ({self.placed} placed, "
            f"{self.kept} refused; {self.again} asked again)",
            f"decisions: {self.agreed} agreed, {len(self.differ)} disagreed",
            f"reasons of refusals: {self.said} agreed, {len(self.said_otherwise)} disagreed",
            f"{'by feature':<20}{'agreed':>8}{'disagreed':>11}",
        ]
        lines += [f"{f:<20}{c['agreed']:>8}{c['disagreed']:>11}" for f, c in self.features.items()]
        return "\n".join(lines)


class Question(NamedTuple):
    """One pod as it is asked about: pinned to a node, or free to go where it fits."""

    asked: Asked
    pod: Raw
    node: str = ""


@pytest.fixture(scope="module")
def plane(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this file's own: its worlds have nodes, and each must be alone."""
    with ControlPlane(programs, tmp_path_factory.mktemp("scheduling")) as plane:
        yield plane


@pytest.mark.timeout(2400)
async def test_generated_pods_are_placed_and_refused_as_the_real_scheduler_does(
    plane: ControlPlane, tmp_path: Path, say: Callable[[str], None]
) -> None:
    count = Count()
    made = worlds(WORLDS, PODS, FEATURES, LEADS)
    async with (
        asker(plane, tmp_path) as server,
        connect(kubeconfig=str(plane.kubeconfig)).open() as transport,
        asyncio.TaskGroup() as tasks,
    ):
        provisioner = tasks.create_task(provision(ClientApi(transport)))
        scheduler = RealScheduler(server)
        await scheduler.prepare()
        async with scheduler.running():
            for world in made:
                await _world(scheduler, world, count)
        provisioner.cancel()
    say(count.told(len(made)))
    assert count.differ == [], "\n".join(count.differ[:10])
    assert count.said_otherwise == [], "\n".join(count.said_otherwise[:10])
    assert len(count.pods) >= 8 * WORLDS


async def _world(scheduler: RealScheduler, world: World, count: Count) -> None:
    seen = await scheduler.make(world)
    questions = list(_questions(world))
    fits = [any(not m for m in seen.verdicts(q.pod).values()) for q in questions]
    # Pods that go nowhere change nothing, so all may ask at once. The others hold a place until they are gone.
    async with asyncio.TaskGroup() as tasks:
        for question, fit in zip(questions, fits, strict=True):
            if not fit:
                tasks.create_task(_ask(scheduler, seen, question, count))
    for question, fit in zip(questions, fits, strict=True):
        if fit:
            await _ask(scheduler, seen, question, count)
    await scheduler.clear(world)


def _questions(world: World) -> Iterator[Question]:
    """Each pod as it is, and pinned to every other node; with `KUBEMEND_ALL=1` to every node."""
    for number, asked in enumerate(world.asked):
        yield Question(asked, asked.pod)
        names = [n["metadata"]["name"] for n in world.nodes]
        for name in () if asked.gated else names if ALL else names[number % 2 :: 2]:
            yield Question(asked, _pinned(asked, name), name)


def _pinned(asked: Asked, node: str) -> Raw:
    """By its affinity; by a resource of that node alone, where affinity has another meaning for the pod."""
    pod: Raw = deepcopy(asked.pod)
    pod["metadata"]["name"] += f"-{node}"
    spec = pod["spec"]
    if spec.get("topologySpreadConstraints") or "nodeAffinity" in spec.get("affinity", {}):
        spec["containers"][0]["resources"].setdefault("limits", {})[f"{PIN}{node}"] = "1"
        return pod
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = {HARD: {"nodeSelectorTerms": [{"matchFields": [here]}]}}
    spec["affinity"] = {**spec.get("affinity", {}), "nodeAffinity": affinity}
    return pod


async def _ask(scheduler: RealScheduler, seen: Seen, question: Question, count: Count) -> None:
    asked, pod = question.asked, question.pod
    if asked.name in count.invalid:
        return
    ours = seen.verdicts(pod)
    for left in reversed(range(AGAIN)):
        found = await scheduler.ask(pod)
        if found is None:
            count.invalid.add(asked.name)
            return
        kept, answer = found
        if asked.gated:
            assert answer.reason == "SchedulingGated"
            count.gated += 1
            return
        if asked.late and answer.node:
            # Claims and volumes as they were before the scheduler bound them.
            await scheduler.release(asked.storage)
            await scheduler.store(asked.storage)
            seen = await scheduler.seen()
        differ = _difference(question, ours, seen.verdicts(kept), answer)
        if not differ or not left:
            break
        count.again += 1
    _note(count, question, differ, answer)
    if not answer.node and not differ:
        _compare_words(count, question, ours, answer)


def _difference(question: Question, ours: Verdicts, kept: Verdicts, answer: Answer) -> str:
    """What is wrong with our verdict, on the pod as it was sent and as the server keeps it; empty when nothing is."""
    for what, verdicts in (("as sent", ours), ("as kept", kept)):
        open_ = [n for n, misfits in verdicts.items() if not misfits]
        if answer.node and answer.node not in open_:
            return f"{what}: {answer.node} takes it, ours: {verdicts[answer.node]}"
        if not answer.node and open_:
            return f"{what}: {answer}, ours: {open_} would take it"
    return ""


def _note(count: Count, question: Question, differ: str, answer: Answer) -> None:
    count.pods.add(question.asked.name)
    count.pinned += bool(question.node)
    count.placed += bool(answer.node)
    count.kept += not answer.node
    count.agreed += not differ
    for feature in question.asked.features:
        count.features[feature]["disagreed" if differ else "agreed"] += 1
    if differ:
        count.differ.append(
            f"{question.pod['metadata']['name']} {question.asked.features} {differ}\n  {question.pod['spec']}"
        )


def _compare_words(count: Count, question: Question, ours: Verdicts, answer: Answer) -> None:
    theirs, mine = told(answer.message), reasons(ours, question.pod["spec"])
    if theirs == mine:
        count.said += 1
    else:
        name = question.pod["metadata"]["name"]
        count.said_otherwise.append(f"{name} {question.asked.features}\n  theirs: {theirs}\n  ours: {mine}\n  {ours}")
