"""`kubemend rbac`: the roles kubemend needs, as YAML for `kubectl apply -f -`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kubemend.engine import catalogue
from kubemend.model.access import Access
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.manifests import manifests

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


def _print(role: str, permissions: frozenset[Access], namespace: str | None) -> int:
    out.write(out.as_yaml(*manifests(role, permissions, namespace=namespace), compact=True))
    return 0
