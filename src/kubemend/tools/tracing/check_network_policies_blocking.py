"""Tool: whether network policies stand between two namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.networkpolicy import directions
from kubemend.model.access import Access, Risk
from kubemend.model.objects import NetworkPolicy
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.tracing.between import Asked, Block, NetworkPath, path_between
from kubemend.tools.words import MaybeName, Namespace, Scope


class PolicyRow(Struct, frozen=True):
    """One policy. policy_types: what it closes, with the API's own defaults filled in."""

    name: str
    namespace: str
    policy_types: tuple[str, ...]
    ingress_rules: int
    egress_rules: int


class Blocking(Struct, frozen=True):
    """A policy that keeps a path closed. type: "Egress" or "Ingress"."""

    policy: str
    namespace: str
    type: str
    reason: str


class Blocks(Struct, frozen=True):
    """egress_blocked, ingress_blocked: whether that side keeps any of the judged paths closed."""

    source_namespace: str
    target_namespace: str
    source_policies: tuple[PolicyRow, ...]
    target_policies: tuple[PolicyRow, ...]
    egress_blocked: bool
    ingress_blocked: bool
    blocking_policies: tuple[Blocking, ...]
    recommendations: tuple[str, ...]
    diagnosis_summary: str


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "namespaces"),
        Access("get", "services"),
        Access("get", "pods"),
        Access("list", "pods"),
        Access("list", "services"),
        Access("list", "endpointslices", "discovery.k8s.io"),
        Access("list", "networkpolicies", "networking.k8s.io"),
    },
    examples=({"source_namespace": "shop", "source_pod": "store-0", "target_service": "web"},),
)
async def check_network_policies_blocking(
    cluster: Look,
    *,
    source_namespace: Namespace,
    source_pod: Annotated[MaybeName, Meta(description="Pod that asks; all of the namespace when omitted.")] = None,
    target_namespace: Scope = None,
    target_service: Annotated[MaybeName, Meta(description="Service that is asked; all pods when omitted.")] = None,
) -> Blocks:
    """List the network policies that keep pods of one namespace from another namespace or Service.

    The target namespace is the source's own when omitted. analyze_network_path tells each path and each rule.
    """
    there = target_namespace or source_namespace
    asked = Asked(
        source_namespace=source_namespace,
        target_namespace=there,
        source_pod=source_pod,
        target_service=target_service,
    )
    path, policies = await path_between(cluster, asked)
    blocks = tuple(map(_blocking, path.blocked_by))
    return Blocks(
        source_namespace=source_namespace,
        target_namespace=there,
        source_policies=tuple(_row(p) for p in policies if p.namespace == source_namespace),
        target_policies=tuple(_row(p) for p in policies if p.namespace == there),
        egress_blocked=any(b.type == "Egress" for b in blocks),
        ingress_blocked=any(b.type == "Ingress" for b in blocks),
        blocking_policies=blocks,
        recommendations=tuple(_advice(path, blocks)),
        diagnosis_summary=_summary(path, blocks),
    )


def _row(policy: NetworkPolicy) -> PolicyRow:
    spec = policy.spec
    return PolicyRow(policy.name, policy.namespace, directions(policy), len(spec.ingress), len(spec.egress))


def _blocking(block: Block) -> Blocking:
    namespace, _, name = block.policy.partition("/")
    return Blocking(name, namespace, block.direction, block.why)


def _advice(path: NetworkPath, blocks: tuple[Blocking, ...]) -> Iterator[str]:
    for block in blocks:
        whom = f"to {path.target_namespace}" if block.type == "Egress" else f"from {path.source_namespace}"
        yield f"add a rule to NetworkPolicy {block.namespace}/{block.policy} that allows {block.type.lower()} {whom}"
    if not path.dns.allowed:
        yield "allow egress to the cluster's DNS (port 53, UDP and TCP): without it no name is found"


def _summary(path: NetworkPath, blocks: tuple[Blocking, ...]) -> str:
    told = {
        "allowed": "no network policy blocks",
        "blocked": f"{len(blocks)} network policies block",
        "partly": f"{len(blocks)} network policies block some of the paths",
        "unknown": "there is no path to judge",
    }[path.result]
    return f"{told}: {path.source_namespace} to {path.target} in {path.target_namespace}"
