"""What reads answer: a whole list, a version, a permission; and the wire forms they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.errors import Garbled
from kubemend.model.access import Access
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Unread

T = TypeVar("T", bound=Obj)


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A whole list: the objects, the version a watch begins from, and the objects that could not be decoded."""

    items: tuple[T, ...]
    resource_version: str
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True)
class Version:
    """The API server's version: numbers for comparing, text for people ("v1.34.4")."""

    major: int
    minor: int
    text: str
    platform: str = ""


@dataclass(frozen=True)
class Allowed:
    """Whether we may do something, and why (not), where the server says it."""

    allowed: bool
    reason: str = ""


class _WireVersion(Struct, frozen=True, rename="camel"):
    git_version: str
    major: str = ""
    minor: str = ""
    platform: str = ""


class _ReviewStatus(Struct, frozen=True, rename="camel"):
    allowed: bool
    reason: str = ""
    evaluation_error: str = ""


class _Review(Struct, frozen=True):
    status: _ReviewStatus


def version(body: bytes) -> Version:
    """The answer of /version. Garbled when it is none."""
    try:
        told = msgspec.json.decode(body, type=_WireVersion)
    except NOT_JSON as error:
        raise Garbled(f"the answer is no version: {error}", where="GET /version") from error
    return Version(_digits(told.major), _digits(told.minor), told.git_version, told.platform)


def review(access: Access, namespace: str, name: str) -> dict[str, Any]:
    """The SelfSubjectAccessReview that asks for a permission."""
    plural, _, subresource = access.resource.partition("/")
    asked = {
        "verb": access.verb,
        "group": access.group,
        "resource": plural,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {k: v for k, v in asked.items() if v}},
    }


def allowed(body: bytes, *, where: str) -> Allowed:
    """The answer to a review. Garbled when it is none."""
    try:
        status = msgspec.json.decode(body, type=_Review).status
    except NOT_JSON as error:
        raise Garbled(f"the answer is no access review: {error}", where=where) from error
    return Allowed(status.allowed, status.reason or status.evaluation_error)


def _digits(text: str) -> int:
    # Some vendors add a "+" to the minor version.
    found = "".join(c for c in text if c.isdecimal())
    return int(found) if found else 0
