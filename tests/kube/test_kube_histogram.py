"""Fading histograms hold what the Vertical Pod Autoscaler's hold."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.histogram import APART_S, CPU, DAY_S, MEMORY, Histogram, Record

NOW = 1_700_000_000.0


def test_buckets_begin_where_vpas_do() -> None:
    # 0.01 times 0, 1, 1 + 1.05 and 1 + 1.05 + 1.05 squared
    assert [round(CPU.begin(n), 6) for n in range(4)] == [0.0, 0.01, 0.0205, 0.031525]
    assert MEMORY.begin(1) == 1e7
    assert (CPU.bucket(0.0), CPU.bucket(0.0099), CPU.bucket(0.0101), CPU.bucket(1e9)) == (0, 0, 1, CPU.last)


@given(st.floats(1e-6, 900.0))
def test_a_percentile_is_the_end_of_the_bucket_of_its_sample(value: float) -> None:
    held = Histogram().with_sample(CPU, value, 1.0, NOW).percentile(CPU, 0.9)
    assert value <= held * (1 + 1e-9)
    assert held <= max(value * 1.05 + 0.01, 0.01) * (1 + 1e-9)


def test_a_sample_weighs_half_as_much_as_one_a_day_younger() -> None:
    # One old sample of 1 core against one new of 0.1: the old one has a third of the weight, so p60 is the new one.
    held = Histogram().with_sample(CPU, 1.0, 1.0, NOW).with_sample(CPU, 0.1, 1.0, NOW + DAY_S)
    assert held.percentile(CPU, 0.60) < 0.12
    assert held.percentile(CPU, 0.70) > 1.0


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=30), st.integers(1, 400))
def test_weights_stay_numbers_over_the_years_and_percentiles_do_not_depend_on_the_reference(
    values: list[float], days: int
) -> None:
    held = Histogram()
    for i, value in enumerate(values):
        held = held.with_sample(CPU, value, 1.0, NOW + i * days * DAY_S)
    assert all(math.isfinite(w) and w >= 0 for w in held.weights.values())
    assert held.percentile(CPU, 1.0) <= max(CPU.begin(CPU.bucket(v) + 1) for v in values)


def test_memory_holds_one_sample_a_day_its_peak() -> None:
    record = Record()
    for minute, used in enumerate((2e8, 9e8, 3e8)):
        record = record.seen([(0.1, used, 0.5)], NOW + 60 * minute)
    assert record.peak == 9e8
    assert [b for b, w in record.memory.weights.items() if w > 1e-9] == [MEMORY.bucket(9e8)]
    later = record.seen([(0.1, 4e8, 0.5)], NOW + DAY_S + 1)
    assert later.peak == 4e8
    assert sorted(b for b, w in later.memory.weights.items() if w > 1e-9) == [MEMORY.bucket(4e8), MEMORY.bucket(9e8)]


def test_looks_in_quick_succession_count_once_and_all_pods_of_a_look_count() -> None:
    record = Record().seen([(0.1, 1e8, 0.0), (0.2, 2e8, 2.0)], NOW)
    assert record.seen([(0.9, 9e9, 0.0)], NOW + APART_S - 1) == record
    assert record.samples == 1
    assert record.cpu.weights == {CPU.bucket(0.1): 0.1, CPU.bucket(0.2): 2.0}
    assert record.seen([], NOW + DAY_S) == record
    assert record.seen([(0.1, 1e8, 0.0)], NOW + DAY_S).days == 1.0
