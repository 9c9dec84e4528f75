"""One snapshot of a cluster, and what it says of what could not be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cluster_api import QUICK, Api, connection, cut, fails, page, pod, says, silent, text

from kubemend.cluster import errors
from kubemend.cluster.collector import EXCLUDED, collect
from kubemend.cluster.reader import Reader
from kubemend.model.objects import ConfigMap, Deployment, Event, Node, Pod, Service
from kubemend.model.snapshot import Unread


async def test_a_snapshot_holds_every_kind_that_was_asked_for(api: Api, reader: Reader):
    api.on("/api/v1/pods", page(pod("b"), pod("a", namespace="other")))
    api.on("/api/v1/nodes", page({"metadata": {"name": "n1"}}))
    api.on("/api/v1/services", page())
    began = datetime.now(UTC)
    snapshot = await collect(reader, (Pod, Node, Service, Pod))
    assert [p.name for p in snapshot.all(Pod)] == ["a", "b"]
    assert snapshot.was_read(Service)
    assert not snapshot.was_read(Deployment)
    assert (snapshot.cluster, snapshot.namespace, snapshot.unread) == ("test", None, ())
    assert began <= snapshot.taken_at <= datetime.now(UTC)
    assert api.times("/api/v1/pods") == 1


async def test_each_kind_that_can_not_be_read_says_why_and_the_others_are_kept(api: Api, tmp_path: Path):
    api.on("/api/v1/pods", page(pod("a"), pod("bad", spec=5)))
    api.on("/api/v1/nodes", fails(403, "Forbidden", 'nodes is forbidden: User "u" cannot list'))
    api.on("/api/v1/services", cut)
    api.on("/api/v1/events", silent)
    api.on("/api/v1/configmaps", text("<html>"))
    async with connection(tmp_path, api).open(replace(QUICK, page=2.0)) as transport:
        snapshot = await collect(Reader(transport), (Pod, Node, Service, Event, ConfigMap, Deployment))
    why = {u.kind: u.why for u in snapshot.unread}
    assert "forbidden" in why["Node"]
    assert "lost" in why["Service"]
    assert "time" in why["Event"]
    assert "not JSON" in why["ConfigMap"]
    assert why["Deployment"] == "the cluster does not serve this resource type"
    assert why["Pod"].startswith("shop/bad: ")
    assert [p.name for p in snapshot.all(Pod)] == ["a"]
    assert not any(snapshot.was_read(k) for k in (Node, Service, Event, ConfigMap, Deployment))
    assert snapshot.was_read(Pod)
    assert not snapshot.was_read(Pod, "shop")


async def test_one_namespace_is_read_alone_but_cluster_scoped_kinds_wholly(api: Api, reader: Reader):
    api.on("/api/v1/namespaces/shop/pods", page(pod("a")))
    api.on("/api/v1/nodes", page({"metadata": {"name": "n1"}}))
    snapshot = await collect(reader, (Pod, Node), "shop")
    assert (len(snapshot.all(Pod)), len(snapshot.all(Node)), snapshot.namespace) == (1, 1, "shop")


async def test_an_excluded_namespace_is_not_held_and_not_known(api: Api, reader: Reader):
    api.on("/api/v1/pods", page(pod("a"), pod("dns", namespace="kube-system")))
    api.on("/api/v1/nodes", page({"metadata": {"name": "n1"}}))
    snapshot = await collect(reader, (Pod, Node), exclude=["kube-system"])
    assert [p.name for p in snapshot.all(Pod)] == ["a"]
    assert snapshot.unread == (Unread("Pod", EXCLUDED, "kube-system"),)
    assert not snapshot.was_read(Pod, "kube-system")
    assert snapshot.was_read(Pod, "shop")


@pytest.mark.parametrize(
    ("answer", "wanted"), [(fails(401, "Unauthorized"), errors.Unauthorized), (cut, errors.Unreachable)]
)
async def test_a_cluster_that_gives_nothing_at_all_is_an_error(api: Api, reader: Reader, answer, wanted):
    for kind in (Pod, Node, Service):
        api.on(f"/api/v1/{kind.plural}", answer)
    with pytest.raises(wanted):
        await collect(reader, (Pod, Node, Service))


async def test_a_cluster_where_everything_is_forbidden_is_a_snapshot_that_says_so(api: Api, reader: Reader):
    for kind in (Pod, Node):
        api.on(f"/api/v1/{kind.plural}", fails(403, "Forbidden"))
    snapshot = await collect(reader, (Pod, Node))
    assert {u.kind for u in snapshot.unread} == {"Pod", "Node"}
    assert snapshot.objects == {}


async def test_a_dead_server_is_not_asked_for_every_kind(tmp_path: Path, api: Api):
    from kubemend.model.objects import KINDS

    api.on("/api/v1/pods", fails(401, "Unauthorized"))
    for kind in KINDS.values():
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        api.on(f"{root}/{kind.plural}", fails(401, "Unauthorized"))
    async with connection(tmp_path, api).open(QUICK) as transport:
        with pytest.raises(errors.Unauthorized):
            await collect(Reader(transport), KINDS.values())
    assert len(api.asked) < len(KINDS)


async def test_no_kinds_make_an_empty_snapshot(reader: Reader):
    assert (await collect(reader, ())).objects == {}


async def test_secret_values_do_not_come_into_a_snapshot(api: Api, reader: Reader):
    web = pod("a")
    web["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": "s3cret"}]
    api.on("/api/v1/pods", says(page(web)))
    api.on("/api/v1/configmaps", page({"metadata": {"name": "c"}, "data": {"k": "s3cret"}}))
    assert "s3cret" not in repr(await collect(reader, (Pod, ConfigMap)))
