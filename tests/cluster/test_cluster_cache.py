"""The watch cache: in step with the cluster, frugal with it, and honest when it is not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from cluster_api import Answer, Api, bookmark, cut, event, fails, page, pod, says, stream

from kubemend.cluster import feed
from kubemend.cluster.cache import Changes, WatchCache
from kubemend.cluster.collector import EXCLUDED
from kubemend.cluster.feed import Pace
from kubemend.cluster.reader import Reader
from kubemend.model.objects import Node, Pod
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot, Unread

PODS = "/api/v1/pods"
PACE = Pace(base=0.001, cap=0.01, relist=0.0, resync=60.0, stale=60.0)


def script(api: Api, lists: list[Answer | dict[str, Any]], watches: list[Answer], path: str = PODS) -> None:
    """Lists and watches have the same path; each has its own answers, the last again and again."""
    left = {"list": [a if callable(a) else says(a) for a in lists], "watch": list(watches)}

    async def answer(request: web.Request) -> web.StreamResponse:
        script_ = left["watch" if "watch" in request.query else "list"]
        return await (script_.pop(0) if len(script_) > 1 else script_[0])(request)

    api.on(path, answer)


def lists(api: Api) -> int:
    return sum("watch" not in a.query for a in api.asked)


def watched_from(api: Api) -> list[str]:
    return [a.query["resourceVersion"] for a in api.asked if "watch" in a.query]


def ref(name: str) -> Ref:
    return Ref("Pod", "shop", name)


def names(snapshot: Snapshot) -> list[str]:
    return [p.name for p in snapshot.all(Pod)]


@asynccontextmanager
async def following(reader: Reader, pace: Pace = PACE, **more: Any) -> AsyncIterator[tuple[WatchCache, Changes]]:
    cache = WatchCache(reader, (Pod,), pace=pace, **more)
    changes = cache.changes()
    async with asyncio.timeout(5), cache:
        await cache.synced()
        yield cache, changes


async def until(changes: Changes, wanted: set[Ref]) -> None:
    """Wait until all of these have changed."""
    seen: set[Ref] = set()
    async for refs in changes:
        seen |= refs
        if seen >= wanted:
            return


async def test_a_list_and_then_its_changes_make_the_snapshot(api: Api, reader: Reader):
    moves = [
        event("ADDED", pod("c", "11")),
        event("MODIFIED", pod("a", "12", status={"phase": "Failed"})),
        event("DELETED", pod("b", "13")),
    ]
    script(api, [page(pod("a"), pod("b"))], [stream(*moves, then="hold")])
    async with following(reader) as (cache, changes):
        await until(changes, {ref("a"), ref("b"), ref("c")})
        snapshot = cache.snapshot()
        while names(snapshot) != ["a", "c"]:
            await anext(changes)
            snapshot = cache.snapshot()
        assert snapshot.all(Pod)[0].status.phase == "Failed"
        assert (snapshot.unread, snapshot.cluster) == ((), "test")
    assert watched_from(api)[0] == "10"


async def test_a_snapshot_does_not_change_when_the_cluster_does(api: Api, reader: Reader):
    gate = asyncio.Event()

    async def later(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await stream(event("DELETED", pod("a", "11")), then="hold")(request)

    script(api, [page(pod("a"))], [later])
    async with following(reader) as (cache, changes):
        await anext(changes)
        before, same = cache.snapshot(), cache.snapshot()
        assert before.objects[Pod] is same.objects[Pod]
        gate.set()
        assert await anext(changes) == {ref("a")}
        assert (names(before), names(cache.snapshot())) == (["a"], [])


async def test_changes_between_two_looks_come_as_one_set_and_every_listener_hears_them(api: Api, reader: Reader):
    moves = [event("MODIFIED", pod("a", str(v))) for v in range(11, 60)] + [event("ADDED", pod("z", "60"))]
    script(api, [page(pod("a"))], [stream(*moves, then="hold")])
    cache = WatchCache(reader, (Pod,), pace=PACE)
    eager, lazy = cache.changes(), cache.changes()
    async with asyncio.timeout(5), cache:
        await until(eager, {ref("a"), ref("z")})
        assert await anext(lazy) == {ref("a"), ref("z")}


async def test_a_broken_watch_is_resumed_and_not_listed_again(api: Api, reader: Reader):
    script(
        api,
        [page(pod("a"))],
        [
            stream(event("ADDED", pod("b", "11")), bookmark("40"), then="cut"),
            cut,
            fails(500, "InternalError"),
            fails(429, "TooManyRequests", "storage is (re)initializing", headers={"Retry_After": "0"}),
            stream(event("ADDED", pod("c", "41")), then="hold"),
        ],
    )
    async with following(reader) as (cache, changes):
        await until(changes, {ref("a"), ref("b"), ref("c")})
        assert names(cache.snapshot()) == ["a", "b", "c"]
    assert lists(api) == 1
    assert watched_from(api)[:2] == ["10", "40"]


async def test_when_the_version_is_gone_a_list_tells_the_difference(api: Api, reader: Reader):
    script(
        api,
        [
            page(pod("same"), pod("old", "5"), pod("lost")),
            page(pod("same"), pod("old", "99"), pod("new"), version="100"),
        ],
        [fails(410, "Expired"), stream(then="hold")],
    )
    async with following(reader) as (cache, changes):
        await until(changes, {ref("new")})
        assert names(cache.snapshot()) == ["new", "old", "same"]
        await api.until(lambda: len(watched_from(api)) == 2)
    assert watched_from(api)[1] == "100"


async def test_only_what_differs_counts_as_changed_after_a_relist(api: Api, reader: Reader):
    first = page(pod("same"), pod("moved", "5"), pod("lost"))
    second = page(pod("same"), pod("moved", "99"), pod("new"), version="100")
    gate = asyncio.Event()

    async def gone(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await fails(410, "Expired")(request)

    script(api, [first, second], [gone, stream(then="hold")])
    async with following(reader) as (_, changes):
        assert await anext(changes) == {ref("same"), ref("moved"), ref("lost")}
        gate.set()
        assert await anext(changes) == {ref("moved"), ref("new"), ref("lost")}


async def test_a_server_that_keeps_saying_gone_is_not_made_to_list_all_the_time(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [fails(410, "Expired")])
    async with following(reader, replace(PACE, relist=30.0)):
        await api.until(lambda: len(watched_from(api)) == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await api.until(lambda: lists(api) > 1)


async def test_a_first_list_that_is_gone_waits_as_well(api: Api, reader: Reader):
    script(api, [fails(410, "Expired")], [stream(then="hold")])
    async with following(reader, replace(PACE, relist=30.0)) as (cache, _):
        assert [u.kind for u in cache.snapshot().unread] == ["Pod"]
        # The reader itself tries a list twice: in pages, and whole.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await api.until(lambda: lists(api) > 2)


async def test_what_no_event_told_is_found_by_the_next_list(api: Api, reader: Reader):
    script(api, [page(pod("a")), page(pod("a"), pod("hidden", "11"), version="11")], [stream(then="hold")])
    async with following(reader, replace(PACE, resync=0.05)) as (_, changes):
        await until(changes, {ref("hidden")})


async def test_events_that_come_twice_or_late_change_nothing(api: Api, reader: Reader):
    moves = [
        event("MODIFIED", pod("a", "20", status={"phase": "Running"})),
        event("MODIFIED", pod("a", "20", status={"phase": "Running"})),
        event("MODIFIED", pod("a", "15", status={"phase": "Pending"})),
        event("DELETED", pod("a", "12")),
        event("DELETED", pod("b", "30")),
        event("ADDED", pod("b", "25")),
        event("DELETED", pod("b", "30")),
        event("ADDED", pod("end", "40")),
    ]
    script(api, [page(pod("a"), pod("b"))], [stream(*moves, then="hold")])
    async with following(reader) as (cache, changes):
        await until(changes, {ref("end")})
        assert names(cache.snapshot()) == ["a", "end"]
        assert cache.snapshot().all(Pod)[0].status.phase == "Running"


async def test_a_deletion_may_carry_the_last_version_of_its_object(api: Api, reader: Reader):
    script(api, [page(pod("a", "10"))], [stream(event("DELETED", pod("a", "10")), then="hold")])
    async with following(reader) as (cache, changes):
        while names(cache.snapshot()):
            await anext(changes)


async def test_an_object_that_makes_no_sense_is_unread_until_it_does(api: Api, reader: Reader):
    gates = [asyncio.Event() for _ in range(2)]

    async def moves(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for gate, obj in zip(gates, (pod("b", "11", spec=5), pod("b", "12")), strict=True):
            await gate.wait()
            await response.write(json.dumps(event("MODIFIED", obj)).encode() + b"\n")
        await asyncio.Event().wait()
        return response

    script(api, [page(pod("a", spec=5), pod("b"))], [moves])
    async with following(reader) as (cache, changes):
        [listed] = cache.snapshot().unread
        assert listed.why.startswith("shop/a: ")
        await anext(changes)
        gates[0].set()
        assert await anext(changes) == {ref("b")}
        assert [u.why[:7] for u in cache.snapshot().unread] == ["shop/a:", "shop/b:"]
        assert names(cache.snapshot()) == []
        gates[1].set()
        await anext(changes)
        assert [u.why[:7] for u in cache.snapshot().unread] == ["shop/a:"]
        assert names(cache.snapshot()) == ["b"]


async def test_an_unreadable_object_that_is_deleted_is_no_longer_unread(api: Api, reader: Reader):
    moves = [event("DELETED", pod("a", "11", spec=5)), event("ADDED", pod("end", "12"))]
    script(api, [page(pod("a", spec=5))], [stream(*moves, then="hold")])
    async with following(reader) as (cache, changes):
        await until(changes, {ref("end")})
        assert cache.snapshot().unread == ()


async def test_a_kind_that_may_not_be_read_is_unread_and_the_others_are_followed(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [stream(then="hold")])
    script(api, [fails(403, "Forbidden", "nodes is forbidden")], [cut], "/api/v1/nodes")
    cache = WatchCache(reader, (Pod, Node), pace=PACE)
    async with asyncio.timeout(5), cache:
        await cache.synced()
        snapshot = cache.snapshot()
    assert names(snapshot) == ["a"]
    assert snapshot.unread == (Unread("Node", "nodes is forbidden"),)
    assert not snapshot.was_read(Node)


async def test_before_the_first_list_a_kind_is_unread(reader: Reader):
    snapshot = WatchCache(reader, (Pod,), pace=PACE).snapshot()
    assert snapshot.unread == (Unread("Pod", "not read yet"),)
    assert not snapshot.was_read(Pod)


async def test_a_right_that_is_taken_away_shows_at_once(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [fails(403, "Forbidden", "pods is forbidden")])
    async with following(reader) as (cache, _):
        await api.until(lambda: len(watched_from(api)) >= 2)
        snapshot = cache.snapshot()
    assert snapshot.unread == (Unread("Pod", "pods is forbidden"),)
    assert names(snapshot) == ["a"]


class Clock:
    """The time module with the clock put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


async def test_a_kind_that_is_out_of_touch_for_long_is_unread_until_it_is_back(
    api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    clock, back = Clock(), asyncio.Event()
    monkeypatch.setattr(feed, "time", clock)

    async def down(request: web.Request) -> web.StreamResponse:
        return await (stream(event("ADDED", pod("b", "11")), then="hold") if back.is_set() else cut)(request)

    script(api, [page(pod("a"))], [down])
    async with following(reader, replace(PACE, resync=1000.0)) as (cache, changes):
        await api.until(lambda: len(watched_from(api)) >= 2)
        assert cache.snapshot().unread == ()
        clock.ahead = 100.0
        assert cache.snapshot().unread == (Unread("Pod", "out of touch for 100 s: the connection was lost"),)
        assert names(cache.snapshot()) == ["a"]
        back.set()
        await until(changes, {ref("b")})
        assert cache.snapshot().unread == ()


@pytest.mark.parametrize(
    "watch",
    [
        stream(then="hold"),
        stream(),
        stream(b"{", then="hold"),
        fails(504, "Timeout", "Too large resource version"),
        stream(event("ERROR", {"kind": "Status", "code": 504, "reason": "Timeout"})),
    ],
    ids=["silent", "ends at once", "half an event", "refused", "refused in the stream"],
)
async def test_a_watch_that_tells_nothing_is_seen_through_by_a_list(api: Api, reader: Reader, watch: Answer):
    """Whether nothing happens or nothing comes through: an open connection is no sign of life."""
    script(api, [page(pod("a")), page(pod("a"), pod("b", "11"), version="11")], [watch])
    async with following(reader, replace(PACE, quiet=0.2)) as (cache, changes):
        [pods] = cache._feeds
        listed = pods._touched_at
        await api.until(lambda: len(watched_from(api)) >= 1)
        assert pods._touched_at == listed
        await until(changes, {ref("b")})
        assert pods._touched_at > listed
        assert cache.snapshot().unread == ()


async def test_a_watch_that_tells_something_now_and_then_needs_no_list(api: Api, reader: Reader):
    async def alive(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for version in range(11, 21):
            await asyncio.sleep(0.1)
            await response.write(json.dumps(bookmark(str(version))).encode() + b"\n")
        await response.write(json.dumps(event("ADDED", pod("b", "21"))).encode() + b"\n")
        return response

    script(api, [page(pod("a"))], [alive, stream(then="hold")])
    async with following(reader, replace(PACE, quiet=0.8)) as (_, changes):
        await until(changes, {ref("b")})
    assert lists(api) == 1


async def test_a_watch_that_speaks_nonsense_is_followed_by_a_list(api: Api, reader: Reader):
    script(
        api,
        [page(pod("a")), page(pod("a"), pod("b", "11"), version="11")],
        [stream(b"<html>log in</html>\n", then="hold"), stream(then="hold")],
    )
    async with following(reader) as (_, changes):
        await until(changes, {ref("b")})
        await api.until(lambda: len(watched_from(api)) == 2)
    assert watched_from(api) == ["10", "11"]


async def test_a_list_from_before_what_was_seen_is_not_believed(api: Api, reader: Reader):
    old, new = page(pod("a"), pod("gone")), page(pod("a", "19"), version="30")
    moves = stream(event("MODIFIED", pod("a", "19")), event("DELETED", pod("gone", "20")), then="cut")
    script(api, [old, old, old, new], [moves, fails(410, "Expired"), stream(then="hold")])
    seen: list[list[str]] = []
    async with following(reader) as (cache, _):
        while lists(api) < 4 or len(watched_from(api)) < 3:
            seen.append(names(cache.snapshot()))
            await asyncio.sleep(0.001)
        assert names(cache.snapshot()) == ["a"]
        assert cache.snapshot().all(Pod)[0].metadata.resource_version == "19"
    shown = [s for i, s in enumerate(seen) if i == 0 or s != seen[i - 1]]
    assert shown in ([["a", "gone"], ["a"]], [["a"]]), "what was deleted never came back"


async def test_a_cluster_that_was_put_back_to_an_earlier_state_is_believed_in_the_end(
    api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock()
    monkeypatch.setattr(feed, "time", clock)
    back = page(pod("a", "3"), version="5")
    script(
        api,
        [page(pod("a", "9"), pod("b")), back],
        [stream(event("ADDED", pod("c", "11")), then="cut"), fails(410, "Expired"), stream(then="hold")],
    )
    async with following(reader, replace(PACE, resync=1000.0, quiet=1000.0)) as (cache, changes):
        await until(changes, {ref("c")})
        await api.until(lambda: lists(api) >= 3)
        assert names(cache.snapshot()) == ["a", "b", "c"]
        clock.ahead = 100.0
        [unread] = cache.snapshot().unread
        assert unread.why == "out of touch for 100 s: the list is older (5) than what was seen already (11)"
        await until(changes, {ref("a"), ref("b"), ref("c")})
        assert names(cache.snapshot()) == ["a"]
        assert cache.snapshot().unread == ()
        await api.until(lambda: watched_from(api)[-1] == "5")


async def test_a_server_that_asks_for_a_very_long_pause_does_not_get_it(api: Api, reader: Reader):
    never = fails(429, "TooManyRequests", "later", headers={"Retry_After": "86400"})
    script(api, [page(pod("a"))], [never, stream(event("ADDED", pod("b", "11")), then="hold")])
    async with following(reader, replace(PACE, asked=0.05)) as (_, changes):
        await until(changes, {ref("b")})


async def test_a_server_that_is_down_is_asked_ever_less_often(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [cut])
    async with following(reader, replace(PACE, base=0.01, cap=0.04)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await api.until(lambda: len(watched_from(api)) > 14)


async def test_an_excluded_namespace_is_not_followed(api: Api, reader: Reader):
    moves = [event("ADDED", pod("x", "11", namespace="kube-system")), event("ADDED", pod("b", "12"))]
    script(api, [page(pod("a"), pod("dns", namespace="kube-system"))], [stream(*moves, then="hold")])
    async with following(reader, exclude=["kube-system"]) as (cache, changes):
        await until(changes, {ref("b")})
        assert names(cache.snapshot()) == ["a", "b"]
        assert cache.snapshot().unread == (Unread("Pod", EXCLUDED, "kube-system"),)


async def test_one_namespace_can_be_followed_alone(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [stream(then="hold")], "/api/v1/namespaces/shop/pods")
    async with asyncio.timeout(5), WatchCache(reader, (Pod,), "shop", pace=PACE) as cache:
        await cache.synced()
        assert cache.snapshot().namespace == "shop"


async def test_closing_ends_the_listeners_and_the_requests(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [stream(then="hold")])
    async with following(reader) as (_, changes):
        await anext(changes)
    with pytest.raises(StopAsyncIteration):
        await anext(changes)
    assert [t for t in asyncio.all_tasks() if t.get_name().startswith("follow")] == []


async def test_an_error_in_the_block_comes_out_as_it_is(api: Api, reader: Reader):
    script(api, [page(pod("a"))], [stream(then="hold")])
    with pytest.raises(ValueError, match="mine"):
        async with following(reader):
            raise ValueError("mine")


async def test_a_defect_of_our_own_is_never_taken_for_an_empty_cluster(
    api: Api, reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reader, "list", broken)
    cache = WatchCache(reader, (Pod,), pace=PACE)
    changes = cache.changes()
    await cache.__aenter__()
    await cache.synced()
    with pytest.raises(ZeroDivisionError):
        await anext(changes)
    with pytest.raises(ZeroDivisionError):
        cache.snapshot()
    with pytest.raises(ZeroDivisionError):
        await cache.__aexit__(None, None, None)
