"""What is wrong with a probe, by the ports, the earlier revision and the other probe."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubemend.model.objects import Container
from kubemend.rules.pod.probing import Symptom, flaw, symptom_of


def container(**fields: Any) -> Container:
    return msgspec.convert({"name": "app", **fields}, type=Container)


def http(port: int | str = 8080, path: str = "/", **fields: int) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": path}, **fields}


@pytest.mark.parametrize(
    ("message", "symptom"),
    [
        ("Liveness probe failed: HTTP probe failed with statuscode: 404", "status"),
        ("Liveness probe failed: HTTP probe failed with statuscode: 503", "unwell"),
        (
            'Liveness probe failed: Get "http://10.0.0.9:80/": dial tcp 10.0.0.9:80: connect: connection refused',
            "refused",
        ),
        ('Readiness probe failed: Get "http://10.0.0.9/": context deadline exceeded (Client.Timeout)', "timeout"),
        ('Readiness probe failed: command timed out: "sleep 5" timed out after 1s', "timeout"),
        ('Liveness probe failed: timeout: failed to connect service "10.0.0.9:50" within 1s', "timeout"),
        ("Readiness probe errored and resulted in unknown state: couldn't find port: htp", "port"),
        ('Readiness probe errored: strconv.Atoi: parsing "htp": invalid syntax', "port"),
        ("Liveness probe failed: cat: can't open '/tmp/ok'", "other"),
    ],
)
def test_a_symptom_is_told_from_the_kubelets_words(message: str, symptom: str):
    assert symptom_of(message) == symptom


@pytest.mark.parametrize(
    ("symptom", "expected"), [("refused", ("port", "8080")), ("status", ("path", "")), ("timeout", ("timing", ""))]
)
def test_an_undeclared_port_is_only_wrong_when_nothing_answers_there(symptom: Symptom, expected: tuple[str, str]):
    declared = container(ports=[{"containerPort": 8080}], livenessProbe=http(9000))
    found = flaw(declared, "livenessProbe", symptom, before=None, other=False)
    assert (found.kind, found.expected) == expected


def test_a_port_is_right_when_no_port_is_declared_at_all():
    declared = container(livenessProbe=http(9000))
    assert flaw(declared, "livenessProbe", "refused", before=None, other=False).kind == "timing"


def test_of_several_ports_the_one_the_other_probe_asks_is_expected():
    ports = [{"containerPort": 8080}, {"containerPort": 9090}]
    declared = container(ports=ports, livenessProbe=http(1), readinessProbe=http(9090))
    found = flaw(declared, "livenessProbe", "refused", before=None, other=True)
    assert (found.kind, found.expected, found.proof) == ("port", "9090", "probe")
    assert flaw(declared, "livenessProbe", "refused", before=None, other=False).expected == ""


def test_a_program_that_says_it_is_unwell_is_believed():
    declared = container(livenessProbe=http(path="/healthz"), readinessProbe=http(path="/ready"))
    assert flaw(declared, "livenessProbe", "unwell", before=None, other=True).kind == "unknown"


def test_a_probe_that_fails_too_is_no_model():
    declared = container(livenessProbe=http(path="/healthz"), readinessProbe=http(path="/ready"))
    assert flaw(declared, "livenessProbe", "status", before=None, other=True).expected == "/ready"
    assert flaw(declared, "livenessProbe", "status", before=None, other=False).expected == ""


def test_what_changed_since_the_last_revision_comes_first():
    before = container(ports=[{"containerPort": 8080}], livenessProbe=http(7000))
    now = container(ports=[{"containerPort": 8080}], livenessProbe=http(9000))
    found = flaw(now, "livenessProbe", "refused", before=before, other=False)
    assert (found.kind, found.declared, found.expected, found.proof) == ("port", "9000", "7000", "revision")


def test_another_kind_of_probe_is_not_compared():
    before = container(livenessProbe={"tcpSocket": {"port": 7000}})
    found = flaw(container(livenessProbe=http(9000)), "livenessProbe", "status", before=before, other=False)
    assert (found.kind, found.expected) == ("path", "")


def test_less_patience_than_before_is_a_fault_of_timing():
    before = container(livenessProbe=http(initialDelaySeconds=60))
    found = flaw(container(livenessProbe=http()), "livenessProbe", "refused", before=before, other=False)
    assert (found.kind, found.proof, found.window_s, found.timeout_s) == ("timing", "revision", 30, 1)


@pytest.mark.parametrize(("delay", "kind"), [(0, "timing"), (60, "unknown")])
def test_a_patient_liveness_probe_that_is_refused_is_not_blamed(delay: int, kind: str):
    declared = container(ports=[{"containerPort": 8080}], livenessProbe=http(initialDelaySeconds=delay))
    assert flaw(declared, "livenessProbe", "refused", before=None, other=False).kind == kind


def test_a_container_without_the_probe_has_no_flaw_to_name():
    assert flaw(container(), "livenessProbe", "other", before=None, other=True).kind == "unknown"
