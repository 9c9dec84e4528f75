"""kubectl's writes as orders: each a plan that a person approves. What no plan can hold is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import yaml

from kubemend.kube.names import valid_image
from kubemend.kube.rollout import last_stable
from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Deployment, ReplicaSet, kind_of
from kubemend.model.order import Order
from kubemend.model.plan import Change, Create, Delete, Patch, RollBack, Verify
from kubemend.model.ref import Ref
from kubemend.model.snapshot import revision_of
from kubemend.tools.look import Look
from kubemend.tools.remediation.scale_deployment import scale_deployment
from kubemend.tools.shell.targets import Target, name, namespace, targets
from kubemend.tools.shell.verdict import Asked

Object = dict[str, Any]
START_S = 120.0
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
BROAD = ("all", "all-namespaces", "selector", "field-selector", "local", "list", "interactive", "subresource")
"""Flags that choose objects which a plan must name one by one, or that change nothing."""
ENOUGH = 10
"""Objects that one command may change."""


async def order(cluster: Look, asked: Asked, given: str) -> Order:
    """What the command would change. InvalidInput when no plan can hold it. given: what `-f -` reads."""
    for flag in BROAD:
        if asked.flag(flag):
            raise InvalidInput(f"--{flag} leaves open what is changed", code="not-planned", hint="name the objects")
    if asked.flag("dry-run"):
        raise InvalidInput("every write is a plan first", code="not-planned", hint="leave --dry-run out")
    if asked.on("force") or asked.flag("grace-period") or asked.on("now"):
        raise InvalidInput("a forced deletion can't be taken back", code="not-planned", hint="leave the force out")
    return await _ORDERS[asked.verb](cluster, asked, given)


async def _scale(cluster: Look, asked: Asked, given: str) -> Order:
    found, wanted = await _objects(cluster, asked), asked.flag("replicas")
    if len(found) != 1 or not wanted.isdecimal() or found[0][0].kind not in ("Deployment", "StatefulSet"):
        raise InvalidInput("kubectl scale deployment/NAME --replicas=N is what can be planned", code="not-planned")
    ((ref, _),) = found
    scaled: Order = await scale_deployment(
        cluster, deployment_name=ref.name, namespace=ref.namespace, replicas=int(wanted)
    )
    return scaled


async def _patch(cluster: Look, asked: Asked, given: str) -> Order:
    kind = {"": "strategic", "strategic": "strategic", "merge": "merge"}.get(asked.flag("type"))
    if kind is None:
        raise InvalidInput(f"a patch of type {asked.flag('type')} can't be planned", code="not-planned",
                           hint="--type=merge or strategic")  # fmt: skip
    body, found = _mapping(asked.flag("patch"), "-p"), await _objects(cluster, asked)
    if any(ref.kind == "Secret" for ref, _ in found) and set(body) - {"metadata"}:
        raise InvalidInput(
            "the values of a Secret are not changed by a plan, which would show them", code="not-planned"
        )
    return _patches(asked, found, lambda _: body, kind=kind)


async def _marks(cluster: Look, asked: Asked, given: str) -> Order:
    """label and annotate: `key=value` sets, `key-` removes."""
    where = "labels" if asked.verb == "label" else "annotations"
    changes = [w for w in asked.words if "=" in w or w.endswith("-")]
    marks = {w.partition("=")[0] if "=" in w else w[:-1]: w.partition("=")[2] if "=" in w else None for w in changes}
    if not marks:
        raise InvalidInput(f"no {where} are given", code="usage", hint="key=value, or key- to remove one")
    left = Asked(asked.verb, tuple(w for w in asked.words if w not in changes), asked.flags)
    found = await _objects(cluster, left)
    if not asked.on("overwrite"):
        for ref, obj in found:
            held = obj["metadata"].get(where) or {}
            if taken := next((k for k, v in marks.items() if v is not None and held.get(k, v) != v), None):
                raise InvalidInput(f"{ref} has {taken}={held[taken]} already", code="not-planned", hint="--overwrite")
    return _patches(left, found, lambda _: {"metadata": {where: marks}}, kind="merge")


async def _image(cluster: Look, asked: Asked, given: str) -> Order:
    pairs = dict(w.split("=", 1) for w in asked.words if "=" in w)
    if bad := next((i for i in pairs.values() if not valid_image(i)), None):
        raise InvalidInput(f"{bad!r} is no image", code="invalid-arguments")
    left = Asked(asked.verb, tuple(w for w in asked.words if "=" not in w), asked.flags)

    def body(obj: Object) -> Object:
        has = [c["name"] for c in obj.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())]
        wanted = dict.fromkeys(has, pairs["*"]) if "*" in pairs else pairs
        if not wanted or (missing := set(wanted) - set(has)):
            raise InvalidInput(f"there is no container {', '.join(sorted(missing)) or 'named'}", code="not-planned",
                               hint=f"there are: {', '.join(has) or 'none'}")  # fmt: skip
        containers = [{"name": n, "image": i} for n, i in wanted.items()]
        return {"spec": {"template": {"spec": {"containers": containers}}}}

    return _patches(left, await _objects(cluster, left), body, risk=Risk.MEDIUM)


async def _rollout(cluster: Look, asked: Asked, given: str) -> Order:
    found = await _objects(cluster, asked)
    if any(ref.kind not in WORKLOADS for ref, _ in found):
        raise InvalidInput("only workloads are rolled out", code="not-planned", hint=", ".join(WORKLOADS))
    if asked.verb == "rollout restart":
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        notes = {"kubectl.kubernetes.io/restartedAt": now}
        return _patches(asked, found, lambda _: {"spec": {"template": {"metadata": {"annotations": notes}}}},
                        risk=Risk.MEDIUM)  # fmt: skip
    paused = asked.verb == "rollout pause"
    return _patches(asked, found, lambda _: {"spec": {"paused": paused}}, risk=Risk.MEDIUM)


async def _undo(cluster: Look, asked: Asked, given: str) -> Order:
    found = await _objects(cluster, asked)
    if len(found) != 1 or found[0][0].kind != "Deployment":
        raise InvalidInput("kubectl rollout undo deployment/NAME is what can be planned", code="not-planned")
    ((ref, _),) = found
    owner = await cluster.one(Deployment, ref.namespace, ref.name)
    sets = await cluster.list(ReplicaSet, ref.namespace)
    owned = sorted((s for s in sets if any(o.uid == owner.metadata.uid for o in s.metadata.owner_references)),
                   key=revision_of)  # fmt: skip
    wanted = asked.flag("to-revision")
    if wanted not in ("", "0"):
        chosen = next((s for s in owned if str(revision_of(s)) == wanted), None)
    else:
        chosen = last_stable(owned, owned[-1] if owned else None)
    if chosen is None:
        have = ", ".join(str(revision_of(s)) for s in owned)
        raise InvalidInput(f"{ref} has no such revision to go back to", code="not-planned", hint=f"there are: {have}")
    change = RollBack(target=ref, uid=owner.metadata.uid, revision=chosen.ref, revision_uid=chosen.metadata.uid)
    return _ordered(asked, [change], (ref,), risk=Risk.MEDIUM)


async def _cordon(cluster: Look, asked: Asked, given: str) -> Order:
    found = await _objects(cluster, Asked(asked.verb, ("nodes", *asked.words), asked.flags))
    away = asked.verb == "cordon"
    return _patches(asked, found, lambda _: {"spec": {"unschedulable": away or None}}, kind="merge", risk=Risk.MEDIUM)


async def _delete(cluster: Look, asked: Asked, given: str) -> Order:
    found = await _objects(cluster, asked)
    changes = [Delete(target=ref, uid=obj["metadata"]["uid"]) for ref, obj in found]
    return _ordered(asked, changes, (), risk=Risk.HIGH)


async def _create(cluster: Look, asked: Asked, given: str) -> Order:
    if asked.flag("filename") != "-" or asked.words:
        raise InvalidInput("kubectl create -f - is what can be planned", code="not-planned",
                           hint="give the manifest as `input`; files of this machine are not read")  # fmt: skip
    try:
        documents = [d for d in yaml.safe_load_all(given) if d is not None]
    except yaml.YAMLError as error:
        raise InvalidInput(f"the manifest is no YAML: {error}", code="invalid-arguments", where="input") from error
    changes = [await _made(cluster, asked, d) for d in documents[: ENOUGH + 1]]
    return _ordered(asked, changes, (), risk=Risk.HIGH)


async def _made(cluster: Look, asked: Asked, manifest: Any) -> Create:
    meta = manifest.get("metadata") if isinstance(manifest, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not isinstance(manifest.get("kind"), str):
        raise InvalidInput("a manifest has apiVersion, kind and metadata.name", code="invalid-arguments", where="input")
    kind, group = manifest["kind"], str(manifest.get("apiVersion", "")).rpartition("/")[0]
    if (kind, group) == ("Secret", ""):
        raise InvalidInput("a Secret is not made through a plan, which would show it", code="not-planned")
    resource = await cluster.reader.resource(kind, group)
    place = ""
    if resource.namespaced:
        place = str(meta.get("namespace") or namespace(cluster, asked))
        manifest = {**manifest, "metadata": {**meta, "namespace": place}}
    return Create(target=Ref(kind, place, name(meta["name"]), group), manifest=manifest)


async def _objects(cluster: Look, asked: Asked) -> list[tuple[Ref, Object]]:
    """The objects that are named, as they are now."""
    wanted = await targets(cluster, asked)
    refs = [t.ref(n) for t in wanted for n in _names(t)]
    if len(refs) > ENOUGH:
        raise InvalidInput(f"{len(refs)} objects at once are too many", code="not-planned", hint=f"{ENOUGH} at most")
    return [(ref, await cluster.raw(ref)) for ref in refs]


def _names(target: Target) -> tuple[str, ...]:
    if not target.names:
        raise InvalidInput(f"which {target.resource.plural}?", code="not-planned", hint="name the objects")
    return target.names


def _patches(
    asked: Asked,
    found: list[tuple[Ref, Object]],
    body: Callable[[Object], Object],
    *,
    kind: Any = "strategic",
    risk: Risk = Risk.HIGH,
) -> Order:
    changes = [
        Patch(
            target=ref,
            uid=obj["metadata"]["uid"],
            body=body(obj),
            kind=kind if kind_of(ref) is not None else "merge",
        )
        for ref, obj in found
    ]
    healthy = tuple(ref for ref, _ in found if ref.kind in WORKLOADS)
    return _ordered(asked, changes, healthy, risk=risk)


def _ordered(asked: Asked, changes: list[Any], healthy: tuple[Ref, ...], *, risk: Risk) -> Order:
    if not 0 < len(changes) <= ENOUGH:
        raise InvalidInput(f"one to {ENOUGH} objects can be changed at once", code="not-planned")
    made: tuple[Change, ...] = tuple(changes)
    shown = ", ".join(str(c.target) for c in made)
    return Order(
        changes=made,
        reason=f"kubectl {asked.verb} {shown}, as asked",
        verify=Verify(healthy=healthy, within_s=START_S, gone=False),
        told={"command": f"kubectl {asked.verb}", "objects": [str(c.target) for c in made]},
        risk=risk,
    )


def _mapping(text: str, where: str) -> Object:
    """A patch, as JSON or YAML."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"it is neither JSON nor YAML: {error}", code="invalid-arguments", where=where) from error
    if not isinstance(body, dict) or not body:
        raise InvalidInput("a patch is an object", code="invalid-arguments", where=where)
    meta = body.get("metadata") or {}
    if not isinstance(meta, dict) or {"uid", "resourceVersion", "name", "namespace"} & set(meta):
        raise InvalidInput("a patch names no uid, version, name or namespace", code="invalid-arguments", where=where)
    return {str(k): v for k, v in msgspec.to_builtins(body, str_keys=True).items()}


_ORDERS: dict[str, Callable[[Look, Asked, str], Awaitable[Order]]] = {
    "scale": _scale,
    "patch": _patch,
    "label": _marks,
    "annotate": _marks,
    "set image": _image,
    "rollout restart": _rollout,
    "rollout pause": _rollout,
    "rollout resume": _rollout,
    "rollout undo": _undo,
    "cordon": _cordon,
    "uncordon": _cordon,
    "delete": _delete,
    "create": _create,
}
