"""What can go wrong between us and a cluster, in words of our own.

    ClusterError
    ├── ConfigError       the kubeconfig can't be used as it is
    ├── NotASnapshot      a file or directory that holds no snapshot
    ├── LoginFailed       no credentials could be had
    ├── Unreachable       nothing was sent: no connection; or a read was cut off
    │   └── Untrusted     TLS: one side does not trust the other
    ├── TimedOut          a read took longer than its limit
    ├── OutcomeUnknown    a write was sent and its answer never came
    ├── Garbled           the answer is not what the API would say
    ├── Outdated          the answer is older than an earlier one
    └── Refused           the API server answered with an error status
        ├── Unauthorized (401)  Forbidden (403)  NotFound (404)  NotServed (404, the whole resource type)
        ├── Conflict (409)  AlreadyExists (409)  Gone (410)  Invalid (422)
        └── TooManyRequests (429)  ServerError (5xx)

The HTTP library's own exceptions never leave this room. Text that is not a Kubernetes `Status` is cut and
stripped of anything that looks like a credential before it becomes part of a message.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from kubemend.model.errors import KubemendError

EXCERPT = 256
"""Characters kept of a text that is not a Kubernetes Status."""
MESSAGE = 1024
"""Characters kept of a Status message: some quote a whole pod spec."""

READ_BACK = "read the object back before anything else"
"""The hint of every OutcomeUnknown."""

_CREDENTIAL = re.compile(r"[A-Za-z0-9_\-.+=~]{32,}")


def excerpt(text: bytes | str) -> str:
    """The beginning of a foreign text on one line, without anything long enough to be a token."""
    plain = text[: EXCERPT * 4].decode(errors="replace") if isinstance(text, bytes) else text[: EXCERPT * 4]
    line = " ".join(_CREDENTIAL.sub("<withheld>", plain).split())
    return line if len(line) <= EXCERPT else line[:EXCERPT] + "…"


class ClusterError(KubemendError):
    """Something between us and a cluster failed. `retryable`: the same call may work a little later."""

    code = "cluster-error"
    retryable = False


class ConfigError(ClusterError):
    """The kubeconfig can't be used as it is."""

    code = "kubeconfig-invalid"
    exit_status = 2


class NotASnapshot(ClusterError):
    """A path that holds no snapshot we can read."""

    code = "not-a-snapshot"
    exit_status = 2


class LoginFailed(ClusterError):
    """No credentials could be had: a plugin failed, or a login has expired."""

    code = "login-failed"
    exit_status = 3


class Unreachable(ClusterError):
    """No connection could be made, so nothing was sent; or a read lost its connection."""

    code = "cluster-unreachable"
    exit_status = 3
    retryable = True


class Untrusted(Unreachable):
    """The server's certificate is not trusted, or the server didn't trust ours."""

    code = "tls-untrusted"
    retryable = False


class TimedOut(ClusterError):
    """A read took longer than its limit."""

    code = "timed-out"
    retryable = True


class OutcomeUnknown(ClusterError):
    """A write was sent and no usable answer came: it may or may not have happened. Read back; never send it again."""

    code = "outcome-unknown"


class Garbled(ClusterError):
    """The answer can't be decoded as what was asked for."""

    code = "answer-garbled"


class Outdated(ClusterError):
    """An answer from before what was seen already."""

    code = "answer-outdated"
    retryable = True


class Cause(Struct, frozen=True):
    """One reason of several in a Status: the JSON field it is about, if any."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(Struct, frozen=True, rename="camel"):
    """`Status.details`."""

    name: str = ""
    kind: str = ""
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: int = 0


class Status(Struct, frozen=True):
    """The Kubernetes API's error body (`meta/v1` Status)."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details | None = None


class Refused(ClusterError):
    """The API server answered with an error status.

    status: the HTTP status. reason: Kubernetes' own word ("" when the body was no Status).
    retry_after: seconds the server asked to wait, if it did.
    """

    code = "request-refused"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status, self.reason, self.causes, self.retry_after = status, reason, causes, retry_after


class Unauthorized(Refused):
    """401: the credentials were not accepted."""

    code = "unauthorized"
    exit_status = 3


class Forbidden(Refused):
    """403: the credentials are known and may not do this."""

    code = "forbidden"
    exit_status = 3


class NotFound(Refused):
    """404: there is no object of that name (or no such namespace)."""

    code = "not-found"


class NotServed(Refused):
    """404 for the whole resource type: this API server doesn't serve it. Says nothing about any object."""

    code = "kind-not-served"


class Conflict(Refused):
    """409: the object is not the one, or not in the version, that the write was meant for."""

    code = "conflict"


class AlreadyExists(Refused):
    """409: an object of that name is there already."""

    code = "already-exists"


class Gone(Refused):
    """410: the resource version or list position is older than what the server keeps."""

    code = "gone"


class Invalid(Refused):
    """422: the server won't have the object as it is."""

    code = "object-invalid"


class TooManyRequests(Refused):
    """429: the server is busy, or a PodDisruptionBudget forbids an eviction."""

    code = "too-many-requests"
    retryable = True


class ServerError(Refused):
    """5xx: the server, or something before it, failed."""

    code = "server-error"
    retryable = True


_BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_HINTS: dict[type[Refused], str] = {
    Unauthorized: "log in again, or check the user of this context",
    Forbidden: "ask for this permission, or use another context",
}


def parse_status(body: bytes) -> Status | None:
    """The Status in an error body, or None when it is something else."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return status if status.kind == "Status" else None


def refusal(http_status: int, body: bytes, *, where: str, retry_after: float | None = None) -> Refused:
    """The error that an API answer stands for."""
    status = parse_status(body)
    if status is None:
        wanted = NotServed if http_status == 404 else _kind_of_error(http_status, None)
        text = f"HTTP {http_status}: {excerpt(body) or 'no body'}"
        message = "the cluster does not serve this resource type" if wanted is NotServed else text
        return wanted(message, status=http_status, retry_after=retry_after, where=where)
    wanted = _kind_of_error(http_status, status)
    details = status.details or Details()
    message = (status.message or f"HTTP {http_status}").strip()
    return wanted(
        message if len(message) <= MESSAGE else message[:MESSAGE] + "…",
        status=http_status,
        reason=status.reason,
        causes=details.causes or (),
        retry_after=retry_after if retry_after is not None else (details.retry_after_seconds or None),
        where=where,
        hint=_HINTS.get(wanted),
    )


def _kind_of_error(http_status: int, status: Status | None) -> type[Refused]:
    if http_status >= 500:
        return ServerError
    if status is not None:
        if status.reason == "AlreadyExists":
            return AlreadyExists
        # The API server names the object in a 404 for an object, and nothing in one for an unknown type.
        if http_status == 404 and not (status.details and status.details.name):
            return NotServed
    return _BY_STATUS.get(http_status, Refused)
