"""RBAC as it was read, with the words for it that the security tools share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kubemend.kube.escalation import Escalations, Path, named
from kubemend.kube.rbac import MASTERS, Binding, Grant, Rbac, User, key_of
from kubemend.model.access import Access
from kubemend.model.objects import ClusterRole, ClusterRoleBinding, Obj, Role, RoleBinding, ServiceAccount
from kubemend.model.objects.rbac import PolicyRule, RbacSubject
from kubemend.tools.look import Look

_READ: tuple[type[Obj], ...] = (Role, ClusterRole, RoleBinding, ClusterRoleBinding, ServiceAccount)
NEEDS = frozenset(Access("list", k.plural, k.group) for k in _READ)
"""What reading them takes."""
BUILT_IN = "kubernetes.io/bootstrapping"
"""Label of the roles and bindings that the API server makes for itself."""


@dataclass(frozen=True)
class Rights:
    """All roles and bindings. accounts: None when ServiceAccounts could not be read."""

    rbac: Rbac
    accounts: tuple[ServiceAccount, ...] | None

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """Every binding that the server didn't make for itself."""
        every: tuple[Binding, ...] = (*self.rbac.cluster_role_bindings, *self.rbac.role_bindings)
        return tuple(b for b in every if not built_in(b))

    @cached_property
    def known(self) -> frozenset[tuple[str, str]]:
        """(namespace, name) of the ServiceAccounts that there are."""
        return frozenset((a.namespace, a.name) for a in self.accounts or ())

    @cached_property
    def escalations(self) -> Escalations:
        """The ways that are open, by the accounts there are and those that bindings name."""
        known = set(self.known)
        for binding in self.bindings:
            accounts = (s for s in binding.subjects or () if s.kind == "ServiceAccount")
            known |= {(s.namespace or binding.namespace, s.name) for s in accounts}
        return Escalations(self.rbac, sorted(known))

    @cached_property
    def subjects(self) -> dict[str, User]:
        """Everybody whom those bindings name, by the name that people know them by."""
        found: dict[str, User] = {}
        for binding in self.bindings:
            for subject in binding.subjects or ():
                found[title(subject, binding.namespace)] = user(subject, binding.namespace)
        return dict(sorted(found.items()))


async def read_rights(cluster: Look) -> Rights:
    """Roles and bindings of the whole cluster: rights in one namespace may come from all over."""
    rbac = Rbac(
        roles=await cluster.list(Role),
        cluster_roles=await cluster.list(ClusterRole),
        role_bindings=await cluster.list(RoleBinding),
        cluster_role_bindings=await cluster.list(ClusterRoleBinding),
    )
    return Rights(rbac, await cluster.beside(ServiceAccount))


def built_in(obj: Binding | Role | ClusterRole) -> bool:
    """Whether the API server made it for itself, or the installer for the cluster's own components."""
    if BUILT_IN in obj.metadata.labels or obj.name.startswith(("system:", "kubeadm:")):
        return True
    if isinstance(obj, ClusterRole):
        return obj.name in ("admin", "edit", "view", "cluster-admin")
    # Who is of that group may everything before RBAC is asked.
    return isinstance(obj, ClusterRoleBinding) and {s.name for s in obj.subjects or ()} == {MASTERS}


def title(subject: RbacSubject, namespace: str) -> str:
    """ "User ann", "Group dev", "ServiceAccount shop/web"."""
    place = f"{subject.namespace or namespace}/" if subject.kind == "ServiceAccount" else ""
    return f"{subject.kind} {place}{subject.name}"


def user(subject: RbacSubject, namespace: str) -> User:
    """A binding's subject as somebody who asks."""
    if subject.kind == "Group":
        return User("", (subject.name,))
    return named(key_of(subject, namespace).removeprefix("User:"))


def rule_text(rule: PolicyRule) -> str:
    """A rule in one line: "get,list pods,secrets (in apps) named x"."""
    verbs = ",".join(rule.verbs)
    if rule.non_resource_urls:
        return f"{verbs} {','.join(rule.non_resource_urls)}"
    groups = "" if rule.api_groups == ("",) else f" of {','.join(g or 'core' for g in rule.api_groups)}"
    names = f" named {','.join(rule.resource_names)}" if rule.resource_names else ""
    return f"{verbs} {','.join(rule.resources)}{groups}{names}"


def grant_text(grant: Grant) -> str:
    """Where a right comes from: "RoleBinding shop/readers of Role reader"."""
    return f"{grant.binding} of {grant.role.kind} {grant.role.name}"


def path_text(path: Path) -> tuple[str, ...]:
    """A path as sentences, one a step."""
    steps = [f"{s.who} {s.how} {s.becomes} ({grant_text(s.by)}: {rule_text(s.by.rule)})" for s in path.steps]
    last = path.steps[-1].becomes if path.steps else path.start
    return (*steps, f"{last} owns the cluster ({grant_text(path.owner)}: {rule_text(path.owner.rule)})")


def wide_open(grants: Iterable[Grant]) -> Iterator[Grant]:
    """The grants that say "all": of verbs or of resources."""
    yield from (g for g in grants if "*" in g.rule.verbs or "*" in g.rule.resources)
