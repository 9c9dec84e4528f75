"""Containers that their CPU limit holds back."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from kubemend.tools.look import Look
from kubemend.tools.usage import asked, within

LEAST = 0.25
"""Share of periods in which a container was held back from which on it is told."""
OVER = "5m"


KEYS = ("namespace", "pod", "container")


class Throttled(Struct, frozen=True):
    """One container. percent: of the scheduler's periods (100 ms), over five minutes, in which its quota ran out."""

    namespace: str
    pod: str
    container: str
    percent: float


async def throttled(cluster: Look, namespace: str | None) -> tuple[Throttled, ...] | None:
    """Containers held back in a quarter of all periods or more, the worst first; None without Prometheus.

    By cAdvisor: increase(container_cpu_cfs_throttled_periods_total) / increase(container_cpu_cfs_periods_total).
    """
    by = f"by ({', '.join(KEYS)})"
    scope = ", ".join(filter(None, (within(namespace), 'container!=""')))
    part = f"sum {by} (increase(container_cpu_cfs_throttled_periods_total{{{scope}}}[{OVER}]))"
    whole = f"sum {by} (increase(container_cpu_cfs_periods_total{{{scope}}}[{OVER}]))"
    found = await asked(cluster, f"{part} / {whole} >= {LEAST}", what="CPU throttling")
    if found is None:
        return None
    rows = (Throttled(*_keys(s.labels), round(100 * s.value, 1)) for s in found)
    return tuple(sorted(rows, key=lambda r: (-r.percent, r.namespace, r.pod, r.container)))


def _keys(labels: Mapping[str, str]) -> tuple[str, str, str]:
    namespace, pod, container = (labels.get(key, "") for key in KEYS)
    return namespace, pod, container
