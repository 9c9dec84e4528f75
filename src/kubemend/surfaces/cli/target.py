"""KIND/NAME as people type it, with kubectl's short names."""

from __future__ import annotations

from collections.abc import Iterable

from kubemend.kube.names import near
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import Diagnosis, Report
from kubemend.model.objects import KINDS, Obj
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot

SHORT = {
    "cj": "CronJob", "cm": "ConfigMap", "deploy": "Deployment", "ds": "DaemonSet", "ep": "EndpointSlice",
    "ev": "Event", "hpa": "HorizontalPodAutoscaler", "ing": "Ingress", "limits": "LimitRange", "no": "Node",
    "ns": "Namespace", "pdb": "PodDisruptionBudget", "po": "Pod", "pv": "PersistentVolume",
    "pvc": "PersistentVolumeClaim", "quota": "ResourceQuota", "rs": "ReplicaSet", "sa": "ServiceAccount",
    "sc": "StorageClass", "sts": "StatefulSet", "svc": "Service",
}  # fmt: skip
"""kubectl's short names (`kubectl api-resources`) of the kinds we know."""


class NoSuchObject(InvalidInput):
    """The named object is not in the cluster."""

    code = "object-unknown"


def kind_named(word: str) -> type[Obj]:
    """The kind that a word means: its name, plural or short name, in any case. InvalidInput with the nearest one."""
    asked = word.lower().partition(".")[0]
    names = {k.lower(): v for k, v in KINDS.items()}
    names |= {v.plural: v for v in KINDS.values()} | {k: KINDS[v] for k, v in SHORT.items()}
    if asked in names:
        return names[asked]
    guess = near(asked, names)
    raise InvalidInput(
        f"kubemend doesn't know the kind {word!r}",
        code="kind-unknown",
        hint=f"did you mean {guess}?" if guess else f"one of: {', '.join(sorted(k.lower() for k in KINDS))}",
    )


def parse(word: str, namespace: str) -> Ref:
    """The object that "deployment/web" means. InvalidInput when it is not of that form."""
    kind, slash, name = word.partition("/")
    if not (kind and slash and name) or "/" in name:
        raise InvalidInput(f"{word!r} is not KIND/NAME", code="target-invalid", hint="for example: deployment/web")
    known = kind_named(kind)
    return Ref(known.__name__, namespace if known.namespaced else "", name, known.group)


def present(ref: Ref, snapshot: Snapshot) -> Obj:
    """The object, or an error that names the nearest one or says that it can't be known."""
    found = snapshot.find(ref)
    if found is not None:
        return found
    kind = KINDS[ref.kind]
    if not snapshot.was_read(kind, ref.namespace):
        raise NoSuchObject(f"{ref.kind} objects could not be read, so {ref.name} can't be looked up", where=str(ref))
    guess = near(ref.name, (o.name for o in snapshot.all(kind, ref.namespace)))
    elsewhere = sorted(o.namespace for o in snapshot.all(kind) if o.name == ref.name)
    hint = f"did you mean {guess}?" if guess else f"there is one in {', '.join(elsewhere)}" if elsewhere else None
    raise NoSuchObject(f"there is no {ref}", hint=hint)


def about(report: Report, refs: Iterable[Ref]) -> Diagnosis | None:
    """The worst diagnosis that any of these objects is the cause of, else one that it is a symptom of."""
    wanted = set(refs)
    for causes in (True, False):
        for diagnosis in report.diagnoses:
            found = (diagnosis.root,) if causes else diagnosis.symptoms
            if any(wanted & {f.subject, f.target, f.about} for f in found):
                return diagnosis
    return None
