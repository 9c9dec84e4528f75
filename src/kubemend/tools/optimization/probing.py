"""What is amiss with a container's probes, by what is written and by how its pods have started so far."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kubemend.kube.probes import handler, number, port, same, tolerance, window
from kubemend.model.objects import Container, Probe

SHORT_S = 30
"""A start that may take no longer than this is short for most programs."""
SLOW_S = 30.0
"""A program that takes longer than this to get ready is a slow starter."""
CALM_S = 20
"""A liveness probe that restarts a program after less than this answers a hiccup with an outage."""
TLS_PORTS = (443, 8443, 6443, 10250)


class Flaw(Struct, frozen=True):
    """One thing amiss. severity: "high" breaks or will, "medium" hurts under load, "low" is worth a look."""

    code: str
    severity: str
    issue: str
    recommendation: str


def flaws(container: Container, started_s: float | None, failing: dict[str, int]) -> Iterator[Flaw]:
    """Everything amiss with one container. started_s: how long its slowest start took, None when not known.

    failing: how often the kubelet says that a probe of a kind has failed lately ("Readiness": 12).
    """
    probes = {
        "liveness": container.liveness_probe,
        "readiness": container.readiness_probe,
        "startup": container.startup_probe,
    }
    yield from _missing(container)
    for kind, probe in probes.items():
        if probe is not None:
            yield from _aimed(kind, probe, container)
            yield from _timed(kind, probe)
            if count := failing.get(kind, 0):
                yield Flaw(f"{kind}-failing", "medium", f"the {kind} probe failed {count} times lately", _SEE)
    yield from _alike(container)
    yield from _start(container, started_s)


_SEE = "list_kubernetes_events shows what it was answered; diagnose_cluster tells the cause"


def _missing(container: Container) -> Iterator[Flaw]:
    if container.readiness_probe is None:
        severity = "high" if container.ports else "medium"
        advice = "add one: without it traffic comes before the program can serve, and stays when it can't"
        yield Flaw("no-readiness", severity, "no readiness probe", advice)
    if container.liveness_probe is None:
        yield Flaw("no-liveness", "low", "no liveness probe", "add one if the program can hang without ending")


def _aimed(kind: str, probe: Probe, container: Container) -> Iterator[Flaw]:
    written = port(probe)
    if written is None:
        return
    found, declared = number(written, container), {p.container_port: p.name for p in container.ports}
    if found is None:
        names = ", ".join(sorted(n for n in declared.values() if n)) or "none"
        issue = f"the {kind} probe asks port {written!r}, which the container doesn't declare (it has: {names})"
        yield Flaw(f"{kind}-port-unknown", "high", issue, "name a declared port, or write its number")
    elif declared and found not in declared:
        issue = f"the {kind} probe asks port {found}; declared are {', '.join(map(str, sorted(declared)))}"
        yield Flaw(f"{kind}-port-undeclared", "medium", issue, "check the number; declare the port if it is right")
    else:
        yield from _scheme(kind, probe, found, declared.get(found, ""))


def _scheme(kind: str, probe: Probe, found: int, name: str) -> Iterator[Flaw]:
    if probe.http_get is None:
        return
    tls = found in TLS_PORTS or name.startswith("https")
    plain = found == 80 or name == "http"
    scheme = probe.http_get.scheme.upper()
    if (scheme == "HTTP" and tls) or (scheme == "HTTPS" and plain):
        issue = f"the {kind} probe speaks {scheme} to port {found}{f' ({name})' if name else ''}"
        other = "HTTPS" if tls else "HTTP"
        yield Flaw(f"{kind}-scheme", "medium", issue, f"set scheme: {other} if the port speaks it")


def _timed(kind: str, probe: Probe) -> Iterator[Flaw]:
    if not handler(probe):
        yield Flaw(f"{kind}-empty", "high", f"the {kind} probe names nothing to do", "give it httpGet, tcpSocket …")
    if probe.timeout_seconds > probe.period_seconds:
        issue = f"the {kind} probe waits {probe.timeout_seconds} s for an answer and asks each {probe.period_seconds} s"
        yield Flaw(f"{kind}-timeout-over-period", "low", issue, "make timeoutSeconds less than periodSeconds")
    if probe.exec is not None and probe.timeout_seconds <= 1:
        issue = f"the {kind} probe starts a command and gives it {probe.timeout_seconds} s"
        yield Flaw(
            f"{kind}-exec-tight", "medium", issue, "set timeoutSeconds to 5 or more: a busy node is slow to start it"
        )
    if kind == "liveness" and tolerance(probe) < CALM_S:
        issue = f"the liveness probe restarts it after {tolerance(probe)} s without an answer"
        yield Flaw("liveness-tight", "medium", issue, f"let failureThreshold * periodSeconds be {CALM_S} or more")


def _alike(container: Container) -> Iterator[Flaw]:
    liveness, readiness = container.liveness_probe, container.readiness_probe
    if liveness is None or readiness is None or not same(liveness, readiness):
        return
    if tolerance(liveness) <= tolerance(readiness):
        issue = (
            "liveness and readiness ask the same with the same patience: what should take it out of traffic restarts it"
        )
        yield Flaw("liveness-is-readiness", "medium", issue, "let liveness ask less, or be more patient than readiness")
    else:
        issue = "liveness and readiness ask the same"
        yield Flaw("liveness-is-readiness", "low", issue, "let liveness ask only whether the program is alive")


def _start(container: Container, started_s: float | None) -> Iterator[Flaw]:
    startup, liveness = container.startup_probe, container.liveness_probe
    patience = window(startup) if startup is not None else window(liveness) if liveness is not None else None
    if patience is None:
        return
    if started_s is not None and patience < started_s * 1.5:
        issue = f"it has taken {started_s:.0f} s to start, and is killed after {patience} s"
        advice = (
            "add a startup probe that is patient for three times as long"
            if startup is None
            else "raise its failureThreshold"
        )
        yield Flaw("start-too-tight", "high", issue, advice)
    elif startup is None and started_s is not None and started_s > SLOW_S:
        issue = f"it takes {started_s:.0f} s to start, and has no startup probe"
        yield Flaw("no-startup", "medium", issue, "add one: it takes the start off the liveness probe")
    elif startup is None and started_s is None and patience < SHORT_S:
        issue = f"liveness kills it when it hasn't answered {patience} s after its start"
        yield Flaw("start-maybe-tight", "low", issue, "add a startup probe, or a longer initialDelaySeconds")
