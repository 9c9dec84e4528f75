"""Alerts of the usual senders in one shape. Pure: what a payload says, and what it says about Kubernetes objects.

Known forms: Alertmanager's webhook (version 4) and its single alerts, Grafana's webhook (the same, with more),
PagerDuty's and Opsgenie's events by their own words, and anything else by the names its fields have.
What an alert says is a program's word about a cluster: evidence, never instructions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

Severity = Literal["critical", "high", "medium", "low", "info", "unknown"]
Payload = Mapping[str, Any]

SEVERITIES: dict[str, Severity] = {
    "critical": "critical", "crit": "critical", "fatal": "critical", "emergency": "critical", "page": "critical",
    "disaster": "critical", "p1": "critical", "error": "high", "high": "high", "major": "high", "severe": "high",
    "p2": "high", "warning": "medium", "warn": "medium", "medium": "medium", "average": "medium", "p3": "medium",
    "minor": "low", "low": "low", "p4": "low", "info": "info", "information": "info", "informational": "info",
    "none": "info", "p5": "info", "debug": "info",
}  # fmt: skip
_STATUS = {
    "firing": "firing", "alerting": "firing", "triggered": "firing", "open": "firing", "problem": "firing",
    "active": "firing", "resolved": "resolved", "ok": "resolved", "closed": "resolved", "recovered": "resolved",
}  # fmt: skip
_TITLE = ("summary", "title", "alertname", "alert_name", "name", "rulename", "subject")
_MESSAGE = ("description", "message", "content", "body", "text", "details", "summary")
_ID = ("fingerprint", "alert_id", "alertid", "id", "event_id", "dedup_key", "alias", "uid")
_TIME = ("startsat", "firing_time", "fired_at", "triggered_at", "created_at", "timestamp", "time", "starts_at")


class Alert(Struct, frozen=True):
    """One alert. status: firing, resolved or unknown. firing_time: None when it doesn't say, or not readably.

    others: how many more alerts the payload holds; only one is shown, a firing one before resolved ones.
    """

    source: str
    alert_id: str
    title: str
    message: str
    severity: Severity
    status: Literal["firing", "resolved", "unknown"]
    firing_time: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]
    others: int = 0


def normalized(payload: Payload) -> Alert:
    """The alert of a payload, of whatever form."""
    listed = payload.get("alerts")
    held = [a for a in (listed if isinstance(listed, list) else ()) if isinstance(a, Mapping)]
    if not held:
        return _alert(payload, payload, _source(payload), others=0)
    chosen = next((a for a in held if _status(a) == "firing"), held[0])
    return _alert(chosen, payload, _source(payload), others=len(held) - 1)


def _source(payload: Payload) -> str:
    known = str(payload.get("source") or payload.get("provider") or "")
    if known:
        return known.lower()
    if "alerts" in payload and ("dashboardURL" in str(payload) or "orgId" in payload):
        return "grafana"
    if {"alerts", "receiver"} <= payload.keys() or {"labels", "startsAt"} <= payload.keys():
        return "alertmanager"
    if "routing_key" in payload or "event_action" in payload:
        return "pagerduty"
    return "opsgenie" if "alias" in payload and "priority" in payload else "generic"


def _alert(one: Payload, whole: Payload, source: str, *, others: int) -> Alert:
    inner = one.get("payload")
    flat = {**one, **inner} if isinstance(inner, Mapping) else one
    labels = {**_texts(whole.get("commonLabels")), **_texts(flat.get("labels")), **_tags(flat)}
    notes = {**_texts(whole.get("commonAnnotations")), **_texts(flat.get("annotations"))}
    fields = {k.lower(): v for k, v in flat.items() if isinstance(v, str | int | float) and not isinstance(v, bool)}
    title = _first(notes, _TITLE) or _first(labels, _TITLE) or _first(fields, _TITLE)
    return Alert(
        source=source,
        alert_id=_first(fields, _ID) or _made(labels, title),
        title=title,
        message=_first(notes, _MESSAGE) or _first(fields, _MESSAGE) or title,
        severity=_severity(labels, fields),
        status=_status(one) or _status(whole) or "unknown",
        firing_time=_time(_first(fields, _TIME)),
        labels=labels,
        annotations=notes,
        others=others,
    )


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(k): str(v) for k, v in value.items() if isinstance(v, str | int | float)}


def _tags(flat: Payload) -> dict[str, str]:
    """Tags such as "namespace:shop", or a mapping of details, as labels."""
    found = {k: v for field in ("tags", "details", "custom_details") for k, v in _texts(flat.get(field)).items()}
    tags = flat.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        key, sign, value = str(tag).replace("=", ":", 1).partition(":")
        if sign:
            found[key.strip()] = value.strip()
    return found


def _first(held: Mapping[str, Any], names: Sequence[str]) -> str:
    folded = {k.lower(): v for k, v in held.items()}
    return next((str(folded[n]) for n in names if folded.get(n) not in (None, "")), "")


def _made(labels: Mapping[str, str], title: str) -> str:
    """An id for an alert that has none: the same for the same labels and title."""
    body = msgspec.json.encode([title, labels], order="deterministic")
    return hashlib.sha256(body).hexdigest()[:16]


def _severity(labels: Mapping[str, str], fields: Mapping[str, Any]) -> Severity:
    said = _first(labels, ("severity", "level", "priority")) or _first(fields, ("severity", "level", "priority"))
    return SEVERITIES.get(said.lower(), "unknown")


def _status(held: Payload) -> Literal["firing", "resolved"] | None:
    said = held.get("status") or held.get("state") or held.get("event_action") or ""
    known = {"firing": "firing", "resolved": "resolved", "trigger": "firing", "resolve": "resolved"} | _STATUS
    found = known.get(str(said).lower())
    return "firing" if found == "firing" else "resolved" if found == "resolved" else None


def _time(text: str) -> datetime | None:
    """RFC 3339, or seconds or milliseconds since 1970. Alertmanager's year 1 stands for no time."""
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        number = float(text)
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year > 1970 else None


KEYS: dict[str, tuple[str, ...]] = {
    "cluster": ("cluster", "cluster_name", "k8s_cluster", "k8s_cluster_name"),
    "namespace": (
        "namespace", "exported_namespace", "kubernetes_namespace", "k8s_namespace", "k8s_namespace_name", "ns",
    ),
    "pod": ("pod", "pod_name", "exported_pod", "kubernetes_pod_name", "k8s_pod_name"),
    "container": ("container", "container_name", "exported_container", "k8s_container_name"),
    "node": ("node", "node_name", "exported_node", "kubernetes_node", "k8s_node_name", "nodename"),
    "deployment": ("deployment", "deployment_name", "kubernetes_deployment", "k8s_deployment_name", "workload"),
    "statefulset": ("statefulset", "statefulset_name", "k8s_statefulset_name"),
    "daemonset": ("daemonset", "daemonset_name", "k8s_daemonset_name"),
    "service": ("service", "service_name", "exported_service", "kubernetes_service", "k8s_service_name", "svc"),
}  # fmt: skip
"""What labels are called by kube-state-metrics, the OpenTelemetry semantic conventions, and others."""

ORDER = ("pod", "deployment", "statefulset", "daemonset", "service", "node")
"""Which kind an alert is about when it names several: the closest to what runs."""
_SCRAPED = frozenset({"kube-state-metrics", "node-exporter", "cadvisor", "kubelet", "prometheus", "alertmanager"})
"""Values of `service`, `pod` and `container` that name who measured, not what was measured."""
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_POINTED = re.compile(
    r"\b(?P<kind>pod|deployment|statefulset|daemonset|service|node)s?[ :/]+[\"'`]?"
    r"(?:(?P<namespace>[a-z0-9][-a-z0-9]*)/)?(?P<name>[a-z0-9][-a-z0-9.]*[a-z0-9])",
    re.IGNORECASE,
)


class Named(Struct, frozen=True):
    """What an alert names: by kind, its words checked to be names and nothing else."""

    names: dict[str, str]
    where: Literal["labels", "text", "nowhere"]

    @property
    def kind(self) -> str:
        """The kind it is about; "" when it names none."""
        return next((k for k in ORDER if k in self.names), "")


def named(alert: Alert) -> Named:
    """The objects that an alert names: by its labels, else by words in its text such as "pod shop/web-1"."""
    found = {what: value for what, keys in KEYS.items() if (value := _named(alert.labels, what, keys))}
    if any(k in found for k in ORDER):
        return Named(found, "labels")
    for match in _POINTED.finditer(f"{alert.title} {alert.message}"):
        held = {match["kind"].lower(): match["name"].lower()}
        if match["namespace"]:
            held["namespace"] = match["namespace"].lower()
        return Named({**held, **found}, "text")
    return Named(found, "nowhere")


def _named(labels: Mapping[str, str], what: str, keys: Sequence[str]) -> str:
    """The first value that is a name. `exported_…` goes before: the plain one is then the scraper's own."""
    folded = {k.lower().replace(".", "_"): v for k, v in labels.items()}
    ordered = sorted(keys, key=lambda k: not k.startswith("exported_"))
    return next((v for v in _values(folded, ordered) if _is_name(v) and not _is_scraper(what, v)), "")


def _values(folded: Mapping[str, str], keys: Sequence[str]) -> Iterator[str]:
    yield from (folded[k] for k in keys if k in folded)


def _is_name(value: str) -> bool:
    return len(value) <= 253 and _NAME.match(value) is not None


def _is_scraper(what: str, value: str) -> bool:
    return what in ("service", "container", "pod") and any(value == s or value.startswith(f"{s}-") for s in _SCRAPED)
