"""All the ways to change a cluster. Only the engine's guard imports this module.

Every write of an existing object says which one it means (uid) and, where the caller has one, in which version; the
API server refuses when the object has been replaced or changed since. A write is never sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from kubemend.cluster import channels, decoding
from kubemend.cluster.decoding import named
from kubemend.cluster.errors import READ_BACK, Conflict, Garbled, Invalid, OutcomeUnknown
from kubemend.cluster.resource import Resource
from kubemend.model.errors import InvalidInput
from kubemend.model.ref import Ref

if TYPE_CHECKING:
    from kubemend.cluster.reader import Reader
    from kubemend.cluster.transport import Transport

MANAGER = "kubemend"
"""The field manager under which the API server records what we changed."""

PatchKind = Literal["strategic", "merge", "json", "apply"]
Propagation = Literal["Background", "Foreground", "Orphan"]

CONTENT_TYPES: dict[PatchKind, str] = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Writer:
    """Writes to one cluster as one identity.

    All methods return the raw answer, with `dry_run` the one that would have come. All raise: Conflict when the
    object is another one or has changed, NotFound, Forbidden, Invalid, Unreachable when nothing was sent, and
    OutcomeUnknown when it was and no answer came.
    """

    def __init__(self, transport: Transport, reader: Reader) -> None:
        self._transport, self._reader = transport, reader

    async def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object. AlreadyExists when there is one of that name."""
        ref = _addressed(manifest)
        resource = _versioned(await self._reader.locate(ref), manifest)
        if resource.namespaced != bool(ref.namespace):
            raise InvalidInput(f"a {ref.kind} is in {'a' if resource.namespaced else 'no'} namespace", where=str(ref))
        path = resource.collection(ref.namespace)
        return await self._send("POST", path, manifest, _options(dry_run), dry_run=dry_run, name=ref.name)

    async def patch(
        self,
        ref: Ref,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        kind: PatchKind = "strategic",
        uid: str,
        resource_version: str,
        dry_run: bool = False,
        subresource: str = "",
    ) -> dict[str, Any]:
        """Change fields of one object: `body` is a list of operations for kind "json", a mapping for the others.

        An apply takes no field from another manager by force.
        """
        bound = _bound(ref, body, kind, uid, resource_version)
        resource = await self._reader.locate(ref)
        if kind == "apply":
            resource = _versioned(resource, bound)
        path = resource.object(ref.namespace, ref.name, subresource)
        return await self._send(
            "PATCH",
            path,
            bound,
            _options(dry_run),
            content_type=CONTENT_TYPES[kind],
            dry_run=dry_run,
            name=ref.name,
            uid=uid,
        )

    async def scale(
        self, ref: Ref, replicas: int, *, uid: str, resource_version: str, dry_run: bool = False
    ) -> dict[str, Any]:
        """Set `spec.replicas` through the scale subresource, as an autoscaler does."""
        return await self.patch(
            ref,
            {"spec": {"replicas": replicas}},
            kind="merge",
            uid=uid,
            resource_version=resource_version,
            dry_run=dry_run,
            subresource="scale",
        )

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str,
        resource_version: str = "",
        grace: int | None = None,
        propagation: Propagation = "Background",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Delete one object; `grace` in seconds, the object's own when None."""
        path = (await self._reader.locate(ref)).object(ref.namespace, ref.name)
        options = _deletion(ref, uid, resource_version, dry_run=dry_run) | {"propagationPolicy": propagation}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        return await self._send("DELETE", path, options, (), dry_run=dry_run)

    async def evict(self, ref: Ref, *, uid: str, resource_version: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Evict a pod. TooManyRequests when a PodDisruptionBudget forbids it now.

        A Conflict takes 10 seconds: the API server itself tries an eviction 20 times first (seen with 1.34).
        """
        path = (await self._reader.locate(ref)).object(ref.namespace, ref.name, "eviction")
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "deleteOptions": _deletion(ref, uid, resource_version, dry_run=dry_run),
        }
        return await self._send("POST", path, eviction, _options(dry_run), dry_run=dry_run, patient=False)

    async def execute(self, ref: Ref, container: str, command: Sequence[str], *, within: float) -> dict[str, Any]:
        """Run a command in a container, without a terminal and without input: `exit_code`, `stdout`, `stderr`.

        There is no precondition that the API server would check, and no dry run. It is begun once.
        """
        path = (await self._reader.locate(ref)).object(ref.namespace, ref.name, "exec")
        params = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", c) for c in command)]
        ended = await channels.run(self._transport, path, params, within=within)
        return {"exit_code": ended.exit_code, "stdout": ended.stdout, "stderr": ended.stderr}

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        params: Sequence[tuple[str, str]],
        *,
        dry_run: bool,
        content_type: str = "application/json",
        patient: bool = True,
        name: str = "",
        uid: str = "",
    ) -> dict[str, Any]:
        """name, uid: of the object that the answer must hold; a deletion may answer with any."""
        where = f"{method} {path}"
        try:
            answer = await self._transport.send(
                method, path, body, content_type=content_type, params=params, changes=not dry_run, patient=patient
            )
        except Invalid as error:
            if any(c.field == "metadata.uid" for c in error.causes):
                raise _replaced(error) from error
            raise
        try:
            if not name:
                return decoding.mapping(answer, where=where)
            return decoding.entity(answer, name=name, uid=uid, where=where)
        except Garbled as error:
            if dry_run:
                raise
            raise OutcomeUnknown("the answer to a write can't be read", where=where, hint=READ_BACK) from error


def _options(dry_run: bool) -> tuple[tuple[str, str], ...]:
    strict = (("fieldManager", MANAGER), ("fieldValidation", "Strict"))
    return (*strict, ("dryRun", "All")) if dry_run else strict


def _addressed(manifest: Mapping[str, Any]) -> Ref:
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        raise InvalidInput("a manifest needs apiVersion and kind")
    group = api_version.rpartition("/")[0]
    return Ref(kind, *named(manifest), group)


def _versioned(resource: Resource, manifest: Mapping[str, Any]) -> Resource:
    """The resource in the manifest's own version, which the path must agree with."""
    return replace(resource, version=str(manifest.get("apiVersion", resource.version)).rpartition("/")[2])


def _required(ref: Ref, uid: str) -> str:
    if not uid:
        raise InvalidInput("a write needs the uid of the object it means", where=str(ref))
    return uid


def _bound(ref: Ref, body: Any, kind: PatchKind, uid: str, resource_version: str) -> Any:
    """A patch body with the object's uid and version in it."""
    expected = {"uid": _required(ref, uid), "resourceVersion": resource_version}
    if not resource_version:
        raise InvalidInput("a patch needs the resourceVersion it was made for", where=str(ref))
    if kind == "json":
        # Not `test`: when that fails the API server says only that something was wrong (422); a replaced
        # resourceVersion is compared by the server like any other, and answered with a Conflict.
        return [{"op": "replace", "path": f"/metadata/{k}", "value": v} for k, v in expected.items()] + list(body)
    bound = {**body, "metadata": {**body.get("metadata", {}), **expected}}
    if kind == "apply":
        bound["metadata"]["name"] = ref.name
    return bound


def _deletion(ref: Ref, uid: str, resource_version: str, *, dry_run: bool) -> dict[str, Any]:
    preconditions = {"uid": _required(ref, uid)}
    if resource_version:
        preconditions["resourceVersion"] = resource_version
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    if dry_run:
        options["dryRun"] = ["All"]
    return options


def _replaced(error: Invalid) -> Conflict:
    """A patch with another object's uid is refused as a change of an immutable field (seen with 1.34): a conflict."""
    message = "the object was deleted and another has its name"
    return Conflict(message, status=409, reason="Conflict", causes=error.causes, where=error.where)
