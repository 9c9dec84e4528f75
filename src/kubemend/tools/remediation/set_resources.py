"""Tool: other requests and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.quantity import QuantityError, parse
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Container
from kubemend.model.order import Order
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.containers import ContainerName, WorkloadKind, changed, chosen, fact, found
from kubemend.tools.words import Name, Namespace

Wanted = Annotated[
    dict[str, str | None] | None,
    Meta(description='Quantity by resource name, such as {"cpu": "250m"}; null takes one away.'),
]
Amounts = Mapping[str, str | None]


@tool(
    risk=Risk.MEDIUM,
    needs={Access("get", "deployments", "apps"), Access("patch", "deployments", "apps")},
    examples=({"resource_name": "web", "namespace": "shop", "limits": {"memory": "192Mi"}},),
)
async def set_resources(
    cluster: Look,
    *,
    resource_name: Name,
    namespace: Namespace,
    requests: Wanted = None,
    limits: Wanted = None,
    container: ContainerName = None,
    resource_type: WorkloadKind = "deployment",
) -> Order:
    """Set requests and limits of one container; what isn't named stays.

    Room on each node, quota and LimitRange are checked before anything is written. If the pods don't become ready,
    the former values are put back. StatefulSets and DaemonSets take the same rights on their kinds.
    """
    workload = await found(cluster, resource_type, namespace, resource_name)
    field, index, held = chosen(workload, container)
    body = {k: dict(v) for k, v in (("requests", requests), ("limits", limits)) if v}
    if not body:
        raise InvalidInput("name at least one request or limit", code="nothing-to-do", where="requests, limits")
    problems = tuple(_problems(held, requests or {}, limits or {}))
    if problems:
        raise InvalidInput("; ".join(problems), code="invalid-resources", where=f"{workload.ref} {held.name}")
    return changed(
        workload,
        field,
        held.name,
        {"resources": body},
        reason=f"set {_spelt(body)} of {held.name} of {workload.ref}, as asked",
        facts=tuple(
            fact(workload, field, index, "resources", k, name) for k, wanted in body.items() for name in wanted
        ),
        told={
            "previous": {"requests": held.resources.requests, "limits": held.resources.limits},
            "target": {
                "requests": _merged(held.resources.requests, requests or {}),
                "limits": _merged(held.resources.limits, limits or {}),
            },
        },
    )


def _problems(held: Container, requests: Amounts, limits: Amounts) -> Iterator[str]:
    """What the API server would refuse: no quantity, below zero, a request above its limit."""
    for name, text in (*requests.items(), *limits.items()):
        try:
            if text is not None and parse(text) < 0:
                yield f"{name} can't be below zero"
        except QuantityError:
            yield f"{text!r} is no quantity for {name}"
            return
    asked, most = _merged(held.resources.requests, requests), _merged(held.resources.limits, limits)
    for name in asked:
        if name in most and parse(asked[name]) > parse(most[name]):
            yield f"the request of {name} ({asked[name]}) would be above its limit ({most[name]})"


def _merged(held: Mapping[str, Any], wanted: Amounts) -> dict[str, Any]:
    return {k: v for k, v in {**held, **wanted}.items() if v is not None}


def _spelt(body: Mapping[str, Amounts]) -> str:
    return ", ".join(f"{kind} {name} {text or 'away'}" for kind, held in body.items() for name, text in held.items())
