"""Roles and bindings that do nothing, and aggregating roles that are behind."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kubemend.kube.rbac import Binding, aggregated
from kubemend.kube.selectors import matches
from kubemend.model.objects import ClusterRole, Role
from kubemend.tools.security.rights import Rights, built_in, title


class Unused(Struct, frozen=True):
    """A binding or role that does nothing, and why."""

    object: str
    why: str


def unused(rights: Rights, namespace: str | None) -> Iterator[Unused]:
    """Bindings that give nothing or give it to nobody, and roles that nobody is bound to. None: everywhere."""
    for binding in rights.bindings:
        if namespace in (None, binding.namespace):
            yield from (Unused(str(binding.ref), why) for why in _idle(rights, binding))
    yield from _unbound(rights, namespace)


def _idle(rights: Rights, binding: Binding) -> Iterator[str]:
    if rights.rbac.rules_of(binding) is None:
        yield f"{rights.rbac.role_of(binding)} doesn't exist"
    elif not binding.subjects:
        yield "names nobody"
    elif rights.accounts is not None:
        there = rights.known
        for subject in binding.subjects:
            if subject.kind == "ServiceAccount" and (subject.namespace or binding.namespace, subject.name) not in there:
                yield f"{title(subject, binding.namespace)} doesn't exist"


def _unbound(rights: Rights, namespace: str | None) -> Iterator[Unused]:
    bindings: tuple[Binding, ...] = (*rights.rbac.cluster_role_bindings, *rights.rbac.role_bindings)
    bound = {rights.rbac.role_of(b) for b in bindings}
    roles: tuple[Role | ClusterRole, ...] = (*rights.rbac.cluster_roles, *rights.rbac.roles)
    for role in roles:
        here = namespace in (None, role.namespace)
        if here and role.ref not in bound and not built_in(role) and not _feeds(rights, role):
            yield Unused(str(role.ref), "no binding gives it")


def _feeds(rights: Rights, role: Role | ClusterRole) -> bool:
    """Whether an aggregating role takes its rules in."""
    aggregating = (r.aggregation_rule for r in rights.rbac.cluster_roles if r.aggregation_rule is not None)
    selectors = (s for rule in aggregating for s in rule.cluster_role_selectors)
    return isinstance(role, ClusterRole) and any(matches(s, role.metadata.labels) for s in selectors)


def stale(rights: Rights) -> Iterator[str]:
    """Aggregating ClusterRoles whose rules aren't what their controller would write."""
    held = {r.name: r for r in rights.rbac.cluster_roles}
    for name, rules in aggregated(held.values()).items():
        if set(rules) != set(held[name].rules or ()):
            yield name
