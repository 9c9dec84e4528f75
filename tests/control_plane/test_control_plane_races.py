"""Processes that race for one object on a real control plane: with one ledger between them, and with nothing but the
cluster. `KUBEMEND_ROUNDS` is the number of races.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from control_plane_cases import GOOD, WORSE, deployment
from control_plane_trial import deploy, fixer_kubeconfig, made, seen, sent
from testbed.plane import ControlPlane

from kubemend.engine.guard.hands import MARK

ROUNDS = int(os.environ.get("KUBEMEND_ROUNDS", "20"))
RACER = Path(__file__).with_name("control_plane_racer.py")
LOST = {"object-held", "repair-moved", "refused", "failed"}
"""How a race is lost: before anything is checked (the ledger), in preflight, or at the write (the cluster)."""
WATCHED_S = 120.0


@pytest.fixture(scope="module")
def fixer(real_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixer_kubeconfig(real_cluster, tmp_path_factory.mktemp("fixer"))


class Racer:
    """A process that repairs when told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def said(self) -> list[str] | str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the racer has died"
        told: list[str] | str = json.loads(line)
        return told


@contextmanager
def racers(kubeconfig: Path, stores: tuple[Path, Path], namespace: str) -> Iterator[list[Racer]]:
    with ExitStack() as stack:
        found = []
        for store in stores:
            command = [sys.executable, str(RACER), str(kubeconfig), str(store), namespace]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            found.append(Racer(process))
        yield found
        for racer in found:
            racer.tell("")


def raced(both: list[Racer], titles: tuple[str, str], number: int) -> list[list[str] | str]:
    for racer, title in zip(both, titles, strict=True):
        racer.tell(f"{title} {number}")
    assert [r.said() for r in both] == ["ready", "ready"]
    for racer in both:
        racer.tell("go")
    return [r.said() for r in both]


@pytest.mark.timeout(120 + 5 * ROUNDS)
def test_of_two_processes_on_one_ledger_exactly_one_repairs(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """In even rounds both carry out the same repair, in odd ones each a repair of its own."""
    plane, name, ends = real_cluster, "raced", Counter[str]()
    deploy(plane, [[deployment(name, GOOD)]])
    with racers(fixer, (tmp_path / "shared.db",) * 2, name) as both:
        for number in range(ROUNDS):
            told = raced(both, ("same", "same") if number % 2 == 0 else ("one", "two"), number)
            states = sorted(t[0] for t in told)
            ends.update(states)
            assert states.count("succeeded") == 1, told
            assert LOST.issuperset(s for s in states if s != "succeeded"), told
            assert made(plane, name) == number + 1, told
    say(f"one ledger, {ROUNDS} rounds: {dict(ends)}")
    assert ends["object-held"] + ends["repair-moved"] > 0, "they never met"


@pytest.mark.timeout(120 + 5 * ROUNDS)
def test_of_two_processes_with_nothing_in_common_but_the_cluster_exactly_one_repairs_and_the_other_says_why_not(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    plane, name, ends = real_cluster, "raced-apart", Counter[str]()
    deploy(plane, [[deployment(name, GOOD)]])
    with racers(fixer, (tmp_path / "one.db", tmp_path / "two.db"), name) as both:
        for number in range(ROUNDS):
            told = raced(both, ("one", "two"), number)
            ends.update(t[0] for t in told)
            (why,) = (t[1] for t in told if t[0] != "succeeded")
            assert sorted(t[0] for t in told)[0] in ("failed", "refused"), told
            assert "repair" in why or "modified" in why or "would change nothing" in why, told
            assert made(plane, name) == number + 1, told
            assert len(sent(plane)[name]) - made(plane, name) == sent(plane)[name].count(409), sent(plane)[name]
            # For the next round: a rival's fresh mark would keep one of the two from trying.
            plane.kubectl("annotate", "-n", name, "deployment/web", f"{MARK}-")
    say(f"two ledgers, {ROUNDS} rounds: {dict(ends)}")


class Watcher:
    """`kubemend watch --auto-fix`, as a person would run it."""

    def __init__(self, namespace: str, kubeconfig: Path, store: Path, log: Path) -> None:
        self._log = log
        common = ["-n", namespace, "--kubeconfig", str(kubeconfig), "--store", str(store), "-o", "json"]
        with log.open("w") as out, log.with_suffix(".err").open("w") as errors:
            command = [sys.executable, "-m", "kubemend", "watch", "--auto-fix", *common]
            self._process = subprocess.Popen(command, stdout=out, stderr=errors)

    def watches(self) -> bool:
        assert self._process.poll() is None, self._log.with_suffix(".err").read_text()
        return "watching" in self._log.with_suffix(".err").read_text()

    def told(self) -> list[dict]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def saw_it_end(self) -> bool:
        return any(t["what"] == "resolved" for t in self.told())

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(60) == 0, self._log.with_suffix(".err").read_text()


def _until(true: Iterator[bool], what: str) -> None:
    deadline = time.monotonic() + WATCHED_S
    while not next(true):
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def _again(watchers: list[Watcher], ask: str) -> Iterator[bool]:
    while True:
        yield all(getattr(w, ask)() for w in watchers)


@pytest.mark.timeout(600)
def test_two_that_watch_and_mend_the_same_workload_mend_it_once(
    real_cluster: ControlPlane, fixer: Path, tmp_path: Path
) -> None:
    """`kubemend watch --auto-fix` twice: in one namespace on one ledger, in another with two that share nothing."""
    plane = real_cluster
    pairs = {"watched": ("shared.db", "shared.db"), "watched-apart": ("one.db", "two.db")}
    deploy(plane, [[deployment(n, GOOD) for n in pairs]])
    watchers = [
        Watcher(name, fixer, tmp_path / store, tmp_path / f"{name}-{number}.log")
        for name, stores in pairs.items()
        for number, store in enumerate(stores)
    ]
    try:
        _until(_again(watchers, "watches"), "they don't watch")
        for name in pairs:
            plane.kubectl("set", "image", "-n", name, "deployment/web", f"app={WORSE}")
        _until(_again(watchers, "saw_it_end"), f"not mended: {[w.told() for w in watchers]}")
    finally:
        for watcher in watchers:
            watcher.stop()
    for name in pairs:
        assert (made(plane, name), seen(plane)[name]["image"]) == (1, GOOD), [w.told() for w in watchers]
    for number in (0, 2):
        ends = [t["text"] for w in watchers[number : number + 2] for t in w.told() if t["what"] == "repair"]
        assert sum(e.startswith("succeeded") for e in ends) == 1, ends
