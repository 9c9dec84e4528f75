"""The tools for LangChain and LangGraph agents.

    from kubemend.langchain import get_tools

    agent = create_agent(model, get_tools(toolsets=["resources", "diagnostics"]))
    agent.invoke({"messages": [...]}, {"configurable": {"context": "prod", "namespace": "shop", "actor": "alice"}})

Each tool answers with JSON text, refusals and errors too. Which cluster a call is about is said by `configurable` (see
`kubemend.surfaces.langchain.configuration`); how far it may go is said here.
"""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubemend.app import Rooms
from kubemend.cluster import kubeconfig
from kubemend.engine import prospectus
from kubemend.model.access import Risk
from kubemend.surfaces.cli.options import Access

try:
    from kubemend.surfaces.langchain.clusters import Clusters
    from kubemend.surfaces.langchain.configuration import Given, Target, instances_of
    from kubemend.surfaces.langchain.tools import Approve, ClusterTool
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "langchain_core":
        raise
    raise ModuleNotFoundError(
        "kubemend.langchain needs langchain-core: pip install 'kubemend[langchain]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from kubemend.engine.gateway import Gateway

__all__ = ["close", "get_tools"]


def get_tools(
    *,
    toolsets: Iterable[str] = (),
    tools: Iterable[str] = (),
    without: Iterable[str] = (),
    max_risk: str = "high",
    kubeconfig_path: str | None = None,
    kubeconfig_data: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    kubernetes_instances: str | Sequence[Any] | None = None,
    actor: str = "langchain",
    allow_changes: bool = False,
    approve: Approve | None = None,
    store: str | Path | None = None,
) -> list[ClusterTool]:
    """The tools, sync and async.

    toolsets, tools, without, max_risk: which of them; all when nothing is said. kubeconfig_path … actor: what counts
    where `configurable` says nothing else. allow_changes: whether a change that a person approves is written; else
    plans only wait. approve: asks that person; see `Approve`. store: the ledger. InvalidInput for an unknown name.
    """
    given = Given(
        target=Target(
            kubeconfig_path, kubeconfig_data, context, namespace, allow_changes, None if store is None else str(store)
        ),
        actor=actor,
        instances=None if kubernetes_instances is None else instances_of(kubernetes_instances),
    )
    chosen = prospectus.chosen(
        Rooms().tools(), modules=toolsets, names=tools, without=without, risk=Risk[max_risk.upper()]
    )
    return [ClusterTool(tool, _clusters, given, approve) for tool in chosen.values()]


def close() -> None:
    """Close all connections. Not needed at the end of a program; tools that are called afterwards open new ones."""
    _clusters.close()


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[Gateway]:
    access = Access(
        kubeconfig=target.kubeconfig_path,
        given=None if target.kubeconfig_data is None else kubeconfig.given(target.kubeconfig_data),
        context=target.context,
        namespace=target.namespace,
        allow_changes=target.allow_changes,
        store=None if target.store is None else Path(target.store),
    )
    async with Rooms().gateway(access) as gateway:
        yield gateway


_clusters = Clusters(_opened)
atexit.register(close)
