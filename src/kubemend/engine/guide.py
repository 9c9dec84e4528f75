"""How to go about a kind of trouble: the rules' own pages, and the tools to look with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubemend.engine import catalogue
from kubemend.model.rule import Rule

MOST = 12
"""Rules that one guide names."""

TOPICS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "pod": (
        ("pod.",),
        (
            ("diagnose_cluster", "what the judge finds, with causes"),
            ("diagnose_kubernetes_pod_issues", "conditions, containers and events of one pod"),
            ("get_kubernetes_pod_logs", "what the program itself says"),
            ("get_kubernetes_previous_pod_logs", "what it said before its last end"),
        ),
    ),
    "network": (
        ("service.",),
        (
            ("trace_service_chain", "Ingress to Service to Pod, and the first broken hop"),
            ("check_kubernetes_endpoints", "which addresses a Service really has"),
            ("analyze_network_path", "which NetworkPolicy allows or blocks a path"),
            ("check_kubernetes_ingress", "hosts, backends and classes"),
        ),
    ),
    "storage": (
        ("storage.",),
        (
            ("check_kubernetes_persistent_volumes", "volumes and what claims them"),
            ("check_pvc_capacity", "claims, their size and who mounts them"),
            ("get_pending_kubernetes_pods", "pods that wait for a volume"),
        ),
    ),
    "performance": (
        ("scheduling.", "node.", "workload.quota"),
        (
            ("analyze_cluster_performance", "requests, limits and use by node and namespace"),
            ("identify_resource_hotspots", "the busiest nodes and pods"),
            ("get_kubernetes_node_capacity", "what each node has left"),
            ("check_kubernetes_resource_quotas", "which quota is used up"),
        ),
    ),
}
"""Topic → the folders of rules it is about, and the tools to look with, in their order."""
WORDS = {
    "net": "network",
    "service": "network",
    "ingress": "network",
    "dns": "network",
    "pvc": "storage",
    "volume": "storage",
    "disk": "storage",
    "cpu": "performance",
    "slow": "performance",
    "node": "performance",
}


def guide(keyword: str, namespace: str | None, firing: Mapping[str, str]) -> dict[str, Any]:
    """Steps and likely faults for a word. firing: code → message of what is wrong now."""
    word = keyword.strip().lower()
    topic = word if word in TOPICS else WORDS.get(word, "pod")
    folders, tools = TOPICS[topic]
    found = [r for r in catalogue.rules() if _about(r, word, folders if word in (*TOPICS, *WORDS) else ())]
    found.sort(key=lambda r: (r.code not in firing, r.code))
    where = f" namespace={namespace}" if namespace else ""
    return {
        "title": f"Finding the cause: {keyword}",
        "steps": [
            {"step": i, "action": why, "command": f"kubemend tools run {name}{where}", "check": name}
            for i, (name, why) in enumerate(tools, start=1)
        ],
        "common_issues": [_issue(r, firing) for r in found[:MOST]],
        "namespace_context": namespace,
        "timestamp": datetime.now(UTC),
    }


def _about(rule: Rule, word: str, folders: tuple[str, ...]) -> bool:
    home = rule.judge.__module__.removeprefix("kubemend.rules.")
    return home.startswith(folders) if folders else word in f"{rule.code} {rule.id} {rule.doc}".lower()


def _issue(rule: Rule, firing: Mapping[str, str]) -> dict[str, Any]:
    return {"code": rule.code, "title": rule.title, "now": firing.get(rule.code), "page": rule.doc}
