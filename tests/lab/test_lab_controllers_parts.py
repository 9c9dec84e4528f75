"""What controllers are made of: the queue, the informer, the event recorder, merge patches of differences."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import SPACE, plain

from kubemend.kube.patch import merge
from kubemend.lab.events import BURST, Recorder
from kubemend.lab.fields import difference, scaled, with_condition
from kubemend.lab.informer import Informer
from kubemend.lab.local import LocalApi
from kubemend.lab.queue import Queue
from kubemend.lab.store import Store


async def api() -> LocalApi:
    made = LocalApi(Store())
    await made.create(plain("Namespace", SPACE, space=None))
    return made


async def test_a_key_waits_once_however_often_it_is_added():
    queue: Queue[str] = Queue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    queue.add("a")
    assert await queue.get() == "a"


async def test_the_earlier_of_two_times_counts():
    queue: Queue[str] = Queue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.add_after("b", 60)
    queue.add("b")
    assert await queue.get() == "b"
    queue.close()


async def test_an_informer_knows_what_is_there_and_sees_its_own_writes_at_once():
    made = await api()
    await made.create(plain("ConfigMap", "old"))
    seen = Informer(made, ["ConfigMap"])
    changes = []
    seen.listen(lambda change, obj, _before: changes.append((change, obj["metadata"]["name"])))
    await seen.start()
    assert seen.find("ConfigMap", SPACE, "old")
    mine = await seen.create(plain("ConfigMap", "mine"))
    assert seen.find("ConfigMap", SPACE, "mine") is mine
    await seen.patch(mine, {"data": {"a": "b"}})
    assert seen.all("ConfigMap", SPACE)[-1]["data"] == {"a": "b"}
    await seen.delete(mine)
    assert seen.find("ConfigMap", SPACE, "mine") is None
    await made.create(plain("ConfigMap", "later"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    names = ["old", "mine", "mine", "mine"]
    assert changes[:4] == list(zip(("ADDED", "ADDED", "MODIFIED", "DELETED"), names, strict=True))
    # The watch tells of the same writes afterwards, and of none of them twice.
    await seen.stop()
    assert changes.count(("ADDED", "mine")) == 1


async def test_an_informer_finds_what_an_object_owns():
    made = await api()
    owner = await made.create(plain("ConfigMap", "owner"))
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    for named, controls in (("child", True), ("friend", False)):
        owned = plain("Secret", named)
        owned["metadata"]["ownerReferences"] = [{**ref, "controller": controls}]
        await made.create(owned)
    seen = Informer(made, ["Secret"])
    await seen.start()
    assert [o["metadata"]["name"] for o in seen.owned(owner, "Secret")] == ["child"]
    assert {o["metadata"]["name"] for o in seen.dependents(ref["uid"])} == {"child", "friend"}
    await seen.delete(seen.owned(owner, "Secret")[0])
    assert seen.owned(owner, "Secret") == []
    await seen.stop()


async def test_a_repeated_event_is_counted_on_one_object():
    made = await api()
    about = await made.create(plain("ConfigMap", "settings"))
    recorder = Recorder(made, "tester")
    for _ in range(3):
        await recorder.warning(about, "Bad", "it is bad")
    await recorder.normal(about, "Good", "it is good")
    told = [(e["reason"], e["type"], e["count"]) for e in made.store.all("Event")]
    assert sorted(told) == [("Bad", "Warning", 3), ("Good", "Normal", 1)]
    assert made.store.all("Event")[0]["involvedObject"]["uid"] == about["metadata"]["uid"]
    for event in made.store.all("Event"):
        await made.delete(event)
    await recorder.warning(about, "Bad", "it is bad")
    assert [e["count"] for e in made.store.all("Event")] == [1]


async def test_a_chatterbox_is_muted_for_one_object_alone():
    made = await api()
    about, other = [await made.create(plain("ConfigMap", n)) for n in ("loud", "quiet")]
    recorder = Recorder(made, "tester")
    for i in range(BURST + 5):
        await recorder.normal(about, "Talk", f"word {i}")
    await recorder.normal(other, "Talk", "word")
    assert len(made.store.all("Event")) == BURST + 1


async def test_an_event_that_is_refused_stops_nothing():
    made = await api()
    elsewhere = {**plain("ConfigMap", "x", space="nowhere")}
    elsewhere["metadata"]["uid"] = "u-1"
    await Recorder(made, "tester").normal(elsewhere, "Talk", "word")
    assert made.store.all("Event") == []


json = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=4,
)
objects = st.dictionaries(st.text("abc", min_size=1, max_size=2), json, max_size=4)


@settings(max_examples=50)
@given(objects, objects)
def test_a_difference_is_the_patch_that_makes_the_one_of_the_other(before, after):
    assert merge(before, difference(before, after)) == after
    assert difference(before, before) == {}


def test_a_condition_s_transition_time_moves_with_its_status_only():
    old = [{"type": "Ready", "status": "True", "reason": "A", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    same = with_condition(old, {"type": "Ready", "status": "True", "reason": "B"})
    assert same == [{"type": "Ready", "status": "True", "reason": "B", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    other = with_condition(old, {"type": "Ready", "status": "False", "reason": "B"})
    assert other[0]["lastTransitionTime"] > "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("value", "up", "wanted"), [(None, True, 0), (3, True, 3), ("25%", True, 3), ("25%", False, 2), ("4", False, 4)]
)
def test_a_percentage_is_of_the_total(value, up, wanted):
    assert scaled(value, 10, up=up) == wanted
