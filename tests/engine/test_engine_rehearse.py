"""Looking at a plan's checks without beginning it, and stopping a repair before its first write."""

from __future__ import annotations

import pytest
from engine_fakes import FakeCluster, deployment, node

from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy
from kubemend.model.access import Risk
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.store.budget import Limits
from kubemend.store.ledger import open_ledger

WEB = Ref("Deployment", "shop", "web", "apps")
CONTAINER = {"name": "app", "resources": {"limits": {"memory": "200Mi"}}}
PLAN = Plan(
    strategy="test", code="KM101", fingerprint="a" * 12, target=WEB,
    changes=(Patch(target=WEB, uid="uid-web", body={"spec": {"template": {"spec": {"containers": [CONTAINER]}}}}),),
    reason="test", risk=Risk.LOW, confidence=0.9,
    verify=Verify(healthy=(WEB,), within_s=0, steady_s=0, gone=False),
)  # fmt: skip


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(node())
    made.put(deployment())
    return made


class Listener:
    """The guard's `tell`, which a test may replace."""

    def __init__(self) -> None:
        self.hear = lambda _repair: None

    def __call__(self, repair: Repair, _text: str) -> None:
        self.hear(repair)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def guard(cluster, listener, tmp_path):
    """A guard that may write."""
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        yield Guard(
            cluster="fake", reader=cluster, hands=Hands(cluster, cluster), ledger=ledger, sight=cluster,
            policy=Policy(mode=Mode.AUTO_FIX, limits=Limits(cooldown_s=0)), rules=(), strategies=(), patience_s=0,
            tell=listener,
        )  # fmt: skip


async def carried_out(guard: Guard) -> Repair:
    return await guard.carry_out(await guard.propose(PLAN, incident="i1", actor="t"), actor="t")


async def test_a_rehearsal_asks_everything_and_writes_nothing(guard, cluster):
    found = [check async for check in guard.rehearse(PLAN)]
    assert all(c.ok for c in found)
    assert any(c.name.startswith("server dry run") for c in found)
    assert cluster.writes == []


async def test_a_rehearsal_tells_what_would_be_refused(guard, cluster):
    cluster.forbidden = {"patch"}
    refused = [check.name async for check in guard.rehearse(PLAN) if not check.ok]
    assert refused[0] == "permission patch deployments"


async def test_a_repair_halted_before_its_first_write_is_refused_and_writes_nothing(guard, cluster, listener):
    listener.hear = lambda repair: guard.halt() if repair.state is State.PREFLIGHT else None
    repair = await carried_out(guard)
    assert (repair.state, cluster.writes) == (State.REFUSED, [])
    assert "stopped by a person" in repair.why


async def test_a_repair_halted_after_its_write_is_still_proven(guard, cluster, listener):
    listener.hear = lambda repair: guard.halt() if repair.state is State.APPLYING else None
    repair = await carried_out(guard)
    assert (repair.state, cluster.writes) == (State.SUCCEEDED, [("patch", WEB)])


@pytest.mark.parametrize(("note", "good"), [("deprecated.daemonset.template.generation", True), ("team", False)])
async def test_the_servers_own_count_of_templates_is_no_other_answer_than_was_asked_for(guard, cluster, note, good):
    """A real API server raises it in the dry run already, on every DaemonSet whose template changes."""
    cluster.put({**deployment(), "metadata": {**deployment()["metadata"], "annotations": {note: "1"}}})
    cluster.mutate = {"metadata": {"annotations": {note: "2"}}}
    answer = next(c for c in [check async for check in guard.rehearse(PLAN)] if c.name.startswith("server dry run"))
    assert answer.ok is good
