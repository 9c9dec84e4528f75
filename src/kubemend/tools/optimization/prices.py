"""What a cluster costs, by the model of OpenCost (opencost.io/docs/specification).

    hourly cost of a container = max(request, use) of CPU, memory and GPU, each times its hourly price
    monthly cost               = hourly cost x 730
    storage                    = bytes asked for, in GiB, times the monthly price

The hourly prices are those of the node it runs on, where the price book tells them by node. As in OpenCost's code a
"GB" is 2^30 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import requests
from kubemend.model.objects import Node, Obj, Pod, PodSpec
from kubemend.model.snapshot import Snapshot
from kubemend.tools.look import Look
from kubemend.tools.pricebook import NodePrices, PriceBook, Prices
from kubemend.tools.usage import Used

HOURS = 730
"""Hours of a month: 8760 / 12."""
GPUS = ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915")


@dataclass(frozen=True)
class Tariff:
    """A price book over the nodes of one cluster: `rules` by a node's name."""

    book: PriceBook
    rules: Mapping[str, NodePrices]

    @property
    def prices(self) -> Prices:
        """Those of storage, and of every node without a rule."""
        return self.book.prices

    def on(self, node: str) -> Prices:
        """The prices of a node; the general ones where it isn't known."""
        return self.book.at(self.rules.get(node))

    def used(self) -> tuple[NodePrices, ...]:
        """The rules that count for some node here and say anything, in the book's order."""
        return tuple(r for r in self.book.nodes if r in self.rules.values() and self.book.at(r) != self.prices)


def priced(book: PriceBook) -> tuple[type[Obj], ...]:
    """The kinds that a book needs for its prices."""
    return (Node,) if book.nodes else ()


def tariff(cluster: Look, book: PriceBook, nodes: Snapshot) -> Tariff:
    """The book over the nodes that were read. A gap where they would count and were not."""
    if book.nodes and not nodes.was_read(Node):
        cluster.missing("prices by node", "the nodes could not be read; everything is reckoned at the general prices")
    found = ((n.name, book.rule(n.metadata.labels)) for n in nodes.all(Node))
    return Tariff(book, {name: rule for name, rule in found if rule is not None})


def charged(spec: PodSpec, used: Used | None) -> tuple[Decimal, Decimal, Decimal]:
    """Cores, bytes and GPUs that a pod is charged with: the larger of what it requests and what it uses."""
    asked = requests(spec)
    cores = max(asked.get("cpu", Decimal()), used.cores if used else Decimal())
    memory = max(asked.get("memory", Decimal()), Decimal(used.bytes) if used else Decimal())
    return cores, memory, gpus(asked)


def gpus(asked: Mapping[str, Decimal]) -> Decimal:
    """GPUs among some resources."""
    return sum((asked.get(name, Decimal()) for name in GPUS), Decimal())


def of_pod(pod: Pod, used: Used | None, tariff: Tariff) -> Decimal:
    """What a running pod costs in a month."""
    return tariff.on(pod.spec.node_name).hourly(*charged(pod.spec, used)) * HOURS


def of_node(node: Node, tariff: Tariff) -> Decimal:
    """What a node costs in a month: its capacity, whether used or not."""
    has = {k: parse(v) for k, v in node.status.capacity.items()}
    cores, memory = has.get("cpu", Decimal()), has.get("memory", Decimal())
    return tariff.on(node.name).hourly(cores, memory, gpus(has)) * HOURS


def rounded(amount: Decimal) -> float:
    """To hundredths of the currency."""
    return round(float(amount), 2)
