"""What is served: aggregated discovery, the older one, and groups that don't answer."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from cluster_api import Api, fails, says, text

from kubemend.cluster import errors
from kubemend.cluster import reader as reader_module
from kubemend.cluster.reader import Reader
from kubemend.cluster.resource import Resource
from kubemend.model.ref import Ref


def found(
    plural: str, kind: str, *, short: tuple[str, ...] = (), scope: str = "Namespaced", **more: Any
) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope,
        "singularResource": kind.lower(),
        "verbs": ["get", "list"],
        "shortNames": list(short) or None,
        **more,
    }


def group(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "versions": list(versions)}


def version(name: str, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": name, "resources": list(resources), "freshness": "Current", **more}


def aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": list(groups)}


CORE = aggregated(
    group(
        "",
        version(
            "v1",
            found("pods", "Pod", short=("po",), subresources=[{"subresource": "log"}, {"subresource": "eviction"}]),
            found("nodes", "Node", short=("no",), scope="Cluster"),
            found("events", "Event", short=("ev",)),
        ),
    )
)
GROUPS = aggregated(
    group("events.k8s.io", version("v1", found("events", "Event", short=("ev",)))),
    group(
        "autoscaling",
        version("v2", found("horizontalpodautoscalers", "HorizontalPodAutoscaler", short=("hpa",))),
        version("v1", found("horizontalpodautoscalers", "HorizontalPodAutoscaler", short=("hpa",))),
    ),
    group("metrics.k8s.io", {"version": "v1beta1", "resources": None, "freshness": "Stale"}),
    group("example.com", version("v1", found("widgets", "Widget"))),
    group("other.io", version("v1", found("widgets", "Widget"))),
)


@pytest.fixture
def served(api: Api) -> None:
    api.on("/api", CORE)
    api.on("/apis", GROUPS)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("word", ["pods", "pod", "po", "Pod", "POD"])
async def test_a_kind_is_known_by_many_words(reader: Reader, word: str):
    pods = await reader.resource(word)
    assert (pods.kind, pods.plural, pods.api_version, pods.namespaced) == ("Pod", "pods", "v1", True)
    assert pods.subresources == ("log", "eviction")
    assert pods.verbs == {"get", "list"}


@pytest.mark.usefixtures("served")
async def test_the_core_group_comes_first_and_another_can_be_asked_for(reader: Reader):
    assert (await reader.resource("events")).group == ""
    assert (await reader.resource("ev", "events.k8s.io")).group == "events.k8s.io"
    assert (await reader.resource("events.events.k8s.io")).group == "events.k8s.io"
    assert (await reader.resource("widgets")).group == "example.com"
    assert (await reader.resource("widgets.other.io")).group == "other.io"


@pytest.mark.usefixtures("served")
async def test_the_preferred_version_of_a_group_is_used(reader: Reader):
    assert (await reader.resource("hpa")).version == "v2"
    assert sum(r.group == "autoscaling" for r in await reader.resources()) == 1


@pytest.mark.usefixtures("served")
async def test_a_scope_decides_the_path(reader: Reader):
    assert (await reader.resource("no")).object("shop", "n1") == "/api/v1/nodes/n1"
    assert (await reader.resource("po")).object("shop", "web", "log") == "/api/v1/namespaces/shop/pods/web/log"
    assert (await reader.resource("po")).collection() == "/api/v1/pods"


@pytest.mark.usefixtures("served")
async def test_a_group_that_does_not_answer_is_named(api: Api, reader: Reader):
    [unread] = (await reader.discovery()).unread
    assert unread.kind == "metrics.k8s.io/v1beta1"
    with pytest.raises(errors.NotServed) as caught:
        await reader.resource("podmetrics")
    assert "metrics.k8s.io" in str(caught.value.hint)


@pytest.mark.usefixtures("served")
async def test_discovery_is_asked_once(api: Api, reader: Reader):
    for word in ("pods", "nodes", "nothing"):
        try:
            await reader.resource(word)
        except errors.NotServed:
            assert word == "nothing"
    assert len(api.asked) == 2


@pytest.mark.usefixtures("served")
async def test_a_resource_that_came_later_is_found(api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader_module, "RETRY_DISCOVERY_S", 0.0)
    with pytest.raises(errors.NotServed):
        await reader.resource("gadgets")
    api.on("/apis", aggregated(group("example.com", version("v1", found("gadgets", "Gadget")))))
    assert (await reader.resource("gadgets")).kind == "Gadget"


@pytest.mark.usefixtures("served")
async def test_an_object_of_an_unknown_kind_is_found_by_discovery(api: Api, reader: Reader):
    widget = {"kind": "Widget", "metadata": {"name": "w", "uid": "u1"}}
    api.on("/apis/other.io/v1/namespaces/shop/widgets/w", widget)
    assert await reader.get(Ref("Widget", "shop", "w", "other.io")) == widget
    with pytest.raises(errors.NotServed, match="no Widget in group third"):
        await reader.get(Ref("Widget", "shop", "w", "third.io"))


def older(name: str, kind: str, *, namespaced: bool = True) -> dict[str, Any]:
    return {"name": name, "kind": kind, "namespaced": namespaced, "singularName": "", "verbs": ["get"]}


@pytest.fixture
def served_long_ago(api: Api) -> None:
    """A server before 1.30: no aggregated discovery."""
    api.on("/api", {"kind": "APIVersions", "versions": ["v1"]})
    groups = [{"name": n, "versions": [{"groupVersion": f"{n}/v1"}]} for n in ("apps", "broken.io")]
    api.on("/apis", {"kind": "APIGroupList", "groups": groups})
    core = [older("pods", "Pod"), older("pods/log", "Pod"), older("nodes", "Node", namespaced=False)]
    api.on("/api/v1", {"kind": "APIResourceList", "resources": core})
    deployments = [older("deployments", "Deployment"), older("deployments/scale", "Scale")]
    api.on("/apis/apps/v1", {"kind": "APIResourceList", "resources": deployments})
    api.on("/apis/broken.io/v1", fails(503, "ServiceUnavailable", "no endpoints"))


@pytest.mark.usefixtures("served_long_ago")
async def test_the_older_discovery_serves_as_well(reader: Reader):
    assert await reader.resource("deployments") == Resource(
        "Deployment", "deployments", "apps", "v1", verbs=frozenset({"get"}), subresources=("scale",)
    )
    assert not (await reader.resource("node")).namespaced
    [unread] = (await reader.discovery()).unread
    assert (unread.kind, unread.why) == ("broken.io/v1", "no endpoints")


@pytest.mark.usefixtures("served_long_ago")
async def test_when_no_group_can_be_read_nothing_is_known(api: Api, reader: Reader):
    for path in ("/api/v1", "/apis/apps/v1"):
        api.on(path, text("<html>"))
    with pytest.raises(errors.Garbled):
        await reader.resources()


async def test_a_forbidden_discovery_is_forbidden(api: Api, reader: Reader):
    api.on("/api", fails(403, "Forbidden"))
    api.on("/apis", fails(403, "Forbidden"))
    with pytest.raises(errors.Forbidden):
        await reader.resources()


async def test_both_forms_are_offered_to_the_server(api: Api, reader: Reader):
    async def either(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept"].endswith(",application/json")
        assert "as=APIGroupDiscoveryList" in request.headers["Accept"]
        return await says(CORE)(request)

    api.on("/api", either)
    api.on("/apis", either)
    assert len(await reader.resources()) == 3
