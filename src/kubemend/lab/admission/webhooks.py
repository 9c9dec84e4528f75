"""Admission webhooks, as far as a cluster without them can have them: a call that can't be made.

A webhook whose Service has ready endpoints is taken to agree; one whose Service is missing or empty fails, and with
it, under `failurePolicy: Fail`, the request. That is the fault that matters; what a webhook would say isn't known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from kubemend.kube.selectors import matches
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import ApiError, Cause
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store
from kubemend.model.objects.meta import LabelSelector


def call(store: Store, kind: Kind, obj: Object, operation: str, *, mutating: bool) -> None:
    """Raises `ApiError` (500) where a webhook that must be asked can't be."""
    if kind.group == "admissionregistration.k8s.io":
        return
    for hook in _hooks(store, mutating=mutating):
        if _concerned(store, hook, kind, obj, operation) and (why := _unreachable(store, hook)):
            raise _failed(hook["name"], why)


def _hooks(store: Store, *, mutating: bool) -> Iterator[Object]:
    word = "Mutating" if mutating else "Validating"
    for found in store.all(f"{word}WebhookConfiguration"):
        yield from (h for h in found.get("webhooks") or () if h["failurePolicy"] == "Fail")


def _concerned(store: Store, hook: Object, kind: Kind, obj: Object, operation: str) -> bool:
    meta = obj["metadata"]
    if not any(_rule(rule, kind, operation) for rule in hook.get("rules") or ()):
        return False
    if not _selects(hook["objectSelector"], meta.get("labels")):
        return False
    if not kind.namespaced:
        return kind.kind != "Namespace" or _selects(hook["namespaceSelector"], meta.get("labels"))
    namespace = store.find("Namespace", "", meta["namespace"]) or {"metadata": {}}
    return _selects(hook["namespaceSelector"], namespace["metadata"].get("labels"))


def _rule(rule: Object, kind: Kind, operation: str) -> bool:
    def among(values: Iterable[str] | None, value: str) -> bool:
        return any(v in ("*", value) for v in values or ())

    scope = {"Namespaced": kind.namespaced, "Cluster": not kind.namespaced}.get(rule["scope"], True)
    return (
        scope
        and among(rule.get("operations"), operation)
        and among(rule.get("apiGroups"), kind.group)
        and among(rule.get("apiVersions"), kind.version)
        and any(r in ("*", "*/*", kind.plural) for r in rule.get("resources") or ())
    )


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str] | None) -> bool:
    return matches(msgspec.convert(selector, LabelSelector), labels or {})


def _unreachable(store: Store, hook: Object) -> str:
    """Why the webhook can't be called, or nothing."""
    ref = hook["clientConfig"].get("service")
    if ref is None:
        return ""
    name, namespace = ref["name"], ref["namespace"]
    path = ref.get("path", "").lstrip("/")
    url = f"https://{name}.{namespace}.svc:{ref['port']}/{path}?timeout={hook['timeoutSeconds']}s"
    if store.find("Service", namespace, name) is None:
        return f'failed to call webhook: Post "{url}": service "{name}" not found'
    for part in store.all("EndpointSlice", namespace):
        if (part["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name:
            ready = (e.get("conditions", {}).get("ready", True) for e in part.get("endpoints") or ())
            if any(ready):
                return ""
    return f'failed to call webhook: Post "{url}": no endpoints available for service "{name}"'


def _failed(name: str, why: str) -> ApiError:
    told = f'failed calling webhook "{name}": {why}'
    details = {"causes": [Cause("", told).wire()]}
    return ApiError("InternalError", f"Internal error occurred: {told}", details=details)
