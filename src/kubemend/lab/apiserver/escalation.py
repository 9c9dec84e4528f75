"""Nobody grants what they don't hold: the API server's own check on Roles and bindings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from kubemend.kube.rbac import MASTERS, Ask
from kubemend.lab.api import Object
from kubemend.lab.apiserver.access import Rbac, User, allows
from kubemend.lab.apiserver.status import ApiError, forbidden
from kubemend.lab.kinds import Kind

_ROLES, _BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")


def check(rbac: Rbac, user: User, kind: Kind, obj: Object) -> None:
    """Raises `ApiError` (403) for a Role or binding that would give more than its writer has."""
    if kind.kind not in (*_ROLES, *_BINDINGS) or MASTERS in user.groups:
        return
    meta = obj["metadata"]
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    if kind.kind in _ROLES:
        granted, exempt = obj.get("rules") or [], Ask("escalate", kind.plural, kind.group, "", namespace, name)
    else:
        ref = {"kind": "", "name": "", **(obj.get("roleRef") or {})}
        if ref["kind"] not in _ROLES:
            raise ApiError("", f'unsupported role reference kind: "{ref["kind"]}"')
        plural = "roles" if ref["kind"] == "Role" else "clusterroles"
        granted = rbac.role_rules(ref, namespace)
        exempt = Ask("bind", plural, kind.group, "", namespace, ref["name"])
    if rbac.decide(user, exempt).allowed:
        return
    held = rbac.rules(user, namespace)
    if missing := [rule for rule in granted if not all(_held(held, one) for one in _atoms(rule))]:
        groups = " ".join(f'"{g}"' for g in user.groups)
        told = "\n".join(map(_shown, missing))
        why = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
        raise forbidden(kind, name, why + told)


def _held(held: Iterable[Object], one: Ask) -> bool:
    return any(allows(rule, one) for rule in held)


def _atoms(rule: Object) -> Iterator[Ask]:
    """A rule as single permissions; a star stands for itself, and only a star covers it."""
    verbs = rule.get("verbs") or ()
    for verb, path in product(verbs, rule.get("nonResourceURLs") or ()):
        yield Ask(verb, path=path)
    spots = product(rule.get("apiGroups") or (), rule.get("resources") or (), rule.get("resourceNames") or ("",))
    for verb, (group, resource, name) in product(verbs, list(spots)):
        plural, _, part = resource.partition("/")
        yield Ask(verb, plural, group, part, name=name)


def _shown(rule: Object) -> str:
    words = {
        "apiGroups": "APIGroups",
        "resources": "Resources",
        "resourceNames": "ResourceNames",
        "nonResourceURLs": "NonResourceURLs",
        "verbs": "Verbs",
    }
    parts = []
    for field, word in words.items():
        if values := rule.get(field):
            listed = " ".join(f'"{v}"' for v in values)
            parts.append(f"{word}:[{listed}]")
    return "{" + ", ".join(parts) + "}"
