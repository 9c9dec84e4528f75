"""Tool: another image."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.kube.names import valid_image
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.order import Order
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.containers import ContainerName, WorkloadKind, changed, chosen, fact, found
from kubemend.tools.words import Name, Namespace


@tool(
    risk=Risk.MEDIUM,
    needs={Access("get", "deployments", "apps"), Access("patch", "deployments", "apps")},
    examples=({"resource_name": "web", "namespace": "shop", "image": "registry.lab/web:1.1"},),
)
async def set_image(
    cluster: Look,
    *,
    resource_name: Name,
    namespace: Namespace,
    image: Annotated[str, Meta(description="Image reference, with a tag or a digest.", min_length=1, max_length=512)],
    container: ContainerName = None,
    resource_type: WorkloadKind = "deployment",
) -> Order:
    """Set the image of one container of a workload, and prove that its pods become ready with it.

    If they don't, the former image is put back. StatefulSets and DaemonSets take the same rights on their kinds.
    """
    if not valid_image(image):
        raise InvalidInput(f"{image!r} is no image reference", code="invalid-image", where="image")
    workload = await found(cluster, resource_type, namespace, resource_name)
    field, index, held = chosen(workload, container)
    if held.image == image:
        raise InvalidInput(f"{held.name} of {workload.ref} has this image already", code="nothing-to-do")
    return changed(
        workload,
        field,
        held.name,
        {"image": image},
        reason=f"set the image of {held.name} of {workload.ref} to {image}, as asked",
        facts=(fact(workload, field, index, "image"),),
        told={"previous_image": held.image, "target_image": image},
    )
