"""Tool: what Deployments lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.cluster.errors import NotFound
from kubemend.kube.names import near
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Deployment, PodDisruptionBudget
from kubemend.model.tool import tool
from kubemend.tools.analysis.soundness import Concern, concerns
from kubemend.tools.look import Look
from kubemend.tools.words import Limit, Name, Scope

SEVERITIES = ("high", "medium", "low")


class ContainerReview(Struct, frozen=True):
    """What one container lacks."""

    name: str
    image: str
    issues: tuple[str, ...]
    recommendations: tuple[str, ...]


class Configuration(Struct, frozen=True):
    """What was looked at."""

    replicas: int
    strategy: str
    containers: tuple[ContainerReview, ...]


class Review(Struct, frozen=True):
    """One Deployment: what it lacks as a whole, and by container."""

    name: str
    namespace: str
    issues: tuple[str, ...]
    recommendations: tuple[str, ...]
    config_analysis: Configuration


class IssueRow(Struct, frozen=True):
    """One kind of lack, and who has it ("namespace/name")."""

    severity: str
    code: str
    issue: str
    count: int
    workloads: tuple[str, ...]


class Reviews(Struct, frozen=True):
    """Deployments, those with most to better first. total, healthy, problematic and issues_detail: of all in scope."""

    cluster_name: str
    scope: str
    total: int
    healthy: int
    problematic: int
    offset: int
    limit: int
    returned: int
    has_more: bool
    issues_detail: tuple[IssueRow, ...]
    deployments: tuple[Review, ...]


@tool(
    risk=Risk.READ,
    needs={Access("list", "deployments", "apps"), Access("list", "poddisruptionbudgets", "policy")},
    examples=({"namespace": "shop"},),
)
async def analyze_deployment_configurations(
    cluster: Look,
    *,
    namespace: Scope = None,
    name: Annotated[Name | None, Meta(description="Only the Deployment of this name.")] = None,
    limit: Limit = 50,
    offset: Annotated[int, Meta(description="How many to skip.", ge=0)] = 0,
) -> Reviews:
    """Find what Deployments lack, from replicas and budgets to probes, requests and fixed image tags.

    These are opinions on how a workload in use should be set up; what is broken, diagnose_cluster tells.
    """
    found = _named(await cluster.list(Deployment, namespace), name)
    held = await cluster.beside(PodDisruptionBudget, namespace)
    budgets: defaultdict[str, list[PodDisruptionBudget]] = defaultdict(list)
    for budget in held or ():
        budgets[budget.namespace].append(budget)
    judged = [(d, tuple(concerns(d, None if held is None else budgets[d.namespace]))) for d in found]
    judged.sort(key=lambda pair: (-len(pair[1]), pair[0].namespace, pair[0].name))
    bad = sum(bool(c) for _, c in judged)
    shown = judged[offset : offset + limit]
    return Reviews(
        cluster_name=cluster.place.context,
        scope=namespace or "all",
        total=len(judged),
        healthy=len(judged) - bad,
        problematic=bad,
        offset=offset,
        limit=limit,
        returned=len(shown),
        has_more=offset + len(shown) < len(judged),
        issues_detail=tuple(_issues(judged)),
        deployments=tuple(_review(d, c) for d, c in shown),
    )


def _named(found: Sequence[Deployment], name: str | None) -> Sequence[Deployment]:
    if name is None:
        return found
    kept = [d for d in found if d.name == name]
    if not kept:
        guess = near(name, (d.name for d in found))
        hint = f"did you mean {guess}?" if guess else None
        raise NotFound(f"there is no Deployment {name}", status=404, where=name, hint=hint)
    return kept


def _issues(judged: Sequence[tuple[Deployment, tuple[Concern, ...]]]) -> list[IssueRow]:
    found: defaultdict[tuple[int, str], list[tuple[Concern, str]]] = defaultdict(list)
    for deployment, told in judged:
        for concern in told:
            who = f"{deployment.namespace}/{deployment.name}"
            found[SEVERITIES.index(concern.severity), concern.code].append((concern, who))
    rows = []
    for (rank, code), pairs in sorted(found.items(), key=lambda f: (f[0][0], -len(f[1]), f[0][1])):
        who_all = tuple(sorted({who for _, who in pairs}))
        rows.append(IssueRow(SEVERITIES[rank], code, pairs[0][0].issue, len(who_all), who_all))
    return rows


def _review(deployment: Deployment, told: Sequence[Concern]) -> Review:
    own = [c for c in told if not c.container]
    containers = (
        ContainerReview(
            name=c.name,
            image=c.image,
            issues=tuple(t.issue for t in told if t.container == c.name),
            recommendations=tuple(t.recommendation for t in told if t.container == c.name),
        )
        for c in deployment.spec.template.spec.containers
    )
    spec = deployment.spec
    return Review(
        name=deployment.name,
        namespace=deployment.namespace,
        issues=tuple(c.issue for c in own),
        recommendations=tuple(c.recommendation for c in own),
        config_analysis=Configuration(spec.replicas, spec.strategy.type, tuple(containers)),
    )
