"""Tool: pods and pod templates against the Pod Security Standards."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from kubemend.kube.podsecurity import Level, Mode, Violation, hardened, judge, parse_version, policy_of, told
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Namespace
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.security.runners import NEEDS, Runner, runners
from kubemend.tools.words import Scope

GATED = ("procMount", "runAsNonRoot", "runAsUser")
"""Checks that servers of 1.29 to 1.34 relax for pods with users of their own, if a feature gate is on."""
_TEMPLATE = ("spec", "template", "spec")
PLACES = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"), _TEMPLATE),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
}
"""Where the pod spec stands in each kind whose template can be changed."""


class Violating(Struct, frozen=True):
    """A pod template, or pods that are alike. pods: how many; 0 for a template. says: the server's own words.

    patch: a strategic merge patch of the object that cures what fields alone can cure; None for what can't be patched
    (pods, Jobs). left: the checks that it leaves violated. Roll it out watched: an image may need what it takes away.
    """

    kind: str
    name: str
    namespace: str
    pods: int
    checks: tuple[str, ...]
    says: str
    patch: dict[str, Any] | None
    left: tuple[str, ...]


class NamespaceRow(Struct, frozen=True):
    """What a namespace's labels ask for, as "level:version". refused: what `enforce` would refuse of what is there."""

    name: str
    enforce: str
    audit: str
    warn: str
    refused: int
    errors: tuple[str, ...]


class Standards(Struct, frozen=True):
    """judged_version: the version that `version` means on this server. by_check: violating templates and pods."""

    level: str
    version: str
    judged_version: str
    checked: dict[str, int]
    passed: int
    violating: int
    by_check: dict[str, int]
    violations: tuple[Violating, ...]
    namespaces: tuple[NamespaceRow, ...] | None
    notes: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={*NEEDS, Access("list", "namespaces")},
    examples=({"namespace": "shop", "level": "baseline"},),
)
async def check_pod_security_standards(
    cluster: Look,
    *,
    namespace: Scope = None,
    level: Annotated[Literal["baseline", "restricted"], Meta(description="Level to hold.")] = "restricted",
    version: Annotated[
        str, Meta(description='"latest" (the server\'s own) or "v1.N".', pattern=r"^(latest|v1\.(0|[1-9][0-9]{0,2}))$")
    ] = "latest",
) -> Standards:
    """Judge every pod and pod template by the Pod Security Standards exactly as the API server's admission does.

    And what each namespace's labels would refuse. Exemptions in the server's own configuration can't be read.
    """
    found = await runners(cluster, namespace)
    server = (await cluster.reader.version()).minor
    mode = Mode(Level(level), parse_version(version))
    spaces = await cluster.beside(Namespace)
    # In a thread: while thousands are judged, other calls go on.
    return await asyncio.to_thread(_standards, found, mode, server, spaces, namespace)


def _standards(
    found: Sequence[Runner], mode: Mode, server: int, spaces: Sequence[Namespace] | None, namespace: str | None
) -> Standards:
    judged = [(r, judge(r.subject, mode, server=server)) for r in found]
    rows = [_row(r, violations, mode, server) for r, violations in judged if violations]
    effective = server if mode.version is None else min(mode.version, server)
    return Standards(
        level=mode.level.value,
        version="latest" if mode.version is None else f"v1.{mode.version}",
        judged_version=f"v1.{effective}",
        checked={"templates": sum(not r.pods for r in found), "pods": sum(r.pods for r in found)},
        passed=len(judged) - len(rows),
        violating=len(rows),
        by_check=dict(Counter(v.check for _, violations in judged for v in violations).most_common()),
        violations=tuple(sorted(rows, key=lambda r: (-len(r.checks), r.namespace, r.pods > 0, r.kind, r.name))),
        namespaces=None if spaces is None else tuple(_namespaces(spaces, namespace, found, server)),
        notes=tuple(_notes(judged, server)),
    )


def _row(runner: Runner, violations: Sequence[Violation], mode: Mode, server: int) -> Violating:
    ref = runner.ref
    spec, left = hardened(runner.subject, mode, server=server) if ref.kind in PLACES else (None, tuple(violations))
    return Violating(
        kind=ref.kind,
        name=ref.name,
        namespace=ref.namespace,
        pods=runner.pods,
        checks=tuple(v.check for v in violations),
        says=told(violations),
        patch=None if spec is None else _placed(spec, PLACES[ref.kind]),
        left=tuple(v.check for v in left),
    )


def _placed(spec: dict[str, Any], place: Sequence[str]) -> dict[str, Any]:
    """The patch of a pod spec as one of the object that has it there."""
    return functools.reduce(lambda inner, field: {field: inner}, reversed(place), spec)


def _namespaces(
    spaces: Iterable[Namespace], only: str | None, found: Sequence[Runner], server: int
) -> Iterator[NamespaceRow]:
    here: defaultdict[str, list[Runner]] = defaultdict(list)
    for runner in found:
        here[runner.ref.namespace].append(runner)
    for space in spaces:
        if only not in (None, space.name):
            continue
        policy = policy_of(space.metadata.labels)
        refused = sum(bool(judge(r.subject, policy.enforce, server=server)) for r in here[space.name])
        modes = (str(policy.enforce), str(policy.audit), str(policy.warn))
        yield NamespaceRow(space.name, *modes, refused, policy.errors)


def _notes(judged: Iterable[tuple[Runner, Sequence[Violation]]], server: int) -> Iterator[str]:
    gated = any(r.subject.own_users and any(v.check in GATED for v in violations) for r, violations in judged)
    if gated and 29 <= server <= 34:
        yield (
            f"pods with hostUsers: false pass {', '.join(GATED)} if the server has the feature gate "
            "UserNamespacesPodSecurityStandards on; that can't be read, and it is judged as off"
        )
