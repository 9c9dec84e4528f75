"""The Prometheus of a cluster is found, and asked through the API server: the real one, with real series behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from testbed.plane import ControlPlane
from tools_ground import deployment, ground
from tools_monitoring import SPACE, account, behind, own_address
from tools_prometheus import MI, STEADY, Series, needs_prometheus, pod_series, prometheus, quantile, start
from tools_recorder import Recorder

from kubemend.app import Rooms
from kubemend.cluster.connection import connect
from kubemend.cluster.errors import Garbled
from kubemend.cluster.monitoring import in_cluster, named
from kubemend.cluster.prometheus import QueryFailed
from kubemend.cluster.reader import Reader
from kubemend.engine import catalogue
from kubemend.model.access import Access
from kubemend.surfaces.cli.options import ToolAccess

TOOL = "recommend_resource_right_sizing"
READS = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"],
        "verbs": ["list"],
    },
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
]
LOOKS = {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}
ASKS = {
    "apiGroups": [""],
    "resources": ["services/proxy"],
    "verbs": ["get"],
    "resourceNames": ["http:prometheus-server:80"],
}
GETS = {"apiGroups": [""], "resources": ["services"], "verbs": ["get"], "resourceNames": ["prometheus-server"]}


async def sized(kubeconfig: Path, folder: Path, url: str) -> Any:
    """The answer of the right-sizing tool, to whoever the kubeconfig is of."""
    access = ToolAccess(kubeconfig=str(kubeconfig), store=folder / "ledger.db", prometheus_url=url)
    async with Rooms().gateway(access) as gateway:
        answer = await gateway.call(TOOL, {"namespace": "sized"}, actor="test")
    assert answer.ok, answer.error
    return answer


@pytest.fixture
def web_pod(control_plane: ControlPlane) -> str:
    """The pod of a Deployment `web`, which no node runs; its name."""
    made = deployment("web", replicas=1).replace("namespace: shop", "namespace: sized")
    kind = "{apiVersion: v1, kind: Namespace, metadata: {name: sized}}\n"
    control_plane.kubectl("apply", "-f", "-", manifest=kind + made)
    control_plane.kubectl("-n", "sized", "wait", "--for=create", "pod", "-l", "app=web", "--timeout=30s")
    return (
        control_plane.kubectl("-n", "sized", "get", "pod", "-l", "app=web", "-o", "name").strip().removeprefix("pod/")
    )


@needs_prometheus
async def test_sizes_come_from_the_prometheus_that_auto_finds_with_rights_to_it_alone(
    control_plane: ControlPlane, web_pod: str, tmp_path: Path
) -> None:
    series = Series()
    pod_series(series, web_pod, start(), STEADY, 200 * MI, namespace="sized")
    async with (
        prometheus(tmp_path, series, address=own_address()) as url,
        behind(control_plane, urlsplit(url).port or 0),
    ):
        finder = account(control_plane, tmp_path, "finder", {"": [*READS, LOOKS], SPACE: [ASKS]})
        found = await sized(finder, tmp_path, "auto")
        knower = account(control_plane, tmp_path, "knower", {"": READS, SPACE: [GETS, ASKS]})
        by_name = await sized(knower, tmp_path, f"{SPACE}/prometheus-server")
        unfound = await sized(knower, tmp_path, "auto")
        looker = account(control_plane, tmp_path, "looker", {"": [*READS, LOOKS]})
        unasked = await sized(looker, tmp_path, "auto")
    for answer in (found, by_name):
        (row,) = answer.data["recommendations"]
        assert answer.data["basis"]["source"] == "prometheus"
        assert abs(row["cpu"]["observed"]["number"] - quantile(STEADY, 0.95)) < 1e-9
        assert row["memory"]["recommended_request"]["quantity"] == "230Mi"
        assert not any("Prometheus" in g.what for g in answer.incomplete)
    for answer, said in (
        (unfound, "it can't be looked for"),
        (unasked, 'resourceNames: ["http:prometheus-server:80"]'),
    ):
        assert answer.data["basis"]["source"] != "prometheus"
        (why,) = {g.why for g in answer.incomplete if g.what.startswith("Prometheus")}
        assert said in why


async def test_whatever_answers_gets_no_credentials_and_can_neither_redirect_nor_flood_us(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Service may be anybody's. The API server takes our token off, and we take nothing but a vector."""
    monkeypatch.setattr("kubemend.cluster.prometheus.MOST", 1 << 20)
    monkeypatch.setenv("KUBEMEND_PROMETHEUS_TOKEN", "canary-of-another")
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.path_qs, str(request.headers)))
        query = request.query["query"]
        if query == "redirect":
            raise web.HTTPTemporaryRedirect(f"http://{own_address()}/elsewhere")
        if query == "flood":
            return web.Response(body=b"x" * (2 << 20))
        if query == "deny":
            return web.Response(status=403, text="log in first")
        return web.Response(text='{"status":"success","data":{"resultType":"vector","result":[]}}')

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, own_address(), 0)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        async with behind(control_plane, port):
            path = account(control_plane, tmp_path, "asker", {"": [LOOKS], SPACE: [ASKS]})
            token = path.read_text().partition("token: ")[2].split()[0]
            async with connect(kubeconfig=str(path)).open() as transport:
                client = in_cluster(transport, Reader(transport), named("auto"))
                assert await client.query('up{job="a b"}') == ()
                for query, said in (("redirect", "HTTP 307"), ("deny", "HTTP 403: log in first")):
                    with pytest.raises(QueryFailed, match=said):
                        await client.query(query)
                with pytest.raises(Garbled, match="larger than 1 MiB"):
                    await client.query("flood")
    finally:
        await runner.cleanup()
    assert [(method, qs) for method, qs, _ in seen] == [
        ("GET", f"/api/v1/query?query={query}") for query in ("up%7Bjob%3D%22a+b%22%7D", "redirect", "deny", "flood")
    ]
    assert not any(secret in headers for _, _, headers in seen for secret in (token, "canary", "Authorization"))


async def test_the_search_takes_two_rights_beside_the_tools_own_and_without_auto_none(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web")) as here:
        recorder = Recorder(here.gateway._reader._transport)
        here.gateway._reader = Reader(recorder)  # type: ignore[arg-type]
        await here.ask(TOOL, namespace="shop")
        needs = catalogue.tools()[TOOL].needs
        assert recorder.asked == needs
        labels = "{app: prometheus-server}"
        await here.create(
            f"{{apiVersion: v1, kind: Service, metadata: {{name: p, namespace: shop, labels: {labels}}}, "
            "spec: {selector: {app: web}, ports: [{port: 80}]}}"
        )
        here.gateway._prometheus = in_cluster(recorder, here.gateway._reader, None)  # type: ignore[arg-type]
        await here.ask(TOOL, namespace="shop")
    assert recorder.asked - needs == {Access("list", "services"), Access("get", "services/proxy")}
