"""Every refusal in the API server's own shape (metav1.Status), so that clients meet the words they meet in life."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kubemend.lab.kinds import Kind
from kubemend.model.errors import KubemendError

_CODES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Expired": 410,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "TooManyRequests": 429,
    "": 500,
    "InternalError": 500,
    "Timeout": 504,
}
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True)
class Cause:
    """One fault of one field. reason: as in metav1.StatusCause ("FieldValueInvalid" ...)."""

    reason: str
    message: str
    field: str = ""

    def wire(self) -> dict[str, str]:
        """As metav1.StatusCause."""
        told = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: value for key, value in told.items() if value}

    @classmethod
    def required(cls, field: str, detail: str = "") -> Self:
        """A field that must be there."""
        return cls("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)

    @classmethod
    def invalid(cls, field: str, value: Any, detail: str) -> Self:
        """A value that can't be."""
        return cls("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", field)

    @classmethod
    def unsupported(cls, field: str, value: Any, supported: Iterable[str]) -> Self:
        """A value that is none of a closed list."""
        listed = ", ".join(f'"{v}"' for v in supported)
        return cls("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}", field)

    @classmethod
    def duplicate(cls, field: str, value: Any) -> Self:
        """A value that stands there twice."""
        return cls("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)

    @classmethod
    def missing(cls, field: str, value: Any) -> Self:
        """A name of something that isn't there."""
        return cls("FieldValueNotFound", f"Not found: {shown(value)}", field)

    @classmethod
    def forbidden(cls, field: str, detail: str) -> Self:
        """A field that mustn't be set or changed."""
        return cls("FieldValueForbidden", f"Forbidden: {detail}", field)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def shown(value: Any) -> str:
    """A value as `field.Error` prints it: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class ApiError(KubemendError):
    """The API server's refusal. reason: as in metav1.Status; http: the HTTP status; details: as in metav1.Status."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        http: int | None = None,
        retry_after: int | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code="api-" + (reason or "internal-error").lower())
        self.reason, self.details, self.retry_after, self.meta = reason, details, retry_after, meta or {}
        self.http = _CODES[reason] if http is None else http

    def body(self) -> dict[str, Any]:
        """The metav1.Status."""
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": self.meta, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.http}


def _details(kind: Kind, name: str, word: str, causes: Sequence[Cause] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "group": kind.group, "kind": word}
    if causes:
        told["causes"] = [c.wire() for c in causes]
    return {key: value for key, value in told.items() if value}


def not_found(kind: Kind, name: str) -> ApiError:
    """404 for an object that isn't there."""
    return ApiError("NotFound", f'{kind.resource} "{name}" not found', details=_details(kind, name, kind.plural))


def unknown_resource() -> ApiError:
    """404 for a resource that isn't served."""
    return ApiError("NotFound", "the server could not find the requested resource", details={})


def not_allowed() -> ApiError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError("MethodNotAllowed", message, details={})


def already_exists(kind: Kind, name: str, *, going: bool = False) -> ApiError:
    """409 on create. going: what is there is being deleted."""
    told = f'{"object is being deleted: " if going else ""}{kind.resource} "{name}" already exists'
    return ApiError("AlreadyExists", told, details=_details(kind, name, kind.plural))


def conflict(kind: Kind, name: str, why: str = MODIFIED, *, subresource: str = "") -> ApiError:
    """409 on a write of a version that isn't the current one."""
    plural = f"{kind.plural}/{subresource}" if subresource else kind.plural
    resource = f"{plural}.{kind.group}" if kind.group else plural
    return ApiError(
        "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {why}', details=_details(kind, name, plural)
    )


def precondition_failed(kind: Kind, name: str, why: str) -> ApiError:
    """409 on a delete whose precondition doesn't hold; here the server names the kind, not the resource."""
    word = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return ApiError(
        "Conflict", f'Operation cannot be fulfilled on {word} "{name}": {why}', details=_details(kind, name, kind.kind)
    )


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with its causes."""
    word = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    each = list(dict.fromkeys(map(str, causes)))
    told = each[0] if len(each) == 1 else f"[{', '.join(each)}]"
    return ApiError("Invalid", f'{word} "{name}" is invalid: {told}', details=_details(kind, name, kind.kind, causes))


def invalid_options(options: str, cause: Cause) -> ApiError:
    """422 for the parameters of a request ("PatchOptions")."""
    details = {"group": "meta.k8s.io", "kind": options, "causes": [cause.wire()]}
    return ApiError("Invalid", f'{options}.meta.k8s.io "" is invalid: {cause}', details=details)


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    """403 by admission or authorisation."""
    subject = f'{kind.resource} "{name}"' if name else kind.resource
    details = _details(kind, name, kind.plural, causes)
    return ApiError("Forbidden", f"{subject} is forbidden: {why}", details=details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError("BadRequest", message)


def too_large(limit: int) -> ApiError:
    """413 for a body of more than `limit` bytes."""
    return ApiError("RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def undecodable(kind: Kind, why: str) -> ApiError:
    """400 for a body that is no object of its kind."""
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def expired(message: str, *, proceed: str = "") -> ApiError:
    """410: the version asked for is no longer known. proceed: a token to go on with all the same."""
    return ApiError("Expired", message, meta={"continue": proceed} if proceed else None)


def success(details: dict[str, Any] | None = None, *, code: int | None = None) -> dict[str, Any]:
    """The Status of something that went well and returns no object."""
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        status["details"] = details
    return status if code is None else {**status, "code": code}
