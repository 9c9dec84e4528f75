"""What every reading tool is asked on a furnished fleet: the whole cluster, or the largest workload there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet import APPS, FAULTS, FAULTY, space
from furnished import Town

from kubemend.model.access import Risk
from kubemend.model.tool import Tool

Arguments = dict[str, Any]

LINES = 1000
"""Of a log."""
ALERT = {
    "status": "firing",
    "alerts": [{"status": "firing", "labels": {"alertname": "Crash"}, "startsAt": "2026-01-01T12:00:00Z"}],
}


def faulty(fault: str) -> Arguments:
    """The first pod of the first application with a fault."""
    index = FAULTS.index(fault) * FAULTY + 3
    return {"namespace": space(index // APPS), "pod_name": f"app-{index:05}-2f9c8b7d5-000xk"}


def questions(tools: Mapping[str, Tool], town: Town) -> list[tuple[Tool, Arguments]]:
    """Each tool that only reads, and `kubectl`, with what it is asked. KeyError for a tool without a question here."""
    named = _named(town)
    found: list[tuple[Tool, Arguments]] = []
    for name, tool in tools.items():
        if tool.risk is Risk.READ or name == "kubectl":
            required = tool.schema.get("required", ())
            asked = named[name] if required else named.get(name, [{}])
            found += [(tool, {**_most(tool), **arguments}) for arguments in asked]
    return found


def _most(tool: Tool) -> Arguments:
    """As long a list as it gives."""
    limit = tool.schema["properties"].get("limit")
    return {} if limit is None else {"limit": limit["maximum"]}


def _named(town: Town) -> dict[str, list[Arguments]]:
    name, ns = town.large, town.busiest
    here: Arguments = {"namespace": ns}
    deployment = {"deployment_name": name, **here}
    typed = {"resource_type": "deployment", "resource_name": name, **here}
    pod = {"pod_name": f"{name}-2f9c8b7d5-000xk", **here}
    crash, pending = faulty("crash"), faulty("huge")
    between = {"source_namespace": ns, "target_namespace": ns, "target_service": name}
    return {
        "describe_kubernetes_resource": [typed],
        "explain_kubernetes_resource": [{"resource_type": "pod", "field_path": "spec"}],
        "kubernetes_troubleshooting_guide": [{"keyword": "CrashLoopBackOff"}],
        "diagnose_kubernetes_pod_issues": [crash],
        "diagnose_node_issues": [{"node_name": "node-0007"}],
        "diagnose_pending_pod_issues": [pending],
        "get_kubernetes_previous_pod_logs": [{**crash, "container": "app", "lines": LINES}],
        "get_pod_crash_report": [crash],
        "recommend_resource_limits": [{"workload": name, **here}],
        "build_incident_evidence_package": [{"alert": ALERT["alerts"][0], "target": typed}],
        "collect_k8s_context_by_target_type": [{"target": typed}],
        "normalize_alert_event": [{"alert_payload": ALERT}],
        "resolve_k8s_target_from_alert": [{"normalized_alert": {"labels": {"alertname": "x", "deployment": name}}}],
        "check_pod_distribution": [deployment],
        "recommend_anti_affinity": [deployment],
        "validate_probe_configuration": [deployment],
        "find_configmap_consumers": [{"configmap_name": name, **here}],
        "kubectl_get_resources": [
            {"resource_type": "pods", "output_format": "json"},
            {"resource_type": "pods", "output_format": "table"},
        ],
        "search_workload_across_namespaces": [{"workload_name": "app"}],
        "check_scaling_capacity": [{"replicas": 2000, "workload": name, **here}],
        "compare_deployment_revisions": [{**deployment, "revision1": 1, "revision2": 2}],
        "get_deployment_revision_history": [deployment],
        "monitor_scaling_progress": [typed],
        "wait_for_pod_ready": [pod],
        "propose_repair": [{**typed, "resource_name": crash["pod_name"][:9], "namespace": crash["namespace"]}],
        "get_kubernetes_pod_logs": [{**crash, "container": "app", "lines": LINES}],
        "get_kubernetes_resource_yaml": [typed],
        "bash": [{"command": "kubectl get pods -A | grep -c Running"}],
        "python": [{"code": "print(6 * 7)"}],
        "kubectl": [{"command": "kubectl get pods -A"}],
        "analyze_network_path": [between],
        "check_network_policies_blocking": [{"source_namespace": ns, "target_namespace": ns, "target_service": name}],
        "get_resource_events_timeline": [typed],
        "trace_service_chain": [{"service_name": name, **here}],
    }
