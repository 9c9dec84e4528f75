"""ResourceQuota: nothing is made that would take more than is left (`plugin/pkg/admission/resourcequota`).

What is used is counted anew from the objects each time rather than read from `status.used`, so that nothing slips
through while a controller is behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from kubemend.kube.quantity import add, parse
from kubemend.lab.admission import usage
from kubemend.lab.api import Object
from kubemend.lab.apiserver.amount import canonical, spelled
from kubemend.lab.apiserver.status import forbidden
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store

_COMPUTE = ("cpu", "memory")
_MUST = frozenset({*_COMPUTE, *(f"{word}.{name}" for word in ("requests", "limits") for name in _COMPUTE)})
"""Resources that every container must name when a quota limits them."""


def check(store: Store, kind: Kind, new: Object, old: Object | None = None) -> None:
    """Raises `ApiError` (403) when this object, or its change, exceeds a quota of its namespace."""
    namespace = new["metadata"].get("namespace", "")
    for quota in store.all("ResourceQuota", namespace) if namespace and kind.storage != "Event" else ():
        if _covers(quota, kind, new):
            _check(store, quota, kind, new, old)


def _covers(quota: Object, kind: Kind, obj: Object) -> bool:
    return not usage.scoped(quota) or (kind.kind == "Pod" and usage.in_scope(quota, obj))


def _check(store: Store, quota: Object, kind: Kind, new: Object, old: Object | None) -> None:
    hard = {name: parse(amount) for name, amount in (quota["spec"].get("hard") or {}).items()}
    name = quota["metadata"]["name"]
    if kind.kind == "Pod" and old is None and (missing := list(_unsaid(hard, new["spec"]))):
        raise forbidden(kind, new["metadata"]["name"], f"failed quota: {name}: must specify {'; '.join(missing)}")
    before = usage.of(kind, old) if old is not None else {}
    delta = {r: a - before.get(r, Decimal()) for r, a in usage.of(kind, new).items() if r in hard}
    delta = {r: a for r, a in delta.items() if a > 0}
    if not delta:
        return
    used = _used(store, quota, kind)
    over = sorted(r for r, amount in delta.items() if used.get(r, Decimal()) + amount > hard[r])
    if over:
        asked = _listed(over, delta)
        limits = ",".join(f"{r}={canonical(quota['spec']['hard'][r])}" for r in over)
        why = f"exceeded quota: {name}, requested: {asked}, used: {_listed(over, used)}, limited: {limits}"
        raise forbidden(kind, new["metadata"]["name"], why)


def _used(store: Store, quota: Object, kind: Kind) -> usage.Amounts:
    """What the namespace's objects of this kind take. No two kinds take of the same resource."""
    found: usage.Amounts = {}
    for obj in store.all(kind.kind, quota["metadata"]["namespace"]):
        if _covers(quota, kind, obj):
            found = add(found, usage.of(kind, obj))
    return found


def _listed(names: Iterable[str], amounts: usage.Amounts) -> str:
    return ",".join(f"{n}={spelled(n, amounts.get(n, Decimal()))}" for n in names)


def _unsaid(hard: Iterable[str], spec: Object) -> Iterator[str]:
    """The limited resources that some containers don't name."""
    both = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    for resource in sorted(_MUST.intersection(hard)):
        word, _, name = resource.rpartition(".")
        silent = sorted(c["name"] for c in both if name not in (c["resources"].get(word or "requests") or {}))
        if silent:
            yield f"{resource} for: {','.join(silent)}"
