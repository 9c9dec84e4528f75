"""Permissions that are worth more than they seem: what each lets its holder come to.

After kubernetes.io/docs/concepts/security/rbac-good-practices, "Privilege escalation risks".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kubemend.kube.rbac import MASTERS, STAR, Grant
from kubemend.model.objects.rbac import PolicyRule

Severity = Literal["critical", "high", "medium"]
RBAC = "rbac.authorization.k8s.io"
WRITE = ("create", "update", "patch")
OWNER = "cluster-admin"
"""The ClusterRole that may everything."""


@dataclass(frozen=True)
class Want:
    """Any of these verbs on any of these resources ("pods/exec") of a group."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""

    def given(self, rule: PolicyRule) -> bool:
        """Whether a rule gives it, be it for some names only."""
        if STAR not in rule.api_groups and self.group not in rule.api_groups:
            return False
        verbs = STAR in rule.verbs or any(v in rule.verbs for v in self.verbs)
        return verbs and any(_covers(rule, r) for r in self.resources)


def _covers(rule: PolicyRule, resource: str) -> bool:
    part = resource.partition("/")[2]
    return any(r in (STAR, resource, f"*/{part}" if part else STAR) for r in rule.resources)


@dataclass(frozen=True)
class Power:
    """A kind of permission that is worth more than it seems. wants: any of them gives it."""

    code: str
    severity: Severity
    says: str
    wants: tuple[Want, ...]


_WORKLOADS = (
    Want(WRITE, ("pods", "replicationcontrollers")),
    Want(WRITE, ("deployments", "daemonsets", "statefulsets", "replicasets"), "apps"),
    Want(WRITE, ("jobs", "cronjobs"), "batch"),
)

_ASKED = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")

POWERS: tuple[Power, ...] = (
    Power("escalate", "critical", "may write roles with rights that it has not",
          (Want(("escalate",), ("roles", "clusterroles"), RBAC),)),
    Power("bind", "critical", "may bind roles whose rights it has not",
          (Want(("bind",), ("roles", "clusterroles"), RBAC),)),
    Power("impersonate", "critical", "may act as somebody else",
          (Want(("impersonate",), ("users", "groups", "serviceaccounts")),
           Want(("impersonate",), ("uids", "userextras"), "authentication.k8s.io"))),
    Power("node-proxy", "critical", "may run commands in every pod through the kubelets",
          (Want(("get", "create"), ("nodes/proxy",)),)),
    Power("admission", "critical", "may see and change whatever is written to the cluster",
          (Want(WRITE, _ASKED, "admissionregistration.k8s.io"),)),
    Power("approve-certificates", "critical", "may have client certificates signed",
          (Want(("update", "patch"), ("certificatesigningrequests/approval",), "certificates.k8s.io"),)),
    Power("token-request", "high", "may make tokens of ServiceAccounts",
          (Want(("create",), ("serviceaccounts/token",)),)),
    Power("read-secrets", "high", "may read Secrets, tokens among them",
          (Want(("get", "list", "watch"), ("secrets",)),)),
    Power("exec", "high", "may run commands in pods and so act as their ServiceAccounts",
          (Want(("get", "create"), ("pods/exec", "pods/attach")),
           Want(("update", "patch"), ("pods/ephemeralcontainers",)))),
    Power("create-pods", "high", "may run pods as any ServiceAccount of the namespace, with any Secret of it",
          _WORKLOADS),
    Power("volumes", "high", "may make volumes of any directory of a node",
          (Want(WRITE, ("persistentvolumes",)),)),
    Power("nodes", "high", "may change nodes, and so where pods run",
          (Want(("update", "patch"), ("nodes", "nodes/status")),)),
    Power("namespaces", "medium", "may take Pod Security off a namespace by its labels",
          (Want(("update", "patch"), ("namespaces",)),)),
    Power("write-bindings", "medium", "may give away rights that it has",
          (Want(WRITE, ("rolebindings", "clusterrolebindings"), RBAC),)),
)  # fmt: skip


@dataclass(frozen=True)
class Held:
    """A power that somebody has. names: only for objects of these names; empty for all."""

    power: Power
    grant: Grant

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the rule is limited to."""
        return self.grant.rule.resource_names


def powers(grants: Iterable[Grant]) -> Iterator[Held]:
    """The dangerous ones among some grants. A rule that gives everything gives all of them."""
    for grant in grants:
        yield from (Held(p, grant) for p in POWERS if any(w.given(grant.rule) for w in p.wants))


def owns(grants: Sequence[Grant]) -> Grant | None:
    """The grant by which somebody owns the cluster, or could make it so in one step; None when there is none."""
    whole = [g for g in grants if not g.namespace]
    return next((g for g in whole if _owns(g, whole)), None)


def _owns(grant: Grant, held: Sequence[Grant]) -> bool:
    rule = grant.rule
    named = rule.resource_names
    if Want(("impersonate",), ("groups",)).given(rule) and (not named or MASTERS in named):
        return True
    if Want(("bind",), ("clusterroles",), RBAC).given(rule) and (not named or OWNER in named):
        return _any(held, ("clusterrolebindings",))
    if named:
        return False
    if STAR in rule.verbs and STAR in rule.resources and STAR in rule.api_groups:
        return True
    return Want(("escalate",), ("clusterroles",), RBAC).given(rule) and _any(held, ("clusterroles",))


def _any(held: Iterable[Grant], resources: tuple[str, ...]) -> bool:
    return any(Want(WRITE, resources, RBAC).given(g.rule) for g in held)
