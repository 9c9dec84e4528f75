"""Kubernetes roles made from what rules and strategies declare: exactly that, and nothing kept in step by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kubemend.model.access import Access
from kubemend.model.objects import KINDS

Manifest = dict[str, Any]

HOME = "kubemend"
"""The namespace that holds the account when kubemend may work in all of them."""
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
API = "rbac.authorization.k8s.io"
IDENTITY = "kube-system"
"""The namespace whose uid names a cluster in the ledger."""


def manifests(role: str, permissions: Iterable[Access], *, namespace: str | None) -> list[Manifest]:
    """An account with these permissions: in all namespaces, or where they can be, in one only.

    role: "viewer" or "fixer". What has no namespace (nodes, volumes …) always needs a ClusterRole.
    """
    wide: list[Access] = []
    narrow: list[Access] = []
    for access in sorted(set(permissions)):
        (narrow if namespace is not None and _namespaced(access) else wide).append(access)
    name, home = f"kubemend-{role}", namespace or HOME
    subject = {"kind": "ServiceAccount", "name": name, "namespace": home}
    made = [] if namespace else [_object("v1", "Namespace", HOME)]
    made.append(_object("v1", "ServiceAccount", name, home))
    made.append({**_object(f"{API}/v1", "ClusterRole", name), "rules": [*_rules(wide), *_identity(wide)]})
    made.append(_binding("ClusterRole", name, subject, None))
    if narrow:
        made.append({**_object(f"{API}/v1", "Role", name, home), "rules": _rules(narrow)})
        made.append(_binding("Role", name, subject, home))
    return made


def _namespaced(access: Access) -> bool:
    plural = access.resource.partition("/")[0]
    # What is known of an object under another group (its metrics) has a namespace if the object has.
    alike = sorted((k for k in KINDS.values() if k.plural == plural), key=lambda k: k.group != access.group)
    return not alike or alike[0].namespaced


def _rules(permissions: Iterable[Access]) -> list[Manifest]:
    """RBAC rules with everything joined that has the same group and verbs."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for access in permissions:
        verbs[access.group, access.resource].add(access.verb)
    joined: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), allowed in sorted(verbs.items()):
        joined[group, tuple(v for v in VERBS if v in allowed)].append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(allowed)}
        for (group, allowed), resources in joined.items()
    ]


def _identity(wide: Iterable[Access]) -> list[Manifest]:
    if Access("get", "namespaces") in wide:
        return []
    return [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [IDENTITY], "verbs": ["get"]}]


def _binding(kind: str, role: str, subject: Manifest, namespace: str | None) -> Manifest:
    made = _object(f"{API}/v1", f"{kind}Binding", role, namespace)
    return {**made, "roleRef": {"apiGroup": API, "kind": kind, "name": role}, "subjects": [subject]}


def _object(version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
