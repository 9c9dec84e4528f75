"""One request from who is asking to the answer: permission, then the part of the API that it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kubemend.lab.api import Object
from kubemend.lab.apiserver import discovery, escalation, execs, logs, metrics, openapi, parts, reviews
from kubemend.lab.apiserver.access import Rbac, Tokens
from kubemend.lab.apiserver.decoding import Write, of_kind
from kubemend.lab.apiserver.deletion import Deletion, delete
from kubemend.lab.apiserver.exchange import (
    TEXT,
    Answer,
    Request,
    Session,
    Stream,
    Unreadable,
    check_acceptable,
    parsed,
    parsed_yaml,
)
from kubemend.lab.apiserver.newevents import shown, taken
from kubemend.lab.apiserver.patching import CONTENT_TYPES, Patch
from kubemend.lab.apiserver.reads import Reader, listing
from kubemend.lab.apiserver.registry import Registry
from kubemend.lab.apiserver.routes import flag
from kubemend.lab.apiserver.selection import selection
from kubemend.lab.apiserver.status import (
    ApiError,
    Cause,
    bad_request,
    forbidden,
    invalid_options,
    not_allowed,
    success,
    unknown_resource,
)
from kubemend.lab.kinds import BY_PLURAL, Kind

NOWHERE: Final = "404 page not found\n"
_DEPRECATED: Final = {
    "Endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
_JOBS_ORPHAN: Final = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)
_POLICIES: Final = ("Foreground", "Background", "Orphan")
_RETURNED: Final = frozenset(
    {"PersistentVolume", "PersistentVolumeClaim", "Pod", "ResourceQuota", "Service", "ServiceAccount", "StorageClass"}
)
"""Kinds whose deletion returns the object; that of others returns a Status, once they are gone."""


@dataclass(frozen=True)
class Handler:
    """The API over one store."""

    registry: Registry
    reader: Reader
    rbac: Rbac
    tokens: Tokens

    def handle(self, request: Request) -> Answer | Stream | Session:
        """Answer one request. Raises `ApiError`."""
        self._authorize(request)
        route = request.route
        if (route.group, route.plural) in reviews.REVIEWS:
            if request.method != "POST":
                raise not_allowed()
            return reviews.answer(self.rbac, request)
        if route.group == metrics.GROUP and route.plural in ("nodes", "pods"):
            return metrics.answer(self.registry.store, request)
        if not route.plural:
            return _document(request)
        kind = BY_PLURAL.get((route.group, route.version, route.plural))
        if kind is None and not discovery.known(route.group):
            return Answer(NOWHERE, code=404, content_type=TEXT)
        if kind is None or (route.namespace and not kind.namespaced and kind.kind != "Namespace"):
            raise unknown_resource()
        check_acceptable(request.headers.get("Accept", ""))
        if route.part:
            return self._part(kind, request)
        answer = self._one(kind, request) if route.name else self._many(kind, request)
        warning = _DEPRECATED.get(kind.kind)
        return answer if warning is None else replace(answer, warnings=(*answer.warnings, warning))

    def _authorize(self, request: Request) -> None:
        asked, user = request.asked, request.user
        if self.rbac.decide(user, asked).allowed:
            return
        if asked.path:
            raise ApiError(
                "Forbidden", f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"', details={}
            )
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        told = f'User "{user.name}" cannot {asked.verb} resource "{asked.target}" in API group "{asked.group}" {where}'
        raise forbidden(Kind(asked.group, "", "", asked.resource), asked.name, told)

    def _many(self, kind: Kind, request: Request) -> Answer | Stream:
        match request.asked.verb:
            case "list":
                return self.reader.list(kind, request)
            case "watch":
                return self.reader.watch(kind, request)
            case "create":
                return self._create(kind, request)
            case "deletecollection" if "deletecollection" in kind.verbs:
                return self._delete_all(kind, request)
        raise not_allowed()

    def _one(self, kind: Kind, request: Request) -> Answer:
        match request.method:
            case "GET":
                return self.reader.get(kind, request)
            case "PUT" | "PATCH":
                return self._write(kind, request)
            case "DELETE":
                return self._delete(kind, request)
        raise not_allowed()

    def _create(self, kind: Kind, request: Request) -> Answer:
        write = request.options("CreateOptions")
        body = taken(kind, request.document(kind.kind))
        escalation.check(self.rbac, request.user, kind, body)
        made = self.registry.create(kind, _namespace(kind, request), body, write)
        return _written(kind, made, write, code=201)

    def _write(self, kind: Kind, request: Request, part: str = "") -> Answer:
        namespace, name = _namespace(kind, request), request.route.name
        store = self.registry.store
        before = store.find(kind.storage, namespace, name)
        if request.method == "PUT":
            write = request.options("UpdateOptions")
            body = taken(kind, request.document(kind.kind))
            escalation.check(self.rbac, request.user, kind, body)
            made = self.registry.update(kind, namespace, name, body, write, part=part)
        else:
            write = request.options("PatchOptions")
            patch = _patch(request)
            if kind.group == "rbac.authorization.k8s.io":
                trial = replace(write, dry_run=True, warnings=[])
                result = self.registry.patch(kind, namespace, name, patch, trial, part=part)
                escalation.check(self.rbac, request.user, kind, result)
            made = self.registry.patch(kind, namespace, name, patch, write, part=part)
        return _written(kind, made, write, code=200 if before is not None else 201)

    def _delete(self, kind: Kind, request: Request) -> Answer:
        name = request.route.name
        obj = self.registry.found(kind, _namespace(kind, request), name)
        how = _deletion(request, request.deletion())
        warnings: tuple[str, ...] = ()
        if kind.kind == "Job" and not how.propagation:
            how, warnings = replace(how, propagation="Orphan"), (_JOBS_ORPHAN,)
        left, gone = delete(self.registry.store, kind, obj, how)
        if gone and kind.kind not in _RETURNED:
            told = {"name": name, "group": kind.group, "kind": kind.plural, "uid": left["metadata"]["uid"]}
            return Answer(success({k: v for k, v in told.items() if v}))
        return Answer(shown(kind, left), warnings=warnings)

    def _delete_all(self, kind: Kind, request: Request) -> Answer:
        chosen, how = selection(kind, request.query), _deletion(request, request.deletion())
        found = [o for o in self.registry.store.all(kind.storage, request.route.namespace or None) if chosen.takes(o)]
        version = str(self.registry.store.version)
        for obj in found:
            delete(self.registry.store, kind, obj, how)
        return Answer(listing(kind, found, {"resourceVersion": version}))

    def _part(self, kind: Kind, request: Request) -> Answer | Stream | Session:
        route, part = request.route, request.route.part
        known = next((s for s in kind.subresources if s.name == part), None)
        if known is None:
            raise unknown_resource()
        if request.asked.verb not in known.verbs:
            raise not_allowed()
        match part:
            case "log":
                pod = self.registry.found(kind, route.namespace, route.name)
                return logs.answer(self.registry.store, pod, request)
            case "exec":
                pod = self.registry.found(kind, route.namespace, route.name)
                return execs.answer(self.registry.store, pod, request)
            case "token":
                account = self.registry.found(kind, route.namespace, route.name)
                return reviews.token(self.registry.store, self.tokens, account, request)
            case "eviction":
                return self._evict(request)
            case "binding":
                body, write = request.document("Binding"), request.options("CreateOptions")
                return Answer(parts.bind(self.registry, route.namespace, route.name, body, write), code=201)
            case "scale":
                return self._scale(kind, request)
        return self.reader.get(kind, request) if request.method == "GET" else self._write(kind, request, part)

    def _evict(self, request: Request) -> Answer:
        body = request.document("Eviction")
        of_kind(parts.EVICTION, body)
        how = _deletion(request, body.get("deleteOptions") or {})
        return Answer(parts.evict(self.registry, request.route.namespace, request.route.name, body, how), code=201)

    def _scale(self, kind: Kind, request: Request) -> Answer:
        old = self.registry.found(kind, request.route.namespace, request.route.name)
        if request.method == "GET":
            return Answer(parts.scale(old))
        if request.method == "PUT":
            write = replace(request.options("UpdateOptions"), through="scale")
            return Answer(parts.put_scale(self.registry, kind, old, request.document("Scale"), write))
        write = request.options("PatchOptions")
        return Answer(parts.patch_scale(self.registry, kind, old, _patch(request), write))


def _document(request: Request) -> Answer:
    path = request.route.path
    if path in ("/healthz", "/livez", "/readyz"):
        text = f"{path[1:]} check passed\n" if "verbose" in request.query else "ok"
        return Answer(text, content_type=TEXT)
    headers = request.headers
    if (told := discovery.answer(path, headers.get("Accept", ""), headers.get("Host", ""))) is not None:
        return told
    if path.startswith("/openapi/v3"):
        return openapi.answer(path)
    return Answer(NOWHERE, code=404, content_type=TEXT)


def _namespace(kind: Kind, request: Request) -> str:
    return request.route.namespace if kind.namespaced else ""


def _written(kind: Kind, obj: Object, write: Write, *, code: int) -> Answer:
    return Answer(shown(kind, obj), code=code, warnings=tuple(write.warnings))


def _patch(request: Request) -> Patch:
    how = CONTENT_TYPES.get(request.content_type())
    if how is None:
        raise ApiError("UnsupportedMediaType", "415: Unsupported Media Type", details={})
    try:
        return Patch(how, parsed_yaml(request.body) if how == "apply" else parsed(request.body))
    except Unreadable as error:
        told = f"error parsing YAML: {error}" if how == "apply" else str(error)
        raise bad_request(told if how in ("apply", "strategic") else f"error decoding patch: {told}") from error


def _deletion(request: Request, options: Mapping[str, Any]) -> Deletion:
    """How to delete: what stands in the body goes before what stands in the URL."""
    write = request.options("DeleteOptions", options)
    wanted = options.get("preconditions") or {}
    propagation = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    orphan = options.get("orphanDependents")
    if orphan is None and "orphanDependents" in request.query:
        orphan = flag(request.query, "orphanDependents")
    if orphan is not None and propagation:
        why = "orphanDependents and deletionPropagation cannot be both set"
        raise invalid_options("DeleteOptions", Cause.invalid("propagationPolicy", propagation, why))
    if propagation and propagation not in _POLICIES:
        cause = Cause.unsupported("propagationPolicy", propagation, (*_POLICIES, "nil"))
        raise invalid_options("DeleteOptions", cause)
    grace = options.get("gracePeriodSeconds")
    if grace is None and "gracePeriodSeconds" in request.query:
        grace = request.number("gracePeriodSeconds")
    chosen = propagation or ("" if orphan is None else "Orphan" if orphan else "Background")
    return Deletion(wanted.get("uid", ""), wanted.get("resourceVersion", ""), grace, chosen, write.dry_run)
