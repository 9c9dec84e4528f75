"""Tool: any fields of any one object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta

from kubemend.kube.patch import merge, strategic
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import Cite
from kubemend.model.objects import DaemonSet, Deployment, ReplicaSet, StatefulSet, kind_of
from kubemend.model.order import Order
from kubemend.model.plan import Patch, Verify
from kubemend.model.pointer import at, pointer
from kubemend.model.ref import Ref
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.targets import target
from kubemend.tools.words import Kind, Name, Namespace

Object = dict[str, Any]

START_S = 300.0
METADATA = frozenset({"labels", "annotations", "finalizers", "ownerReferences"})
"""Fields of `metadata` that may be patched; the others are the server's, or would make it another object."""


@tool(
    risk=Risk.HIGH,
    needs={
        Access("get", "deployments", "apps"),
        Access("patch", "deployments", "apps"),
        Access("get", "ingresses", "networking.k8s.io"),
        Access("patch", "ingresses", "networking.k8s.io"),
    },
    examples=(
        {
            "resource_type": "deployment",
            "resource_name": "web",
            "namespace": "shop",
            "patch": {"spec": {"template": {"spec": {"containers": [{"name": "web", "workingDir": "/srv"}]}}}},
        },
        {
            "resource_type": "ingress",
            "resource_name": "web",
            "namespace": "shop",
            "patch": {"metadata": {"annotations": {"example.com/owner": "shop-team"}}},
            "patch_type": "merge",
        },
    ),
)
async def patch_resource(
    cluster: Look,
    *,
    resource_type: Kind,
    resource_name: Name,
    patch: Annotated[dict[str, Any], Meta(description="Fields to change, as an object; null removes a field.")],
    namespace: Annotated[Namespace | None, Meta(description="Its namespace; nothing for a kind that has none.")] = None,
    patch_type: Annotated[
        Literal["strategic", "merge"] | None,
        Meta(description="How lists are taken: strategic (built-in kinds, merged by key) or merge (replaced)."),
    ] = None,
) -> Order:
    """Change fields of one object by a strategic-merge or JSON merge patch, in the guard's hands.

    Only fields that this patch touches are put back by an undo. `status`, the object's name and uid, and Secrets
    can't be patched. A workload must become complete with it, or it is taken back. It needs the rights to get and
    patch that kind.
    """
    ref, found = await target(cluster, resource_type, resource_name, namespace)
    _refuse(patch, ref)
    kind = patch_type or ("merge" if kind_of(ref) is None else "strategic")
    if kind == "strategic" and kind_of(ref) is None:
        raise InvalidInput(f"a {ref.kind} takes no strategic patch", where="patch_type", hint="use merge")
    after = _patched(found, patch, ref, kind)
    if after == found:
        raise InvalidInput("the patch would change nothing", code="nothing-to-do", where=str(ref))
    rolls = kind_of(ref) in (Deployment, StatefulSet, DaemonSet, ReplicaSet)
    return Order(
        changes=(Patch(target=ref, uid=found["metadata"]["uid"], body=patch, kind=kind),),
        reason=f"patch {ref}, as asked",
        verify=Verify(healthy=(ref,) if rolls else (), within_s=START_S, gone=False),
        requires=tuple(_facts(ref, found, patch)),
        told={"resource_type": ref.kind, "resource_name": ref.name, "namespace": ref.namespace, "patch_type": kind},
    )


def _refuse(patch: Object, ref: Ref) -> None:
    """InvalidInput for what a patch must not touch."""
    where = f"patch of {ref}"
    if strange := sorted(patch.keys() & {"apiVersion", "kind", "status"}):
        raise InvalidInput(f"{', '.join(strange)} can't be patched", code="invalid-patch", where=where)
    metadata = patch.get("metadata", {})
    if not isinstance(metadata, dict):
        raise InvalidInput("metadata must be an object", code="invalid-patch", where=where)
    if strange := sorted(metadata.keys() - METADATA):
        raise InvalidInput(
            f"metadata.{', metadata.'.join(strange)} can't be patched",
            code="invalid-patch",
            where=where,
            hint=f"of metadata only {', '.join(sorted(METADATA))}",
        )


def _patched(found: Object, patch: Object, ref: Ref, kind: str) -> Object:
    return merge(found, patch) if kind == "merge" else strategic(found, patch, kind=ref.kind)


def _facts(ref: Ref, found: Object, patch: Object) -> Iterator[Cite]:
    """What the person sees before saying yes must still be so: the fields that the patch names.

    Lists are merged by rules of their own, so a patch of one rests on the object's generation instead.
    """
    lists = False
    for steps, value in _leaves(patch):
        if isinstance(value, list) or any(s.startswith("$") for s in steps):
            lists = True
            continue
        path = pointer(*steps)
        yield Cite(ref, path, at(found, path))
    if lists and "generation" in found["metadata"]:
        yield Cite(ref, "/metadata/generation", found["metadata"]["generation"])


def _leaves(value: Any, *steps: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, *steps, key)
    else:
        yield steps, value
