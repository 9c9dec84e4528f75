"""Questions about permissions and identity: SelfSubjectAccessReview and its relatives, TokenRequest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from kubemend.kube.rbac import Ask
from kubemend.lab.api import Object
from kubemend.lab.apiserver.access import AUDIENCE, Rbac, Tokens, User
from kubemend.lab.apiserver.exchange import Answer, Request
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request
from kubemend.lab.fields import now
from kubemend.lab.store import Store

AUTHORIZATION, AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
TOKEN_S: Final = 3600
LEAST_TOKEN_S: Final = 600

Review = Callable[[Rbac, Request, Object], Object]


def _access(rbac: Rbac, user: User, body: Object) -> Object:
    decision = rbac.decide(user, _attributes(body.get("spec") or {}))
    return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


def _attributes(spec: Mapping[str, Any]) -> Ask:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause.invalid("spec.resourceAttributes", None, why)
        if path is not None:
            given = {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
            why = "cannot be specified in combination with resourceAttributes"
            cause = Cause.invalid("spec.nonResourceAttributes", given, why)
        details = {"group": AUTHORIZATION, "causes": [cause.wire()]}
        raise ApiError("Invalid", f'.{AUTHORIZATION} "" is invalid: {cause}', details=details)
    if path is not None:
        return Ask(path.get("verb", ""), path=path.get("path", ""))
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Ask(**{f: (resource or {}).get(f, "") for f in fields})


def _self_access(rbac: Rbac, request: Request, body: Object) -> Object:
    return {"status": _access(rbac, request.user, body)}


def _access_of(rbac: Rbac, _request: Request, body: Object) -> Object:
    spec = body.get("spec") or {}
    return {"status": _access(rbac, User(spec.get("user", ""), tuple(spec.get("groups") or ())), body)}


def _rules(rbac: Rbac, request: Request, body: Object) -> Object:
    namespace = (body.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise bad_request("no namespace on request")
    rules = rbac.rules(request.user, namespace)
    resources = [r for r in rules if r.get("resources")]
    paths = [r for r in rules if r.get("nonResourceURLs")]
    return {"spec": {}, "status": {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}}


def _self(_rbac: Rbac, request: Request, _body: Object) -> Object:
    user = request.user
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = dict(user.extra)
    return {"status": {"userInfo": info}}


REVIEWS: Final[Mapping[tuple[str, str], tuple[str, bool, Review]]] = {
    (AUTHORIZATION, "localsubjectaccessreviews"): ("LocalSubjectAccessReview", True, _access_of),
    (AUTHORIZATION, "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", False, _self_access),
    (AUTHORIZATION, "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", False, _rules),
    (AUTHORIZATION, "subjectaccessreviews"): ("SubjectAccessReview", False, _access_of),
    (AUTHENTICATION, "selfsubjectreviews"): ("SelfSubjectReview", False, _self),
}
"""(group, plural) → kind, whether it is namespaced, and how it is answered."""


def answer(rbac: Rbac, request: Request) -> Answer:
    """Carry out a review. Raises `ApiError`."""
    route = request.route
    kind, _, review = REVIEWS[route.group, route.plural]
    body = request.document(kind)
    spec = {k: _filled(v) for k, v in (body.get("spec") or {}).items()}
    head = {"kind": kind, "apiVersion": f"{route.group}/{route.version}", "metadata": _meta(request, spec)}
    return Answer({**head, "spec": spec, **review(rbac, request, body)}, code=201)


def _filled(value: Any) -> Any:
    return {k: v for k, v in value.items() if v != ""} if isinstance(value, dict) else value


def _meta(request: Request, spec: Object) -> Object:
    """A review is no object, but who asked is noted on it as on any."""
    if not spec:
        return {}
    tree: Object = {
        f"f:{k}": {".": {}, **{f"f:{i}": {} for i in v}} if isinstance(v, dict) else {} for k, v in spec.items()
    }
    entry = {"manager": request.options("CreateOptions").manager, "operation": "Update"}
    group = AUTHENTICATION if request.route.part == "token" else request.route.group
    place = {"apiVersion": f"{group}/v1", "time": now()}
    if request.route.part:
        place["subresource"] = request.route.part
    return {"managedFields": [{**entry, **place, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": tree}}]}


def token(store: Store, tokens: Tokens, account: Object, request: Request) -> Answer:
    """Issue a token for a ServiceAccount (authentication.k8s.io/v1 TokenRequest). Raises `ApiError`."""
    spec = request.document("TokenRequest").get("spec") or {}
    seconds = spec.get("expirationSeconds") or TOKEN_S
    if seconds < LEAST_TOKEN_S:
        cause = Cause.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        details = {"group": AUTHENTICATION, "kind": "TokenRequest", "causes": [cause.wire()]}
        raise ApiError("Invalid", f'TokenRequest.{AUTHENTICATION} "" is invalid: {cause}', details=details)
    meta = account["metadata"]
    end = (store.clock() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"audiences": spec.get("audiences") or [AUDIENCE], "expirationSeconds": seconds, "boundObjectRef": None}
    return Answer(
        {
            "kind": "TokenRequest",
            "apiVersion": f"{AUTHENTICATION}/v1",
            "metadata": {
                **{f: meta[f] for f in ("name", "namespace", "uid")},
                "creationTimestamp": store.now(),
                **_meta(request, {k: v for k, v in spec.items() if v}),
            },
            "spec": asked,
            "status": {"token": tokens.issue(account, seconds), "expirationTimestamp": end},
        },
        code=201,
    )
