"""Tool: what workloads cost, and what could be saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.quantity import parse
from kubemend.model.access import Access, Risk
from kubemend.model.objects import CronJob, Job, Node, Obj, PersistentVolume, PersistentVolumeClaim, Pod
from kubemend.model.snapshot import Snapshot
from kubemend.model.tool import tool
from kubemend.tools import advice, unused
from kubemend.tools.advice import Basis, Sized, sized
from kubemend.tools.look import Look
from kubemend.tools.optimization import idle
from kubemend.tools.optimization.idle import Idle
from kubemend.tools.optimization.prices import HOURS, Tariff, of_node, of_pod, priced, rounded, tariff
from kubemend.tools.pricebook import NodePrices, Prices
from kubemend.tools.usage import PodKey, Used, by_pod
from kubemend.tools.words import Scope
from kubemend.tools.workloads import gathered, living, running, workloads

MODEL = "OpenCost: max(request, use) x price x 730 h; storage by what is asked for"


class NamespaceCost(Struct, frozen=True):
    """What a namespace costs in a month."""

    namespace: str
    monthly_cost: float
    compute: float
    storage: float


class Saving(Struct, frozen=True):
    """One thing that would cost less. monthly_saving: below zero where the advice is to give more."""

    kind: str
    name: str
    namespace: str
    container: str
    what: str
    monthly_saving: float


class Savings(Struct, frozen=True):
    """Costs of a month in a currency. prices_from: "OpenCost's defaults" or "the price book", and "the call" where it
    gave some. node_prices: what counts in their place for nodes with certain labels, where there are such nodes.
    idle_cost: of nodes, less what runs on them; None unless all namespaces are asked for and nodes could be read.
    monthly_savings: the sum of what saves; what costs more is listed, not summed.
    """

    scope: str
    model: str
    currency: str
    prices_from: str
    prices: Prices
    node_prices: tuple[NodePrices, ...]
    basis: Basis
    monthly_cost: float
    node_cost: float | None
    idle_cost: float | None
    namespaces: tuple[NamespaceCost, ...]
    monthly_savings: float
    savings: tuple[Saving, ...]
    without_advice: int


def _price(what: str) -> Meta:
    return Meta(description=f"Price of a {what}; that of the price book, else OpenCost's default, when omitted.")


Price = Annotated[float, Meta(ge=0)] | None


@tool(
    risk=Risk.READ,
    needs=advice.NEEDS
    | {
        Access("list", "nodes"),
        Access("list", "persistentvolumes"),
        Access("list", "persistentvolumeclaims"),
        Access("list", "jobs", "batch"),
        Access("list", "cronjobs", "batch"),
    },
    examples=({},),
    within_s=90,
)
async def calculate_cost_savings(
    cluster: Look,
    *,
    namespace: Scope = None,
    cpu_core_hour: Annotated[Price, _price("core and hour")] = None,
    memory_gb_hour: Annotated[Price, _price("GiB of memory and hour")] = None,
    gpu_hour: Annotated[Price, _price("GPU and hour")] = None,
    storage_gb_month: Annotated[Price, _price("GiB of storage and month")] = None,
) -> Savings:
    """Estimate what workloads cost in a month, and what right-sizing and removing what is idle would save.

    OpenCost's model: a pod is charged the larger of what it requests and uses, a month has 730 hours, a GB is 2^30
    bytes. saving of a recommendation = (max(request, use) - max(recommended, use)) x price x 730 x replicas. An
    empty node saves only when it is taken away.
    """
    found = await sized(cluster, namespace)
    told = {
        "cpu_core_hour": cpu_core_hour,
        "memory_gb_hour": memory_gb_hour,
        "gpu_hour": gpu_hour,
        "storage_gb_month": storage_gb_month,
    }
    book = cluster.prices.instead(**told)
    rows, snapshot, using = found.rows, found.snapshot, by_pod(found.using or {})
    wide: tuple[type[Obj], ...] = (Node, PersistentVolume) if namespace is None else priced(book)
    more = await gathered(cluster, namespace, beside=(PersistentVolumeClaim, Job, CronJob, *wide))
    at = tariff(cluster, book, more)
    costs = tuple(_namespaces(snapshot, more, using, at))
    savings = sorted(
        (*_resizing(rows, snapshot, at), *_idle(snapshot, more, at, everywhere=namespace is None)),
        key=lambda s: (-s.monthly_saving, s.namespace, s.kind, s.name),
    )
    total, nodes = sum(c.monthly_cost for c in costs), None
    if namespace is None and more.was_read(Node):
        nodes = rounded(sum((of_node(n, at) for n in more.all(Node)), Decimal()))
    return Savings(
        scope=namespace or "all",
        model=MODEL,
        currency=book.currency,
        prices_from=_source(given=book.given, called=any(v is not None for v in told.values())),
        prices=book.prices,
        node_prices=at.used(),
        basis=found.basis,
        monthly_cost=round(total, 2),
        node_cost=nodes,
        idle_cost=None if nodes is None else round(max(nodes - sum(c.compute for c in costs), 0.0), 2),
        namespaces=costs,
        monthly_savings=round(sum(s.monthly_saving for s in savings if s.monthly_saving > 0), 2),
        savings=tuple(savings),
        without_advice=sum(not (r.cpu.known or r.memory.known) for r in rows),
    )


def _namespaces(
    snapshot: Snapshot, more: Snapshot, using: Mapping[PodKey, Used], at: Tariff
) -> Iterable[NamespaceCost]:
    compute: dict[str, Decimal] = {}
    for pod in snapshot.all(Pod):
        if living(pod) and pod.spec.node_name:
            cost = of_pod(pod, using.get((pod.namespace, pod.name)), at)
            compute[pod.namespace] = compute.get(pod.namespace, Decimal()) + cost
    storage: dict[str, Decimal] = {}
    for claim in more.all(PersistentVolumeClaim):
        if claim.status.phase == "Bound":
            size = parse(claim.status.capacity.get("storage") or claim.spec.resources.requests.get("storage", 0))
            storage[claim.namespace] = storage.get(claim.namespace, Decimal()) + at.prices.storage(size)
    spent = {n: compute.get(n, Decimal()) + storage.get(n, Decimal()) for n in {*compute, *storage}}
    for name, cost in sorted(spent.items(), key=lambda s: (-s[1], s[0])):
        parts = compute.get(name, Decimal()), storage.get(name, Decimal())
        yield NamespaceCost(name, rounded(cost), *map(rounded, parts))


def _source(*, given: bool, called: bool) -> str:
    book = "the price book" if given else "OpenCost's defaults"
    return f"the call, and {book}" if called else book


def _resizing(rows: Sequence[Sized], snapshot: Snapshot, at: Tariff) -> Iterable[Saving]:
    found = {(w.ref.kind, w.namespace, w.name): running(snapshot, w) for w in workloads(snapshot)}
    for row in rows:
        prices = [at.on(p.spec.node_name) for p in found[row.kind, row.namespace, row.name]] or [at.prices]
        pods = row.now.pods if row.now is not None else row.replicas
        each = (_saved(row, "cpu", p) + _saved(row, "memory", p) for p in prices)
        saved = sum(each, Decimal()) / len(prices) * pods
        if (row.cpu.known or row.memory.known) and saved:
            what = "right-size: " + ", ".join(
                f"{a.resource} {advice.text(a.current_request)} -> {a.recommended_request.quantity}"
                for a in (row.cpu, row.memory)
                if a.recommended_request is not None
            )
            yield Saving(row.kind, row.name, row.namespace, row.container, what, rounded(saved * HOURS))


def _saved(row: Sized, resource: str, prices: Prices) -> Decimal:
    """What one pod's container would cost less in an hour."""
    told = row.cpu if resource == "cpu" else row.memory
    if told.recommended_request is None:
        return Decimal()
    used = Decimal()
    if row.now is not None:
        total = row.now.cpu_cores_sum if resource == "cpu" else row.now.memory_bytes_sum
        used = Decimal(repr(total)) / row.now.pods
    before = Decimal(repr(told.current_request.number)) if told.current_request is not None else Decimal()
    apart = max(before, used) - max(Decimal(repr(told.recommended_request.number)), used)
    return prices.hourly(apart, Decimal()) if resource == "cpu" else prices.hourly(Decimal(), apart)


def _idle(snapshot: Snapshot, more: Snapshot, at: Tariff, *, everywhere: bool) -> Iterable[Saving]:
    """everywhere: whether all pods are known, without which nothing can be told of what has no namespace."""
    found: list[tuple[Idle, str]] = []
    if everywhere and more.was_read(Node):
        both = Snapshot.of((*more.all(Node), *snapshot.all(Pod)), taken_at=snapshot.taken_at, kinds=(Node, Pod))
        found += [(i, "take the empty node away") for i in idle.nodes(both, at)]
    if everywhere:
        found += [(i, "delete the volume, if its data is not wanted") for i in idle.volumes(more, at)]
    if all(more.was_read(kind) for kind in (PersistentVolumeClaim, Job, CronJob)):
        mounting = (
            *snapshot.all(Pod),
            *(o for kind in unused.TEMPLATES for o in (*snapshot.all(kind), *more.all(kind))),
        )
        every = Snapshot.of((*mounting, *more.all(PersistentVolumeClaim)), taken_at=snapshot.taken_at)
        found += [(i, "delete the claim, if its data is not wanted") for i in idle.claims(every, at) if i.monthly_cost]
    for one, what in found:
        yield Saving(one.kind, one.name, one.namespace, "", what, one.monthly_cost or 0.0)
