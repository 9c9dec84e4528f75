"""One conversation with the practice cluster's API server and with a real one: the same answers to every request.

What may differ is listed, with its reason, in `differential_known.toml` and docs/differences.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from differential_compare import Known, known
from differential_page import PAGE, page
from differential_talks import AREAS, STORIES, converse
from testbed.plane import ControlPlane

from kubemend.lab.admission import prepare
from kubemend.lab.apiserver import deletion
from kubemend.lab.apiserver.status import ApiError, bad_request

LEAST = 250
"""Requests of the conversation, at least."""


@pytest.fixture(scope="module")
def plane(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with no controllers, so that nothing but the API changes an object."""
    with ControlPlane(programs, tmp_path_factory.mktemp("differential"), controllers=False) as plane:
        yield plane


async def test_both_answer_alike_but_for_what_is_known(plane: ControlPlane, say: Callable[[str], None]) -> None:
    report = await converse(plane)
    say(report.table())
    assert not report.unknown, "\n".join(map(str, report.unknown))
    assert not report.stale, f"no differences any more: {report.stale}"
    assert report.requests.total() >= LEAST


async def test_a_deviation_of_the_practice_server_is_found(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> ApiError:
        return bad_request("no")

    monkeypatch.setattr(deletion, "precondition_failed", wrong)
    report = await converse(plane, ["product"])
    assert {d.place for d in report.unknown} == {"product: delete another object"}
    sent = sum(not step.act for step in AREAS["product"])
    assert report.table().splitlines()[-1].split() == ["all", str(sent), str(sent - 1), "0", "1"]


async def test_one_more_field_in_an_object_is_found(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepare.quality
    monkeypatch.setattr(prepare, "quality", lambda spec: f"{given(spec)}!")
    report = await converse(plane, ["logs"], turns=0)
    assert {(d.at, d.practice, d.real) for d in report.unknown} == {
        ("/body/status/qosClass", "BestEffort!", "BestEffort")
    }


async def test_an_accepted_difference_that_is_none_is_found(plane: ControlPlane) -> None:
    gone = Known("gone", "it was mended", ("logs: GET pods/none/log",), ("/body/message",))
    report = await converse(plane, ["logs"], accepted=[gone])
    assert report.stale == ["gone: logs: GET pods/none/log", "gone: at /body/message"]


def test_nothing_that_the_product_sends_may_be_answered_otherwise() -> None:
    assert [k.title for k in known() if any(s.startswith("product") for s in k.steps)] == []


def test_every_accepted_difference_has_its_reason_and_its_steps() -> None:
    places = {f"{area}: {step.name}" for area, steps in {**AREAS, **STORIES}.items() for step in steps}
    for one in known():
        assert one.title
        assert len(one.reason) > len("because it is so")
        assert one.at
        assert {s for s in one.steps if "*" not in s} <= places


def test_the_page_of_differences_is_what_the_data_says() -> None:
    assert PAGE.read_text() == page()
