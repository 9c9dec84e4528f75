"""Whether a workload can be (`k8s.io/kubernetes/pkg/apis/{apps,batch}/validation`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kubemend.kube.selectors import matches
from kubemend.lab.admission import metadata, pods
from kubemend.lab.admission.pods import AT_LEAST_0
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause
from kubemend.model.objects.meta import LabelSelector

IMMUTABLE = "field is immutable"
_STATEFUL = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_FREE = frozenset(
    {
        *("replicas", "ordinals", "template", "updateStrategy"),
        *("revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
    }
)
_PERCENT = re.compile("[0-9]+%")
_CRON = re.compile(r"[0-9A-Za-z*/,\-?LW#]+")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def not_negative(spec: Object, *fields: str, at: str = "spec") -> Iterator[Cause]:
    """Faults of counts."""
    for field in fields:
        if (value := spec.get(field)) is not None and value < 0:
            yield Cause.invalid(f"{at}.{field}", value, AT_LEAST_0)


def selector(found: Mapping[str, Any], at: str) -> Iterator[Cause]:
    """Faults of a label selector."""
    yield from metadata.labels(found.get("matchLabels") or {}, f"{at}.matchLabels")
    for i, term in enumerate(found.get("matchExpressions") or ()):
        path, operator, values = f"{at}.matchExpressions[{i}]", term["operator"], term.get("values")
        if operator not in _OPERATORS:
            yield Cause.invalid(f"{path}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            yield Cause.required(f"{path}.values", detail)
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield Cause.forbidden(f"{path}.values", detail)


def _selecting(spec: Object, word: str) -> Iterator[Cause]:
    """The selector must be there, select something, and select the template."""
    found = spec.get("selector")
    if found is None:
        yield Cause.required("spec.selector")
    else:
        yield from selector(found, "spec.selector")
        if not found.get("matchLabels") and not found.get("matchExpressions"):
            yield Cause.invalid("spec.selector", {}, f"empty selector is invalid for {word}")
    labels = spec["template"]["metadata"].get("labels")
    if found is None or not _selects(found, labels or {}):
        detail = "`selector` does not match template `labels`"
        yield Cause.invalid("spec.template.metadata.labels", labels, detail)


def _selects(found: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    known = all(e["operator"] in _OPERATORS for e in found.get("matchExpressions") or ())
    return known and matches(msgspec.convert(found, LabelSelector), labels)


def _template(spec: Object) -> Iterator[Cause]:
    yield from pods.check(spec["template"]["spec"], "spec.template.spec")
    if (policy := spec["template"]["spec"]["restartPolicy"]) in ("OnFailure", "Never"):
        yield Cause.unsupported("spec.template.spec.restartPolicy", policy, ["Always"])


def deployment(obj: Object) -> Iterator[Cause]:
    """Faults of a Deployment."""
    spec = obj["spec"]
    yield from not_negative(spec, "replicas")
    yield from _selecting(spec, "deployment")
    yield from _template(spec)
    yield from _strategy(spec["strategy"])
    yield from not_negative(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        detail = "must be greater than minReadySeconds"
        yield Cause.invalid("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], detail)


def _strategy(strategy: Object) -> Iterator[Cause]:
    at, rolling = "spec.strategy", strategy.get("rollingUpdate")
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        internal = {"Type": strategy["type"], "RollingUpdate": rolling}
        yield Cause.unsupported(at, internal, ("Recreate", "RollingUpdate"))
    elif strategy["type"] == "Recreate" and rolling is not None:
        yield Cause.forbidden(f"{at}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif rolling is not None:
        for field in ("maxUnavailable", "maxSurge"):
            yield from share(rolling[field], f"{at}.rollingUpdate.{field}")
        if rolling["maxUnavailable"] in (0, "0%") and rolling["maxSurge"] in (0, "0%"):
            detail = "may not be 0 when `maxSurge` is 0"
            yield Cause.invalid(f"{at}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], detail)


def share(value: int | str, at: str) -> Iterator[Cause]:
    """Faults of a number or percentage of pods."""
    if isinstance(value, int):
        if value < 0:
            yield Cause.invalid(at, value, AT_LEAST_0)
    elif not _PERCENT.fullmatch(value):
        detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
        yield Cause.invalid(at, value, f"{detail}regex used for validation is '[0-9]+%')")


def replicaset(obj: Object) -> Iterator[Cause]:
    """Faults of a ReplicaSet."""
    yield from not_negative(obj["spec"], "replicas", "minReadySeconds")
    yield from _selecting(obj["spec"], "replicaset")
    yield from _template(obj["spec"])


def statefulset(obj: Object) -> Iterator[Cause]:
    """Faults of a StatefulSet."""
    spec = obj["spec"]
    if spec["podManagementPolicy"] not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        yield Cause.invalid("spec.podManagementPolicy", spec["podManagementPolicy"], detail)
    yield from not_negative(spec, "replicas", "minReadySeconds")
    yield from _selecting(spec, "statefulset")
    claims = [{"name": c["metadata"].get("name", "")} for c in spec.get("volumeClaimTemplates") or ()]
    template = {**spec["template"]["spec"]}
    template["volumes"] = [*(template.get("volumes") or ()), *({**c, "emptyDir": {}} for c in claims)]
    yield from _template({"template": {"spec": template}})


def daemonset(obj: Object) -> Iterator[Cause]:
    """Faults of a DaemonSet."""
    yield from _selecting(obj["spec"], "daemonset")
    yield from _template(obj["spec"])
    yield from not_negative(obj["spec"], "minReadySeconds", "revisionHistoryLimit")


def job(obj: Object) -> Iterator[Cause]:
    """Faults of a Job."""
    yield from _job_spec(obj["spec"], "spec")


def _job_spec(spec: Object, at: str) -> Iterator[Cause]:
    counts = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    yield from not_negative(spec, *counts, at=at)
    pod, policy = f"{at}.template.spec", spec["template"]["spec"]["restartPolicy"]
    told = {**spec["template"]["spec"], "restartPolicy": policy or "Never"}
    yield from pods.check(told, pod)
    if not policy:
        yield Cause.required(f"{pod}.restartPolicy", 'valid values: "OnFailure", "Never"')
    elif policy == "Always":
        yield Cause.unsupported(f"{pod}.restartPolicy", policy, ("OnFailure", "Never"))


def cronjob(obj: Object) -> Iterator[Cause]:
    """Faults of a CronJob."""
    spec = obj["spec"]
    yield from _job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    schedule = spec["schedule"]
    if not schedule:
        yield Cause.required("spec.schedule")
    elif wrong := _cron(schedule):
        yield Cause.invalid("spec.schedule", schedule, wrong)
    policies = ("Allow", "Forbid", "Replace")
    if spec["concurrencyPolicy"] not in policies:
        yield Cause.unsupported("spec.concurrencyPolicy", spec["concurrencyPolicy"], policies)
    yield from not_negative(spec, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


def _cron(schedule: str) -> str | None:
    """What is wrong with a schedule, or None: five fields of the usual signs, or one of the words with an @."""
    if schedule.startswith("@"):
        return None
    parts = schedule.split()
    if len(parts) != 5:
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    wrong = next((p for p in parts if not _CRON.fullmatch(p)), None)
    return None if wrong is None else f"failed to parse int from {wrong}: invalid syntax"


def changed(kind: str, old: Object, new: Object) -> Iterator[Cause]:
    """Faults of a change of a workload."""
    before, after = old["spec"], new["spec"]
    if kind in ("Deployment", "ReplicaSet", "DaemonSet") and before.get("selector") != after.get("selector"):
        yield Cause.invalid("spec.selector", after.get("selector"), IMMUTABLE)
    if kind == "StatefulSet" and _without(before, _STATEFUL_FREE) != _without(after, _STATEFUL_FREE):
        yield Cause.forbidden("spec", _STATEFUL)
    if kind == "Job":
        counted = ("completions",) if after.get("completionMode") != "Indexed" else ()
        for field in (*counted, "selector", "template"):
            if before.get(field) != after.get(field):
                yield Cause.invalid(f"spec.{field}", after.get(field), IMMUTABLE)


def _without(spec: Object, fields: frozenset[str]) -> Object:
    return {k: v for k, v in spec.items() if k not in fields}
