"""Which objects a list or watch is about: its selectors, and what may be selected by per kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kubemend.kube.selectors import Fields, Labels, SelectorError, parse_fields, parse_labels
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import bad_request
from kubemend.lab.kinds import Kind

_COMMON: Final = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "Event": frozenset(
        {
            *(f"involvedObject.{f}" for f in ("kind", "namespace", "name", "uid", "apiVersion")),
            *("involvedObject.resourceVersion", "involvedObject.fieldPath"),
            *("reason", "reportingComponent", "source", "type"),
        }
    ),
    "Job": frozenset({"status.successful"}),
    "Namespace": frozenset({"status.phase", "name"}),
    "Node": frozenset({"spec.unschedulable"}),
    "Pod": frozenset(
        {
            *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
            *("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
        }
    ),
    "ReplicaSet": frozenset({"status.replicas"}),
    "Secret": frozenset({"type"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
}
_OWN_REFUSAL: Final = frozenset({"Event", "Namespace", "Node", "Pod", "Secret", "Service"})


@dataclass(frozen=True)
class Selection:
    """The selectors of one request."""

    labels: Labels
    fields: Fields

    def takes(self, obj: Object | None) -> bool:
        """Whether an object is meant."""
        if obj is None:
            return False
        return self.labels.matches(obj["metadata"].get("labels") or {}) and self.fields.matches(obj)

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.labels.requirements and not self.fields.terms


def selection(kind: Kind, query: Mapping[str, str]) -> Selection:
    """Read `labelSelector` and `fieldSelector`. Raises `ApiError` (400)."""
    text = query.get("fieldSelector", "")
    if kind.storage == "Event":
        text = text.replace("regarding.", "involvedObject.")
    try:
        labels = parse_labels(query.get("labelSelector", ""))
        fields = parse_fields(text)
    except SelectorError as error:
        raise bad_request(f"unable to parse requirement: {error.message}") from error
    known = _COMMON | _FIELDS.get(kind.storage, frozenset())
    for path, _, _ in fields.terms:
        if path not in known:
            raise bad_request(_unsupported(kind, path))
    return Selection(labels, fields)


def _unsupported(kind: Kind, path: str) -> str:
    if kind.storage in _OWN_REFUSAL:
        return f"field label not supported: {path}"
    if kind.kind == "Job":
        return f'field label "{path}" not supported for Job'
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
