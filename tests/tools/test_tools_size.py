"""On a fleet of two thousand pods every reading tool answers within the size, and nothing is left out in silence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tools_fleet import Fleet, Town, fleet_in, questions

from kubemend.engine import catalogue, gateway
from kubemend.engine.bounds import FIELDS, LEAST, bounded, shortened, weight
from kubemend.model.answer import SIZE, Answer
from kubemend.model.tool import Tool

TOWN = Town(pods=2000, nodes=150)
ASKED = questions(catalogue.tools(), TOWN)
LISTS = {
    "check_kubernetes_daemonsets": "DaemonSet",
    "check_kubernetes_endpoints": "Service",
    "check_kubernetes_hpa_status": "HorizontalPodAutoscaler",
    "check_kubernetes_ingress": "Ingress",
    "check_kubernetes_network_policies": "NetworkPolicy",
    "check_kubernetes_persistent_volumes": "PersistentVolume",
    "check_kubernetes_resource_quotas": "ResourceQuota",
    "check_kubernetes_statefulsets": "StatefulSet",
    "get_kubernetes_namespaces": "Namespace",
    "get_kubernetes_node_capacity": "Node",
    "list_kubernetes_deployments": "Deployment",
    "list_kubernetes_events": "Event",
    "list_kubernetes_nodes": "Node",
    "list_kubernetes_pods": "Pod",
    "list_kubernetes_services": "Service",
}
"""Tools that list all objects of a kind, page by page."""
SCALER = "HorizontalPodAutoscaler"
FORMS = {"json": SCALER, "yaml": SCALER, "wide": "Deployment", "name": "Deployment"}
"""Kinds of which there are more than fit into one answer of this form, or than are asked for at once."""

pytestmark = pytest.mark.timeout(180)
on_the_fleet = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    async with fleet_in(tmp_path_factory.mktemp("fleet"), TOWN) as found:
        yield found


@on_the_fleet
@pytest.mark.parametrize(("tool", "arguments"), ASKED, ids=[f"{t.name}-{i}" for i, (t, _) in enumerate(ASKED)])
async def test_a_reading_tool_answers_within_the_size_and_tells_every_cut(
    tool: Tool, arguments: dict[str, Any], fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def seen(data: Any, size: int) -> Any:
        made.append(data)
        return shortened(data, size)

    monkeypatch.setattr(gateway, "shortened", seen)
    answer = await fleet.gateway.call(tool.name, arguments, actor="test")

    assert answer.ok, answer.error
    assert weight(answer.data) <= SIZE
    assert json.loads(msgspec.json.encode(answer)) is not None
    cuts = dict(_cuts(msgspec.json.decode(msgspec.json.encode(made[0])), answer.data))
    told = {g.what: g.why for g in answer.incomplete}
    if answer.truncated is not None and "data" in cuts:
        shown, _ = cuts.pop("data")
        assert answer.truncated.shown == shown
        assert answer.truncated.continue_
    assert {place: f"{shown} of {total} shown" for place, (shown, total) in cuts.items()}.items() <= told.items()


def _cuts(whole: Any, shown: Any, place: str = "data") -> Iterator[tuple[str, tuple[int, int]]]:
    """Every list and dict that came out shorter than it was made."""
    if isinstance(whole, list | dict) and len(shown) < len(whole):
        yield place, (len(shown), len(whole))
    if isinstance(shown, dict):
        for key, value in shown.items():
            yield from _cuts(whole[key], value, f"{place}/{key}")
    elif isinstance(shown, list):
        for index, value in enumerate(shown):
            yield from _cuts(whole[index], value, f"{place}/{index}")


@on_the_fleet
@pytest.mark.parametrize(("name", "kind"), LISTS.items(), ids=LISTS)
async def test_page_after_page_a_list_shows_all_there_is_once_and_counts_it_right(
    name: str, kind: str, fleet: Fleet
) -> None:
    where = {"namespace": TOWN.busiest} if kind in ("Pod", "Event") else {}  # in which there are hundreds, too
    total = len(fleet.store.all(kind, where.get("namespace")))
    rows: list[str] = []
    async for answer in _pages(fleet, name, where):
        assert (total if answer.truncated is None else answer.truncated.total) == total
        rows += (json.dumps(row) for row in json.loads(msgspec.json.encode(answer.data)))

    assert len(rows) == len(set(rows)) == total


async def _pages(fleet: Fleet, name: str, where: dict[str, str]) -> AsyncIterator[Answer]:
    after = ""
    while True:
        asked = {**where, "limit": 500, **({"continue": after} if after else {})}
        answer = await fleet.gateway.call(name, asked, actor="test")
        assert answer.ok, answer.error
        yield answer
        if answer.truncated is None or not answer.truncated.continue_:
            return
        after = answer.truncated.continue_


@on_the_fleet
@pytest.mark.parametrize(("form", "kind"), FORMS.items(), ids=FORMS)
async def test_kubectl_get_goes_on_where_its_last_answer_ended(form: str, kind: str, fleet: Fleet) -> None:
    """Also where fewer fit into an answer than were asked for."""
    there = [d["metadata"]["name"] for d in fleet.store.all(kind)]
    asked = {"resource_type": kind, "output_format": form, "limit": 200}
    found, after, answers = list[str](), None, 0
    while after != "":
        answer = await fleet.gateway.call("kubectl_get_resources", {**asked, "continue": after or ""}, actor="test")
        assert answer.ok, answer.error
        answers += 1
        after = answer.data["continue"]
        found += (shown := _names(form, answer.data["items"]))
        assert len(shown) == answer.data["returned"]
        assert [g.what for g in answer.incomplete] == (["data/items"] if after else [])

    assert found == there
    assert answers > 1


def _names(form: str, items: Any) -> list[str]:
    if form == "wide":
        return [line.split()[1] for line in items.splitlines()[1:]]
    if form == "name":
        return [name.partition("/")[2] for name in items]
    return [i["metadata"]["name"] for i in (items if form == "json" else yaml.safe_load_all(items))]


@on_the_fleet
async def test_kubectl_get_with_a_selector_does_not_take_a_page_for_all(fleet: Fleet) -> None:
    """The API server doesn't count what a selector leaves."""
    asked = {"resource_type": "pods", "field_selector": "status.phase=Running", "output_format": "name", "limit": 5}
    answer = await fleet.gateway.call("kubectl_get_resources", asked, actor="test")

    assert answer.data["total"] is None
    assert answer.data["continue"]
    assert [g.why for g in answer.incomplete] == ["5 of more (behind selectors nobody counts them) shown"]


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner, max_size=40),
    max_leaves=60,
)


@settings(max_examples=60)
@given(VALUES, st.integers(20, 600))
def test_what_is_cut_is_told_with_its_place_and_what_is_not_cut_stays(data: Any, size: int) -> None:
    before = msgspec.json.encode(data)
    made, told = bounded(data, size)

    assert msgspec.json.encode(data) == before
    if len(before) <= size:
        assert (made, told) == (data, [])
    else:
        assert told or made == data  # a few short texts can't be cut
        assert all(shown >= LEAST for shown, _ in dict(_cuts(data, made)).values())


def test_a_dict_with_an_entry_for_each_of_many_is_cut_like_a_list() -> None:
    many = {f"workload-{i}": {"cpu": "x" * 50} for i in range(FIELDS * 10)}
    made, told = bounded({"patches": many, "total": len(many)}, 2000)

    assert weight(made) <= 2000
    assert list(made["patches"]) == list(many)[: len(made["patches"])]
    assert told == [("/patches", f"{len(made['patches'])} of {len(many)} shown")]


def test_what_was_cut_before_is_told_as_one_cut() -> None:
    rough, cuts = shortened({"rows": list(range(1000))}, 1000)
    made, told = bounded(rough, 500, cuts)

    assert told == [("/rows", f"{len(made['rows'])} of 1000 shown")]
