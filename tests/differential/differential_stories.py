"""What controllers and nodes make of workloads: stories told to both kinds of cluster, compared where they end.

A step with `hold` waits until the cluster has come to a state; only then is it compared.
"""

from __future__ import annotations

from typing import Any

from differential_steps import (
    APPS,
    BATCH,
    FOUND,
    STRATEGIC,
    Step,
    delete,
    get,
    named,
    patch,
    post,
    workload,
)

WEB, SETS, PODS = f"{APPS}/deployments/web", f"{APPS}/replicasets", "pods"
IMAGE, NEWER = "registry.lab/web:1.0", "registry.lab/web:1.1"
READY = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
OUT = {"Available": "True"}


def web(name: str = "web", *, image: str = IMAGE, **spec: Any) -> dict[str, Any]:
    body = workload(name, **spec)
    body["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": image}]
    return body


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}}


def rolled(generation: int, ready: int = 2) -> dict[str, Any]:
    """What a Deployment shows once a generation is out."""
    return {
        "/status/observedGeneration": generation,
        "/status/updatedReplicas": ready,
        "/status/readyReplicas": ready,
        "/status/availableReplicas": ready,
        "/status/replicas": ready,
        "/status/conditions/type=Progressing/reason": "NewReplicaSetAvailable",
    }


def come(path: str, name: str, /, **hold: Any) -> Step:
    """Wait for fields: `status_phase="Bound"` for /status/phase."""
    return get(path, name=name, hold={"/" + k.replace("_", "/"): v for k, v in hold.items()})


def seen(path: str, name: str, count: int | None = None) -> Step:
    hold = {} if count is None else {"/items/#": count}
    return get(path, name=name, hold=hold)


ROLLOUT: list[Step] = [
    post("services", named("web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})),
    post(f"{APPS}/deployments", web(replicas=2)),
    get(WEB, hold=rolled(1), name="the first revision"),
    seen(SETS, "its ReplicaSet", 1),
    seen(PODS, "its pods", 2),
    patch(WEB, image(NEWER), STRATEGIC),
    get(WEB, hold=rolled(2), name="the second revision"),
    seen(PODS, "its pods", 2),
    seen(SETS, "both ReplicaSets", 2),
    patch(WEB, image(IMAGE), STRATEGIC),
    get(WEB, hold=rolled(3), name="back at the first"),
    seen(PODS, "its pods", 2),
    seen(SETS, "the revisions and their history", 2),
    get(f"{FOUND}/endpointslices", hold={"/items/0/endpoints/#": 2}, name="the slice"),
    patch(f"{WEB}/scale", {"spec": {"replicas": 1}}),
    get(WEB, hold=rolled(4, 1), name="scaled down"),
    seen(PODS, "one pod", 1),
    patch(WEB, {"spec": {"paused": True}}),
    get(
        WEB,
        hold={"/status/conditions/type=Progressing/reason": "DeploymentPaused", "/status/observedGeneration": 5},
        name="paused",
    ),
    patch(WEB, image("registry.lab/web:1.2"), STRATEGIC),
    get(WEB, hold={"/status/observedGeneration": 6}, name="paused with a new template"),
    seen(SETS, "no new ReplicaSet", 2),
]

STUCK: list[Step] = [
    post(f"{APPS}/deployments", web(replicas=2, progressDeadlineSeconds=3)),
    get(WEB, hold=rolled(1), name="well"),
    patch(WEB, image("registry.lab/web:none"), STRATEGIC),
    get(
        WEB,
        hold={
            "/status/conditions/type=Progressing/reason": "ProgressDeadlineExceeded",
            "/status/unavailableReplicas": 1,
        },
        name="given up",
    ),
    seen(SETS, "both ReplicaSets", 2),
    seen(PODS, "old and new pods", 3),
]

ADOPTION: list[Step] = [
    post(
        "pods",
        {
            "metadata": {"name": "orphan", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": IMAGE}]},
        },
    ),
    come("pods/orphan", "the orphan runs", status_phase="Running"),
    post(SETS, web("web", replicas=2)),
    come(f"{SETS}/web", "its ReplicaSet is complete", status_readyReplicas=2),
    get("pods/orphan", hold={"/metadata/ownerReferences/#": 1}, name="adopted"),
    seen(PODS, "one was added", 2),
    patch("pods/orphan", {"metadata": {"labels": {"app": "other"}}}),
    get("pods/orphan", hold={"/metadata/ownerReferences": "absent"}, name="released"),
    get(PODS, hold={"/items/#": 3, "/items/@Ready": 3}, name="another in its place"),
    come(f"{SETS}/web", "complete again", status_readyReplicas=2),
]

SHELL = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c"]}]}


def job(name: str, script: str, **spec: Any) -> dict[str, Any]:
    container = {**SHELL["containers"][0], "args": [script]}  # type: ignore[index]
    return named(name, spec={"template": {"spec": {**SHELL, "containers": [container]}}, **spec})


JOBS: list[Step] = [
    post(f"{BATCH}/jobs", job("good", "exit 0")),
    get(f"{BATCH}/jobs/good", hold={"/status/conditions/type=Complete/status": "True"}, name="complete"),
    post(f"{BATCH}/jobs", job("bad", "exit 3", backoffLimit=0)),
    get(f"{BATCH}/jobs/bad", hold={"/status/conditions/type=Failed/status": "True"}, name="failed"),
    post(f"{BATCH}/jobs", job("stopped", "sleep 1000", suspend=True)),
    get(
        f"{BATCH}/jobs/stopped",
        hold={"/status/conditions/type=Suspended/status": "True"},
        name="suspended",
    ),
    post(f"{BATCH}/jobs", job("late", "sleep 1000", activeDeadlineSeconds=1)),
    get(
        f"{BATCH}/jobs/late",
        hold={"/status/conditions/type=Failed/reason": "DeadlineExceeded"},
        name="too late",
    ),
    get("pods?labelSelector=job-name=good", hold={"/items/0/status/phase": "Succeeded"}, name="its pod"),
    get("pods?labelSelector=job-name=bad", hold={"/items/0/status/phase": "Failed"}, name="its pod"),
]

GARBAGE: list[Step] = [
    post(f"{APPS}/deployments", web(replicas=1)),
    get(WEB, hold=rolled(1, 1), name="there"),
    delete(f"{WEB}?propagationPolicy=Background"),
    seen(SETS, "no ReplicaSet", 0),
    seen(PODS, "no pod", 0),
    post(f"{APPS}/deployments", web(replicas=1)),
    get(WEB, hold=rolled(1, 1), name="there"),
    delete(f"{WEB}?propagationPolicy=Orphan"),
    get(WEB, until=404, name="gone alone"),
    get(SETS, hold={"/items/0/metadata/ownerReferences": "absent"}, name="an orphaned ReplicaSet"),
    seen(PODS, "its pod stays", 1),
    post(f"{APPS}/deployments", web(replicas=1)),
    get(SETS, hold={"/items/#": 1, "/items/0/metadata/ownerReferences/#": 1}, name="adopted again"),
    get(WEB, hold=rolled(1, 1), name="there as before"),
    delete(f"{WEB}?propagationPolicy=Foreground"),
    get(WEB, until=404, name="gone last"),
    seen(SETS, "nothing left of it", 0),
    seen(PODS, "nor of its pods", 0),
]
