"""What every kind shares: metadata, conditions, and how a kind declares its place in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from kubemend.model.ref import Ref

Quantities = dict[str, str | int | float]
"""Resource name → quantity as written. The API server writes strings; a manifest on disk may hold numbers."""

IntOrString = int | str


class Part(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A piece of an object. Immutable and never cyclic, so the garbage collector needn't track it."""


class OwnerReference(Part, frozen=True, gc=False):
    kind: str
    name: str
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class ManagedFields(Part, frozen=True, gc=False):
    manager: str = ""
    operation: str = ""
    time: datetime | None = None


class Meta(Part, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    generate_name: str = ""

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, as `metav1.GetControllerOf` finds it."""
        return next((o for o in self.owner_references if o.controller), None)


class Condition(Part, frozen=True, gc=False):
    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class LabelSelectorRequirement(Part, frozen=True, gc=False):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Part, frozen=True, gc=False):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


KINDS: dict[str, type[Obj]] = {}
"""Kind → its Struct, for every kind declared in this package."""


class Obj(Part, frozen=True, gc=False, kw_only=True):
    """A Kubernetes object. A subclass gives `plural`, `group` and `version`, and is then known by its kind."""

    plural: ClassVar[str] = ""
    group: ClassVar[str] = ""
    version: ClassVar[str] = "v1"
    namespaced: ClassVar[bool] = True
    known: ClassVar[bool] = True
    """Whether `KINDS` holds it. A second view of a kind isn't known by it (`wide`)."""

    metadata: Meta = Meta()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "plural" in vars(cls) and cls.known:
            KINDS[cls.__name__] = cls

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`; empty for a cluster-scoped object."""
        return self.metadata.namespace

    @property
    def ref(self) -> Ref:
        """The address of this object."""
        return Ref(type(self).__name__, self.metadata.namespace, self.metadata.name, type(self).group)


def kind_of(ref: Ref) -> type[Obj] | None:
    """The Struct of a reference's kind, or None for a kind we have no Struct for."""
    found = KINDS.get(ref.kind)
    return found if found is not None and found.group == ref.group else None


def condition(conditions: tuple[Condition, ...], type_: str) -> Condition | None:
    """The condition of one type."""
    return next((c for c in conditions if c.type == type_), None)
