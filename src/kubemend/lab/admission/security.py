"""Pod Security Admission: what a namespace's labels enforce, judged as the product judges it."""

from __future__ import annotations

from typing import Final

import msgspec

from kubemend.kube.podsecurity import Level, Subject, judge, policy_of, told
from kubemend.lab.api import Object
from kubemend.lab.apiserver.discovery import VERSION
from kubemend.lab.apiserver.status import forbidden
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store
from kubemend.model.objects.wide import PodSpec

SERVER: Final = int(VERSION["minor"])


def check(store: Store, kind: Kind, obj: Object) -> None:
    """Raises `ApiError` (403) for a pod that its namespace's level doesn't allow."""
    if kind.kind != "Pod":
        return
    meta = obj["metadata"]
    namespace = store.find("Namespace", "", meta["namespace"]) or {"metadata": {}}
    mode = policy_of(namespace["metadata"].get("labels") or {}).enforce
    if mode.level is Level.PRIVILEGED:
        return
    subject = Subject(msgspec.convert(obj["spec"], PodSpec), meta.get("annotations") or {})
    if violations := judge(subject, mode, server=SERVER):
        raise forbidden(kind, meta.get("name", ""), f'violates PodSecurity "{mode}": {told(violations)}')
