"""A denied, expired, stale or refused plan never reaches the client: 10,000 generated cases, and their controls.

Each case is a world, a policy and a person's answer, drawn together. `ought` says by an independent reading of the
safety rules whether the write may happen; the guard must agree, case by case. The controls at the end take one guard
away at a time: the same cases must then find a write that ought not to be.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch as replaced

import msgspec
import pytest
from engine_fakes import FakeCluster, deployment, node

from kubemend.engine.guard import applying, machine, preflight
from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy, Verdict
from kubemend.model.access import Risk
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Cite
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import State
from kubemend.store import repairs as repairs_module
from kubemend.store.budget import Limits
from kubemend.store.ledger import Ledger, open_ledger
from share import ALL

CASES = 10_000 if ALL else 4_000
SHARES = 2
IN_MEMORY = next((d for d in ("/dev/shm",) if Path(d).is_dir()), None)
"""The ledger's every commit is synced; on a disk that alone would take most of the time."""
ANSWERS = ("none", "yes", "no", "expired", "other plan")
WORLDS = ("same", "replaced", "gone", "deleting", "fact moved", "edited", "helm", "argo")
DENIALS = ("none", "patch", "admission", "mutated", "too big")
ROOM = Limits(attempts=10**6, cooldown_s=0, concurrent=10**6, per_namespace=10**6, per_hour=10**9)


class Case(msgspec.Struct, frozen=True):
    mode: Mode
    risk: Risk
    confidence: float
    protected: bool
    answer: str
    world: str
    denial: str
    paused: bool
    spent: bool
    held: bool


def draw(rng: random.Random) -> Case:
    """Mostly one thing wrong at a time: a case with five reasons to refuse tests no single one of them."""
    case = Case(Mode.AUTO_FIX, Risk.LOW, 0.9, False, "none", "same", "none", False, False, False)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        name, value = rng.choice(
            (
                ("mode", rng.choice(list(Mode))),
                ("risk", rng.choice((Risk.LOW, Risk.MEDIUM, Risk.HIGH))),
                ("confidence", rng.choice((0.3, 0.69, 0.7, 0.95))),
                ("protected", True),
                ("answer", rng.choice(ANSWERS)),
                ("world", rng.choice(WORLDS)),
                ("denial", rng.choice(DENIALS)),
                ("paused", True),
                ("spent", True),
                ("held", True),
            )
        )
        case = msgspec.structs.replace(case, **{name: value})
    return case


def ought(case: Case) -> bool:
    """Whether this plan may be written, as `docs/architecture.md` and the safety rules say it."""
    if case.mode is Mode.READ_ONLY or case.paused or case.spent or case.held:
        return False
    unattended = (
        case.mode is Mode.AUTO_FIX and case.risk <= Risk.MEDIUM and case.confidence >= 0.7 and not case.protected
    )
    if not unattended and case.answer != "yes":
        return False
    return case.world == "same" and case.denial == "none"


class Bench:
    """One ledger and one cluster that many cases use, each with objects of its own name."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.cluster = ledger, FakeCluster()
        self.cluster.put(node(memory="64Gi"))

    def guard(self, case: Case) -> Guard:
        limits = msgspec.structs.replace(ROOM, per_hour=0) if case.spent else ROOM
        policy = Policy(mode=case.mode, limits=limits, approval_ttl_s=-1 if case.answer == "expired" else 300)
        cluster = self.cluster
        hands = Hands(cluster, cluster)
        return Guard(
            cluster="fake", reader=cluster, hands=hands, ledger=self.ledger, sight=cluster, policy=policy,
            rules=(), strategies=(), patience_s=0,
        )  # fmt: skip

    async def run(self, index: int, case: Case) -> bool:
        """Play one case to its end. Returns whether its object was written."""
        ref = Ref("Deployment", "kube-system" if case.protected else "shop", f"web-{index}", "apps")
        before = self.cluster.put(deployment(ref.name, ref.namespace))
        plan = make_plan(ref, case, before["metadata"]["uid"])
        guard = self.guard(case)
        written = len(self.cluster.writes)
        try:
            await self._play(guard, plan, case, ref)
        except KubemendError:
            pass
        finally:
            await self._clean(case, ref)
        return len(self.cluster.writes) > written

    async def _play(self, guard: Guard, plan: Plan, case: Case, ref: Ref) -> None:
        repair = await guard.propose(plan, incident="i1", actor="test")
        if repair.state is State.AWAITING_APPROVAL:
            await self._answer(guard, repair, case)
        move_world(self.cluster, ref, case)
        if case.paused:
            await self.ledger.switch.set(on=True, actor="test")
        if case.held:
            other = msgspec.structs.replace(plan, reason="another", fingerprint="b" * 12)
            rival = await self.ledger.repairs.propose(other, cluster="fake", incident="i2", actor="rival")
            await self.ledger.repairs.begin(rival, objects=[str(ref)], limits=None, approved=False, actor="rival")
        deny(self.cluster, case)
        ended = await guard.carry_out(await self.ledger.repairs.get(repair.id), actor="test")
        assert ended.state in (State.SUCCEEDED, State.REFUSED, State.FAILED), ended

    async def _answer(self, guard: Guard, repair, case: Case) -> None:
        match case.answer:
            case "yes" | "expired":
                await guard.approve(repair, plan_hash=repair.plan.hash, actor="ann")
            case "no":
                await guard.reject(repair, actor="ann")
            case "other plan":
                other = msgspec.structs.replace(repair.plan, reason="another plan")
                await guard.approve(repair, plan_hash=other.hash, actor="ann")

    async def _clean(self, case: Case, ref: Ref) -> None:
        self.cluster.forbidden, self.cluster.invalid, self.cluster.mutate = set(), "", {}
        self.cluster.objects.pop(ref, None)
        if case.paused:
            await self.ledger.switch.set(on=False, actor="test")


def make_plan(ref: Ref, case: Case, uid: str) -> Plan:
    memory = "128Gi" if case.denial == "too big" else "200Mi"
    container = {"name": "app", "resources": {"limits": {"memory": memory}, "requests": {"memory": memory}}}
    return Plan(
        strategy="raise-memory-limit",
        code="KM101",
        fingerprint="a" * 12,
        target=ref,
        changes=(Patch(target=ref, uid=uid, body={"spec": {"template": {"spec": {"containers": [container]}}}}),),
        reason=f"case {ref.name}",
        risk=case.risk,
        confidence=case.confidence,
        verify=Verify(healthy=(ref,), within_s=0, steady_s=0, gone=False),
        requires=(Cite(ref, "/spec/template/spec/containers/0/resources/limits/memory", "100Mi"),),
    )


def move_world(cluster: FakeCluster, ref: Ref, case: Case) -> None:
    obj = cluster.objects[ref]
    match case.world:
        case "replaced":
            obj["metadata"]["uid"] += "-new"
        case "gone":
            del cluster.objects[ref]
        case "deleting":
            obj["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
        case "fact moved":
            obj["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "150Mi"
        case "helm":
            obj["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop"}
        case "argo":
            obj["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}
        case "edited":
            cluster.edit_before_write = ref


def deny(cluster: FakeCluster, case: Case) -> None:
    match case.denial:
        case "patch":
            cluster.forbidden = {"patch"}
        case "admission":
            cluster.invalid = "denied by a webhook"
        case "mutated":
            cluster.mutate = {"spec": {"replicas": 7}}


async def play(cases: int, seed: int) -> Counter[str]:
    """Run cases; AssertionError at the first one where the guard and `ought` disagree."""
    rng = random.Random(seed)
    count: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        async with open_ledger(Path(folder) / "ledger.db") as ledger:
            bench = Bench(ledger)
            for index in range(cases):
                case = draw(rng)
                written, allowed = await bench.run(index, case), ought(case)
                assert written == allowed, f"case {index}: written {written}, ought {allowed}: {case}"
                count["written" if written else "refused"] += 1
    return count


def play_apart(seed: int) -> Counter[str]:
    """One share of the cases, in a process of its own."""
    return asyncio.run(play(CASES // SHARES, seed))


@pytest.mark.timeout(900)
def test_what_ought_not_be_written_never_reaches_the_client_and_what_may_be_does():
    with ProcessPoolExecutor(SHARES, multiprocessing.get_context("spawn")) as pool:
        count = sum(pool.map(play_apart, range(SHARES)), Counter[str]())
    assert sum(count.values()) == CASES
    assert min(count.values()) > CASES // 10, count


async def _nothing(*_args, **_kwargs) -> None:
    """In place of a check that is taken away."""


CONTROLS = {
    "mode": (machine.Guard, "_demand_writes", lambda self: None),
    "policy": (Policy, "decide", lambda self, plan: (Verdict.AUTO, "")),
    "approval": (repairs_module, "use_approval", _nothing),
    "kill switch": (repairs_module, "refuse_if_paused", _nothing),
    "budget": (repairs_module, "check_limits", _nothing),
    "hold": (repairs_module, "hold", _nothing),
    "identity": (preflight, "_same_object", lambda change, live: preflight.Check("", True, "")),
    "facts": (preflight, "_still_true", lambda plan, before, snapshot: []),
    "ownership": (preflight, "owner_of", lambda obj: None),
    "dry run compared": (preflight, "_as_planned", lambda *a: preflight.Check("", True, "")),
    "capacity": (preflight, "_shortages", lambda *a: []),
    "untouched": (applying, "untouched", lambda change, before, live: True),
}


@pytest.mark.parametrize("guard", CONTROLS)
@pytest.mark.timeout(120)
async def test_with_one_guard_removed_the_same_cases_go_red(guard: str):
    owner, name, without = CONTROLS[guard]
    with ExitStack() as stack:
        stack.enter_context(replaced.object(owner, name, without))
        with pytest.raises(AssertionError, match="written True, ought False"):
            await play(CASES, seed=7)
