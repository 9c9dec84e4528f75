"""Which object: the address of one Kubernetes object."""

from __future__ import annotations

from msgspec import Struct


class Ref(Struct, frozen=True, order=True):
    """An object by group, kind, namespace and name. Cluster-scoped objects have an empty namespace."""

    kind: str
    namespace: str
    name: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
