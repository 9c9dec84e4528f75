"""Tool: what a kind or a field means."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.explain import Field, UnknownField, explain
from kubemend.kube.names import near
from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Kind


class Explanation(Struct, frozen=True):
    """What the API server says of a kind or of one of its fields."""

    resource_type: str
    api_version: str
    field_path: str
    type: str
    description: str
    key_fields: tuple[Field, ...]


@tool(
    risk=Risk.READ,
    needs=set(),
    examples=({"resource_type": "deployment"}, {"resource_type": "pod", "field_path": "spec.containers.resources"}),
)
async def explain_kubernetes_resource(
    cluster: Look,
    *,
    resource_type: Kind,
    field_path: Annotated[
        str, Meta(description="A field below the kind, such as spec.template.spec.", pattern=r"^[A-Za-z0-9.$_-]*$")
    ] = "",
) -> Explanation:
    """Explain a kind or one of its fields, from the cluster's own OpenAPI document. Custom resources too."""
    resource = await cluster.reader.resource(resource_type)
    document = await cluster.reader.openapi(resource.api_version)
    steps = [s for s in field_path.split(".") if s]
    try:
        found = explain(document, group=resource.group, version=resource.version, kind=resource.kind, path=steps)
    except UnknownField as error:
        guess = near(error.field, error.known)
        raise InvalidInput(
            f"{resource.kind} has no field {error.field!r} at that place",
            code="unknown-field",
            where=field_path,
            hint=f"did you mean {guess}?" if guess else f"there are: {', '.join(error.known[:40]) or 'none'}",
        ) from error
    except LookupError as error:
        raise InvalidInput(str(error.args[0]), code="not-described", where=resource.api_version) from error
    return Explanation(
        resource.kind, resource.api_version, ".".join(steps), found.type, found.description, found.fields
    )
