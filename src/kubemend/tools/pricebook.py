"""What things cost: OpenCost's default prices (`configs/default.json`, GCP us-central1), or what a person pays."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, structs

GIB = Decimal(2**30)
DOLLARS = "USD"


class Prices(Struct, frozen=True):
    """Per core and hour, per GiB of memory and hour, per GPU and hour, and per GiB of storage and month."""

    cpu_core_hour: float = 0.031611
    memory_gb_hour: float = 0.004237
    gpu_hour: float = 0.95
    storage_gb_month: float = 0.04

    def hourly(self, cores: Decimal, bytes_: Decimal, gpus: Decimal = Decimal()) -> Decimal:
        """What these cost in an hour."""
        memory = bytes_ / GIB * _exact(self.memory_gb_hour)
        return cores * _exact(self.cpu_core_hour) + memory + gpus * _exact(self.gpu_hour)

    def storage(self, bytes_: Decimal) -> Decimal:
        """What storage costs in a month."""
        return bytes_ / GIB * _exact(self.storage_gb_month)


class NodePrices(Struct, frozen=True, omit_defaults=True):
    """Prices of the nodes that have all of these labels; None is the price of all nodes."""

    labels: dict[str, str]
    cpu_core_hour: float | None = None
    memory_gb_hour: float | None = None
    gpu_hour: float | None = None


class PriceBook(Struct, frozen=True):
    """All prices. given: whether a file told them."""

    prices: Prices = Prices()
    nodes: tuple[NodePrices, ...] = ()
    currency: str = DOLLARS
    given: bool = False

    def rule(self, labels: Mapping[str, str]) -> NodePrices | None:
        """What counts for a node with these labels before the prices of all nodes."""
        return next((n for n in self.nodes if n.labels.items() <= labels.items()), None)

    def at(self, rule: NodePrices | None) -> Prices:
        """The prices of nodes for which a rule counts."""
        if rule is None:
            return self.prices
        told = {k: getattr(rule, k) for k in BY_NODE}
        return structs.replace(self.prices, **{k: v for k, v in told.items() if v is not None})

    def instead(self, **prices: float | None) -> PriceBook:
        """This book with some prices replaced everywhere: a question of what would be."""
        told = {k: v for k, v in prices.items() if v is not None}
        unset = dict.fromkeys(told.keys() & BY_NODE)
        nodes = tuple(structs.replace(n, **unset) for n in self.nodes)
        return structs.replace(self, prices=structs.replace(self.prices, **told), nodes=nodes)


ALL_PRICES = frozenset(Prices.__struct_fields__)
BY_NODE = ALL_PRICES - {"storage_gb_month"}
USUAL = PriceBook()
"""OpenCost's defaults."""


def _exact(price: float) -> Decimal:
    """A price as it is written: 0.031611 and not the binary number next to it."""
    return Decimal(repr(price))
