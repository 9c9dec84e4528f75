"""Who may do what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lab_api_client import APPS, CORE, RBAC, Client, Object, pod, serving

from kubemend.lab.apiserver.status import ApiError
from kubemend.lab.store import Store

REVIEWS = "/apis/authorization.k8s.io/v1"
ROLES = f"{RBAC}/namespaces/default/roles"
BINDINGS = f"{RBAC}/namespaces/default/rolebindings"
RULES = [
    {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]},
    {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]},
]
ROBOT = "system:serviceaccount:default:robot"


async def _bind(api: Client, kind: str, name: str, subject: Object, where: str = BINDINGS) -> None:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    await api.made(where, {"metadata": {"name": f"{name}-it"}, "roleRef": ref, "subjects": [subject]})


@pytest.fixture
async def robot(api: Client) -> Client:
    """A ServiceAccount that may read pods and patch one Deployment."""
    await api.made(f"{CORE}/serviceaccounts", {"metadata": {"name": "robot"}})
    await api.made(ROLES, {"metadata": {"name": "reader"}, "rules": RULES})
    await _bind(api, "Role", "reader", {"kind": "ServiceAccount", "name": "robot", "namespace": "default"})
    return api.by(api.server.token_for("default", "robot"))


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            f"{CORE}/secrets",
            'secrets is forbidden: User "{}" cannot list resource "secrets" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/pods",
            'pods is forbidden: User "{}" cannot list resource "pods" in API group "" at the cluster scope',
        ),
        (
            "GET",
            f"{CORE}/pods?watch=1",
            'pods is forbidden: User "{}" cannot watch resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "DELETE",
            f"{CORE}/pods/web",
            'pods "web" is forbidden: User "{}" cannot delete resource "pods" in API group "" in the namespace '
            '"default"',
        ),
        (
            "DELETE",
            f"{CORE}/pods",
            'pods is forbidden: User "{}" cannot deletecollection resource "pods" in API group "" in the namespace '
            '"default"',
        ),
        (
            "GET",
            f"{APPS}/deployments/web/scale",
            'deployments.apps "web" is forbidden: User "{}" cannot get resource "deployments/scale" in API group '
            '"apps" in the namespace "default"',
        ),
        ("GET", "/metrics", 'forbidden: User "{}" cannot get path "/metrics"'),
    ],
)
async def test_what_isnt_allowed_is_forbidden_by_name(robot: Client, method: str, path: str, message: str) -> None:
    answer = await robot.call(method, path)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == message.format(ROBOT)


async def test_what_is_allowed_is_done(robot: Client) -> None:
    assert (await robot.get(f"{CORE}/pods")).code == 200
    assert (await robot.get("/version")).code == 200
    assert (await robot.patch(f"{APPS}/deployments/web", {})).code == 404
    assert (await robot.patch(f"{APPS}/deployments/db", {})).code == 403


async def test_nobody_may_next_to_nothing(api: Client) -> None:
    assert (await api.by("").get("/healthz")).body == "ok"
    refused = await api.by("").get("/api/v1/pods")
    assert (refused.code, 'User "system:anonymous"' in refused.body["message"]) == (403, True)
    unknown = await api.by("nobody's").get("/healthz")
    assert (unknown.code, unknown.body["message"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"verb": "list", "resource": "pods", "namespace": "default"}, True),
        ({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}, True),
        ({"verb": "list", "resource": "pods"}, False),
        ({"verb": "list", "resource": "pods", "namespace": "kube-system"}, False),
        ({"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "default"}, False),
        ({"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "default", "name": "web"}, True),
        ({"verb": "*", "group": "*", "resource": "*"}, False),
    ],
)
async def test_one_can_ask_what_one_may(robot: Client, attributes: Object, allowed: bool) -> None:
    answer = await robot.post(f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": attributes}})
    assert (answer.code, answer.body["status"]["allowed"]) == (201, allowed)
    if allowed:
        reason = 'RBAC: allowed by RoleBinding "reader-it/default" of Role "reader" to ServiceAccount "robot/default"'
        assert answer.body["status"]["reason"] == reason


async def test_a_review_must_ask_for_one_thing(robot: Client) -> None:
    answer = await robot.post(f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {}})
    assert "exactly one of nonResourceAttributes or resourceAttributes must be specified" in answer.body["message"]


async def test_one_can_ask_for_all_rules_and_who_one_is(robot: Client) -> None:
    rules = await robot.post(f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    assert all(rule in rules.body["status"]["resourceRules"] for rule in RULES)
    who = await robot.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert who.body["status"]["userInfo"]["username"] == ROBOT
    assert "system:serviceaccounts:default" in who.body["status"]["userInfo"]["groups"]


async def test_an_administrator_can_ask_for_someone_else(api: Client, robot: Client) -> None:
    attributes = {"verb": "list", "resource": "pods", "namespace": "default"}
    spec = {"user": ROBOT, "resourceAttributes": attributes}
    assert (await api.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})).body["status"]["allowed"]
    assert (await robot.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})).code == 403


async def test_impersonation_needs_permission(api: Client, robot: Client) -> None:
    as_robot = {"Impersonate_User": ROBOT}
    assert (await api.get(f"{CORE}/pods", **as_robot)).code == 200
    assert (await api.get(f"{CORE}/secrets", **as_robot)).code == 403
    group = {"kind": "Group", "name": "devs", "apiGroup": "rbac.authorization.k8s.io"}
    await _bind(api, "ClusterRole", "view", group, f"{RBAC}/clusterrolebindings")
    assert (await api.get("/api/v1/pods", Impersonate_User="jane", Impersonate_Group="devs")).code == 200
    assert (await api.get("/api/v1/pods", Impersonate_User="jane")).code == 403
    refused = await robot.get(f"{CORE}/pods", Impersonate_User="jane")
    assert refused.body["message"].startswith(f'users "jane" is forbidden: User "{ROBOT}" cannot impersonate')


async def test_nobody_grants_what_they_dont_hold(api: Client) -> None:
    jane = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    await _bind(api, "ClusterRole", "admin", jane, f"{RBAC}/clusterrolebindings")

    async def as_jane(path: str, body: Any) -> Any:
        return await api.post(path, body, Impersonate_User="jane")

    held = {"metadata": {"name": "a"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}
    assert (await as_jane(ROLES, held)).code == 201
    more = {"metadata": {"name": "b"}, "rules": [{"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"]}]}
    refused = await as_jane(ROLES, more)
    assert refused.body["message"].endswith(
        'is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["get"]}'
    )
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    assert (await as_jane(BINDINGS, {"metadata": {"name": "c"}, "roleRef": ref})).code == 403
    widened = await api.call(
        "PATCH",
        f"{ROLES}/a",
        {"rules": more["rules"]},
        kind="application/merge-patch+json",
        Impersonate_User="jane",
    )
    assert widened.code == 403
    assert (await api.get(f"{ROLES}/a")).body["rules"] == held["rules"]


async def test_a_token_lives_until_its_time_or_its_account_ends() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    clock = [now]
    async with serving(store=Store(clock=lambda: clock[0])) as api:
        made = await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600}})
        assert made.body["status"]["expirationTimestamp"] == "2026-11-21T00:10:00Z"
        short, long = api.by(made.body["status"]["token"]), api.by(api.server.token_for("default", "default"))
        assert (await short.get("/version")).code == 200
        clock[0] = now + timedelta(seconds=600)
        assert ((await short.get("/version")).code, (await long.get("/version")).code) == (401, 200)
        await api.delete(f"{CORE}/serviceaccounts/default")
        await api.made(f"{CORE}/serviceaccounts", {"metadata": {"name": "default"}})
        assert (await long.get("/version")).code == 401
        with pytest.raises(ApiError, match='serviceaccounts "none" not found'):
            api.server.token_for("default", "none")


async def test_the_audit_names_who_asked(api: Client, robot: Client) -> None:
    await robot.post(f"{CORE}/pods", pod())
    last = api.server.audit[-1]
    assert (last.user, last.verb, last.resource, last.code) == (ROBOT, "create", "pods", 403)
