"""Any one object by kind and name, as a target of a change."""

from __future__ import annotations

from typing import Any

from kubemend.model.errors import InvalidInput
from kubemend.model.ref import Ref
from kubemend.tools.look import Look

Object = dict[str, Any]


async def target(cluster: Look, kind: str, name: str, namespace: str | None) -> tuple[Ref, Object]:
    """The object's address and the object, whole. Secrets are refused: their values would go through our hands.

    Without a namespace the one of the context is meant.
    """
    resource = await cluster.reader.resource(kind)
    if resource.kind == "Secret" and not resource.group:
        raise InvalidInput(
            "Secrets are not read here, so they can't be kept for an undo, nor compared",
            code="secret",
            where=f"Secret {namespace or ''}/{name}",
            hint="do it with kubectl",
        )
    place = (namespace or cluster.place.namespace) if resource.namespaced else ""
    ref = Ref(resource.kind, place, name, resource.group)
    return ref, await cluster.raw(ref)
