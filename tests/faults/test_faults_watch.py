"""What is followed, through everything that befalls its watches: nothing missed, nothing taken back in time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faults_kinds as faults
import pytest
from faults_hurry import PACE
from faults_proxy import Exchange, Fault, Match, Proxy
from faults_worlds import soon

from kubemend.app import Rooms
from kubemend.cluster.cache import WatchCache
from kubemend.cluster.connection import connect
from kubemend.cluster.feed import Feed, Pace
from kubemend.cluster.reader import Reader
from kubemend.engine.detector import Detector, Happened, Timing
from kubemend.model.objects import ConfigMap, Obj, Service
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.wiring import Bench

if TYPE_CHECKING:
    from kubemend.lab.cluster import PracticeCluster

Object = dict[str, Any]
MAPS = r"/configmaps$"
CHANGES, CUTS = 1000, 50


@asynccontextmanager
async def following(
    proxy: Proxy, folder: Path, *kinds: type[Obj], pace: Pace = PACE, user: Object | None = None
) -> AsyncIterator[WatchCache]:
    """The product's cache, through the proxy."""
    connection = connect(kubeconfig=str(proxy.kubeconfig(folder / "proxy.kubeconfig", user)))
    async with connection.open() as transport, WatchCache(Reader(transport), kinds or (ConfigMap,), pace=pace) as cache:
        await cache.synced()
        yield cache


def config_map(name: str, value: int = 0) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": str(value)}}


async def truth(practice: PracticeCluster, kind: str = "ConfigMap") -> dict[str, str]:
    """Names and versions of what is in the cluster."""
    return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in await practice.api.list(kind, "default")}


def known(cache: WatchCache, kind: type[Obj] = ConfigMap) -> dict[str, str]:
    """The same, as the cache has it."""
    return {o.name: o.metadata.resource_version for o in cache.snapshot().all(kind, "default")}


async def until(cache: WatchCache, true: Callable[[], bool], seconds: float = 45.0) -> None:
    changes = cache.changes()
    async with asyncio.timeout(seconds):
        while not true():
            await anext(changes)


# --- many changes, many cuts


async def churn(practice: PracticeCluster, proxy: Proxy, chance: random.Random) -> None:
    """A thousand changes to objects that come and go, and fifty times all watches break, each time in another way."""
    there: list[str] = []
    felt = 0
    breaks: list[Fault] = [
        faults.cut_before, faults.cut_inside, faults.says(503), faults.says(410), faults.refused_in_stream(410),
        faults.says(429, retry_after=0), faults.garbage, faults.empty, faults.half_open,
    ]  # fmt: skip
    for number in range(CHANGES):
        if number % (CHANGES // CUTS) == 0:
            await proxy.until(lambda: len(proxy.open(MAPS)) >= 1)
            proxy.on(Match("GET", MAPS, watch=True), breaks[number % len(breaks)])
            felt += proxy.cut(MAPS)
        what = chance.random()
        if not there or what < 0.4:
            there.append(f"map-{number}")
            await practice.api.create(config_map(there[-1]))
        elif what < 0.75:
            live = await practice.api.get("ConfigMap", "default", chance.choice(there))
            assert live is not None
            await practice.api.patch(live, {"data": {"value": str(number)}})
        else:
            live = await practice.api.get("ConfigMap", "default", there.pop(chance.randrange(len(there))))
            assert live is not None
            await practice.api.delete(live)
        if number % 5 == 0:
            await asyncio.sleep(0.01)  # let some of it be seen on the way, and not only the end
    assert felt == CUTS


@pytest.mark.timeout(240)
async def test_of_a_thousand_changes_during_fifty_cuts_nothing_is_missed(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    told: dict[str, str | None] = {}
    async with following(proxy, tmp_path) as cache:
        changes = cache.changes()

        async def listen() -> None:
            async for refs in changes:
                now = known(cache)
                for ref in refs:
                    version = now.get(ref.name)
                    before = told.get(ref.name)
                    assert version is None or before is None or int(version) >= int(before), "time went back"
                    told[ref.name] = version

        listening = asyncio.create_task(listen())
        await churn(practice, proxy, random.Random(4))
        proxy.heal()
        end = await truth(practice)
        await until(cache, lambda: known(cache) == end)
        assert cache.snapshot().unread == ()
    await listening
    del end["kube-root-ca.crt"]  # it was there before all changes
    assert {n: v for n, v in told.items() if v is not None and n in end} == end, "each told in its last state"
    assert [n for n, v in told.items() if v is not None and n not in end] == [], "each deletion told"


# --- the detector, through the same


def ingress(name: str, service: str) -> Object:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    metadata = {"name": name, "namespace": "default"}
    spec = {"defaultBackend": backend}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"ports": [{"port": 80}]},
}


@asynccontextmanager
async def bench(proxy: Proxy, folder: Path) -> AsyncIterator[Bench]:
    kubeconfig = proxy.kubeconfig(folder / "proxy.kubeconfig")
    access = Access(kubeconfig=str(kubeconfig), all_namespaces=True, store=folder / "ledger.db")
    async with Rooms().bench(access, scope=None, tell=lambda _repair, _text: None) as made:
        yield made


@pytest.mark.timeout(240)
async def test_after_a_thousand_changes_and_fifty_cuts_the_detector_has_the_incidents_that_are_true(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    names, chance = [f"way-{n}" for n in range(20)], random.Random(5)
    await practice.api.create(SERVICE)
    for name in names:
        await practice.api.create(ingress(name, "web"))
    told: list[Happened] = []
    async with bench(proxy, tmp_path) as made:
        detector = Detector(made.mender, tell=told.append, repair=False, timing=Timing(resolve=0.5, look=0.5))
        stop = asyncio.Event()
        running = asyncio.create_task(detector.run(stop))
        broken: set[str] = set()
        for number in range(CHANGES):
            if number % (CHANGES // CUTS) == 0:
                await proxy.until(lambda: len(proxy.open(r"/ingresses$")) == 1)
                proxy.cut()
            name = chance.choice(names)
            live = await practice.api.get("Ingress", "default", name)
            assert live is not None
            wanted = "wed" if chance.random() < 0.5 else "web"
            await practice.api.patch(live, {"spec": ingress(name, wanted)["spec"]})
            (broken.add if wanted == "wed" else broken.discard)(name)
            if number % 20 == 10:
                await asyncio.sleep(0.05)
        assert 0 < len(broken) < len(names)
        ledger, cluster = made.mender.ledger, made.mender.cluster

        async def open_now() -> set[str]:
            listed = await ledger.incidents.list(cluster=cluster, unresolved=True)
            return {i.subject.rpartition("/")[2] for i in listed if i.code == "KM504"}

        async with asyncio.timeout(60):
            while await open_now() != broken:
                await made.mender.sight.changed(0.2)
        stop.set()
        await running
    opened = [h for h in told if h.what == "opened"]
    assert len(opened) >= len(broken)


# --- watches that are open and tell nothing


@pytest.mark.parametrize("how", ["mute", "half open for ever", "trickle"])
async def test_a_watch_that_stays_open_and_tells_nothing_is_noticed(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path, how: str
) -> None:
    if how != "mute":
        fault = faults.half_open if how == "half open for ever" else faults.trickling(0.2)
        proxy.on(Match("GET", MAPS, watch=True), fault, times=None)
    async with following(proxy, tmp_path) as cache:
        await proxy.until(lambda: any(s.watch for s in proxy.seen))
        if how == "mute":
            await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
            proxy.mute(MAPS)
        await practice.api.create(config_map("unheard"))
        await until(cache, lambda: "unheard" in known(cache))
        assert cache.snapshot().unread == ()


async def test_without_the_limit_on_quiet_it_would_not_be(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    async with following(proxy, tmp_path, pace=replace(PACE, quiet=1000.0)) as cache:
        await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
        proxy.on(Match("GET", MAPS, watch=True), faults.half_open, times=None)
        proxy.mute(MAPS)
        await practice.api.create(config_map("unheard"))
        with pytest.raises(TimeoutError):
            await until(cache, lambda: "unheard" in known(cache), seconds=PACE.quiet + 2)


async def test_when_lists_fail_as_well_the_kind_is_unread_and_the_others_are_not(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    async with following(proxy, tmp_path, ConfigMap, Service) as cache:
        await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
        proxy.on(Match("GET", MAPS), faults.says(503), times=None)
        proxy.mute(MAPS)
        await unread(cache, lambda kinds: kinds == {"ConfigMap"})
        [why] = {u.why for u in cache.snapshot().unread}
        assert why.startswith("out of touch for ")
        assert why.endswith("the proxy's own ServiceUnavailable")
        proxy.heal()
        await unread(cache, lambda kinds: kinds == set())


async def unread(cache: WatchCache, true: Callable[[set[str]], bool]) -> None:
    await soon(lambda: true({u.kind for u in cache.snapshot().unread}))


# --- refusals


@pytest.mark.parametrize("fault", [faults.says(410), faults.refused_in_stream(410)], ids=["410", "in the stream"])
async def test_a_version_that_is_gone_is_followed_by_a_list(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path, fault: Fault
) -> None:
    async with following(proxy, tmp_path) as cache:
        await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
        proxy.on(Match("GET", MAPS, watch=True), fault, times=3)
        proxy.cut()
        await practice.api.create(config_map("after"))
        await until(cache, lambda: "after" in known(cache))
        assert known(cache) == await truth(practice)


async def test_a_kind_that_may_no_longer_be_read_is_unread_and_no_rule_of_it_judges(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    await practice.api.create(SERVICE)
    await practice.api.create(ingress("way", "wed"))
    told: list[Happened] = []
    async with bench(proxy, tmp_path) as made:
        detector = Detector(made.mender, tell=told.append, repair=False, timing=Timing(resolve=0.2, look=0.2))
        stop = asyncio.Event()
        running = asyncio.create_task(detector.run(stop))
        await happened(told, lambda h: h.what == "opened")
        proxy.on(Match("GET", r"/services$"), faults.says(403), times=None)
        proxy.cut(r"/services$")
        await happened(told, lambda h: h.what == "unread" and h.text.startswith("KM504 not judged"))
        way = await practice.api.get("Ingress", "default", "way")
        assert way is not None
        await practice.api.patch(way, {"spec": ingress("way", "web")["spec"]})
        with pytest.raises(TimeoutError):
            await happened(told, lambda h: h.what == "resolved", seconds=2)
        assert not any(n.code == "KM301" for n in made.mender.report().not_judged), "what needs no Service goes on"
        proxy.heal()
        await happened(told, lambda h: h.what == "resolved")
        stop.set()
        await running


async def happened(told: list[Happened], true: Callable[[Happened], bool], seconds: float = 45.0) -> None:
    await soon(lambda: any(map(true, told)), seconds)


def refuses(token: str) -> Fault:
    """401 for who comes with this token."""

    async def fault(exchange: Exchange) -> Any:
        if exchange.seen.token == token:
            return await faults.says(401)(exchange)
        return await exchange.passed()

    return faults.named("401 for an old token", fault)


async def test_a_token_that_expired_is_read_anew_from_its_file(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    async with following(proxy, tmp_path, user={"tokenFile": str(file)}) as cache:
        await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
        file.write_text("two\n")
        proxy.on(Match(), refuses("one"), times=None)
        proxy.cut()
        await practice.api.create(config_map("after"))
        await until(cache, lambda: "after" in known(cache))
        assert cache.snapshot().unread == ()
        assert known(cache) == await truth(practice)
    tokens = [s.token for s in proxy.seen]
    assert tokens == sorted(tokens), "once the new one is known, the old one is not shown again"
    assert set(tokens) == {"one", "two"}


async def test_a_login_that_stays_refused_is_said_so_at_once(proxy: Proxy, tmp_path: Path) -> None:
    async with following(proxy, tmp_path) as cache:
        proxy.on(Match(), faults.says(401, message="token has expired"), times=None)
        proxy.cut()
        await unread(cache, lambda kinds: kinds == {"ConfigMap"})
        assert {u.why for u in cache.snapshot().unread} == {"token has expired"}
        proxy.heal()
        await unread(cache, lambda kinds: kinds == set())


@pytest.mark.parametrize("fault", [faults.says, faults.refused_in_stream], ids=["refused", "in the stream"])
async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path, fault: Callable[..., Fault]
) -> None:
    async with following(proxy, tmp_path) as cache:
        await proxy.until(lambda: len(proxy.open(MAPS)) == 1)
        proxy.on(Match("GET", MAPS, watch=True), fault(429, retry_after=1), times=3)
        earlier = len(proxy.seen)
        proxy.cut()
        await practice.api.create(config_map("after"))
        await until(cache, lambda: "after" in known(cache))
    asked = [s for s in proxy.seen[earlier:] if s.watch]
    assert [s.fault[:3] for s in asked[:3]] == ["429"] * 3
    pauses = [b.at - a.at for a, b in itertools.pairwise(asked[:4])]
    assert min(pauses) >= 1.0, pauses


# --- time does not run backwards


async def old_news(practice: PracticeCluster, proxy: Proxy, folder: Path) -> list[dict[str, str]]:
    """What a cache shows while it is given a list from before what it has seen."""
    await practice.api.create(config_map("gone"))
    await practice.api.create(config_map("changed"))
    proxy.on(Match("GET", MAPS, watch=False), faults.remembered)
    shown: list[dict[str, str]] = []
    async with following(proxy, folder, pace=replace(PACE, stale=1000.0)) as cache:
        for name, body in (("gone", None), ("changed", {"data": {"value": "1"}})):
            live = await practice.api.get("ConfigMap", "default", name)
            assert live is not None
            await (practice.api.patch(live, body) if body else practice.api.delete(live))
        end = await truth(practice)
        await until(cache, lambda: known(cache) == end)
        proxy.on(Match("GET", MAPS, watch=False), faults.stale, times=3)
        proxy.on(Match("GET", MAPS, watch=True), faults.says(410))
        earlier = len(proxy.seen)
        proxy.cut()
        while sum(s.fault == "stale" for s in proxy.seen[earlier:]) < 3 or len(proxy.open(MAPS)) < 1:
            shown.append(known(cache))
            await asyncio.sleep(0.005)
        shown.append(known(cache))
        assert shown[-1] == end
    return [s for s in shown if s != end]


async def test_a_list_from_before_what_was_seen_resurrects_nothing(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path
) -> None:
    assert await old_news(practice, proxy, tmp_path) == []


async def test_without_the_look_at_versions_it_would(
    practice: PracticeCluster, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Feed, "_refuse_older", lambda _feed, _listing: None)
    resurrected = await old_news_seen_once(practice, proxy, tmp_path)
    assert "gone" in resurrected


async def old_news_seen_once(practice: PracticeCluster, proxy: Proxy, folder: Path) -> set[str]:
    await practice.api.create(config_map("gone"))
    proxy.on(Match("GET", MAPS, watch=False), faults.remembered)
    async with following(proxy, folder) as cache:
        live = await practice.api.get("ConfigMap", "default", "gone")
        assert live is not None
        await practice.api.delete(live)
        await until(cache, lambda: "gone" not in known(cache))
        proxy.on(Match("GET", MAPS), faults.half_open, times=None)
        proxy.on(Match("GET", MAPS, watch=False), faults.stale, times=None)
        proxy.on(Match("GET", MAPS, watch=True), faults.says(410))
        proxy.cut()
        await until(cache, lambda: "gone" in known(cache))
        return set(known(cache))
