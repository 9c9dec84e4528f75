"""Who may do what: RBAC as the API server decides it (`plugin/pkg/auth/authorizer/rbac`), and what aggregation makes.

What RBAC doesn't decide isn't known here: the group system:masters may everything before RBAC is asked, and a server
may have other authorizers beside it (Node, webhooks).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from kubemend.kube.selectors import matches
from kubemend.model.objects import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kubemend.model.objects.rbac import PolicyRule, RbacSubject
from kubemend.model.ref import Ref

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
ACCOUNT = "system:serviceaccount:"
STAR = "*"

Binding = RoleBinding | ClusterRoleBinding


@dataclass(frozen=True)
class User:
    """Who asks, by the names that bindings know."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """What is asked for: a verb on a resource ("" namespace: of all), or on a path that is no resource."""

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """ "pods" or "pods/log", as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Grant:
    """A rule that somebody has. namespace: where it holds; "" everywhere."""

    rule: PolicyRule
    role: Ref
    binding: Ref
    namespace: str


def account(namespace: str, name: str) -> User:
    """A ServiceAccount as a user."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{ACCOUNT}{namespace}:{name}", groups)


def allows(rule: PolicyRule, ask: Ask) -> bool:
    """Whether one rule allows (`rbac.RuleAllows`)."""
    if not _among(rule.verbs, ask.verb):
        return False
    if ask.path:
        return any(_covers_path(p, ask.path) for p in rule.non_resource_urls)
    named = not rule.resource_names or ask.name in rule.resource_names
    return named and _among(rule.api_groups, ask.group) and _covers(rule.resources, ask)


def _among(values: Iterable[str], value: str) -> bool:
    return any(v in (STAR, value) for v in values)


def _covers(resources: Iterable[str], ask: Ask) -> bool:
    """A star stands for every resource with all its parts; `*/part` for that part of any."""
    parts = {STAR, ask.target, *([f"*/{ask.subresource}"] if ask.subresource else [])}
    return any(r in parts for r in resources)


def _covers_path(pattern: str, path: str) -> bool:
    if pattern.endswith(STAR):
        return path.startswith(pattern.rstrip(STAR))
    return pattern == path


@dataclass(frozen=True)
class Rbac:
    """All roles and bindings of a cluster, or of some namespaces with the cluster's own."""

    roles: tuple[Role, ...] = ()
    cluster_roles: tuple[ClusterRole, ...] = ()
    role_bindings: tuple[RoleBinding, ...] = ()
    cluster_role_bindings: tuple[ClusterRoleBinding, ...] = ()

    @cached_property
    def _rules(self) -> Mapping[Ref, tuple[PolicyRule, ...]]:
        held = {r.ref: r.rules or () for r in self.cluster_roles}
        return held | {r.ref: r.rules or () for r in self.roles}

    @cached_property
    def _held(self) -> Mapping[str, tuple[Binding, ...]]:
        """The bindings of each subject; those of the cluster first, as the server goes through them."""
        bindings: tuple[Binding, ...] = (*self.cluster_role_bindings, *self.role_bindings)
        held: dict[str, dict[Ref, Binding]] = {}
        for binding in bindings:
            for subject in binding.subjects or ():
                held.setdefault(key_of(subject, binding.namespace), {})[binding.ref] = binding
        return {key: tuple(found.values()) for key, found in held.items()}

    def bindings_of(self, user: User) -> tuple[Binding, ...]:
        """Every binding that names a user or one of the groups, once."""
        found = {b.ref: b for key in keys_of(user) for b in self._held.get(key, ())}
        return tuple(sorted(found.values(), key=lambda b: b.namespace != ""))

    def role_of(self, binding: Binding) -> Ref:
        """The role that a binding gives, there or not."""
        kind, name = binding.role_ref.kind, binding.role_ref.name
        return Ref(kind, binding.namespace if kind == "Role" else "", name, Role.group)

    def rules_of(self, binding: Binding) -> tuple[PolicyRule, ...] | None:
        """What a binding gives; None when its role isn't there."""
        return self._rules.get(self.role_of(binding))

    def decide(self, user: User, ask: Ask) -> Grant | None:
        """The first grant that allows; None when RBAC doesn't."""
        found = self.grants(user, ask.namespace or None)
        return next((g for g in found if allows(g.rule, ask)), None)

    def grants(self, user: User, namespace: str | None = None) -> Iterator[Grant]:
        """What holds everywhere, and what holds in one namespace (None: only what holds everywhere)."""
        for binding in self.bindings_of(user):
            if binding.namespace in ("", namespace):
                yield from self._given(binding)

    def everywhere(self, user: User) -> Iterator[Grant]:
        """All grants of somebody, in whatever namespace they hold."""
        for binding in self.bindings_of(user):
            yield from self._given(binding)

    def _given(self, binding: Binding) -> Iterator[Grant]:
        role = self.role_of(binding)
        for rule in self.rules_of(binding) or ():
            yield Grant(rule, role, binding.ref, binding.namespace)


def key_of(subject: RbacSubject, namespace: str = "") -> str:
    """A binding's subject in one word. A ServiceAccount without a namespace is one of the binding's own."""
    if subject.kind == "ServiceAccount":
        return f"User:{ACCOUNT}{subject.namespace or namespace}:{subject.name}"
    return f"{subject.kind}:{subject.name}"


def keys_of(user: User) -> tuple[str, ...]:
    """The words under which bindings may know a user."""
    return (f"User:{user.name}", *(f"Group:{g}" for g in user.groups))


def aggregated(roles: Iterable[ClusterRole]) -> dict[str, tuple[PolicyRule, ...]]:
    """The rules that the aggregation controller gives each aggregating ClusterRole once it has come to rest.

    `clusterroleaggregation_controller.go`: for each selector the chosen roles by name, itself left out, each rule once.
    A role may aggregate aggregating ones, so it goes on until nothing changes.
    """
    held = {r.name: r for r in roles}
    while True:
        made = {name: _aggregate(role, held) for name, role in held.items() if role.aggregation_rule is not None}
        changed = {name for name, rules in made.items() if rules != (held[name].rules or ())}
        if not changed:
            return made
        held |= {name: _with(held[name], made[name]) for name in changed}


def _aggregate(role: ClusterRole, held: Mapping[str, ClusterRole]) -> tuple[PolicyRule, ...]:
    rules: dict[PolicyRule, None] = {}
    for selector in role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ():
        for name in sorted(held):
            if name != role.name and matches(selector, held[name].metadata.labels):
                rules |= dict.fromkeys(held[name].rules or ())
    return tuple(rules)


def _with(role: ClusterRole, rules: tuple[PolicyRule, ...]) -> ClusterRole:
    return ClusterRole(metadata=role.metadata, rules=rules, aggregation_rule=role.aggregation_rule)
