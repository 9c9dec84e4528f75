"""Who may do what: tokens to users, and RBAC over the Roles and Bindings in the store."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubemend.lab.api import Object
from kubemend.lab.store import Store

MASTERS, AUTHENTICATED, UNAUTHENTICATED = "system:masters", "system:authenticated", "system:unauthenticated"
ACCOUNT: Final = "system:serviceaccount:"
AUDIENCE: Final = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


@dataclass(frozen=True)
class Attributes:
    """What is asked for: a verb on a resource, or, when `path` is set, on a path that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """ "pods" or "pods/log", as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Decision:
    """Whether it may be, and by which binding."""

    allowed: bool
    reason: str = ""


class Tokens:
    """The bearer tokens of one cluster; each is good for one user until it expires or its account is gone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.admin = secrets.token_urlsafe(24)
        self._accounts: dict[str, tuple[str, str, str, float]] = {}

    def issue(self, account: Object, seconds: int) -> str:
        """A token for a ServiceAccount, in the form of a JSON Web Token."""
        meta = account["metadata"]
        namespace, name, uid = meta["namespace"], meta["name"], meta["uid"]
        end = self._store.clock().timestamp() + seconds
        claims = {"aud": [AUDIENCE], "exp": int(end), "iss": AUDIENCE, "sub": f"{ACCOUNT}{namespace}:{name}"}
        token = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}.{secrets.token_urlsafe(32)}"
        self._accounts[token] = (namespace, name, uid, end)
        return token

    def user(self, token: str) -> User | None:
        """Whose token it is, or None."""
        if secrets.compare_digest(token.encode(), self.admin.encode()):
            return User("kubernetes-admin", (MASTERS, AUTHENTICATED))
        namespace, name, uid, end = self._accounts.get(token, ("", "", "", 0.0))
        account = self._store.find("ServiceAccount", namespace, name)
        if account is None or account["metadata"]["uid"] != uid or self._store.clock().timestamp() >= end:
            return None
        return account_user(namespace, name, uid)


def account_user(namespace: str, name: str, uid: str = "") -> User:
    """A ServiceAccount as a user."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{ACCOUNT}{namespace}:{name}", groups, uid)


def _part(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


class Rbac:
    """Decides by the Roles, ClusterRoles and their bindings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Whether a user may; `system:masters` may everything."""
        if MASTERS in user.groups:
            return Decision(allowed=True)
        for rule, reason in self._rules(user, asked.namespace):
            if allows(rule, asked):
                return Decision(allowed=True, reason=f"RBAC: allowed by {reason}")
        return Decision(allowed=False)

    def rules(self, user: User, namespace: str) -> list[Object]:
        """Everything that a user may do in a namespace."""
        if MASTERS in user.groups:
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
        return [rule for rule, _ in self._rules(user, namespace)]

    def role_rules(self, ref: Object, namespace: str) -> list[Object]:
        """The rules of the role that a binding in this namespace points at; none when it isn't there."""
        space = namespace if ref["kind"] == "Role" else ""
        role = self._store.find(ref["kind"], space, ref["name"]) or {}
        return role.get("rules") or []

    def _rules(self, user: User, namespace: str) -> Iterator[tuple[Object, str]]:
        for kind, space in (("ClusterRoleBinding", None), ("RoleBinding", namespace)):
            for binding in self._store.all(kind, space) if space != "" else ():
                meta = binding["metadata"]
                subject = next((s for s in binding.get("subjects") or () if _is(user, s, meta)), None)
                if subject is not None:
                    reason = _reason(kind, binding, subject)
                    for rule in self.role_rules(binding["roleRef"], meta.get("namespace", "")):
                        yield rule, reason


def _is(user: User, subject: Object, binding: Object) -> bool:
    match subject["kind"]:
        case "User":
            return bool(user.name == subject["name"])
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or binding.get("namespace", "")
            return user.name == f"{ACCOUNT}{namespace}:{subject['name']}"
    return False


def _reason(kind: str, binding: Object, subject: Object) -> str:
    meta, ref = binding["metadata"], binding["roleRef"]
    where = f"{meta['name']}/{meta['namespace']}" if meta.get("namespace") else meta["name"]
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who = f"{who}/{subject.get('namespace', '')}"
    return f'{kind} "{where}" of {ref["kind"]} "{ref["name"]}" to {subject["kind"]} "{who}"'


def allows(rule: Object, asked: Attributes) -> bool:
    """Whether one PolicyRule allows what is asked (`rbac.RuleAllows`)."""
    if not _among(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_path(p, asked.path) for p in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _among(rule.get("apiGroups"), asked.group)
        and _resource(rule.get("resources") or (), asked)
        and (not names or asked.name in names)
    )


def _among(values: Iterable[str] | None, value: str) -> bool:
    return any(v in ("*", value) for v in values or ())


def _resource(resources: Iterable[str], asked: Attributes) -> bool:
    any_of_part = f"*/{asked.subresource}" if asked.subresource else "*"
    return any(r in ("*", asked.target, any_of_part) for r in resources)


def _path(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path
