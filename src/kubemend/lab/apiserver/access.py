"""Who may do what: tokens to users, and RBAC over the Roles and Bindings in the store, judged as the product judges."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from kubemend.kube import rbac
from kubemend.kube.rbac import ACCOUNT, AUTHENTICATED, MASTERS, Ask
from kubemend.lab.api import Object
from kubemend.lab.store import Store
from kubemend.model.objects.rbac import PolicyRule, RbacSubject

UNAUTHENTICATED: Final = "system:unauthenticated"
AUDIENCE: Final = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class User(rbac.User):
    """Who asks, with what a review tells of them."""

    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


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
    made = rbac.account(namespace, name)
    return User(made.name, made.groups, uid)


def _part(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


class Rbac:
    """Decides by the Roles, ClusterRoles and their bindings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: User, asked: Ask) -> Decision:
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
        keys = rbac.keys_of(user)
        for kind, space in (("ClusterRoleBinding", None), ("RoleBinding", namespace)):
            for binding in self._store.all(kind, space) if space != "" else ():
                meta = binding["metadata"]
                space_of = meta.get("namespace", "")
                subject = next((s for s in binding.get("subjects") or () if _key(s, space_of) in keys), None)
                if subject is not None:
                    reason = _reason(kind, binding, subject)
                    for rule in self.role_rules(binding["roleRef"], space_of):
                        yield rule, reason


def _key(subject: Object, namespace: str) -> str:
    return rbac.key_of(msgspec.convert(subject, RbacSubject), namespace)


def _reason(kind: str, binding: Object, subject: Object) -> str:
    meta, ref = binding["metadata"], binding["roleRef"]
    where = f"{meta['name']}/{meta['namespace']}" if meta.get("namespace") else meta["name"]
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who = f"{who}/{subject.get('namespace', '')}"
    return f'{kind} "{where}" of {ref["kind"]} "{ref["name"]}" to {subject["kind"]} "{who}"'


def allows(rule: Object, asked: Ask) -> bool:
    """Whether one PolicyRule, as it is stored, allows what is asked."""
    return rbac.allows(msgspec.convert(rule, PolicyRule), asked)
