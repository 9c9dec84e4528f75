"""How the usual installations of Prometheus, and of stores that answer as it does, mark their Services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubemend.model.objects import Service
from kubemend.model.objects.network import ServicePort

PORTS = ("http-web", "web", "http", "https")
"""Names of the port that answers queries, the likeliest first; beside it stand gRPC and the configuration reloader."""


@dataclass(frozen=True)
class Known:
    """How an installation marks its Service. prefix: of its query API's path."""

    labels: Mapping[str, str]
    prefix: str = ""


_NAME, _PART, _APP = "app.kubernetes.io/name", "app.kubernetes.io/component", "app"
KNOWN = (
    # What sees over several Prometheis, or holds more, comes before one of them.
    Known({_NAME: "thanos", _PART: "query"}),
    *(Known(labels) for labels in ({_NAME: "thanos-query"}, {_APP: "thanos-query"}, {_APP: "thanos-querier"})),
    *(Known(labels, "/select/0/prometheus") for labels in ({_NAME: "vmselect"}, {_APP: "vmselect"})),
    *(Known({_NAME: name}) for name in ("vmsingle", "victoria-metrics-single")),
    Known({_APP: "kube-prometheus-stack-prometheus"}),
    Known({_NAME: "prometheus", _PART: "server"}),
    Known({_APP: "prometheus", "component": "server"}),
    Known({_NAME: "prometheus", _PART: "prometheus"}),
    Known({_NAME: "kube-prometheus", _PART: "prometheus"}),
    *(
        Known({_APP: app})
        for app in (
            "prometheus-server",
            "prometheus-operator-prometheus",
            "rancher-monitoring-prometheus",
            "prometheus-prometheus",
        )
    ),
    Known({"operated-prometheus": "true"}),
)
"""The charts of Thanos, VictoriaMetrics, kube-prometheus-stack, Prometheus (and what came before it), Bitnami and
Rancher, kube-prometheus, and the Service that the operator makes for each of its own; the best to ask first."""
_OWN = ("release", "kubecost")
"""The label of a Prometheus that holds one product's series only."""


def selectors() -> list[str]:
    """Label selectors that find all of KNOWN in few lists."""
    values: dict[str, set[str]] = {}
    for known in KNOWN:
        key, value = next(iter(known.labels.items()))
        values.setdefault(key, set()).add(value)
    return [f"{key} in ({','.join(sorted(held))})" for key, held in values.items()]


def _known(service: Service) -> int | None:
    """Its place among KNOWN."""
    held = service.metadata.labels.items()
    return next((i for i, known in enumerate(KNOWN) if known.labels.items() <= held), None)


def fit(service: Service) -> bool:
    """Whether it may be Prometheus. Without a selector its addresses are anything that somebody wrote down."""
    own = _OWN in service.metadata.labels.items()
    return _known(service) is not None and not own and bool(service.spec.selector) and bool(service.spec.ports)


def order(service: Service) -> tuple[int, bool, str, str]:
    """What sorts the best to ask first: by installation, and a headless twin after the other."""
    rank = _known(service)
    headless = service.spec.cluster_ip == "None"
    return len(KNOWN) if rank is None else rank, headless, service.namespace, service.name


def doubtful(found: Sequence[Service]) -> bool:
    """Whether several in order may be meant: they are in several namespaces, or the first two are equals."""
    equals = len(found) > 1 and order(found[0])[:2] == order(found[1])[:2]
    return equals or len({s.namespace for s in found}) > 1


def best(ports: Iterable[ServicePort]) -> ServicePort:
    """The port that most likely answers queries."""
    return min(ports, key=lambda p: PORTS.index(p.name) if p.name in PORTS else len(PORTS))


def prefix(service: Service) -> str:
    """What its query API's path begins with."""
    rank = _known(service)
    return "" if rank is None else KNOWN[rank].prefix
