"""The order in which memory pressure takes pods is the kubelet's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.eviction import order
from kubemend.kube.percentile import percentile
from kubemend.model.objects import Container, Pod, PodSpec
from kubemend.model.objects.meta import Meta
from kubemend.model.objects.pod import Resources

MI = 2**20


def pod(name: str, request: str = "", priority: int | None = None, annotations: dict[str, str] | None = None) -> Pod:
    resources = Resources(requests={"memory": request} if request else {})
    meta = Meta(name=name, namespace="shop", annotations=annotations or {})
    return Pod(metadata=meta, spec=PodSpec((Container("main", resources=resources),), priority=priority))


def names(pods: list[Pod], used: dict[str, int]) -> list[str]:
    return [p.name for p in order(pods, {("shop", k): v for k, v in used.items()})]


def test_those_above_their_request_go_before_all_that_keep_to_it_whatever_their_priority() -> None:
    pods = [pod("modest", "100Mi"), pod("greedy", "100Mi", priority=1000), pod("bare")]
    assert names(pods, {"modest": 90 * MI, "greedy": 200 * MI, "bare": 1 * MI}) == ["bare", "greedy", "modest"]


def test_among_those_priority_decides_and_then_how_much_more_they_use() -> None:
    pods = [pod("high", "10Mi", 100), pod("little", "10Mi", 0), pod("much", "10Mi", 0)]
    assert names(pods, {"high": 900 * MI, "little": 20 * MI, "much": 30 * MI}) == ["much", "little", "high"]


def test_a_pod_that_nobody_measures_goes_first() -> None:
    assert names([pod("known"), pod("unknown", "1Gi", 5)], {"known": 900 * MI}) == ["unknown", "known"]


def test_static_and_system_pods_are_spared() -> None:
    static = pod("static", annotations={"kubernetes.io/config.mirror": "x"})
    assert names([static, pod("dns", priority=2_000_000_000), pod("web")], {}) == ["web"]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_occurred_and_enough_values_do_not_exceed_it(values: list[float], per_cent: int) -> None:
    found = percentile(values, per_cent)
    assert found in values
    assert sum(v <= found for v in values) * 100 >= per_cent * len(values)
    assert percentile(values, 100) == max(values)


def test_percentiles_of_ten_values_by_hand() -> None:
    values = [float(n) for n in range(1, 11)]
    assert [percentile(values, p) for p in (50, 90, 99, 100)] == [5.0, 9.0, 10.0, 10.0]
    assert percentile([], 50) is None
