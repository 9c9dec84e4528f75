"""What a new pod gets from the cluster: an account and its token, a priority, tolerations (admission plugins)."""

from __future__ import annotations

import secrets
from typing import Any

from kubemend.lab.admission.podspec import FILE_MODE, containers
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import forbidden
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.store import Store

TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""What random name endings are made of: no vowels and look-alikes, so that no words come of it."""
TOKEN_S = 3607
"""Seconds that the token in a pod lives: an hour and a bit, so that old clients that refresh hourly are noticed."""
GRACE_S = 300
"""Seconds that a pod stays on a node that is not ready, when nothing else is said."""

_POD = BY_KIND["Pod"]
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def ending(length: int = 5) -> str:
    """A random ending for a generated name."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def equip(store: Store, pod: Object) -> None:
    """Fill a pod in, in place. Raises `ApiError` (403) where an account or priority class it names isn't there."""
    _account(store, pod)
    _priority(store, pod)
    tolerate(pod["spec"])


def _account(store: Store, pod: Object) -> None:
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = store.find("ServiceAccount", namespace, name)
    if account is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(_POD, pod["metadata"].get("name", ""), why)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = list(account["imagePullSecrets"])
    if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    """Unless every container has something at that place already."""
    bare = [c for c in containers(spec) if all(m["mountPath"] != TOKENS for m in c.get("volumeMounts") or ())]
    if not bare:
        return
    name = f"kube-api-access-{ending()}"
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": name, "projected": _projected()}]
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": TOKENS}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _projected() -> dict[str, Any]:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    certificate = {"key": "ca.crt", "path": "ca.crt"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_S, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [certificate]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
        ],
        "defaultMode": FILE_MODE,
    }


def _priority(store: Store, pod: Object) -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName", "")
    if name:
        found = store.find("PriorityClass", "", name)
        if found is None:
            raise forbidden(_POD, pod["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
    else:
        found = next((c for c in store.all("PriorityClass") if c.get("globalDefault")), None)
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]
    spec["priority"] = found["value"] if found is not None else 0
    spec.setdefault("preemptionPolicy", (found or {}).get("preemptionPolicy", "PreemptLowerPriority"))


def tolerate(spec: Object) -> None:
    """Let a pod stay a while on a node that is lost, in place (admission plugin DefaultTolerationSeconds)."""
    had = spec.get("tolerations") or []
    for key in _LOST:
        if not any(t.get("key") in (key, None) and t.get("effect") in ("NoExecute", None) for t in had):
            lost = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": GRACE_S}
            had = [*had, lost]
    spec["tolerations"] = had
