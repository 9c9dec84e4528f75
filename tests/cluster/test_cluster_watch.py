"""One watch: what it yields, how it goes on, and when it gives up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from cluster_api import Api, bookmark, event, fails, pod, stream, text
from hypothesis import given
from hypothesis import strategies as st

from kubemend.cluster import errors
from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.cluster.watch import Event, _lines
from kubemend.model.objects import Pod

PODS = "/api/v1/pods"


async def take(reader: Reader, count: int, version: str = "10", **more: str) -> list[Event[Pod]]:
    """The next events."""
    got: list[Event[Pod]] = []
    async with asyncio.timeout(5), aclosing(reader.watch(Pod, resource_version=version, **more)) as events:
        async for e in events:
            got.append(e)
            if len(got) == count:
                break
    return got


async def test_changes_come_decoded_and_in_order(api: Api, reader: Reader):
    changes = [event("ADDED", pod("a", "11")), event("MODIFIED", pod("a", "12")), event("DELETED", pod("a", "13"))]
    api.on(PODS, stream(*changes, bookmark("20"), then="hold"))
    got = await take(reader, 4, labels="app=web", fields="metadata.name=a")
    assert [(e.type, e.resource_version) for e in got] == [
        ("ADDED", "11"),
        ("MODIFIED", "12"),
        ("DELETED", "13"),
        ("BOOKMARK", "20"),
    ]
    assert got[0].obj is not None
    assert (got[0].obj.name, got[0].name, got[0].namespace) == ("a", "a", "shop")
    query = api.asked[0].query
    assert (query["watch"], query["resourceVersion"], query["allowWatchBookmarks"]) == ("1", "10", "true")
    assert (query["labelSelector"], query["fieldSelector"]) == ("app=web", "metadata.name=a")
    assert 240 <= int(query["timeoutSeconds"]) <= 300


async def test_a_stream_that_ends_is_resumed_from_the_last_change_or_bookmark(api: Api, reader: Reader):
    api.on(
        PODS,
        stream(event("ADDED", pod("a", "11"))),
        stream(bookmark("50")),
        stream(event("ADDED", pod("b", "51")), then="hold"),
    )
    got = await take(reader, 3)
    assert [e.resource_version for e in got] == ["11", "50", "51"]
    assert [a.query["resourceVersion"] for a in api.asked] == ["10", "11", "50"]


async def test_a_stream_that_falls_silent_is_opened_again(api: Api, hasty: Transport):
    reader = Reader(hasty)
    api.on(
        PODS, stream(event("ADDED", pod("a", "11")), then="hold"), stream(event("ADDED", pod("b", "12")), then="hold")
    )
    assert [e.name for e in await take(reader, 2)] == ["a", "b"]
    assert api.last.query["resourceVersion"] == "11"


async def test_a_stream_that_ends_at_once_is_not_opened_in_a_tight_loop(api: Api, reader: Reader):
    api.on(PODS, stream())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await take(reader, 1)
    # base 1 ms, cap 4 ms, never less than half a step: 0.1 s is not enough for more than about 60 streams.
    assert 1 < api.times(PODS) < 70


async def test_a_broken_stream_is_the_callers_to_wait_out(api: Api, reader: Reader):
    api.on(PODS, stream(event("ADDED", pod("a", "11")), then="cut"))
    with pytest.raises(errors.Unreachable):
        await take(reader, 5)
    assert api.times(PODS) == 1


@pytest.mark.parametrize(
    "answer",
    [
        fails(410, "Expired", "too old resource version"),
        stream(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})),
    ],
)
async def test_a_version_the_server_no_longer_has_is_gone(api: Api, reader: Reader, answer: Any):
    api.on(PODS, answer)
    with pytest.raises(errors.Gone, match="too old"):
        await take(reader, 1)


async def test_an_error_event_is_the_error_it_says(api: Api, reader: Reader):
    status = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"}
    api.on(PODS, stream(event("ERROR", status)), stream(event("ERROR", {})))
    with pytest.raises(errors.ServerError, match="etcd is away"):
        await take(reader, 1)
    with pytest.raises(errors.ServerError):
        await take(reader, 1)


async def test_a_storage_that_is_being_initialised_is_too_many_requests(api: Api, reader: Reader):
    api.on(PODS, fails(429, "TooManyRequests", "storage is (re)initializing", headers={"Retry_After": "1"}))
    with pytest.raises(errors.TooManyRequests) as caught:
        await take(reader, 1)
    assert caught.value.retry_after == 1


async def test_an_object_that_makes_no_sense_is_named_and_the_watch_goes_on(api: Api, reader: Reader):
    nulls = pod("nulls", "12", status={"containerStatuses": None})
    api.on(
        PODS,
        stream(event("ADDED", pod("bad", "11", spec=5)), event("ADDED", nulls), then="hold"),
    )
    bad, good = await take(reader, 2)
    assert bad.obj is None
    assert bad.unread is not None
    assert (bad.name, bad.resource_version, bad.unread.namespace) == ("bad", "11", "shop")
    assert good.obj is not None


@pytest.mark.parametrize("line", [b"garbage\n", b'{"type":"SURPRISE","object":{}}\n', b'{"type":"ADDED"}\n', b'"x"\n'])
async def test_a_line_that_is_no_event_is_garbled(api: Api, reader: Reader, line: bytes):
    api.on(PODS, stream(line))
    with pytest.raises(errors.Garbled):
        await take(reader, 1)


async def test_half_a_line_at_the_end_is_not_an_event(api: Api, reader: Reader):
    half = json.dumps(event("ADDED", pod("a", "11"))).encode()[:40]
    api.on(PODS, stream(half), stream(event("ADDED", pod("b", "11")), then="hold"))
    assert [e.name for e in await take(reader, 1)] == ["b"]
    assert api.last.query["resourceVersion"] == "10"


async def test_an_object_larger_than_any_chunk_comes_whole(api: Api, reader: Reader):
    large = pod("a", "11")
    large["metadata"]["annotations"] = {"note": "x" * 2_000_000}
    api.on(PODS, stream(event("ADDED", large), then="hold"))
    [got] = await take(reader, 1)
    assert got.obj is not None
    assert len(got.obj.metadata.annotations["note"]) == 2_000_000


async def test_a_watch_that_may_not_be_is_forbidden(api: Api, reader: Reader):
    api.on(PODS, fails(403, "Forbidden"))
    with pytest.raises(errors.Forbidden):
        await take(reader, 1)


async def test_a_page_of_a_proxy_is_no_watch(api: Api, reader: Reader):
    api.on(PODS, text("<html>\n"))
    with pytest.raises(errors.Garbled):
        await take(reader, 1)


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: b"\n" not in b and b.strip())), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject):
    whole = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def joined() -> list[bytes]:
        return [line async for line in _lines(chunks())]

    assert asyncio.run(joined()) == lines
