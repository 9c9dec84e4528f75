"""What a cluster costs, by the model of OpenCost (opencost.io/docs/specification).

    hourly cost of a container = max(request, use) of CPU, memory and GPU, each times its hourly price
    monthly cost               = hourly cost x 730
    storage                    = bytes asked for, in GiB, times the monthly price

The prices are OpenCost's defaults (`configs/default.json`, GCP us-central1); whoever pays others gives them. As in
OpenCost's code a "GB" is 2^30 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import requests
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.tools.usage import Used

HOURS = 730
"""Hours of a month: 8760 / 12."""
GIB = Decimal(2**30)
GPUS = ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915")


class Prices(Struct, frozen=True):
    """US dollars per core and hour, per GiB and hour, per GPU and hour, and per GiB of storage and month."""

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


def _exact(price: float) -> Decimal:
    """A price as it is written: 0.031611 and not the binary number next to it."""
    return Decimal(repr(price))


def charged(spec: PodSpec, used: Used | None) -> tuple[Decimal, Decimal, Decimal]:
    """Cores, bytes and GPUs that a pod is charged with: the larger of what it requests and what it uses."""
    asked = requests(spec)
    cores = max(asked.get("cpu", Decimal()), used.cores if used else Decimal())
    memory = max(asked.get("memory", Decimal()), Decimal(used.bytes) if used else Decimal())
    return cores, memory, gpus(asked)


def gpus(asked: Mapping[str, Decimal]) -> Decimal:
    """GPUs among some resources."""
    return sum((asked.get(name, Decimal()) for name in GPUS), Decimal())


def of_pod(pod: Pod, used: Used | None, prices: Prices) -> Decimal:
    """What a running pod costs in a month."""
    return prices.hourly(*charged(pod.spec, used)) * HOURS


def of_node(node: Node, prices: Prices) -> Decimal:
    """What a node costs in a month: its capacity, whether used or not."""
    has = {k: parse(v) for k, v in node.status.capacity.items()}
    cores, memory = has.get("cpu", Decimal()), has.get("memory", Decimal())
    return prices.hourly(cores, memory, gpus(has)) * HOURS


def dollars(amount: Decimal) -> float:
    """Rounded to cents."""
    return round(float(amount), 2)
