"""Generated roles, bindings and questions about them, in the API's own shapes."""

from __future__ import annotations

import random
from typing import Any

Raw = dict[str, Any]
Luck = random.Random

SPACES = ("rbac-a", "rbac-b")
USERS = ("ann", "bob", "eve", "system:serviceaccount:rbac-a:robot")
GROUPS = ("dev", "ops", "system:serviceaccounts:rbac-a")
VERBS = ("get", "list", "create", "delete", "patch", "use", "*")
API_GROUPS = ("", "apps", "batch", "*")
RESOURCES = (
    "pods", "pods/log", "pods/exec", "deployments", "deployments/scale", "secrets", "configmaps", "jobs", "*",
    "*/scale", "*/status", "pods/*",
)  # fmt: skip
NAMES = ("one", "two")
PATHS = ("/healthz", "/metrics", "/metrics/x", "/api", "/foo/bar", "/", "/foo")
PATTERNS = ("/healthz", "/metrics/*", "/metrics*", "*", "/foo/bar", "/foo/**", "/")
API = "rbac.authorization.k8s.io"


def objects(seed: int = 0) -> list[Raw]:
    """Roles and ClusterRoles (some of which aggregate others, and those again), and bindings of them."""
    luck = Luck(seed)
    made = [_role(luck, "Role", f"role-{i}", luck.choice(SPACES)) for i in range(12)]
    made += [_role(luck, "ClusterRole", f"gen-{i}", labels=_labels(luck)) for i in range(14)]
    made += [_aggregating(luck, i) for i in range(4)]
    roles = [(r["kind"], r["metadata"]["name"], r["metadata"].get("namespace")) for r in made]
    for i in range(30):
        kind, name, space = luck.choice(roles)
        made.append(_binding(luck, i, kind, name, space or luck.choice((*SPACES, None, None))))
    made.append(_binding(luck, 99, "ClusterRole", "gen-missing", SPACES[0]))
    return made


def questions(count: int, seed: int = 0) -> list[Raw]:
    """`spec`s of SubjectAccessReviews."""
    luck = Luck(seed + 1)
    return [_question(luck) for _ in range(count)]


def _labels(luck: Luck) -> dict[str, str]:
    return {f"gen/{k}": "true" for k in ("x", "y") if luck.random() < 0.4}


def _role(luck: Luck, kind: str, name: str, namespace: str = "", labels: Raw | None = None) -> Raw:
    meta: Raw = {"name": name, "labels": labels or {}, **({"namespace": namespace} if namespace else {})}
    rules = [_rule(luck, paths=kind == "ClusterRole") for _ in range(luck.randrange(1, 4))]
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": meta, "rules": rules}


def _rule(luck: Luck, *, paths: bool) -> Raw:
    verbs = luck.sample(VERBS[:-1], luck.randrange(1, 4)) if luck.random() < 0.85 else ["*"]
    if paths and luck.random() < 0.3:
        return {"verbs": verbs, "nonResourceURLs": luck.sample(PATTERNS, luck.randrange(1, 3))}
    rule: Raw = {
        "verbs": verbs,
        "apiGroups": luck.sample(API_GROUPS, luck.randrange(1, 3)),
        "resources": luck.sample(RESOURCES, luck.randrange(1, 4)),
    }
    if luck.random() < 0.3:
        rule["resourceNames"] = luck.sample(NAMES, luck.randrange(1, 3))
    return rule


def _aggregating(luck: Luck, number: int) -> Raw:
    keys = luck.sample(("gen/x", "gen/y", "gen/z"), luck.randrange(1, 3))
    selectors: list[Raw] = [{"matchLabels": {k: "true"}} for k in keys]
    if luck.random() < 0.5:
        selectors.append({"matchExpressions": [{"key": "gen/x", "operator": "In", "values": ["true", "no"]}]})
    return {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRole",
        # Some of them are aggregated themselves.
        "metadata": {"name": f"gen-all-{number}", "labels": {"gen/z": "true"} if number % 2 else {}},
        "aggregationRule": {"clusterRoleSelectors": selectors},
        "rules": [],
    }


def _binding(luck: Luck, number: int, kind: str, name: str, namespace: str | None) -> Raw:
    meta: Raw = {"name": f"gen-{number}", **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": f"{API}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": API, "kind": kind, "name": name},
        "subjects": [_subject(luck) for _ in range(luck.randrange(1, 3))],
    }


def _subject(luck: Luck) -> Raw:
    kind = luck.choice(("User", "User", "Group", "ServiceAccount"))
    if kind == "ServiceAccount":
        return {"kind": kind, "name": luck.choice(("robot", "other")), "namespace": luck.choice(SPACES)}
    return {"kind": kind, "apiGroup": API, "name": luck.choice(USERS if kind == "User" else GROUPS)}


def _question(luck: Luck) -> Raw:
    asked: Raw = {"user": luck.choice((*USERS, "nobody"))}
    asked["groups"] = luck.sample(GROUPS, luck.randrange(2))
    if luck.random() < 0.2:
        asked["nonResourceAttributes"] = {"verb": luck.choice(VERBS), "path": luck.choice(PATHS)}
        return asked
    resource, _, part = luck.choice(RESOURCES).partition("/")
    attributes = {
        "verb": luck.choice(VERBS),
        "group": luck.choice(API_GROUPS),
        "resource": resource if resource != "*" or luck.random() < 0.5 else "widgets",
        "subresource": part,
        "namespace": luck.choice((*SPACES, *SPACES, "", "elsewhere")),
        "name": luck.choice(("", *NAMES, "three")),
    }
    asked["resourceAttributes"] = {k: v for k, v in attributes.items() if v}
    return asked
