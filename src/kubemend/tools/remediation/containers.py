"""Changing one container of a workload: finding it, and the order for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from kubemend.model.errors import InvalidInput
from kubemend.model.finding import Cite, cite
from kubemend.model.objects import Container, DaemonSet, Deployment, StatefulSet
from kubemend.model.order import Order
from kubemend.model.plan import Patch, Verify
from kubemend.tools.look import Look

Workload = Deployment | StatefulSet | DaemonSet
KINDS: Mapping[str, type[Workload]] = {"deployment": Deployment, "statefulset": StatefulSet, "daemonset": DaemonSet}
WorkloadKind = Annotated[Literal["deployment", "statefulset", "daemonset"], Meta(description="Kind of the workload.")]
ContainerName = Annotated[
    str | None, Meta(description="Container or init container; may be omitted when the workload has one container.")
]
START_S = 300.0
"""Seconds that the new pods may take to become ready before the change is taken back."""


async def found(cluster: Look, kind: str, namespace: str, name: str) -> Workload:
    """The workload."""
    return await cluster.one(KINDS[kind], namespace, name)


def chosen(workload: Workload, name: str | None) -> tuple[str, int, Container]:
    """The list that holds the container ("containers" or "initContainers"), its place there, and the container."""
    spec = workload.spec.template.spec
    if name is None:
        if len(spec.containers) != 1:
            names = ", ".join(c.name for c in spec.containers)
            raise InvalidInput(
                f"{workload.ref} has {len(spec.containers)} containers", where="container", hint=f"name one of {names}"
            )
        return "containers", 0, spec.containers[0]
    for field, held in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(held):
            if container.name == name:
                return field, index, container
    known = ", ".join(c.name for c in (*spec.containers, *spec.init_containers))
    raise InvalidInput(
        f"{workload.ref} has no container {name!r}", code="no-container", where="container", hint=f"it has {known}"
    )


def changed(
    workload: Workload, field: str, container: str, body: Mapping[str, Any], *, reason: str, facts: tuple[Cite, ...],
    told: Mapping[str, Any],
) -> Order:  # fmt: skip
    """The order for a change of one container, proven by the workload being complete with it.

    facts: what the body was made from, and what must still be so when it is carried out.
    """
    spec = {field: [{"name": container, **body}]}
    return Order(
        changes=(Patch(target=workload.ref, uid=workload.metadata.uid, body={"spec": {"template": {"spec": spec}}}),),
        reason=reason,
        verify=Verify(healthy=(workload.ref,), within_s=START_S, gone=False),
        requires=facts,
        told={
            "resource_type": workload.ref.kind.lower(),
            "resource_name": workload.name,
            "namespace": workload.namespace,
            "container": container,
            **told,
        },
    )


def fact(workload: Workload, field: str, index: int, *steps: str) -> Cite:
    """A cited field of a container of the template."""
    return cite(workload, "spec", "template", "spec", field, index, *steps)
