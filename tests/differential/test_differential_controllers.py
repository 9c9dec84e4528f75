"""The same stories on the practice cluster and on a real control plane with nodes: they come to the same end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import differential_talks
import pytest
from differential_clusters import practice_cluster, real_cluster
from differential_talks import STORIES, Living, tell
from testbed.plane import ControlPlane

from kubemend.lab.controllers import deployment

pytestmark = pytest.mark.timeout(600)
"""Seconds for all stories: half a minute on idle cores, ten times that beside other suites."""


@pytest.fixture(scope="module")
def alive(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this module's own: the session's may have nodes of the same names."""
    with ControlPlane(programs, tmp_path_factory.mktemp("alive")) as plane:
        yield plane


@pytest.fixture
async def clusters(alive: ControlPlane) -> AsyncIterator[tuple[Living, Living]]:
    async with practice_cluster() as ours, real_cluster(alive) as theirs:
        yield ours, theirs


async def test_both_clusters_come_to_the_same_end(clusters: tuple[Living, Living], say: Callable[[str], None]) -> None:
    report = await tell(*clusters)
    say(report.table())
    assert not report.unknown, "\n".join(map(str, report.unknown))
    assert not report.stale, f"no differences any more: {report.stale}"
    assert report.requests.keys() == STORIES.keys()


async def test_a_controller_that_goes_astray_is_found(
    clusters: tuple[Living, Living], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "HISTORY", "deployment.kubernetes.io/wrong")
    monkeypatch.setattr(differential_talks, "TURNS", 4)
    report = await tell(*clusters, ["rollout"])
    assert "rollout: the revisions and their history" in {d.place for d in report.unknown}
