"""Watches: what they begin with, what they tell, and how they end."""

from __future__ import annotations

import asyncio

import aiohttp
from lab_api_client import CORE, TABLE, Client, Object, config, pod, serving

MAPS = f"{CORE}/configmaps"


async def _told(api: Client, path: str, count: int, **headers: str) -> list[Object]:
    """The first events of a watch."""
    found = []
    events = api.watch(path, **headers)
    async for event in events:
        found.append(event)
        if len(found) == count:
            break
    await events.aclose()  # type: ignore[attr-defined]
    return found


def _names(events: list[Object]) -> list[tuple[str, str]]:
    return [(e["type"], e["object"]["metadata"]["name"]) for e in events]


async def test_a_watch_goes_on_from_a_version(api: Client) -> None:
    listed = await api.get(MAPS)
    made = await api.made(MAPS, config(colour="red"))
    await api.patch(f"{MAPS}/settings", {"data": {"colour": "blue"}})
    await api.delete(f"{MAPS}/settings")
    events = await _told(api, f"{MAPS}?watch=true&resourceVersion={listed.version}", 3)
    assert _names(events) == [("ADDED", "settings"), ("MODIFIED", "settings"), ("DELETED", "settings")]
    assert events[0]["object"] == made
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
    assert versions == [int(listed.version) + n for n in (1, 2, 3)]


async def test_a_watch_tells_what_happens_while_it_lasts(api: Client) -> None:
    listed = await api.get(MAPS)
    watching = asyncio.create_task(_told(api, f"{MAPS}?watch=1&resourceVersion={listed.version}", 1))
    await api.made(MAPS, config())
    assert _names(await watching) == [("ADDED", "settings")]


async def test_a_watch_from_nowhere_begins_with_what_there_is(api: Client) -> None:
    events = await _told(api, f"{MAPS}?watch=1", 1)
    assert _names(events) == [("ADDED", "kube-root-ca.crt")]


async def test_a_watch_sees_objects_come_into_and_go_out_of_its_selector(api: Client) -> None:
    listed = await api.get(f"{CORE}/pods")
    await api.made(f"{CORE}/pods", pod("a", labels={"app": "db"}))
    await api.patch(f"{CORE}/pods/a", {"metadata": {"labels": {"app": "web"}}})
    left = await api.patch(f"{CORE}/pods/a", {"metadata": {"labels": {"app": "db"}}})
    path = f"{CORE}/pods?watch=1&resourceVersion={listed.version}&labelSelector=app%3Dweb"
    events = await _told(api, path, 2)
    assert _names(events) == [("ADDED", "a"), ("DELETED", "a")]
    assert events[1]["object"]["metadata"]["labels"] == {"app": "web"}
    assert events[1]["object"]["metadata"]["resourceVersion"] == left.version


async def test_a_version_that_is_too_old_is_gone(api: Client) -> None:
    listed = await api.get(MAPS)
    await api.made(MAPS, config())
    api.store.compact()
    (event,) = [e async for e in api.watch(f"{MAPS}?watch=1&resourceVersion={listed.version}")]
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {listed.version} (")


async def test_a_watch_that_falls_behind_is_gone() -> None:
    async with serving() as api:
        api.store._history = 2
        listed = await api.get(MAPS)
        for name in "abcdef":
            await api.made(MAPS, config(name))
        (event,) = [e async for e in api.watch(f"{MAPS}?watch=1&resourceVersion={listed.version}")]
        assert event["object"]["code"] == 410


async def test_bookmarks_tell_how_far_a_silent_watch_has_come() -> None:
    async with serving(bookmark_every=0.01) as api:
        await api.made(f"{CORE}/secrets", {"metadata": {"name": "elsewhere"}})
        version = (await api.get(MAPS)).version
        path = f"{MAPS}?watch=1&resourceVersion={int(version) - 1}&allowWatchBookmarks=true"
        (event,) = await _told(api, path, 1)
    meta = {"resourceVersion": version}
    assert event == {"type": "BOOKMARK", "object": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}}


async def test_initial_events_end_with_a_marked_bookmark(api: Client) -> None:
    asked = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = await _told(api, f"{MAPS}?watch=1&{asked}", 2)
    assert [e["type"] for e in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    refused = await api.get(f"{MAPS}?watch=1&sendInitialEvents=true")
    assert refused.code == 422
    assert "requires setting resourceVersionMatch to NotOlderThan" in refused.body["message"]


async def test_a_table_watch_tells_its_columns_once(api: Client) -> None:
    listed = await api.get(MAPS)
    await api.made(MAPS, config("a", x="1"))
    await api.made(MAPS, config("b"))
    first, second = await _told(api, f"{MAPS}?watch=1&resourceVersion={listed.version}", 2, Accept=TABLE)
    assert [c["name"] for c in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["object"]["columnDefinitions"] is None
    assert first["object"]["rows"][0]["cells"][:2] == ["a", 1]


async def test_a_version_that_is_no_number_cant_be_watched_from(api: Client) -> None:
    answer = await api.get(f"{MAPS}?watch=1&resourceVersion=abc")
    assert answer.code == 500
    assert 'parsing "abc": invalid syntax' in answer.body["message"]


async def test_stopping_the_server_ends_its_watches(api: Client) -> None:
    watching = asyncio.create_task(_told(api, f"{MAPS}?watch=1", 99))
    await api.get(MAPS)
    await api.server.stop()
    done, _ = await asyncio.wait({watching}, timeout=5)
    assert done == {watching}
    assert isinstance(watching.exception(), aiohttp.ClientError)
