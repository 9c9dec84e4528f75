"""Alerts of several senders in one shape, and what they say about Kubernetes objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.alerts import named, normalized

ALERTMANAGER = {
    "version": "4", "receiver": "web", "status": "firing", "commonLabels": {"cluster": "prod"},
    "alerts": [
        {"status": "resolved", "labels": {"alertname": "Old"}, "startsAt": "2026-01-01T00:00:00Z"},
        {"status": "firing", "fingerprint": "abc", "startsAt": "2026-01-01T12:00:00Z",
         "labels": {"alertname": "KubePodCrashLooping", "severity": "warning", "namespace": "shop", "pod": "web-1"},
         "annotations": {"summary": "Pod crashes", "description": "shop/web-1 restarts"}},
    ],
}  # fmt: skip


def test_a_firing_alert_of_alertmanager_is_taken_before_a_resolved_one() -> None:
    found = normalized(ALERTMANAGER)
    assert (found.source, found.alert_id, found.status, found.severity) == ("alertmanager", "abc", "firing", "medium")
    assert (found.title, found.message) == ("Pod crashes", "shop/web-1 restarts")
    assert (found.firing_time, found.others) == (datetime(2026, 1, 1, 12, tzinfo=UTC), 1)
    assert found.labels["cluster"] == "prod"


@pytest.mark.parametrize(
    ("payload", "severity", "status"),
    [
        ({"title": "x", "priority": "P1", "alias": "a", "status": "open"}, "critical", "firing"),
        ({"event_action": "trigger", "payload": {"summary": "x", "severity": "error"}}, "high", "firing"),
        ({"event_action": "resolve", "payload": {"summary": "x", "severity": "info"}}, "info", "resolved"),
        ({"name": "x", "level": "disaster"}, "critical", "unknown"),
        ({"name": "x"}, "unknown", "unknown"),
    ],
)
def test_other_senders_words_are_understood_and_unknown_ones_are_called_unknown(
    payload: Any, severity: str, status: str
) -> None:
    found = normalized(payload)
    assert (found.title, found.severity, found.status) == ("x", severity, status)


def test_an_alert_without_an_id_has_the_same_one_each_time() -> None:
    one, other = {"name": "x", "labels": {"a": "1"}}, {"name": "x", "labels": {"a": "2"}}
    assert normalized(one).alert_id == normalized(dict(one)).alert_id != normalized(other).alert_id


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-01-01T12:00:00+02:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("1767268800", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("1767268800000", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_or_unknown(text: str, when: datetime | None) -> None:
    assert normalized({"name": "x", "startsAt": text}).firing_time == when


@pytest.mark.parametrize(
    ("labels", "kind", "name"),
    [
        ({"namespace": "shop", "pod": "web-1", "deployment": "web"}, "pod", "web-1"),
        ({"k8s.namespace.name": "shop", "k8s.deployment.name": "web"}, "deployment", "web"),
        ({"pod": "kube-state-metrics-abc", "exported_pod": "web-1"}, "pod", "web-1"),
        ({"service": "node-exporter", "node": "n1"}, "node", "n1"),
        ({"pod": "../../secrets", "node": "n1"}, "node", "n1"),
        ({"instance": "10.0.0.1:9100"}, "", ""),
    ],
)
def test_labels_name_the_object_and_not_who_measured_it(labels: Any, kind: str, name: str) -> None:
    found = named(normalized({"name": "x", "labels": labels}))
    assert (found.kind, found.names.get(found.kind, "")) == (kind, name)


def test_without_labels_the_words_of_the_text_are_taken() -> None:
    found = named(normalized({"name": "x", "message": 'Deployment "shop/web" has no replicas'}))
    assert (found.where, found.kind, found.names) == (
        "text", "deployment", {"deployment": "web", "namespace": "shop"},
    )  # fmt: skip


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_no_payload_is_too_strange(value: Any) -> None:
    for payload in ({"alerts": value}, {"labels": value, "status": value}, {"payload": value, "tags": value}):
        named(normalized(payload))
