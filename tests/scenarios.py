"""Running the scenarios of `scenarios/`: set up, break, watch `kubemend watch --auto-fix` mend, judge the end.

The runner sees the cluster only through stock kubectl and the program only through its command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent / "scenarios"
Kubectl = Callable[..., str]


@dataclass(frozen=True)
class Scenario:
    name: str
    summary: str
    control: bool
    code: str
    target: str
    repairs: tuple[str, ...]
    asks: bool
    """The right end is a plan that waits for a person."""

    @property
    def namespace(self) -> str:
        return f"s-{self.name}"

    def file(self, name: str) -> Path | None:
        path = ROOT / self.name / f"{name}.yaml"
        return path if path.exists() else None

    def deployments(self, *files: str) -> list[str]:
        """Names of the Deployments that these files hold (the healthy state, unless told otherwise)."""
        paths = [p for f in files or ("healthy",) if (p := self.file(f)) is not None]
        documents = [d for p in paths for d in yaml.safe_load_all(p.read_text())]
        return sorted({d["metadata"]["name"] for d in documents if d["kind"] == "Deployment"})


def load() -> list[Scenario]:
    found = []
    for path in sorted(ROOT.glob("*/scenario.yaml")):
        text = yaml.safe_load(path.read_text())
        finds = text.get("finds", {})
        found.append(
            Scenario(
                name=path.parent.name,
                summary=text["summary"],
                control=text.get("control", False),
                code=finds.get("code", ""),
                target=finds.get("target", ""),
                repairs=tuple(text.get("repairs", ())),
                asks=text.get("asks", False),
            )
        )
    return found


FIRST_USE = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: first-use}
provisioner: lab.kubemend.dev/instant
volumeBindingMode: WaitForFirstConsumer
"""


def make_healthy(kubectl: Kubectl, scenarios: Sequence[Scenario]) -> None:
    """Bring every scenario to its healthy state, each in a namespace of its own."""
    kubectl("apply", "-f", "-", manifest=FIRST_USE)
    for s in scenarios:
        kubectl("create", "namespace", s.namespace)
        kubectl("apply", "-n", s.namespace, "-f", str(s.file("healthy")))
    for s in scenarios:
        if (past := s.file("past")) is not None:
            kubectl("apply", "-n", s.namespace, "-f", str(past))
            for name in s.deployments():
                wait = ("wait", "-n", s.namespace, f"deployment/{name}", "--timeout=60s")
                kubectl(*wait, "--for=jsonpath={.status.updatedReplicas}=1")
            kubectl("apply", "-n", s.namespace, "-f", str(s.file("healthy")))
        for name in s.deployments():
            kubectl("rollout", "status", "-n", s.namespace, f"deployment/{name}", "--timeout=90s")


@dataclass
class Watcher:
    """`kubemend watch --auto-fix` as a process; its events by namespace, with the second they came."""

    process: subprocess.Popen[str]
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @classmethod
    def start(cls, kubeconfig: Path, store: Path, log: Path, *more: str) -> Watcher:
        command = [sys.executable, "-m", "kubemend", "watch", "-A", "--auto-fix", "-o", "json"]
        command += ["--kubeconfig", str(kubeconfig), "--store", str(store), *more]
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        watcher = cls(process)
        deadline, tick = time.monotonic() + 60, threading.Event()
        while "watching" not in log.read_text() and time.monotonic() < deadline and process.poll() is None:
            tick.wait(0.1)
        threading.Thread(target=watcher._read, daemon=True).start()
        return watcher

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append((time.monotonic(), json.loads(line)))

    def of(self, scenario: Scenario) -> list[tuple[float, dict[str, Any]]]:
        return [(t, e) for t, e in list(self.events) if namespace_of(e) == scenario.namespace]

    def ended(self, scenario: Scenario) -> bool:
        ends = ("succeeded", "escalated")
        return any(
            e["what"] == "escalated" or (e["what"] == "repair" and (e.get("repair") or {}).get("state") in ends)
            for _, e in self.of(scenario)
        )

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


def namespace_of(event: dict[str, Any]) -> str:
    incident = event.get("incident") or {}
    return str(incident.get("namespace", ""))


@dataclass
class Outcome:
    scenario: Scenario
    broken_at: float
    opened: list[str]
    target: str
    strategies: list[str]
    states: list[str]
    seconds_to_incident: float | None
    seconds_to_verified: float | None
    healthy: bool
    told: list[str] = field(default_factory=list)

    def wrong(self) -> list[str]:
        """What is not as the scenario says it must be; empty when all is."""
        s = self.scenario
        if s.control:
            return [f"{s.name}: a control had {self.opened} {self.states}"] * bool(self.opened or self.states)
        found = []
        if self.opened[:1] != [s.code]:
            found.append(f"found {self.opened}, not {s.code} first")
        if self.target != s.target:
            found.append(f"would repair {self.target}, not {s.target}")
        if not set(self.strategies) <= set(s.repairs):
            found.append(f"chose {self.strategies}, not of {s.repairs}")
        if not s.asks and (self.states[-1:] != ["succeeded"] or not self.healthy):
            found.append(f"ended {self.states}, {'healthy' if self.healthy else 'not healthy'}")
        if s.asks and self.states:
            found.append(f"acted without asking: {self.states}")
        return [f"{s.name}: {f}" for f in (*found, *(self.told if found else ()))]

    def line(self) -> str:
        def secs(value: float | None) -> str:
            return "—" if value is None else f"{value:.1f}"

        s = self.scenario
        return (
            f"{s.name:<36} {','.join(self.opened) or '—':<12} {self.target or '—':<22} "
            f"{','.join(self.strategies) or '—':<28} {','.join(self.states) or '—':<12} "
            f"{secs(self.seconds_to_incident):>6} {secs(self.seconds_to_verified):>7} "
            f"{'healthy' if self.healthy else 'NOT HEALTHY'}"
        )


def play(kubectl: Kubectl, watcher: Watcher, scenarios: Sequence[Scenario], *, within_s: float) -> list[Outcome]:
    """Break everything, wait until every fault has come to an end, and look at what is there then."""
    broken: dict[str, float] = {}
    for s in scenarios:
        broken[s.name] = time.monotonic()
        if (fault := s.file("fault")) is not None:
            kubectl("apply", "-n", s.namespace, "-f", str(fault))
    deadline = time.monotonic() + within_s
    faults = [s for s in scenarios if not s.control]
    tick = threading.Event()
    while not all(watcher.ended(s) for s in faults) and time.monotonic() < deadline and watcher.process.poll() is None:
        tick.wait(0.2)
    return [outcome(kubectl, watcher, s, broken[s.name]) for s in scenarios]


def outcome(kubectl: Kubectl, watcher: Watcher, s: Scenario, broken_at: float) -> Outcome:
    events = watcher.of(s)
    opened = [(t, e) for t, e in events if e["what"] == "opened"]
    repaired = [(t, e) for t, e in events if e["what"] == "repair"]
    plans = [e["repair"]["plan"] for _, e in events if e["what"] == "planned"]
    verified = [t for t, e in repaired if e["repair"]["state"] == "succeeded"]
    return Outcome(
        scenario=s,
        broken_at=broken_at,
        opened=[e["incident"]["code"] for _, e in opened],
        target="/".join((plans[0]["target"]["kind"], plans[0]["target"]["name"])) if plans else "",
        strategies=[p["strategy"] for p in plans],
        states=[e["repair"]["state"] for _, e in repaired],
        seconds_to_incident=opened[0][0] - broken_at if opened else None,
        seconds_to_verified=verified[0] - broken_at if verified else None,
        healthy=is_healthy(kubectl, s),
        told=[f"    {e['what']}: {e['text']}" for _, e in events],
    )


def is_healthy(kubectl: Kubectl, s: Scenario) -> bool:
    """Every Deployment of the scenario complete, with the replicas it asks for."""
    for name in s.deployments("healthy", "fault"):
        text = kubectl("get", "deployment", name, "-n", s.namespace, "-o", "json")
        found = json.loads(text)
        wanted, status = found["spec"]["replicas"], found["status"]
        ready = (status.get("availableReplicas", 0), status.get("updatedReplicas", 0), status.get("replicas", 0))
        if ready != (wanted, wanted, wanted) or status.get("observedGeneration") != found["metadata"]["generation"]:
            return False
    return True
