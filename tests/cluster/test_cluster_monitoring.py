"""Which Service is taken for the cluster's Prometheus, and that a doubtful one never is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import ConfigError
from kubemend.cluster.kubeconfig import given
from kubemend.cluster.monitoring import Named, NoneFound, in_cluster, named
from kubemend.cluster.prometheus import QueryFailed
from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.lab.cluster import PracticeCluster

NAME, PART = "app.kubernetes.io/name", "app.kubernetes.io/component"
STACK = {"app": "kube-prometheus-stack-prometheus"}
OPERATED = {"operated-prometheus": "true"}
CHART = {NAME: "prometheus", PART: "server"}
WEB: dict[str, Any] = {"name": "http-web", "port": 9090}


class Counting(Reader):
    """A reader that remembers which lists it was asked for."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.lists: list[str] = []

    async def list(self, *arguments: Any, labels: str = "", **options: Any) -> Any:
        self.lists.append(labels)
        return await super().list(*arguments, labels=labels, **options)


def service(
    place: str, labels: dict[str, str], *ports: dict[str, Any], selector: str = "prometheus", headless: bool = False
) -> dict[str, Any]:
    namespace, name = place.split("/")
    spec: dict[str, Any] = {"ports": list(ports) or [WEB], "selector": {"app": selector} if selector else None}
    if headless:
        spec["clusterIP"] = "None"
    spec = {k: v for k, v in spec.items() if v is not None}
    meta = {"namespace": namespace, "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


async def chosen(practice: PracticeCluster, *services: dict[str, Any], ask: str = "auto") -> str:
    """What is taken: "namespace/scheme:name:port", as the refusal of a cluster without service proxies tells it."""
    for namespace in sorted({s["metadata"]["namespace"] for s in services} - {"default", "kube-system"}):
        await practice.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for one in services:
        await practice.api.create(one)
    async with connect(kubeconfig=given(json.dumps(practice.kubeconfig()))).open() as transport:
        with pytest.raises(QueryFailed) as failed:
            await in_cluster(transport, Reader(transport), named(ask)).query("up")
    return str(failed.value.where)


@pytest.mark.parametrize(
    ("labels", "ports", "place"),
    [
        (STACK, [{"name": "reloader-web", "port": 8080}, WEB], "http:p:9090"),
        (CHART, [{"name": "http", "port": 80}], "http:p:80"),
        ({"app": "prometheus", "component": "server"}, [{"port": 80}], "http:p:80"),
        ({NAME: "prometheus", PART: "prometheus"}, [{"name": "web", "port": 9090}], "http:p:9090"),
        (OPERATED, [{"name": "web", "port": 9090}], "http:p:9090"),
        ({"app": "prometheus-server"}, [{"name": "https", "port": 443}], "https:p:443"),
        ({NAME: "thanos-query"}, [{"name": "grpc", "port": 10901}, {"name": "http", "port": 9090}], "http:p:9090"),
        ({NAME: "thanos", PART: "query"}, [{"name": "http", "port": 9090}], "http:p:9090"),
        ({NAME: "vmsingle"}, [{"name": "http", "port": 8429}], "http:p:8429"),
        ({"app": "vmselect", NAME: "victoria-metrics-cluster"}, [{"name": "http", "port": 8481}], "http:p:8481"),
    ],
)
async def test_each_usual_installation_is_found_with_the_port_that_answers_queries(
    practice: PracticeCluster, labels: dict[str, str], ports: list[dict[str, Any]], place: str
) -> None:
    assert await chosen(practice, service("monitoring/p", labels, *ports)) == f"monitoring/{place}"


async def test_of_one_namespace_what_sees_over_several_comes_first_and_the_operators_own_last(
    practice: PracticeCluster,
) -> None:
    held = [
        service("monitoring/a-operated", OPERATED, headless=True),
        service("monitoring/b-stack", STACK),
        service("monitoring/c-thanos", {NAME: "thanos-query"}, {"name": "http", "port": 10902}),
    ]
    assert await chosen(practice, *held) == "monitoring/http:c-thanos:10902"


async def test_a_headless_twin_gives_way(practice: PracticeCluster) -> None:
    held = [service("monitoring/p-headless", CHART, headless=True), service("monitoring/prometheus", CHART)]
    assert await chosen(practice, *held) == "monitoring/http:prometheus:9090"


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([], "no Service of the cluster looks like Prometheus"),
        ([service("monitoring/grafana", {NAME: "grafana"})], "no Service"),
        ([service("kubecost/prometheus", {"app": "prometheus", "component": "server", "release": "kubecost"})], "no S"),
        # Its addresses are whatever somebody wrote into an EndpointSlice.
        ([service("monitoring/p", CHART, selector="")], "no Service"),
        # Whoever may create Services in a namespace of his own must not become everybody's Prometheus.
        (
            [service("monitoring/p", OPERATED), service("shop/p", {NAME: "thanos-query"})],
            "several Services look like Prometheus: shop/p, monitoring/p",
        ),
        ([service("monitoring/a", CHART), service("monitoring/b", CHART)], "monitoring/a, monitoring/b"),
    ],
)
async def test_none_or_several_are_said_and_none_is_taken(
    practice: PracticeCluster, held: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(NoneFound, match=said):
        await chosen(practice, *held)


async def test_a_service_that_is_named_is_taken_whatever_else_there_is(practice: PracticeCluster) -> None:
    held = [
        service("monitoring/a", CHART),
        service("shop/vm", {NAME: "vmselect"}, {"name": "a", "port": 1}, {"name": "b", "port": 2}),
    ]
    assert await chosen(practice, *held, ask="shop/vm:2") == "shop/http:vm:2"
    for ask, said in (("shop/gone", "can't be looked for.*gone"), ("shop/vm:3", "no port 3")):
        with pytest.raises(NoneFound, match=said):
            await chosen(practice, ask=ask)


async def test_a_search_serves_ten_minutes_and_several_who_ask_at_once(
    practice: PracticeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(kubeconfig=given(json.dumps(practice.kubeconfig()))).open() as transport:
        prometheus = in_cluster(transport, reader := Counting(transport), None)
        told = await asyncio.gather(*(prometheus.query("up") for _ in range(5)), return_exceptions=True)
        assert {type(t) for t in told} == {NoneFound}
        assert len(reader.lists) == len(set(reader.lists)) == 3
        await practice.api.create(service("default/p", CHART))
        with pytest.raises(NoneFound):
            await prometheus.query("up")
        assert len(reader.lists) == 3
        monkeypatch.setattr("kubemend.cluster.monitoring.LOOK_AGAIN_S", 0.0)
        with pytest.raises(QueryFailed):
            await prometheus.query("up")


@pytest.mark.parametrize(
    "text", ["prometheus:9090", "user:canary@prometheus", "a/b/c", "A/b", "a/b:x", "automatic", "/"]
)
def test_what_is_neither_a_service_nor_auto_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        named(text)
    assert refused.value.code == "prometheus-url-invalid"
    assert text not in str(refused.value)


def test_a_name_is_read_with_and_without_a_port() -> None:
    assert named("auto") is None
    assert named("monitoring/prometheus-server") == Named("monitoring", "prometheus-server")
    assert named("monitoring/prometheus-server:80") == Named("monitoring", "prometheus-server", 80)
