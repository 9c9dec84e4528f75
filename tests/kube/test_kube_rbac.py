"""RBAC: each rule of matching, aggregation, and the ways by which somebody comes to own a cluster.

Generated questions are held against the real API server in tests/control_plane/test_control_plane_rbac.py.
"""

from __future__ import annotations

import msgspec
import pytest
import yaml

from kubemend.kube.escalation import Escalations, named
from kubemend.kube.powers import POWERS, powers
from kubemend.kube.rbac import Ask, Grant, Rbac, User, account, aggregated, allows
from kubemend.model.objects import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kubemend.model.objects.rbac import PolicyRule
from kubemend.model.ref import Ref
from rbac_questions import objects, questions

KINDS = {k.__name__: k for k in (Role, ClusterRole, RoleBinding, ClusterRoleBinding)}


def world(raw) -> Rbac:
    held = [msgspec.convert(r, KINDS[r["kind"]]) for r in raw]
    return Rbac(*(tuple(o for o in held if type(o) is k) for k in KINDS.values()))


def rbac(text: str) -> Rbac:
    return world([r for r in yaml.safe_load_all(text) if r])


def rule(text: str) -> PolicyRule:
    return msgspec.convert(yaml.safe_load(text), PolicyRule)


@pytest.mark.parametrize(
    ("given", "ask", "allowed"),
    [
        ("{verbs: [get], apiGroups: [''], resources: [pods]}", Ask("get", "pods"), True),
        ("{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", Ask("x", "y", "z", "part"), True),
        ("{verbs: [get], apiGroups: [''], resources: [pods]}", Ask("get", "pods", subresource="log"), False),
        ("{verbs: [get], apiGroups: [''], resources: ['pods/*']}", Ask("get", "pods", subresource="log"), False),
        ("{verbs: [get], apiGroups: [''], resources: ['*/log']}", Ask("get", "pods", subresource="log"), True),
        ("{verbs: [get], apiGroups: [''], resources: ['*/log']}", Ask("get", "pods"), False),
        ("{verbs: [get], apiGroups: [apps], resources: [pods]}", Ask("get", "pods"), False),
        ("{verbs: [get], apiGroups: [''], resources: [pods], resourceNames: [a]}", Ask("get", "pods", name="a"), True),
        ("{verbs: [list], apiGroups: [''], resources: [pods], resourceNames: [a]}", Ask("list", "pods"), False),
        ("{verbs: [get], apiGroups: [''], resources: [pods]}", Ask("*", "pods"), False),
        ("{verbs: [get], nonResourceURLs: ['/metrics/*']}", Ask("get", path="/metrics/x"), True),
        ("{verbs: [get], nonResourceURLs: ['/metrics/*']}", Ask("get", path="/metrics"), False),
        ("{verbs: [get], nonResourceURLs: ['/a**']}", Ask("get", path="/a/b"), True),
        ("{verbs: [get], nonResourceURLs: ['*']}", Ask("get", "pods"), False),
        ("{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", Ask("get", path="/healthz"), False),
    ],
)
def test_a_rule_allows_what_its_every_part_covers(given, ask, allowed):
    assert allows(rule(given), ask) is allowed


SHOP = """
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]
---
kind: RoleBinding
metadata: {name: readers, namespace: shop}
roleRef: {kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: robot}, {kind: Group, name: dev}]
---
kind: ClusterRoleBinding
metadata: {name: lost}
roleRef: {kind: ClusterRole, name: gone}
subjects: [{kind: User, name: ann}]
"""


def test_a_binding_holds_in_its_namespace_for_accounts_and_groups_and_is_named():
    held = rbac(SHOP)
    grant = held.decide(account("shop", "robot"), Ask("get", "pods", namespace="shop"))
    assert grant is not None
    assert (grant.binding.name, grant.namespace) == ("readers", "shop")
    assert held.decide(User("x", ("dev",)), Ask("get", "pods", namespace="shop"))
    assert not held.decide(User("x", ("dev",)), Ask("get", "pods", namespace="other"))
    assert not held.decide(User("x", ("dev",)), Ask("get", "pods"))
    assert not held.decide(account("other", "robot"), Ask("get", "pods", namespace="shop"))


def test_a_binding_whose_role_is_missing_gives_nothing():
    held = rbac(SHOP)
    assert held.rules_of(held.cluster_role_bindings[0]) is None
    assert list(held.everywhere(User("ann"))) == []


def test_everywhere_holds_what_each_namespace_holds():
    held = world(objects())
    for asked in questions(200, seed=3):
        if attributes := asked.get("resourceAttributes"):
            user = User(asked["user"], tuple(asked["groups"]))
            if (found := held.decide(user, Ask(**attributes))) is not None:
                assert found in list(held.everywhere(user))


def test_aggregation_goes_on_through_roles_that_aggregate_themselves():
    roles = rbac("""
kind: ClusterRole
metadata: {name: base, labels: {to: edit}}
rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]
---
kind: ClusterRole
metadata: {name: edit, labels: {to: admin}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: edit}}]}
---
kind: ClusterRole
metadata: {name: admin}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: admin}}, {matchLabels: {to: edit}}]}
---
kind: ClusterRole
metadata: {name: self, labels: {to: self}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: self}}]}
""").cluster_roles
    made = aggregated(roles)
    assert made["admin"] == made["edit"] == roles[0].rules
    assert made["self"] == ()


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("{verbs: [get], apiGroups: [''], resources: [secrets]}", ["read-secrets"]),
        ("{verbs: [create], apiGroups: [''], resources: [pods/exec]}", ["exec"]),
        ("{verbs: [create], apiGroups: [''], resources: ['*/exec']}", ["exec"]),
        ("{verbs: [patch], apiGroups: [apps], resources: [deployments]}", ["create-pods"]),
        ("{verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}", ["bind"]),
        ("{verbs: [get, list], apiGroups: [''], resources: [pods, services]}", []),
        ("{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", [p.code for p in POWERS]),
        ("{verbs: ['*'], nonResourceURLs: ['*']}", []),
    ],
)
def test_a_dangerous_rule_is_known_by_what_it_covers(given, codes):
    grant = Grant(rule(given), Ref("Role", "a", "r"), Ref("RoleBinding", "a", "b"), "a")
    assert [h.power.code for h in powers([grant])] == codes


CI = """
kind: ClusterRole
metadata: {name: cluster-admin}
rules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]
---
kind: ClusterRoleBinding
metadata: {name: deployer-owns}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: deployer, namespace: ops}]
---
kind: Role
metadata: {name: job-maker, namespace: ci}
rules: [{verbs: [create], apiGroups: [batch], resources: [jobs]}]
---
kind: RoleBinding
metadata: {name: ann-makes-jobs, namespace: ci}
roleRef: {kind: Role, name: job-maker}
subjects: [{kind: User, name: ann}]
---
kind: Role
metadata: {name: token-maker, namespace: ops}
rules: [{verbs: [create], apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [deployer]}]
---
kind: RoleBinding
metadata: {name: runner-makes-tokens, namespace: ops}
roleRef: {kind: Role, name: token-maker}
subjects: [{kind: ServiceAccount, name: runner, namespace: ci}]
"""
ACCOUNTS = [("ci", "runner"), ("ci", "default"), ("ops", "deployer"), ("ops", "other")]


def test_a_path_leads_over_pods_and_tokens_to_the_owner_of_the_cluster():
    path = Escalations(rbac(CI), ACCOUNTS).path(User("ann"), "User ann")
    assert path is not None
    assert [(s.how, s.becomes) for s in path.steps] == [
        ("runs a pod as", "ServiceAccount ci/runner"),
        ("makes a token of", "ServiceAccount ops/deployer"),
    ]
    assert path.owner.binding.name == "deployer-owns"


@pytest.mark.parametrize("gone", ["ann-makes-jobs", "runner-makes-tokens", "deployer-owns"])
def test_without_any_of_its_steps_there_is_no_path(gone):
    held = rbac("---".join(d for d in CI.split("---") if f"name: {gone}," not in d and f"name: {gone}}}" not in d))
    assert Escalations(held, ACCOUNTS).path(User("ann"), "User ann") is None


@pytest.mark.parametrize(
    ("rules", "owns"),
    [
        ("[{verbs: [impersonate], apiGroups: [''], resources: [groups]}]", True),
        ("[{verbs: [impersonate], apiGroups: [''], resources: [groups], resourceNames: [dev]}]", False),
        ("[{verbs: [impersonate], apiGroups: [''], resources: [groups], resourceNames: ['system:masters']}]", True),
        ("[{verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}]", False),
        (
            "[{verbs: [bind, create], apiGroups: [rbac.authorization.k8s.io],"
            " resources: [clusterroles, clusterrolebindings]}]",
            True,
        ),
        ("[{verbs: [escalate, patch], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}]", True),
        ("[{verbs: [escalate], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}]", False),
        ("[{verbs: [get, create], apiGroups: [''], resources: [secrets]}]", False),
    ],
)
def test_some_powers_own_the_cluster_in_one_step_and_others_only_together(rules, owns):
    held = rbac(f"""
kind: ClusterRole
metadata: {{name: r}}
rules: {rules}
---
kind: ClusterRoleBinding
metadata: {{name: b}}
roleRef: {{kind: ClusterRole, name: r}}
subjects: [{{kind: User, name: ann}}]
""")
    assert (Escalations(held, []).path(User("ann"), "ann") is not None) is owns


def test_reading_secrets_is_a_way_only_where_token_secrets_can_be_made():
    tokens = "apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [deployer]"
    assert tokens in CI
    reads = CI.replace(f"verbs: [create], {tokens}", "verbs: [get], apiGroups: [''], resources: [secrets]")
    both = CI.replace(f"verbs: [create], {tokens}", "verbs: [get, create], apiGroups: [''], resources: [secrets]")
    assert Escalations(rbac(reads), ACCOUNTS).path(account("ci", "runner"), "runner") is None
    assert Escalations(rbac(both), ACCOUNTS).path(account("ci", "runner"), "runner") is not None


def test_a_service_accounts_name_has_its_groups():
    assert "system:serviceaccounts:ci" in named("system:serviceaccount:ci:runner").groups
    assert named("ann").groups == ()
