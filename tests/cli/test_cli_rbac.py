"""The generated roles: exactly what rules and strategies declare."""

import pytest
import yaml

from kubemend.engine import catalogue
from kubemend.model.access import Access, Risk
from kubemend.surfaces.cli.manifests import manifests

RBAC, RBAC_WIDE = "rbac.authorization.k8s.io", "clusterroles"
SOME = {
    Access("list", "pods"),
    Access("patch", "deployments", "apps"),
    Access("list", "nodes"),
    Access("create", "pods/eviction"),
}


def _granted(documents, kinds=("Role", "ClusterRole")):
    return {
        Access(verb, resource, group)
        for d in documents
        if d["kind"] in kinds
        for rule in d["rules"]
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _printed(cli, *arguments):
    ran = cli("rbac", *arguments)
    assert ran.status == 0
    return list(yaml.safe_load_all(ran.out))


@pytest.mark.parametrize("namespace", [(), ("-n", "shop")])
def test_a_viewer_may_read_what_the_rules_read_and_nothing_else(cli, namespace):
    assert _granted(_printed(cli, "viewer", *namespace)) == catalogue.reads()


@pytest.mark.parametrize("namespace", [(), ("-n", "shop")])
def test_a_fixer_may_also_write_what_the_strategies_declare(cli, namespace):
    assert _granted(_printed(cli, "fixer", *namespace)) == catalogue.reads() | catalogue.writes()


@pytest.mark.parametrize("risk", ["read", "high"])
def test_who_calls_tools_may_do_what_they_declare_but_read_secrets(cli, risk):
    needed = {a for t in catalogue.tools().values() if t.risk <= Risk[risk.upper()] for a in t.needs}
    granted = _granted(_printed(cli, "tools", "--max-risk", risk))
    assert granted == catalogue.reads() | {a for a in needed if a.resource != "secrets"}
    changing = {a for a in granted if a.verb not in ("get", "list", "watch")}
    assert bool(changing) is (risk == "high")


def test_what_has_no_namespace_is_told_by_its_kind_or_what_it_is_about(cli):
    documents = _printed(cli, "tools", "-n", "shop")
    narrow, wide = _granted(documents, ("Role",)), _granted(documents, ("ClusterRole",))
    assert {Access("list", "nodes", "metrics.k8s.io"), Access("list", RBAC_WIDE, RBAC)} <= wide
    assert {Access("list", "pods", "metrics.k8s.io"), Access("list", "roles", RBAC)} <= narrow


def test_nobody_gets_secrets_wildcards_or_roles(cli):
    for role in ("viewer", "fixer"):
        granted = _granted(_printed(cli, role))
        assert not [a for a in granted if a.resource == "secrets" or "*" in (a.verb, a.resource, a.group)]
        assert not [a for a in granted if a.group == "rbac.authorization.k8s.io"]


def test_in_one_namespace_only_what_has_no_namespace_is_granted_everywhere():
    made = manifests("fixer", SOME, namespace="shop")
    assert _granted(made, ("ClusterRole",)) == {Access("list", "nodes")}
    assert _granted(made, ("Role",)) == SOME - {Access("list", "nodes")}
    assert {d["metadata"].get("namespace") for d in made if d["kind"] in ("Role", "RoleBinding")} == {"shop"}


@pytest.mark.parametrize("namespace", [None, "shop"])
def test_each_role_is_bound_to_the_account(namespace):
    made = manifests("viewer", SOME, namespace=namespace)
    account = next(d for d in made if d["kind"] == "ServiceAccount")["metadata"]
    bindings = [d for d in made if d["kind"].endswith("Binding")]
    assert {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bindings} == {
        (d["kind"], d["metadata"]["name"]) for d in made if d["kind"] in ("Role", "ClusterRole")
    }
    for binding in bindings:
        assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]


def test_the_cluster_can_be_told_by_the_uid_of_kube_system():
    rules = next(d for d in manifests("viewer", SOME, namespace=None) if d["kind"] == "ClusterRole")["rules"]
    named = [r for r in rules if r.get("resourceNames") == ["kube-system"]]
    assert named == [
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}
    ]
