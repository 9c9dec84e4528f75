"""Tool: who may do what, and what that could lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.escalation import named
from kubemend.kube.powers import powers
from kubemend.kube.rbac import Grant, User, account
from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.security.rights import NEEDS, Rights, grant_text, path_text, read_rights, rule_text, wide_open
from kubemend.tools.security.unused import Unused, stale, unused
from kubemend.tools.words import Scope

FORMS = "user:NAME, group:NAME, serviceaccount:NAMESPACE/NAME or system:serviceaccount:NAMESPACE:NAME"


class Danger(Struct, frozen=True):
    """A permission that is worth more than it seems. namespace: where it holds; "" everywhere."""

    power: str
    severity: str
    says: str
    namespace: str
    rule: str
    by: str


class Permission(Struct, frozen=True):
    """One rule that somebody has, where, and by which binding."""

    namespace: str
    rule: str
    by: str


class SubjectRow(Struct, frozen=True):
    """Somebody. path_to_owner: how this subject could come to own the cluster, step by step; None for no known way.

    permissions: shown for a subject that was asked for.
    """

    subject: str
    rules: int
    wildcards: tuple[str, ...]
    dangers: tuple[Danger, ...]
    path_to_owner: tuple[str, ...] | None
    permissions: tuple[Permission, ...] = ()


class Permissions(Struct, frozen=True):
    """subjects: the most powerful first. stale_aggregations: ClusterRoles whose controller has not caught up."""

    namespace: str
    subjects: tuple[SubjectRow, ...]
    unused: tuple[Unused, ...]
    stale_aggregations: tuple[str, ...]
    summary: str


@tool(
    risk=Risk.READ,
    needs={*NEEDS},
    examples=({}, {"subject": "serviceaccount:shop/default", "namespace": "shop"}),
)
async def analyze_rbac_permissions(
    cluster: Look,
    *,
    subject: Annotated[str | None, Meta(description=f"Somebody: {FORMS}. All whom bindings name when omitted.")] = None,
    namespace: Scope = None,
) -> Permissions:
    """Tell who may do what by RBAC: wildcards, dangerous permissions, and ways to come to own the cluster.

    Evaluated as the API server does it. The server's own roles and bindings are left out, unless a subject is named.
    """
    return await asyncio.to_thread(_permissions, await read_rights(cluster), subject, namespace)


def _permissions(rights: Rights, subject: str | None, namespace: str | None) -> Permissions:
    chosen = rights.subjects if subject is None else {subject: _user(subject)}
    rows = [_subject(rights, t, u, namespace, whole=subject is not None) for t, u in chosen.items()]
    rows = [r for r in rows if r.rules or subject is not None]
    rows.sort(key=lambda r: (r.path_to_owner is None, -_weight(r), r.subject))
    owners = sum(r.path_to_owner is not None for r in rows)
    idle = () if subject is not None else tuple(unused(rights, namespace))
    return Permissions(
        namespace=namespace or "all",
        subjects=tuple(rows),
        unused=idle,
        stale_aggregations=tuple(stale(rights)),
        summary=f"{len(rows)} subjects; {owners} own the cluster or could; {len(idle)} bindings and roles unused",
    )


def _user(text: str) -> User:
    kind, _, name = text.partition(":")
    place, _, account_name = name.partition("/")
    match kind.lower():
        case "user" if name:
            return named(name)
        case "group" if name:
            return User("", (name,))
        case "serviceaccount" | "sa" if place and account_name:
            return account(place, account_name)
        case "system" if text.startswith("system:serviceaccount:") and text.count(":") == 3:
            return named(text)
    raise InvalidInput(f"{text!r} names nobody", code="invalid-arguments", where="subject", hint=f"write {FORMS}")


def _subject(rights: Rights, who: str, user: User, namespace: str | None, *, whole: bool) -> SubjectRow:
    grants = [g for g in rights.rbac.everywhere(user) if namespace is None or g.namespace in ("", namespace)]
    path = rights.escalations.path(user, who)
    return SubjectRow(
        subject=who,
        rules=len(grants),
        wildcards=tuple(dict.fromkeys(f"{rule_text(g.rule)} ({grant_text(g)})" for g in wide_open(grants))),
        dangers=tuple(_dangers(grants)),
        path_to_owner=None if path is None else path_text(path),
        permissions=tuple(Permission(g.namespace, rule_text(g.rule), grant_text(g)) for g in grants) if whole else (),
    )


def _dangers(grants: Iterable[Grant]) -> Iterator[Danger]:
    """Each power once for each place, by the first grant that gives it."""
    seen = set()
    for held in powers(grants):
        power, grant = held.power, held.grant
        if (power.code, grant.namespace) not in seen:
            seen.add((power.code, grant.namespace))
            rule = rule_text(grant.rule)
            yield Danger(power.code, power.severity, power.says, grant.namespace, rule, grant_text(grant))


def _weight(row: SubjectRow) -> int:
    worth = {"critical": 100, "high": 10, "medium": 1}
    return sum(worth[d.severity] * (1 if d.namespace else 3) for d in row.dangers)
