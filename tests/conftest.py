"""What all suites share: clusters to work on, and the count of each suite at the end.

pytest puts `tests/` on the path for this file's sake, so every test can import the helpers that stand here (`worlds`).
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

    from kubemend.lab.cluster import PracticeCluster

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from testbed.build import BuildError, build  # noqa: E402  (the path is set just above)
from testbed.plane import ControlPlane  # noqa: E402

# How long one example takes says how busy the machine is, not whether the property holds.
settings.register_profile("kubemend", deadline=None)
settings.load_profile("kubemend")

_NO_PROGRAMS = pytest.StashKey[str]()
_SAID = "said"
_COUNTED = ("passed", "failed", "error", "skipped")


def pytest_configure() -> None:
    """Let Ctrl-C mean something: programs inherit that it is ignored where the tests run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the test bed's programs, so that `-m "not control_plane"` leaves it out.

    Booting takes 4 seconds, but more than a minute on a machine that is busy with ten other things. The files whose
    tests may take longest come first, so that none of two workers ends long after the other.
    """
    for item in _on_programs(items):
        item.add_marker(pytest.mark.control_plane)
        item.add_marker(pytest.mark.timeout(180))
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        limit = item.get_closest_marker("timeout")
        longest[item.path] = max(longest[item.path], limit.args[0] if limit else 0.0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """A worker runs a file, or all that is about the real node: two at once would see one another's traces."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "tests/node" if path.startswith("tests/node/") else path

    return Files(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: a first build takes longer than any one test may."""
    if session.config.option.collectonly or not any(_on_programs(session.items)):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            build()
    except BuildError as error:
        session.config.stash[_NO_PROGRAMS] = str(error)


def _on_programs(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    return (i for i in items if "programs" in getattr(i, "fixturenames", ()))


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Path:
    """The folder with `testbed` and `kubectl`. Without it a person's run skips, and CI fails."""
    missing = request.config.stash.get(_NO_PROGRAMS, None)
    if missing is None:
        return build()
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def kubectl(programs: Path) -> Path:
    """Stock kubectl."""
    return programs / "kubectl"


@pytest.fixture(scope="session")
def control_plane(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real control plane without nodes, shared by the session: a test works in a namespace of its own."""
    with ControlPlane(programs, tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def real_cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Another one, with three nodes, whose pods behave as their specs would have them behave."""
    from scenarios_ground import with_nodes

    with ControlPlane(programs, tmp_path_factory.mktemp("cluster")) as plane, with_nodes(plane):
        yield plane


@pytest.fixture
async def practice() -> AsyncIterator[PracticeCluster]:
    """A practice cluster of the test's own: three nodes, ready, in this event loop."""
    from kubemend.lab.cluster import PracticeCluster

    async with PracticeCluster() as cluster:
        yield cluster


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something at the end of the run: tables of what was seen."""

    def note(text: str) -> None:
        request.node.user_properties.append((_SAID, text))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests told; then count and time each suite (each folder of `tests/`), before pytest's own closing line."""
    for report in terminalreporter.stats.get("", ()):
        if report.when == "teardown":
            for text in (text for name, text in report.user_properties if name == _SAID):
                terminalreporter.write_line(f"\n{report.nodeid.partition('::')[2]}\n{text}")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = _suite(report.nodeid)
                seconds[suite] += report.duration
                counts[suite][outcome] += 1
    if not counts:
        return
    terminalreporter.write_line(f"{'suite':<16}" + "".join(f"{o:>9}" for o in _COUNTED) + f"{'seconds':>10}")
    for suite, tally in sorted(counts.items()):
        numbers = "".join(f"{tally[o]:>9}" for o in _COUNTED)
        terminalreporter.write_line(f"{suite:<16}{numbers}{seconds[suite]:>10.1f}")


def _suite(nodeid: str) -> str:
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else "tests"
