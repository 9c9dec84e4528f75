"""Role, ClusterRole and their bindings (rbac.authorization.k8s.io/v1)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubemend.model.objects.meta import LabelSelector, Obj, Part


class PolicyRule(Part, frozen=True, gc=False):
    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(name="nonResourceURLs", default=())


class AggregationRule(Part, frozen=True, gc=False):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class RoleRef(Part, frozen=True, gc=False):
    kind: str = ""
    name: str = ""


class RbacSubject(Part, frozen=True, gc=False):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class Role(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "roles"
    group: ClassVar[str] = "rbac.authorization.k8s.io"

    rules: tuple[PolicyRule, ...] | None = ()


class ClusterRole(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "clusterroles"
    group: ClassVar[str] = "rbac.authorization.k8s.io"
    namespaced: ClassVar[bool] = False

    rules: tuple[PolicyRule, ...] | None = ()
    aggregation_rule: AggregationRule | None = None


class RoleBinding(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "rolebindings"
    group: ClassVar[str] = "rbac.authorization.k8s.io"

    subjects: tuple[RbacSubject, ...] | None = ()
    role_ref: RoleRef = RoleRef()


class ClusterRoleBinding(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "clusterrolebindings"
    group: ClassVar[str] = "rbac.authorization.k8s.io"
    namespaced: ClassVar[bool] = False

    subjects: tuple[RbacSubject, ...] | None = ()
    role_ref: RoleRef = RoleRef()
