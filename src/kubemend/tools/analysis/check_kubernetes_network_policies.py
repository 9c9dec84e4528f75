"""Tool: NetworkPolicies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster.resource import Resource
from kubemend.kube.selectors import matches
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.objects.meta import LabelSelector
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, paged
from kubemend.tools.raws import Raw, key, raws
from kubemend.tools.words import After, Limit, Scope

POLICIES = Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io")


class PolicyRow(Struct, frozen=True):
    """One policy, selectors and rules as the API has them; an empty pod_selector selects every pod.

    denies_all: the directions ("Ingress", "Egress") in which it allows nothing. selected_pods: None when pods could
    not be read.
    """

    name: str
    namespace: str
    pod_selector: dict[str, Any]
    policy_types: tuple[str, ...]
    ingress_rules: tuple[dict[str, Any], ...]
    egress_rules: tuple[dict[str, Any], ...]
    denies_all: tuple[str, ...]
    selected_pods: int | None
    creation_time: datetime | None


@tool(
    risk=Risk.READ,
    needs={Access("list", "networkpolicies", "networking.k8s.io"), Access("list", "pods")},
    examples=({"namespace": "shop"},),
)
async def check_kubernetes_network_policies(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[PolicyRow]:
    """Show each NetworkPolicy with its rules, how many pods it selects, and the directions it closes wholly.

    Policies only add up: what one allows, no other takes back. Whether a network plugin enforces them the API can't
    tell. Whether one pod may reach another: analyze_network_path.
    """
    policies = await raws(cluster, POLICIES, namespace)
    pods = _by_namespace(await cluster.beside(Pod, namespace))
    return paged(policies, lambda p: _row(p, pods), key=key, limit=limit, after=continue_)


def _by_namespace(pods: Sequence[Pod] | None) -> Mapping[str, Sequence[Pod]] | None:
    if pods is None:
        return None
    found: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        found[pod.namespace].append(pod)
    return found


def _row(policy: Raw, pods: Mapping[str, Sequence[Pod]] | None) -> PolicyRow:
    spec = policy.get("spec") or {}
    rules = {"Ingress": tuple(spec.get("ingress") or ()), "Egress": tuple(spec.get("egress") or ())}
    # Without policyTypes, Ingress always counts and Egress if there are egress rules (NetworkPolicySpec).
    types = tuple(spec.get("policyTypes") or (("Ingress", "Egress") if rules["Egress"] else ("Ingress",)))
    namespace, name = key(policy)
    selector = msgspec.convert(spec.get("podSelector") or {}, type=LabelSelector)
    mine = [p for p in (pods or {}).get(namespace, ()) if matches(selector, p.metadata.labels)]
    born = policy["metadata"].get("creationTimestamp")
    return PolicyRow(
        name=name,
        namespace=namespace,
        pod_selector=spec.get("podSelector") or {},
        policy_types=types,
        ingress_rules=rules["Ingress"],
        egress_rules=rules["Egress"],
        denies_all=tuple(t for t in types if not rules.get(t)),
        selected_pods=None if pods is None else len(mine),
        creation_time=None if born is None else datetime.fromisoformat(born),
    )
