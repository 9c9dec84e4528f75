"""`kubemend rbac`: the roles kubemend needs, as YAML for `kubectl apply -f -`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kubemend.engine import catalogue, prospectus
from kubemend.model.access import Access, Risk
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.manifests import manifests
from kubemend.surfaces.cli.options import Risks
from kubemend.surfaces.cli.wiring import wiring

Namespace = Annotated[
    str | None,
    Parameter(name=("--namespace", "-n"), help="Only this namespace, where that is possible; default all of them."),
]


def viewer(*, namespace: Namespace = None) -> int:
    """The role that finds faults: it may read what the rules read, and nothing else.

    It reads no Secrets.
    """
    return _print("viewer", catalogue.reads(), namespace)


def fixer(*, namespace: Namespace = None) -> int:
    """The role that also repairs: the viewer's, and what the strategies declare that they change."""
    return _print("fixer", catalogue.reads() | catalogue.writes(), namespace)


def tools(
    *,
    namespace: Namespace = None,
    module: Annotated[
        tuple[str, ...], Parameter(negative=(), help="Only what tools of this module need; may be repeated.")
    ] = (),
    max_risk: Annotated[Risks, Parameter(help="Only what tools up to this risk need.")] = "read",
) -> int:
    """The role that calls tools: the viewer's, and what the tools declare.

    It reads no Secrets: a tool that would says that it may not.
    """
    chosen = prospectus.chosen(wiring().tools(), modules=module, risk=Risk[max_risk.upper()])
    needed = {a for tool in chosen.values() for a in tool.needs if a.resource != "secrets"}
    return _print("tools", catalogue.reads() | needed, namespace)


def _print(role: str, permissions: frozenset[Access], namespace: str | None) -> int:
    out.write(out.as_yaml(*manifests(role, permissions, namespace=namespace), compact=True))
    return 0
