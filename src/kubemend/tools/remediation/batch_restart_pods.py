"""Tool: other pods in place of several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.rollout import active, ready, restarting
from kubemend.kube.selectors import matches, parse_labels
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import DaemonSet, Deployment, Pod, StatefulSet, kind_of
from kubemend.model.objects.meta import LabelSelector
from kubemend.model.order import Order
from kubemend.model.plan import Change, Evict, Patch, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.makers import maker, replacement, workload
from kubemend.tools.words import Name, Namespace

READY_S, UNWATCHED_S = 300.0, 30.0
MOST = 100
"""Pods of one call."""
Rolling = Deployment | StatefulSet | DaemonSet
ROLLING: tuple[type[Rolling], ...] = (Deployment, StatefulSet, DaemonSet)
Groups = dict[Ref, list[Pod]]


@tool(
    risk=Risk.MEDIUM,
    needs={
        Access("list", "pods"),
        Access("get", "replicasets", "apps"),
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
    },
    examples=({"namespace": "shop", "label_selector": "app in (web,store)"},),
)
async def batch_restart_pods(
    cluster: Look,
    *,
    namespace: Namespace,
    label_selector: Annotated[str | None, Meta(description="Which pods, as kubectl writes it.")] = None,
    pod_names: Annotated[list[Name] | None, Meta(description="Or the pods by name.")] = None,
    wait_for_ready: Annotated[bool, Meta(description="Follow until their workloads are complete again.")] = False,
) -> Order:
    """Restart several pods of a namespace without taking any workload down.

    Where all pods of a workload are meant, it is rolled, as `kubectl rollout restart` does, within its own bounds;
    undoing that takes the mark back, which rolls it again. Else single pods are evicted, which heeds budgets and can't
    be undone, and needs the right to create pods/eviction. Pods that nothing would make again are skipped.
    """
    chosen, everywhere = await _chosen(cluster, namespace, label_selector, pod_names)
    groups, skipped = await _groups(cluster, chosen)
    if not groups:
        raise InvalidInput("no pod that could be restarted is among them", code="nothing-to-do", where=namespace)
    known = {p.metadata.uid for p in everywhere}
    changes, rolled = await _changes(cluster, groups, everywhere)
    going = [p for pods in groups.values() for p in pods]

    async def afterwards(_repair: Repair) -> Mapping[str, Any]:
        now = await cluster.list(Pod, namespace)
        rows = list(_rows(groups, rolled, now, known))
        good = sum(r["status"] == "ready" for r in rows)
        return {"restarted_pods": rows, "ready_count": good, "all_ready": good == len(rows)}

    tops = tuple(t for t in groups if kind_of(t) is not None)
    return Order(
        changes=changes,
        reason=f"restart {len(going)} pods of {len(groups)} workloads in {namespace}, as asked",
        verify=Verify(
            healthy=tops if wait_for_ready else (),
            within_s=READY_S if wait_for_ready else UNWATCHED_S,
            steady_s=3.0 if wait_for_ready else 0.0,
            gone=False,
        ),
        told={
            "namespace": namespace,
            "label_selector": label_selector,
            "total_pods": len(chosen),
            "restarted_pods": [{"pod_name": p.name, "old_uid": p.metadata.uid, "status": "planned"} for p in going],
            "rolled_workloads": [str(r) for r in rolled],
            "skipped_pods": skipped,
            "failed_pods": [],
            "wait_for_ready": wait_for_ready,
        },
        target=next(iter(groups)),
        afterwards=afterwards,
    )


async def _chosen(
    cluster: Look, namespace: str, selector: str | None, names: Sequence[str] | None
) -> tuple[list[Pod], tuple[Pod, ...]]:
    """The pods that are meant, and all of the namespace."""
    if (selector is None) == (names is None):
        raise InvalidInput(
            "say either label_selector or pod_names", code="invalid-arguments", where="batch_restart_pods"
        )
    everywhere = await cluster.list(Pod, namespace)
    if names is not None:
        held = {p.name: p for p in everywhere}
        if missing := sorted(set(names) - held.keys()):
            raise InvalidInput(
                f"there is no pod {', '.join(missing)} in {namespace}", code="not-found", where=namespace
            )
        chosen = [held[n] for n in dict.fromkeys(names)]
    else:
        labels = parse_labels(selector or "")
        chosen = [p for p in everywhere if labels.matches(p.metadata.labels)]
    chosen = [p for p in chosen if active(p)]
    if len(chosen) > MOST:
        raise InvalidInput(f"{len(chosen)} pods are too many for one call (at most {MOST})", code="too-many")
    return chosen, everywhere


async def _groups(cluster: Look, chosen: Iterable[Pod]) -> tuple[Groups, list[dict[str, str]]]:
    """The pods by workload, and those that are skipped with the reason."""
    groups: Groups = {}
    skipped, tops = [], dict[str, Ref]()
    for pod in chosen:
        try:
            owner = maker(pod)
        except InvalidInput as why:
            skipped.append({"pod_name": pod.name, "reason": why.message})
            continue
        if owner.uid not in tops:
            tops[owner.uid] = await workload(cluster, pod.namespace, owner)
        groups.setdefault(tops[owner.uid], []).append(pod)
    return groups, skipped


async def _changes(
    cluster: Look, groups: Groups, everywhere: Sequence[Pod]
) -> tuple[tuple[Change, ...], dict[Ref, LabelSelector]]:
    """Roll the workloads of which all pods are meant, evict the others' pods one by one. The rolled ones' selectors."""
    changes, rolled = list[Change](), dict[Ref, LabelSelector]()
    for top, pods in groups.items():
        kind = next((k for k in ROLLING if k is kind_of(top)), None)
        owners = {p.metadata.controller.uid for p in pods if p.metadata.controller}
        rest = [
            p
            for p in everywhere
            if active(p) and p not in pods and p.metadata.controller and p.metadata.controller.uid in owners
        ]
        if kind is not None and not any(map(ready, rest)):
            found: Rolling = await cluster.one(kind, top.namespace, top.name)
            body = restarting(datetime.now(UTC).isoformat(timespec="seconds"))
            changes.append(Patch(target=top, uid=found.metadata.uid, body=body))
            rolled[top] = found.spec.selector
        else:
            changes += [Evict(target=p.ref, uid=p.metadata.uid, patience_s=READY_S) for p in pods]
    return tuple(changes), rolled


def _rows(
    groups: Groups, rolled: Mapping[Ref, LabelSelector], now: Sequence[Pod], known: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Each pod with the one that came instead. Those of a rolled workload have no places: new ones are told in turn."""
    for top, pods in groups.items():
        selector = rolled.get(top)
        fresh = [p for p in now if p.metadata.uid not in known and active(p)]
        came = iter([p for p in fresh if selector is not None and matches(selector, p.metadata.labels)])
        for pod in pods:
            yield _row(pod, replacement(pod, now, known) if selector is None else next(came, None), now)


def _row(gone: Pod, came: Pod | None, now: Iterable[Pod]) -> dict[str, Any]:
    still = any(p.metadata.uid == gone.metadata.uid and active(p) for p in now)
    status = "pending" if came is None and still else "not_ready" if came is None or not ready(came) else "ready"
    return {
        "pod_name": gone.name,
        "old_uid": gone.metadata.uid,
        "status": status,
        "new_pod": None if came is None else came.name,
        "new_uid": None if came is None else came.metadata.uid,
    }
