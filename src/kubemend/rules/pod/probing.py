"""What is wrong with a probe: its port, its path, its timing, or not the probe at all.

Three things are compared: the failed probe with the ports the container declares, with the same probe of the
revision to go back to, and with the container's other probe. The kubelet's message decides between them only by
its kind (refused, an HTTP status, a time-out), never by its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from kubemend.kube.names import near
from kubemend.model.finding import Fact
from kubemend.model.objects import Container, Probe
from kubemend.model.objects.meta import IntOrString

Field = Literal["livenessProbe", "readinessProbe", "startupProbe"]
Symptom = Literal["refused", "status", "unwell", "timeout", "port", "other"]
"""`status`: a 4xx, so nothing is at that path; `unwell`: another status, so the program itself says no."""
Kind = Literal["port", "path", "timing", "command", "unknown"]
Proof = Literal["revision", "ports", "probe", ""]

KILLED = frozenset({0, 137, 143})
"""Exit codes of a container that the kubelet stops: it ends at once when told to, or is killed."""

SHORT_S = 60.0
"""Seconds of patience under which a probe that nothing answers is held to be hasty rather than the program dead."""

_SYMPTOMS: tuple[tuple[Symptom, re.Pattern[str]], ...] = (
    ("status", re.compile(r"statuscode: 4\d\d")),
    ("unwell", re.compile(r"statuscode: \d+")),
    ("timeout", re.compile(r"deadline exceeded|timed out|i/o timeout|timeout:", re.IGNORECASE)),
    ("refused", re.compile(r"connection refused|connection reset|no route to host", re.IGNORECASE)),
    ("port", re.compile(r"probe errored.*(port|strconv)", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Flaw:
    """What is wrong, where: the value as declared, the one expected in its place ("" if unknown), what proves it.

    window_s: seconds from the start that the probe gives; timeout_s: seconds that it waits for an answer.
    """

    kind: Kind
    handler: str
    declared: str = ""
    expected: str = ""
    proof: Proof = ""
    window_s: int = 0
    timeout_s: int = 0

    def facts(self, field: Field, symptom: Symptom) -> dict[str, Fact]:
        """The parameters a repair wants."""
        return {
            "probe": field,
            "kind": self.kind,
            "handler": self.handler,
            "declared": self.declared,
            "expected": self.expected,
            "proof": self.proof,
            "symptom": symptom,
            "window_s": self.window_s,
            "timeout_s": self.timeout_s,
        }


def probe_of(container: Container, field: Field) -> Probe | None:
    """The container's probe of one field of its JSON form."""
    return {
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
    }[field]


def window(probe: Probe) -> int:
    """Seconds from the container's start in which a probe must succeed for the first time."""
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold


def soonest(container: Container) -> float | None:
    """Seconds of a container's life after which one of its probes may first kill it; None when none ever does."""
    found = [p for p in (container.liveness_probe, container.startup_probe) if p is not None]
    return min((window(p) - p.period_seconds for p in found), default=None)


def patience(probe: Probe) -> float:
    """Seconds from the container's start after which failing all along has surely counted."""
    return window(probe) + probe.timeout_seconds


def symptom_of(message: str) -> Symptom:
    """How a probe failed, by the kubelet's message."""
    return next((symptom for symptom, pattern in _SYMPTOMS if pattern.search(message)), "other")


def flaw(container: Container, field: Field, symptom: Symptom, *, before: Container | None, other: bool) -> Flaw:
    """What is wrong with a failing probe.

    before: the container in the revision to go back to. other: whether the container's other probe (readiness
    for liveness, and the reverse) is known to work.
    """
    probe = probe_of(container, field)
    if probe is None:
        return Flaw("unknown", "")
    handler = _handler(probe)
    working = _other(container, field) if other else None
    found = (
        _against_revision(probe, probe_of(before, field) if before else None, handler)
        or _against_ports(probe, container, symptom, working, handler)
        or _against_probe(probe, symptom, working, handler)
        or Flaw(_otherwise(probe, field, symptom), handler)
    )
    return replace(found, window_s=window(probe), timeout_s=probe.timeout_seconds)


def _handler(probe: Probe) -> str:
    held = {"httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "grpc": probe.grpc, "exec": probe.exec}
    return next((name for name, handler in held.items() if handler is not None), "")


def _port(probe: Probe) -> IntOrString | None:
    handler = probe.http_get or probe.tcp_socket or probe.grpc
    return handler.port if handler is not None else None


def _path(probe: Probe) -> str:
    return probe.http_get.path if probe.http_get is not None else ""


def _other(container: Container, field: Field) -> Probe | None:
    return container.liveness_probe if field == "readinessProbe" else container.readiness_probe


def _against_revision(probe: Probe, before: Probe | None, handler: str) -> Flaw | None:
    if before is None or _handler(before) != handler:
        return None
    if _port(probe) != _port(before):
        return Flaw("port", handler, str(_port(probe)), str(_port(before)), "revision")
    if _path(probe) != _path(before):
        return Flaw("path", handler, _path(probe), _path(before), "revision")
    if window(before) > window(probe) or before.timeout_seconds > probe.timeout_seconds:
        return Flaw("timing", handler, proof="revision")
    return None


def _against_ports(
    probe: Probe, container: Container, symptom: Symptom, working: Probe | None, handler: str
) -> Flaw | None:
    port, declared = _port(probe), [p for p in container.ports if p.protocol == "TCP"]
    if isinstance(port, str) and not port.isdigit():
        names = [p.name for p in declared if p.name]
        if port in names:
            return None
        sole = str(declared[0].container_port) if len(declared) == 1 else ""
        return Flaw("port", handler, port, near(port, names) or sole, "ports")
    # A port that answered with a status, or took the connection and was slow, is one that is listened on.
    if port is None or not declared or symptom not in ("refused", "other"):
        return None
    numbers = [str(p.container_port) for p in declared]
    if str(port) in numbers:
        return None
    known = str(_port(working)) if working is not None else ""
    if known and known != str(port):
        return Flaw("port", handler, str(port), known, "probe")
    return Flaw("port", handler, str(port), numbers[0] if len(numbers) == 1 else "", "ports")


def _against_probe(probe: Probe, symptom: Symptom, working: Probe | None, handler: str) -> Flaw | None:
    if symptom != "status" or handler != "httpGet":
        return None
    if working is None or _port(working) != _port(probe) or not _path(working) or _path(working) == _path(probe):
        return Flaw("path", handler, _path(probe))
    return Flaw("path", handler, _path(probe), _path(working), "probe")


def _otherwise(probe: Probe, field: Field, symptom: Symptom) -> Kind:
    if symptom == "timeout":
        return "timing"
    if probe.exec is not None:
        return "command"
    hasty = field != "readinessProbe" and symptom == "refused" and patience(probe) < SHORT_S
    return "timing" if hasty else "unknown"
