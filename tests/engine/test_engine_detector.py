"""The detector on a cluster in a dictionary: incidents open, are mended and close, or go to a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from engine_fakes import FakeCluster, deployment, node

from kubemend.engine import catalogue
from kubemend.engine.detector import Detector, Happened, Timing
from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.mender import Mender
from kubemend.engine.policy import Mode, Policy
from kubemend.kube.patch import merge
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Deployment
from kubemend.model.plan import Declined, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Phase, State
from kubemend.model.rule import Rule, rule
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, Strategy, patch, strategy
from kubemend.store.budget import Limits
from kubemend.store.ledger import Ledger, open_ledger

WEB = Ref("Deployment", "shop", "web", "apps")
QUICK = Timing(settle=0.0, resolve=0.0, retry=0.05, look=0.05)


@rule("KM901", severity=Severity.ERROR, reads=(Deployment,))
def too_few(snapshot: Snapshot) -> Iterator[Observation]:
    """Fewer than two replicas."""
    for d in snapshot.all(Deployment):
        if d.spec.replicas < 2:
            yield Observation(about=d.ref, says="too few", evidence=(cite(d, "spec", "replicas"),))


@strategy(cures=("KM901",), risk=Risk.LOW, reads=(Deployment,), needs={Access("patch", "deployments", "apps")})
def more(diagnosis, snapshot):
    """Give it two."""
    found = snapshot.find(diagnosis.target)
    if found.metadata.labels.get("hopeless"):
        return Declined("nothing helps")
    change = patch(found, {"spec": {"replicas": 2}})
    return Proposal((change,), "two are enough", 0.9, Verify(healthy=(found.ref,), within_s=0.0, steady_s=0.0))


RULES: tuple[Rule, ...] = (too_few.__rule__,)
STRATEGIES: tuple[Strategy, ...] = (more.__strategy__,)


class Sight:
    """The fake's objects, with a wait that lets other tasks run."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.snapshot = cluster.snapshot

    turn = 0

    async def changed(self, within_s: float, *, since: int | None = None) -> None:
        await asyncio.sleep(min(within_s, 0.01))


class Stage:
    def __init__(self, cluster: FakeCluster, ledger: Ledger, mode: Mode) -> None:
        self.cluster, self.ledger, self.told = cluster, ledger, []
        policy = Policy(mode=mode, limits=Limits(cooldown_s=0, attempts=2))
        sight = Sight(cluster)
        guard = Guard(
            cluster="fake", reader=cluster, hands=Hands(cluster, cluster), ledger=ledger, sight=sight,
            policy=policy, rules=RULES, strategies=STRATEGIES, patience_s=0,
        )  # fmt: skip
        self.mender = Mender("fake", policy, ledger, sight, guard)
        self.detector = Detector(self.mender, tell=self._hear, repair=mode is Mode.AUTO_FIX, timing=QUICK)
        self._until, self._heard = "", asyncio.Event()

    def _hear(self, happened: Happened) -> None:
        self.told.append(happened)
        if happened.what == self._until:
            self._heard.set()

    async def run_until(self, what: str) -> list[str]:
        """Run the detector until it tells this; returns all it told, in order."""
        self._until, stop = what, asyncio.Event()
        running = asyncio.create_task(self.detector.run(stop))
        await asyncio.wait_for(self._heard.wait(), 10)
        stop.set()
        await running
        return [h.what for h in self.told]


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "rules", lambda: RULES)
    monkeypatch.setattr(catalogue, "strategies", lambda: STRATEGIES)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(node())
    made.put(deployment())
    return made


async def test_a_fault_becomes_an_incident_a_repair_and_is_resolved(cluster, ledger):
    stage = Stage(cluster, ledger, Mode.AUTO_FIX)
    assert await stage.run_until("resolved") == ["opened", "planned", "repair", "resolved"]
    assert cluster.objects[WEB]["spec"]["replicas"] == 2
    (incident,) = await ledger.incidents.list()
    assert incident.phase is Phase.RESOLVED


@pytest.mark.parametrize("mode", [Mode.READ_ONLY, Mode.ALLOW_CHANGES])
async def test_only_auto_fix_acts_by_itself(cluster, ledger, mode):
    stage = Stage(cluster, ledger, mode)
    assert await stage.run_until("opened") == ["opened"]
    assert cluster.writes == []


async def test_a_fault_that_goes_away_by_itself_is_resolved_without_a_write(cluster, ledger):
    stage = Stage(cluster, ledger, Mode.READ_ONLY)
    await stage.run_until("opened")
    cluster.put(merge(cluster.objects[WEB], {"spec": {"replicas": 2}}))
    again = Stage(cluster, ledger, Mode.READ_ONLY)
    assert await again.run_until("resolved") == ["resolved"]


async def test_what_no_strategy_mends_goes_to_a_person_once(cluster, ledger):
    cluster.put(merge(cluster.objects[WEB], {"metadata": {"labels": {"hopeless": "yes"}}}))
    stage = Stage(cluster, ledger, Mode.AUTO_FIX)
    assert await stage.run_until("escalated") == ["opened", "escalated"]
    assert "more: nothing helps" in stage.told[-1].text
    (incident,) = await ledger.incidents.list()
    assert incident.phase is Phase.ESCALATED


async def test_what_no_strategy_mends_is_mended_once_one_can_and_is_told_to_a_person_once(cluster, ledger):
    cluster.put(merge(cluster.objects[WEB], {"metadata": {"labels": {"hopeless": "yes"}}}))

    class Helped(Stage):
        def _hear(self, happened: Happened) -> None:
            super()._hear(happened)
            if happened.what == "escalated":  # after some more looks, of which nobody is told
                hopeful = merge(cluster.objects[WEB], {"metadata": {"labels": {"hopeless": None}}})
                asyncio.get_running_loop().call_later(4 * QUICK.retry, cluster.put, hopeful)

    stage = Helped(cluster, ledger, Mode.AUTO_FIX)
    assert await stage.run_until("resolved") == ["opened", "escalated", "planned", "repair", "resolved"]
    assert cluster.objects[WEB]["spec"]["replicas"] == 2


async def test_a_repair_that_does_not_hold_is_taken_back_and_not_tried_again(cluster, ledger):
    cluster.never_ready = True
    stage = Stage(cluster, ledger, Mode.AUTO_FIX)
    assert await stage.run_until("escalated") == ["opened", "planned", "repair", "escalated"]
    assert "did not hold" in stage.told[-1].text
    assert cluster.objects[WEB]["spec"]["replicas"] == 1


async def test_a_pause_is_waited_out_and_told_once(cluster, ledger):
    await ledger.switch.set(on=True, actor="ann", why="release")
    stage = Stage(cluster, ledger, Mode.AUTO_FIX)
    assert await stage.run_until("waiting") == ["opened", "planned", "waiting"]
    assert cluster.writes == []
    await ledger.switch.set(on=False, actor="ann")
    after = Stage(cluster, ledger, Mode.AUTO_FIX)
    assert "repair" in await after.run_until("resolved")


async def test_a_repair_that_another_process_took_is_left_to_it_and_nobody_is_called(cluster, ledger, monkeypatch):
    stage = Stage(cluster, ledger, Mode.AUTO_FIX)
    begin = ledger.repairs.begin

    async def taken(repair, *args, **kwargs):
        monkeypatch.setattr(ledger.repairs, "begin", begin)
        await ledger.repairs.move(repair, State.REFUSED, why="another process had it")
        return await begin(repair, *args, **kwargs)

    monkeypatch.setattr(ledger.repairs, "begin", taken)
    told = await stage.run_until("resolved")
    assert told == ["opened", "planned", "waiting", "planned", "repair", "resolved"], stage.told


async def test_a_kind_that_can_not_be_read_is_told_and_closes_nothing(cluster, ledger):
    stage = Stage(cluster, ledger, Mode.READ_ONLY)
    await stage.run_until("opened")
    held = cluster.snapshot

    def blind() -> Snapshot:
        seen = held()
        kept = {k: v for k, v in seen.objects.items() if k is not Deployment}
        return Snapshot(seen.taken_at, kept, cluster="fake")

    cluster.snapshot = blind
    again = Stage(cluster, ledger, Mode.READ_ONLY)
    assert await again.run_until("unread") == ["unread"]
    assert "KM901 not judged: deployments were not read" in again.told[0].text
    (incident,) = await ledger.incidents.list()
    assert incident.phase is not Phase.RESOLVED


def test_happenings_can_be_written_as_json():
    told = Happened(at=1.0, what="opened", text="x")
    assert msgspec.json.decode(msgspec.json.encode(told))["what"] == "opened"
