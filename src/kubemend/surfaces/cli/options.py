"""Options that several commands share, each described once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from kubemend.cluster.kubeconfig import Kubeconfig

CLUSTER = Group("Cluster", sort_key=10)
WRITES = Group("Changes", sort_key=20, help="Without one of these nothing is written to the cluster.")
RECORDS = Group("Records and output", sort_key=30)

Format = Literal["table", "json", "yaml"]
Risks = Literal["read", "low", "medium", "high"]

Output = Annotated[Format, Parameter(name=("--output", "-o"), group=RECORDS, help="How to print the data.")]
Store = Annotated[
    Path | None,
    Parameter(
        name="--store", group=RECORDS, help="The ledger; default $KUBEMEND_STORE, else in the state folder of the user."
    ),
]


@Parameter(name="*", group=CLUSTER)
@dataclass(frozen=True, kw_only=True)
class Place:
    """Which cluster and namespace, as whom."""

    kubeconfig: Annotated[str | None, Parameter(help="Kubeconfig file; default $KUBECONFIG, else ~/.kube/config.")] = (
        None
    )
    context: Annotated[str | None, Parameter(help="Context of the kubeconfig.")] = None
    namespace: Annotated[str | None, Parameter(name=("--namespace", "-n"), help="Namespace.")] = None
    all_namespaces: Annotated[
        bool, Parameter(name=("--all-namespaces", "-A"), help="All namespaces, even if one is named.")
    ] = False
    given: Annotated[Kubeconfig | None, Parameter(parse=False)] = None
    """A kubeconfig that was read already, in place of a file: for programs."""

    @property
    def scope(self) -> str | None:
        """The one namespace to look at, or None for all."""
        return None if self.all_namespaces else self.namespace


@Parameter(name="*", group=CLUSTER)
@dataclass(frozen=True, kw_only=True)
class Access(Place):
    """A place, and how far it may go there."""

    allow_changes: Annotated[bool, Parameter(group=WRITES, help="Write after a person's yes to each plan.")] = False
    auto_fix: Annotated[bool, Parameter(group=WRITES, help="Write without asking where the policy allows it.")] = False
    store: Store = None

    @property
    def writes(self) -> bool:
        """Whether anything may be written at all."""
        return self.allow_changes or self.auto_fix


@Parameter(name="*", group=CLUSTER)
@dataclass(frozen=True, kw_only=True)
class ToolAccess(Access):
    """An access for calling tools, some of which ask for use over time, and for what things cost."""

    prometheus_url: Annotated[
        str | None,
        Parameter(
            group=CLUSTER,
            help="Prometheus, for use over time: a URL, NAMESPACE/SERVICE[:PORT] of the cluster, or auto to look for "
            "one there; default $KUBEMEND_PROMETHEUS_URL.",
        ),
    ] = None
    prices: Annotated[
        Path | None,
        Parameter(
            name="--prices",
            group=RECORDS,
            help="Price book; default $KUBEMEND_PRICES, else ~/.config/kubemend/prices.yaml, else OpenCost's prices.",
        ),
    ] = None


HERE = Place()
NOWHERE = Access()
UNMEASURED = ToolAccess()
"""No option given."""
