"""With fixed series in a real Prometheus, the tools answer the numbers that the published formulas give by hand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tools_ground import Ground, deployment, ground
from tools_prometheus import KUBELET, MI, STEADY, Series, needs_prometheus, pod_series, prometheus, quantile, start

from kubemend.app import Rooms
from kubemend.cluster.prometheus import open_prometheus
from kubemend.surfaces.cli.options import Access, ToolAccess

STATE = {"namespace": "shop", "job": "kube-state-metrics"}

ASKS = "resources: {requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '2', memory: 1Gi}}"


SPIKY = [0.05] * 110 + [0.8994] * 10
GONE = [0.3 + 0.0007 * m for m in range(60)]
SCALER = """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""


async def fortnight(here: Ground) -> Series:
    """Two pods of `web`, a third of an earlier revision that was killed for memory and is gone, and two more."""
    begin, series = start(), Series()
    first, second = (p.name for p in await here.pods("web"))
    (young,), (scaled,) = await here.pods("young"), await here.pods("scaled")
    pod_series(series, first, begin, STEADY, 200 * MI)
    pod_series(series, second, begin, SPIKY, 300 * MI)
    pod_series(series, "web-old-1", begin, GONE, 400 * MI)
    pod_series(series, young.name, begin, [0.2] * 40, 100 * MI)
    pod_series(series, scaled.name, begin, [0.2] * 120, 100 * MI)
    hour = [(begin + 60 * m, 1.0) for m in range(60)]
    owned = {**STATE, "pod": "web-old-1", "owner_kind": "ReplicaSet", "owner_name": "web-old"}
    series.add("kube_pod_owner", owned, hour)
    above = {**STATE, "replicaset": "web-old", "owner_kind": "Deployment", "owner_name": "web"}
    series.add("kube_replicaset_owner", above, hour)
    killed = {**STATE, "pod": "web-old-1", "container": "web"}
    limits = {**killed, "resource": "memory", "unit": "byte"}
    series.add("kube_pod_container_resource_limits", limits, [(t, 420.0 * MI) for t, _ in hour])
    series.add("kube_pod_container_status_last_terminated_reason", {**killed, "reason": "OOMKilled"}, hour)
    return series


@asynccontextmanager
async def sized(folder: Path) -> AsyncIterator[Ground]:
    """A practice cluster with a Prometheus that knows these two weeks."""
    text = deployment("web", container=ASKS) + deployment("young", replicas=1) + deployment("scaled", replicas=1)
    async with ground(folder, text + SCALER) as here:
        await here.settled()
        async with prometheus(folder, await fortnight(here)) as url, open_prometheus(url) as client:
            here.gateway._prometheus = client
            yield here


@needs_prometheus
async def test_sizes_are_those_of_krr_by_hand(tmp_path: Path) -> None:
    async with sized(tmp_path) as here:
        told = await here.data("recommend_resource_right_sizing", namespace="shop")
        everywhere = await here.data("recommend_resource_right_sizing", workload="web")
        limited = await here.data("recommend_resource_limits", namespace="shop", workload="web")
    rows = {r["name"]: r for r in told["recommendations"]}
    web = rows["web"]
    # The highest of the three pods' 95th percentiles: 0.21305, 0.8994 and 0.339235; rounded up to 1m.
    cpu = max(quantile(v, 0.95) for v in (STEADY, SPIKY, GONE))
    assert abs(web["cpu"]["observed"]["number"] - cpu) < 1e-9
    assert web["cpu"]["recommended_request"]["quantity"] == "900m"
    assert web["cpu"]["recommended_limit"] is None
    # max(1.15 * 400 Mi, 1.25 * 420 Mi) = 525 Mi
    assert web["memory"]["recommended_request"]["quantity"] == "525Mi"
    assert web["memory"]["recommended_limit"]["quantity"] == "525Mi"
    assert web["memory"]["info"] == "it was killed for memory"
    # A pod's counter has one value more than it has rates, and Prometheus remembers the last for five minutes.
    assert 121 + 121 + 61 <= web["cpu"]["points"] <= 121 + 121 + 61 + 3 * 5
    assert told["basis"]["source"] == "prometheus"
    assert everywhere["recommendations"] == [web]
    patched = limited["patch"]["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert patched == {"requests": {"cpu": "900m", "memory": "525Mi"}, "limits": {"cpu": None, "memory": "525Mi"}}


@needs_prometheus
async def test_too_few_points_and_autoscaled_resources_get_no_number(tmp_path: Path) -> None:
    async with sized(tmp_path) as here:
        told = await here.data("recommend_resource_right_sizing", namespace="shop")
    rows = {r["name"]: r for r in told["recommendations"]}
    assert rows["young"]["cpu"]["info"].startswith("not enough data: 4")
    assert rows["young"]["memory"]["recommended_request"] is None
    assert "HorizontalPodAutoscaler" in rows["scaled"]["cpu"]["info"]
    assert rows["scaled"]["memory"]["recommended_request"]["quantity"] == "115Mi"
    assert set(told["patches"]) == {"shop/deployment/web", "shop/deployment/scaled"}


@needs_prometheus
async def test_savings_are_those_of_opencost_by_hand(tmp_path: Path) -> None:
    async with sized(tmp_path) as here:
        told = await here.data("calculate_cost_savings", namespace="shop")
    # Each of two pods: from 1 core and 1 GiB to 0.9 cores and 525 Mi, of which it uses less than that now.
    one = (1 - 0.9) * 0.031611 + (1024 - 525) / 1024 * 0.004237
    saving = next(s for s in told["savings"] if s["name"] == "web")
    assert saving["monthly_saving"] == round(one * 730 * 2, 2)
    assert saving["what"] == "right-size: cpu 1 -> 900m, memory 1Gi -> 525Mi"


@needs_prometheus
async def test_percentiles_between_two_ranks_are_told_as_prometheus_reckons_them(tmp_path: Path) -> None:
    begin, rates = start(), [0.1 + 0.001 * m for m in range(120)]
    async with ground(tmp_path, deployment("web", replicas=1)) as here:
        await here.settled()
        (pod,) = await here.pods("web")
        series = Series()
        pod_series(series, pod.name, begin, rates, 64 * MI)
        async with prometheus(tmp_path, series) as url, open_prometheus(url) as client:
            here.gateway._prometheus = client
            told = await here.data("recommend_resource_limits", namespace="shop", workload="web")
    (row,) = told["containers"]
    assert abs(row["cpu"]["observed"]["number"] - quantile(rates, 0.95)) < 1e-9
    assert row["cpu"]["recommended_request"]["quantity"] == "214m"  # 0.21305 rounded up
    assert row["memory"]["recommended_request"]["quantity"] == "100Mi"  # the least


VOLUME = """
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
"""


@needs_prometheus
async def test_how_full_volumes_are_and_what_is_throttled_and_busy_is_told(tmp_path: Path) -> None:
    now = int(time.time())
    recent = [now - 60 * m for m in range(9, -1, -1)]
    async with ground(tmp_path, deployment("web", replicas=1) + VOLUME) as here:
        await here.settled()
        (pod,) = await here.pods("web")
        series, claim = Series(), {"namespace": "shop", "persistentvolumeclaim": "data", "job": "kubelet"}
        for name, value in (("used_bytes", 9.0), ("capacity_bytes", 10.0), ("inodes_used", 1.0), ("inodes", 4.0)):
            series.add(f"kubelet_volume_stats_{name}", claim, [(t, value * 2**30) for t in recent])
        mine = {**KUBELET, "pod": pod.name}
        for name, step in (("throttled_periods", 30.0), ("periods", 100.0)):
            points = [(t, step * i) for i, t in enumerate(recent)]
            series.add(f"container_cpu_cfs_{name}_total", mine, points, "counter")
        for name in ("network_receive", "network_transmit"):
            points = [(t, 6000.0 * i) for i, t in enumerate(recent)]
            labels = {"namespace": "shop", "pod": pod.name, "job": "kubelet"}
            series.add(f"container_{name}_bytes_total", labels, points, "counter")
        async with prometheus(tmp_path, series) as url, open_prometheus(url) as client:
            here.gateway._prometheus = client
            claims = await here.data("check_pvc_capacity", namespace="shop")
            load = await here.data("analyze_cluster_performance")
            hot = await here.data("identify_resource_hotspots", top=3)
    (row,) = claims["pvc_list"]
    assert (row["percent_used"], row["inodes_percent_used"], claims["high_usage_pvcs"]) == (90.0, 25.0, ["shop/data"])
    assert load["throttled"] == [{"namespace": "shop", "pod": pod.name, "container": "web", "percent": 30.0}]
    assert hot["pods_by_network"][0] == {
        "namespace": "shop",
        "name": pod.name,
        "node": pod.spec.node_name,
        "used": 200.0,
    }
    assert hot["pods_by_disk"] == []


@needs_prometheus
async def test_the_command_line_takes_the_address_of_prometheus_by_option_and_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = Rooms()
    async with rooms.practice(nodes=1, pace=0.02) as lab:
        place = {"kubeconfig": str(lab.kubeconfig), "store": tmp_path / "ledger.db"}
        (series := Series()).add("up", {"job": "kubelet"}, [(start(), 1.0)])
        async with prometheus(tmp_path, series) as url:
            named = ToolAccess(**place, prometheus_url=url)  # type: ignore[arg-type]
            async with rooms.gateway(named) as gateway:
                by_option = await gateway.call("identify_resource_hotspots", {}, actor="test")
            monkeypatch.setenv("KUBEMEND_PROMETHEUS_URL", url)
            async with rooms.gateway(Access(**place)) as gateway:  # type: ignore[arg-type]
                by_environment = await gateway.call("identify_resource_hotspots", {}, actor="test")
    for answer in (by_option, by_environment):
        assert answer.ok
        assert answer.data["pods_by_network"] == []
        assert "Prometheus" not in {g.what for g in answer.incomplete}
