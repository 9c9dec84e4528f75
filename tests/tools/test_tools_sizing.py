"""Sizes are KRR's and costs are OpenCost's, to the digit; and no number is made up where data is missing."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools_ground import deployment, ground

from kubemend.kube.quantity import parse
from kubemend.model.objects import Container
from kubemend.model.objects.pod import Resources
from kubemend.tools import sizing
from kubemend.tools.optimization.prices import HOURS
from kubemend.tools.pricebook import Prices
from kubemend.tools.sizing import History

MI = 2**20


def container(cpu: str = "500m", memory: str = "512Mi") -> Container:
    return Container("main", resources=Resources(requests={"cpu": cpu, "memory": memory}, limits={"cpu": "1"}))


def history(cores: str = "0.2374", memory: int = 200 * MI, points: int = 500, killed: int | None = None) -> History:
    oom = None if killed is None else Decimal(killed)
    return History(Decimal(cores), Decimal(memory), points, points, oom)


def test_cpu_is_the_percentile_rounded_up_to_a_thousandth_without_a_limit() -> None:
    told = sizing.cpu(container(), history("0.2374"), autoscaled=False)
    assert told.recommended_request is not None
    assert told.recommended_request.quantity == "238m"
    assert told.recommended_limit is None
    assert (told.change, told.severity) == ("lower", "warning")  # 262m apart: 0.25 or more


def test_memory_is_the_peak_and_15_per_cent_rounded_up_to_a_mebibyte_as_request_and_limit() -> None:
    told = sizing.memory(container(), history(memory=200 * MI + 1), autoscaled=False)
    assert told.recommended_request is not None
    assert told.recommended_request.quantity == "231Mi"  # (200 Mi + 1) * 1.15 is a little over 230 Mi
    assert told.recommended_limit == told.recommended_request
    assert told.severity == "warning"  # 281 Mi apart


def test_memory_after_a_kill_is_a_quarter_above_the_limit_it_was_killed_at_when_that_is_more() -> None:
    told = sizing.memory(container(), history(memory=200 * MI, killed=256 * MI), autoscaled=False)
    less = sizing.memory(container(), history(memory=400 * MI, killed=256 * MI), autoscaled=False)
    assert told.recommended_request is not None
    assert less.recommended_request is not None
    assert told.recommended_request.quantity == "320Mi"  # 256 * 1.25
    assert less.recommended_request.quantity == "460Mi"  # 400 * 1.15 is more than 320
    assert told.info == "it was killed for memory"


def test_the_smallest_advice_is_10m_and_100_mebibytes() -> None:
    tiny = history("0.0001", 5 * MI)
    cpu, memory = sizing.cpu(container(), tiny, autoscaled=False), sizing.memory(container(), tiny, autoscaled=False)
    assert cpu.recommended_request is not None
    assert memory.recommended_request is not None
    assert (cpu.recommended_request.quantity, memory.recommended_request.quantity) == ("10m", "100Mi")


def test_ninety_nine_points_are_not_enough_and_a_hundred_are() -> None:
    assert sizing.cpu(container(), history(points=99), autoscaled=False).info == "not enough data: 99 of 100 points"
    assert sizing.cpu(container(), history(points=100), autoscaled=False).known
    assert not sizing.memory(container(), History(), autoscaled=False).known


def test_an_autoscaled_resource_gets_no_number() -> None:
    told = sizing.cpu(container(), history(), autoscaled=True)
    assert not told.known
    assert "HorizontalPodAutoscaler" in told.info


def test_severities_are_krrs_by_the_difference() -> None:
    cpu = {"0.6": "critical", "0.5": "critical", "0.3": "warning", "0.25": "warning", "0.1": "ok", "0.05": "good"}
    assert {a: sizing.grade("cpu", sizing.Amount("1", 1.0), 1 - Decimal(a)) for a in cpu} == cpu
    memory = {600: "critical", 500: "critical", 250: "warning", 100: "ok", 99: "good"}
    gib = sizing.Amount("1Gi", float(1024 * MI))
    assert {a: sizing.grade("memory", gib, Decimal((1024 - a) * MI)) for a in memory} == memory
    assert sizing.grade("cpu", None, Decimal("0.1")) == "warning"


@given(st.decimals("0.000001", "50", places=6), st.integers(1, 2**40), st.none() | st.integers(1, 2**40))
def test_advice_always_covers_what_was_seen_and_never_by_more_than_its_rounding(
    cores: Decimal, memory: int, killed: int | None
) -> None:
    seen = History(cores, Decimal(memory), 100, 100, None if killed is None else Decimal(killed))
    cpu, held = sizing.cpu(container(), seen, autoscaled=False), sizing.memory(container(), seen, autoscaled=False)
    assert cpu.recommended_request is not None
    assert held.recommended_request is not None
    asked = parse(cpu.recommended_request.quantity)
    assert max(cores, Decimal("0.01")) <= asked < max(cores, Decimal("0.01")) + Decimal("0.001")
    wanted = max(memory * Decimal("1.15"), (killed or 0) * Decimal("1.25"), Decimal(100 * MI))
    assert wanted <= parse(held.recommended_request.quantity) < wanted + MI


def test_a_core_and_a_gibibyte_cost_26_dollars_and_17_cents_a_month() -> None:
    # 0.031611 * 730 + 0.004237 * 730 = 23.07603 + 3.09301
    assert Prices().hourly(Decimal(1), Decimal(2**30)) * HOURS == Decimal("26.16904")
    assert Prices().storage(Decimal(100 * 2**30)) == Decimal("4.00")


async def test_without_prometheus_there_is_no_number_only_what_is_used_now(tmp_path: Path) -> None:
    asks = "resources: {requests: {cpu: 500m, memory: 512Mi}}"
    async with ground(tmp_path, deployment("web", container=asks)) as here:
        await here.settled()
        for pod in await here.pods("web"):
            here.store.usage["shop", pod.name, "web"] = {"cpu": "20m", "memory": "64Mi"}
        answer = await here.ask("recommend_resource_limits", namespace="shop", workload="web")
        waste = await here.data("analyze_resource_waste", namespace="shop")
    assert answer.ok
    assert (answer.data["enough_data"], answer.data["patch"], answer.data["basis"]["source"]) == (
        False,
        None,
        "samples",
    )
    assert "Prometheus" in {g.what for g in answer.incomplete}
    cpu = answer.data["containers"][0]["cpu"]
    assert cpu["info"] == "not enough data: 1 of 100 samples of our own, over 0.0 of 1 days"
    assert answer.data["containers"][0]["now"] == {
        "pods": 2, "cpu_cores_max": 0.02, "cpu_cores_sum": 0.04,
        "memory_bytes_max": 64 * MI, "memory_bytes_sum": 128 * MI,
    }  # fmt: skip
    (row,) = waste["workloads"]
    assert (row["state"], row["wasted_cpu_cores"], row["wasted_memory_bytes"]) == ("over-provisioned", 0.96, 896 * MI)
    assert (row["cpu_used_percent"], row["memory_used_percent"]) == (4.0, 12.5)


async def test_a_workload_is_charged_the_larger_of_request_and_use(tmp_path: Path) -> None:
    asks = "resources: {requests: {cpu: 500m, memory: 1Gi}}"
    async with ground(tmp_path, deployment("web", replicas=1, container=asks)) as here:
        await here.settled()
        (pod,) = await here.pods("web")
        here.store.usage["shop", pod.name, "web"] = {"cpu": "1", "memory": "64Mi"}
        told = await here.data("calculate_cost_savings", namespace="shop")
        dear = await here.data("calculate_cost_savings", namespace="shop", cpu_core_hour=1, memory_gb_hour=0)
    assert told["monthly_cost"] == 26.17  # one core used, one GiB requested
    assert dear["monthly_cost"] == 730.0
    assert told["idle_cost"] is None
    assert (told["savings"], told["without_advice"]) == ([], 1)


async def test_a_name_that_nobody_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=0)) as here:
        wrong = await here.ask("recommend_resource_limits", namespace="shop", workload="deployment/wbe")
        kind = await here.ask("recommend_resource_limits", namespace="shop", workload="job/web")
    assert wrong.error is not None
    assert kind.error is not None
    assert (wrong.error.code, wrong.error.hint) == ("not-found", "did you mean web?")
    assert kind.error.code == "invalid-arguments"


async def test_without_prometheus_days_of_our_own_samples_give_vpas_numbers(tmp_path: Path) -> None:
    asks = "resources: {requests: {cpu: '1', memory: 1Gi}, limits: {memory: 2Gi}}"
    async with ground(tmp_path, deployment("web", container=asks)) as here:
        memory = here.gateway._memory
        assert memory is not None
        now = time.time()
        for minute in range(2 * 24 * 60, 0, -20):
            looks = [(0.2, 300.0 * MI, 1.0), (0.4 if minute % 200 else 0.9, 350.0 * MI, 1.0)]
            await memory.learn({("shop", "Deployment", "web", "web"): looks}, at=now - 60 * minute)
        await here.settled()
        told = await here.data("recommend_resource_limits", namespace="shop", workload="web")
    (row,) = told["containers"]
    # Half of the weight is 0.2 and a twentieth 0.9, so the 90th percentile lies with 0.4: in the bucket that ends at
    # 0.01 * (1.05^23 - 1) / 0.05 = 0.41430; x 1.15 = 0.47645. Peaks of 350 Mi lie in the bucket that ends at
    # 1e7 * (1.05^22 - 1) / 0.05 = 385052144; x 1.15 = 422.3 Mi, and the limit stays twice the request.
    assert row["cpu"]["recommended_request"]["quantity"] == "477m"
    assert row["memory"]["recommended_request"]["quantity"] == "423Mi"
    assert row["memory"]["recommended_limit"]["quantity"] == "846Mi"
    assert (told["basis"]["source"], told["basis"]["strategy"]) == ("samples", "VPA recommender")
    assert row["cpu"]["info"] == "from 2.0 days of our own samples"


async def test_a_gateway_that_stays_open_keeps_looking_at_what_pods_use(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=1)) as here:
        await here.settled()
        memory = here.gateway._memory
        assert memory is not None
        looking = asyncio.create_task(here.gateway.observe(0.02))

        async def remembered() -> bool:
            return ("shop", "Deployment", "web", "web") in await memory.known()

        await here.until(remembered)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
