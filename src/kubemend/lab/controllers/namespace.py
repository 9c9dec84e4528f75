"""Namespaces: what each is born with, and its end with all that is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from kubemend.lab.api import Change, Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.fields import Key, deleting, key, name, namespace, spec, status, uid, with_condition

ROOT_CERTIFICATES = "kube-root-ca.crt"

_BORN_WITH = ("ServiceAccount", "ConfigMap")


class NamespaceController(Controller):
    """Gives a namespace its default ServiceAccount and root certificates; empties one that is being deleted."""

    kind = "Namespace"
    component = "namespace-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """Itself; the one an object left that is being emptied; the one that lost what it was born with."""
        if obj["kind"] == self.kind:
            yield key(obj)
            return
        space = self.seen.find(self.kind, "", namespace(obj))
        if space is not None and (deleting(space) or (before is not None and obj["kind"] in _BORN_WITH)):
            yield key(space)

    def notice(self, _change: Change, obj: Object, before: Object | None) -> None:
        """Every kind there is may stand in a namespace."""
        for found in self.affected(obj, before):
            self.queue.add(found)

    async def reconcile(self, obj: Object) -> float | None:
        """Furnish or empty it."""
        if deleting(obj):
            await self._empty(obj)
            return None
        for wanted in (_account(obj), _certificates(obj)):
            if self.seen.find(wanted["kind"], name(obj), name(wanted)) is None:
                await self.seen.create(wanted)
        return None

    async def _empty(self, obj: Object) -> None:
        if status(obj).get("phase") != "Terminating":
            await self.tell(obj, {**status(obj), "phase": "Terminating"})
        kinds = [k for k in self.seen.kinds if k != self.kind]
        for kind in kinds:
            for found in self.seen.all(kind, name(obj)):
                if not deleting(found):
                    await self.seen.delete(found)
        left = [o for kind in kinds for o in self.seen.all(kind, name(obj))]
        if left:
            await self._say_what_is_left(obj, left)
            return
        for event in await self.seen.api.list("Event", name(obj)):
            await self.seen.api.delete(event)
        if spec(obj).get("finalizers"):
            body = {"metadata": {"uid": uid(obj)}, "spec": {"finalizers": []}}
            await self.seen.patch(obj, body, subresource="finalize")

    async def _say_what_is_left(self, obj: Object, left: list[Object]) -> None:
        """The conditions by which a namespace tells why it doesn't end."""
        kinds = Counter(o["kind"] for o in left)
        finalizers = Counter(f for o in left for f in o["metadata"].get("finalizers") or ())
        counted = ", ".join(f"{k.lower()}s. has {n} resource instances" for k, n in sorted(kinds.items()))
        held = ", ".join(f"{f} in {n} resource instances" for f, n in sorted(finalizers.items()))
        told = [
            ("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {counted}"),
            *([("NamespaceFinalizersRemaining", "SomeFinalizersRemain", f"{_HELD}: {held}")] if held else []),
        ]
        fresh = self.seen.find(self.kind, "", name(obj)) or obj
        conditions = list(status(fresh).get("conditions") or [])
        for type_, reason, message in told:
            conditions = with_condition(
                conditions, {"type": type_, "status": "True", "reason": reason, "message": message}
            )
        await self.tell(fresh, {**status(fresh), "conditions": conditions})


_HELD = "Some content in the namespace has finalizers remaining"


def _account(obj: Object) -> dict[str, Any]:
    meta = {"name": "default", "namespace": name(obj)}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def _certificates(obj: Object) -> dict[str, Any]:
    meta = {"name": ROOT_CERTIFICATES, "namespace": name(obj)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": ""}}
